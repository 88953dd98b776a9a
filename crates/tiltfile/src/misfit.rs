//! Says why a call does not fit the function that a file defines, as Go says it: with all that is missing, and the number of
//! arguments that were given.

/// The parameters of a function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Parameters {
    /// What takes arguments by position: its name, and whether it has a default.
    pub(super) positional: Vec<(String, bool)>,
    /// What is taken by keyword only.
    pub(super) keyword_only: Vec<(String, bool)>,
    /// Whether `*args` takes the rest.
    pub(super) rest: bool,
    /// Whether `**kwargs` does.
    pub(super) keywords: bool,
}

/// What a call gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Given {
    /// How many arguments by position.
    pub(super) positional: usize,
    /// The names of those by keyword.
    pub(super) keywords: Vec<String>,
}

/// Returns what is wrong; `None` where the call fits.
///
/// Rule: starlark-go's `setArgs`.
pub(super) fn misfit(function: &str, parameters: &Parameters, given: &Given) -> Option<String> {
    let Parameters {
        positional,
        keyword_only,
        ..
    } = parameters;
    let takes_nothing = positional.is_empty() && keyword_only.is_empty();
    if takes_nothing && !parameters.rest && !parameters.keywords {
        let n_given = given.positional + given.keywords.len();
        return (n_given > 0).then(|| format!("function {function} accepts no arguments ({n_given} given)"));
    }
    if given.positional > positional.len() && !parameters.rest {
        let most = match positional.iter().any(|(_, has_default)| *has_default) {
            true => "at most ",
            false => "",
        };
        let (n, plural) = (positional.len(), if positional.len() == 1 { "" } else { "s" });
        return Some(format!(
            "function {function} accepts {most}{n} positional argument{plural} ({} given)",
            given.positional
        ));
    }
    let by_position = given.positional.min(positional.len());
    let mut filled: Vec<&str> = positional[..by_position]
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    for name in &given.keywords {
        let is_known = positional
            .iter()
            .chain(keyword_only)
            .any(|(known, _)| known == name);
        if filled.contains(&name.as_str()) {
            return Some(format!(
                "function {function} got multiple values for parameter \"{name}\""
            ));
        }
        if !is_known && !parameters.keywords {
            return Some(format!(
                "function {function} got an unexpected keyword argument \"{name}\""
            ));
        }
        filled.push(name);
    }
    let missing: Vec<&str> = positional
        .iter()
        .chain(keyword_only)
        .filter(|(name, has_default)| !has_default && !filled.contains(&name.as_str()))
        .map(|(name, _)| name.as_str())
        .collect();
    let plural = if missing.len() == 1 { "" } else { "s" };
    (!missing.is_empty()).then(|| {
        format!(
            "function {function} missing {} argument{plural} ({})",
            missing.len(),
            missing.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(positional: &[(&str, bool)], n: usize, keywords: &[&str], expected: Option<&str>) {
        let parameters = Parameters {
            positional: positional
                .iter()
                .map(|(name, has)| ((*name).to_owned(), *has))
                .collect(),
            ..Parameters::default()
        };
        let given = Given {
            positional: n,
            keywords: keywords.iter().map(|name| (*name).to_owned()).collect(),
        };
        assert_eq!(misfit("f", &parameters, &given).as_deref(), expected);
    }

    #[test]
    fn what_does_not_fit_is_told_with_all_that_is_missing_or_too_much() {
        let two = [("a", false), ("b", false)];
        let optional = [("a", false), ("b", true)];
        check(&two, 2, &[], None);
        check(&optional, 1, &[], None);
        check(&two, 0, &[], Some("function f missing 2 arguments (a, b)"));
        check(&two, 0, &["b"], Some("function f missing 1 argument (a)"));
        check(
            &two,
            3,
            &[],
            Some("function f accepts 2 positional arguments (3 given)"),
        );
        check(
            &optional,
            3,
            &[],
            Some("function f accepts at most 2 positional arguments (3 given)"),
        );
        check(&[], 1, &[], Some("function f accepts no arguments (1 given)"));
        check(
            &two,
            1,
            &["a"],
            Some("function f got multiple values for parameter \"a\""),
        );
        check(
            &two,
            2,
            &["c"],
            Some("function f got an unexpected keyword argument \"c\""),
        );
    }
}
