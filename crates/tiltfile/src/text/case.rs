//! Upper and lower case, and what kinds of characters there are: each character is looked at by itself, as in Go.

use std::sync::LazyLock;

use regex::Regex;

/// Returns the character in upper case; itself where that would take several.
pub(super) fn upper(character: char) -> char {
    let mut mapped = character.to_uppercase();
    match (mapped.next(), mapped.next()) {
        (Some(upper), None) => upper,
        _ => character,
    }
}

/// Returns the character in lower case.
pub(super) fn lower(character: char) -> char {
    character.to_lowercase().next().unwrap_or(character)
}

/// Returns whether a character has a case.
pub(super) fn is_cased(character: char) -> bool {
    character.is_uppercase() || character.is_lowercase() || upper(character) != lower(character)
}

/// Returns a text with each word's first letter in upper case.
pub(super) fn title(text: &str) -> String {
    let mut is_inside = false;
    let cased = text.chars().map(|character| {
        let changed = if is_inside {
            lower(character)
        } else {
            upper(character)
        };
        is_inside = is_cased(character);
        changed
    });
    cased.collect()
}

/// Returns a text with its first letter in upper case.
pub(super) fn capitalize(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(upper);
    first.into_iter().chain(characters.map(lower)).collect()
}

/// Returns whether upper case letters follow only what has no case, and lower case letters only what has.
pub(super) fn is_title(text: &str) -> bool {
    let (mut any, mut before) = (false, false);
    for character in text.chars() {
        let is_upper = character.is_ascii_uppercase();
        let is_lower = character.is_lowercase();
        if is_upper && before || is_lower && !before || !is_upper && character.is_uppercase() {
            return false;
        }
        before = is_upper || is_lower;
        any |= before;
    }
    any
}

/// Returns whether a text has letters, all in upper case.
pub(super) fn is_upper(text: &str) -> bool {
    text.chars().any(is_cased) && text.chars().all(|character| upper(character) == character)
}

/// Returns whether a text has letters, all in lower case.
pub(super) fn is_lower(text: &str) -> bool {
    text.chars().any(is_cased) && text.chars().all(|character| lower(character) == character)
}

/// Returns whether a text consists of letters.
pub(super) fn is_alpha(text: &str) -> bool {
    static LETTERS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^\p{L}+$").ok());
    matches(&LETTERS, text)
}

/// Returns whether a text consists of digits.
pub(super) fn is_digit(text: &str) -> bool {
    static DIGITS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^\p{Nd}+$").ok());
    matches(&DIGITS, text)
}

/// Returns whether a text consists of letters and digits.
pub(super) fn is_alnum(text: &str) -> bool {
    static BOTH: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^[\p{L}\p{Nd}]+$").ok());
    matches(&BOTH, text)
}

fn matches(pattern: &LazyLock<Option<Regex>>, text: &str) -> bool {
    pattern.as_ref().is_some_and(|pattern| pattern.is_match(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_changed_one_by_one() {
        assert_eq!("ßaé".chars().map(upper).collect::<String>(), "ßAÉ");
        assert_eq!(capitalize("éCOLE ab"), "École ab");
        assert_eq!(title("it's a ßTEST 1a"), "It'S A ßtest 1A");
    }

    #[test]
    fn kinds_of_text_are_told_apart() {
        assert!(is_upper("A1 É") && !is_upper("1") && !is_upper("Aé"));
        assert!(is_lower("a1 ß") && !is_lower("日"));
        assert!(is_title("Title Case 1") && !is_title("title") && !is_title("TItle"));
        assert!(is_alpha("日本é") && !is_alpha("a1") && !is_alpha(""));
        assert!(is_alnum("a1") && is_digit("12") && !is_digit("½"));
    }
}
