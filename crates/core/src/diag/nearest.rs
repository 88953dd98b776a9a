//! "Did you mean": the known name that is nearest to a wrong one.

/// Returns the known name that was probably meant by `word`, if one is near enough: at most a third of its letters
/// differ, a swap of neighbours counting as one.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    known
        .into_iter()
        .filter(|name| *name != word)
        .map(|name| (strsim::damerau_levenshtein(&lower, &name.to_lowercase()), name))
        .filter(|(distance, name)| distance * 3 <= word.chars().count().max(name.chars().count()))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_finds_its_name_and_a_stranger_finds_nothing() {
        let known = ["database", "web", "frontend"];
        assert_eq!(nearest("databse", known), Some("database"));
        assert_eq!(nearest("Web", known), Some("web"));
        assert_eq!(nearest("zebra", known), None);
    }
}
