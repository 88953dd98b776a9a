//! What built-ins that come with the evaluator say of their arguments, in Go's words.

use std::sync::LazyLock;

use regex::{Captures, Regex};

/// Says that a built-in takes no keyword arguments.
pub(super) fn no_keywords(builtin: &str) -> String {
    match builtin {
        "chr" | "dir" | "float" | "ord" | "str" | "type" | "zip" => {
            format!("{builtin} does not accept keyword arguments")
        }
        _ => format!("{builtin}: unexpected keyword arguments"),
    }
}

/// Says that a built-in takes another number of arguments.
pub(super) fn wrong_number(builtin: &str, got: usize, least: usize, most: usize) -> String {
    let wanted = match builtin {
        "float" => return format!("float got {got} arguments, wants 1"),
        "str" | "type" => format!("exactly {least}"),
        _ if least == most => least.to_string(),
        _ if got < least => format!("at least {least}"),
        _ => format!("at most {most}"),
    };
    format!("{builtin}: got {got} arguments, want {wanted}")
}

/// A message of the evaluator: how it looks, and Go's words for it.
type Rule = (&'static str, fn(&str, &Captures<'_>) -> String);

/// `$builtin` and what was captured make the message.
const RULES: &[Rule] = &[
    (
        r"^Wrong number of positional arguments, expected (\d+), got (\d+)$",
        |builtin, found| {
            let wanted = number(&found[1]);
            wrong_number(builtin, number(&found[2]), wanted, wanted)
        },
    ),
    (
        r"^Wrong number of positional arguments, expected between (\d+) and (\d+), got (\d+)$",
        |builtin, found| wrong_number(builtin, number(&found[3]), number(&found[1]), number(&found[2])),
    ),
    (r"^Missing positional-only parameter", |builtin, _| {
        wrong_number(builtin, 0, 1, 2)
    }),
    (
        r"^Found (\d+) extra positional argument",
        |builtin, found| match builtin {
            "enumerate" | "int" | "pop" => wrong_number(builtin, 2 + number(&found[1]), 1, 2),
            _ => format!("{builtin}: got {} arguments too many", &found[1]),
        },
    ),
    (
        r"^Found `(\S+)` extra named parameter",
        |builtin, found| match builtin {
            "int" | "max" | "min" | "print" => {
                format!("{builtin}: unexpected keyword argument \"{}\"", &found[1])
            }
            _ => no_keywords(builtin),
        },
    ),
    (
        r"^Type of parameter `(\S+)` doesn't match, expected `(.+)`, actual `(\S+)",
        |builtin, found| {
            let got = type_word(&found[3]);
            let at = match &found[1] {
                "a2" | "attr" | "name" | "start" => 2,
                "step" => 3,
                _ => 1,
            };
            match (builtin, &found[2]) {
                ("int", _) => format!("int: cannot convert {got} to int"),
                ("float", _) => format!("float got {got}, want number or string"),
                ("abs", _) => format!("got {got}, want int or float"),
                ("chr" | "ord", wanted) => format!("{builtin}: got {got}, want {}", type_word(wanted)),
                (_, wanted) => format!(
                    "{builtin}: for parameter {at}: got {got}, want {}",
                    type_word(wanted)
                ),
            }
        },
    ),
    (
        r"^Operation `\(iter\)` not supported on type `(\S+)`",
        |builtin, found| {
            let got = &found[1];
            match builtin {
                "max" | "min" => format!("{builtin}: {got} value is not iterable"),
                "dict" | "update" => format!("{builtin}: got {got}, want iterable"),
                "zip" => format!("zip: argument #1 is not iterable: {got}"),
                _ => format!("{builtin}: for parameter 1: got {got}, want iterable"),
            }
        },
    ),
    (
        r"^Operation `len\(\)` not supported on type `(\S+)`",
        |builtin, found| format!("{builtin}: value of type {} has no len", &found[1]),
    ),
    (
        r"^Operation `(?:compare|cmp\(\)|<>)` not supported for types `(\S+)` and `(\S+)`",
        |builtin, found| {
            let sign = if builtin == "max" { '>' } else { '<' };
            format!("{builtin}: {} {sign} {} not implemented", &found[2], &found[1])
        },
    ),
    (
        r"^Argument is an empty iterable, (?:max|min)\(\) expect",
        |builtin, _| format!("{builtin}: argument is an empty sequence"),
    ),
    (
        r"^Cannot parse `(.*)` as an integer in base (\d+)$",
        |_, found| format!("int: invalid literal with base {}: {}", &found[2], &found[1]),
    ),
    (r"is not a valid base, int\(\) base must be", |_, _| {
        "int: base must be an integer >= 2 && <= 36".to_owned()
    }),
    (
        r#"^"(.*)" is not a valid number: cannot parse float from empty"#,
        |_, _| "float: empty string".to_owned(),
    ),
    (
        r#"^"(.*)" is not a valid number: invalid float literal"#,
        |_, found| format!("invalid float literal: {}", &found[1]),
    ),
    (r"^Third argument of range \(step\) cannot be zero$", |_, _| {
        "range: step argument must not be zero".to_owned()
    }),
    (
        r"^Found a non-pair element in the positional argument|got a list of non-pairs",
        |builtin, _| format!("{builtin}: dictionary update sequence has an element that is no pair"),
    ),
    (r"^Value of type `(\S+)` is not hashable$", |builtin, found| {
        format!("{builtin}: unhashable type: {}", &found[1])
    }),
    (r"^Element '.*' not found in ", |builtin, _| match builtin {
        "index" => "index: value not in list".to_owned(),
        _ => format!("{builtin}: element not found"),
    }),
    (r"^Key `.+` not found in dictionary `.*`$", |builtin, _| {
        format!("{builtin}: missing key")
    }),
    (r"^Cannot \.popitem\(\) on an empty dictionary$", |_, _| {
        "popitem: empty dict".to_owned()
    }),
    (r"^Index `-1` is out of bound$", |builtin, _| {
        format!("{builtin}: index -1 out of range: empty list")
    }),
    (r"^Index `(.+)` is out of bound$", |builtin, found| {
        format!("{builtin}: list index {} out of range", &found[1])
    }),
    (
        r"^Object of type `(\S+)` has no attribute `(\S+)`",
        |builtin, found| format!("{builtin}: {} has no .{} field or method", &found[1], &found[2]),
    ),
];

