//! Variables of a project: as compose prints them, and as paths have them.

use std::collections::BTreeMap;

/// Puts variables into a text: `$NAME`, `${NAME}`, `${NAME-default}`, `${NAME:-default}` and `$$`; `None` where it has more
/// than that.
pub(super) fn interpolated(text: &str, variables: &BTreeMap<String, String>) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
            continue;
        }
        if let Some(inner) = rest.strip_prefix('{') {
            let (inner, after) = inner.split_once('}')?;
            let end = inner.find(|letter: char| !is_name(letter)).unwrap_or(inner.len());
            let (name, default) = inner.split_at(end);
            let value = variables.get(name);
            let value = match (value, default) {
                (value, "") => value.map(String::as_str).unwrap_or_default(),
                (value, default) => {
                    let keeps_empty = !default.starts_with(':');
                    let default = default.trim_start_matches(':').strip_prefix('-')?;
                    let value = value.filter(|value| keeps_empty || !value.is_empty());
                    value.map_or(default, String::as_str)
                }
            };
            out.push_str(value);
            rest = after;
        } else {
            let end = rest.find(|letter: char| !is_name(letter)).unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            (!name.is_empty()).then_some(())?;
            out.push_str(variables.get(name).map(String::as_str).unwrap_or_default());
            rest = after;
        }
    }
    out.push_str(rest);
    Some(out)
}

/// Reads lines of `NAME=value`.
pub(super) fn variables(printed: &str) -> BTreeMap<String, String> {
    let pairs = printed.lines().filter_map(|line| line.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Returns the value of a variable among lines of `NAME=value`; `None` where it may go on in the next line.
pub(super) fn variable_of_one_line(printed: &str, name: &str) -> Option<String> {
    let value_in = |line: &str| Some(line.strip_prefix(name)?.strip_prefix('=')?.to_owned());
    let begins_a_variable = |line: &str| {
        let name = line.split_once('=').map_or("", |(name, _)| name);
        !name.is_empty() && name.chars().all(is_name)
    };
    let lines: Vec<&str> = printed.lines().collect();
    let mut found = lines
        .iter()
        .enumerate()
        .filter_map(|(at, line)| Some((at, value_in(line)?)));
    let (at, value) = found.next()?;
    let is_alone = found.next().is_none();
    let ends = lines.get(at + 1).is_none_or(|next| begins_a_variable(next));
    (is_alone && ends).then_some(value)
}

fn is_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_may_have_more_lines_is_not_taken_for_one_of_one_line() {
        let printed = "A=one\nKEY=-----BEGIN\nmore\n-----END\nB=\nC=1\nC=2\nLAST=x=y\n";
        let value = |name: &str| variable_of_one_line(printed, name);
        for (name, expected) in [
            ("A", Some("one")),
            ("KEY", None),
            ("B", Some("")),
            ("C", None),
            ("LAST", Some("x=y")),
            ("NONE", None),
            ("AS", None),
        ] {
            assert_eq!(value(name).as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn variables_are_put_into_paths_and_what_goes_beyond_that_is_not_guessed() {
        let variables = variables("A=one\nEMPTY=\nB=x=y\n");
        let put = |text: &str| interpolated(text, &variables);
        for (text, expected) in [
            ("$A/${A}.yml", Some("one/one.yml")),
            ("${NOPE:-d}${NOPE-e}${EMPTY:-f}${EMPTY-g}", Some("def")),
            ("${B}$$A", Some("x=y$A")),
            ("${NOPE}", Some("")),
            ("${A:?needed}", None),
            ("${A", None),
            ("$", None),
            ("plain", Some("plain")),
        ] {
            assert_eq!(put(text).as_deref(), expected, "{text}");
        }
    }
}