static COMPILED: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    let compiled = RULES.iter().map(|(pattern, _)| Regex::new(pattern));
    compiled.filter_map(Result::ok).collect()
});

/// Returns what the evaluator says of a call of one of its built-ins in Go's words; `None` for what is said like anything
/// else.
pub(super) fn said(text: &str, builtin: &str) -> Option<String> {
    let mut rules = COMPILED.iter().zip(RULES);
    rules.find_map(|(pattern, (_, words))| Some(words(builtin, &pattern.captures(text)?)))
}

/// Returns the name that Go has for a type of the evaluator.
fn type_word(name: &str) -> &str {
    match name {
        "str" => "string",
        name => name,
    }
}

fn number(digits: &str) -> usize {
    digits.parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_compiles() {
        assert_eq!(COMPILED.len(), RULES.len());
    }

    #[test]
    fn built_ins_of_the_language_speak_as_gos() {
        for (builtin, text, expected) in [
            (
                "len",
                "Wrong number of positional arguments, expected 1, got 0",
                "len: got 0 arguments, want 1",
            ),
            (
                "range",
                "Wrong number of positional arguments, expected between 1 and 3, got 4",
                "range: got 4 arguments, want at most 3",
            ),
            (
                "get",
                "Wrong number of positional arguments, expected between 1 and 2, got 0",
                "get: got 0 arguments, want at least 1",
            ),
            (
                "float",
                "Wrong number of positional arguments, expected between 0 and 1, got 2",
                "float got 2 arguments, wants 1",
            ),
            (
                "len",
                "Found `x` extra named parameter(s) for call to `function`",
                "len: unexpected keyword arguments",
            ),
            (
                "ord",
                "Found `x` extra named parameter(s) for call to `function`",
                "ord does not accept keyword arguments",
            ),
            (
                "range",
                "Type of parameter `a2` doesn't match, expected `int`, actual `string (repr: \"a\")`",
                "range: for parameter 2: got string, want int",
            ),
            (
                "int",
                "Type of parameter `a` doesn't match, expected `bool | float | int | str`, actual `list (repr: [])`",
                "int: cannot convert list to int",
            ),
            (
                "list",
                "Operation `(iter)` not supported on type `int`",
                "list: for parameter 1: got int, want iterable",
            ),
            (
                "int",
                "Cannot parse `1.5` as an integer in base 10",
                "int: invalid literal with base 10: 1.5",
            ),
        ] {
            assert_eq!(said(text, builtin).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(said("anything else", "len"), None);
    }
}
