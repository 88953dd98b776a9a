//! Whatever a Tiltfile says, the answer is a result or an error, never a panic and never silence.

use proptest::prelude::*;
use tilt::tiltfile::MemoryHost;

use crate::support::{load_with, request};

/// Loads, and panics only if the evaluator or what surrounds it does.
fn survives(tiltfile: &str) -> Result<(), TestCaseError> {
    let mut request = request();
    request.subcommand = "down";
    let (load, _) = load_with(&request, &MemoryHost::new(&format!("--- Tiltfile\n{tiltfile}\n")));
    let text = load.error_text().unwrap_or_default();
    prop_assert!(!text.contains("internal error"), "{tiltfile}\n{text}");
    prop_assert_eq!(load.manifests.is_some(), text.is_empty());
    Ok(())
}

/// Pieces of programs, put together without sense.
fn words() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "def f(x):",
        "lambda",
        "for x in",
        "while",
        "if",
        "else",
        "elif",
        "return",
        "pass",
        "break",
        "load",
        "f",
        "x",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        "=",
        "+=",
        "==",
        "+",
        "-",
        "*",
        "%",
        "//",
        "|",
        ".",
        "'a'",
        "\"b\"",
        "'''",
        "1",
        "1.5",
        "None",
        "not",
        "in",
        "and",
        "\n",
        "\n  ",
        "\n\t",
        "#",
        "\\",
        "print",
        "len",
        "str",
        "é",
        "$",
        "**",
        "*args",
        "struct",
        "range",
        "sorted",
        "os.environ",
        "config.parse()",
        ";",
    ]);
    prop::collection::vec(piece, 0..25).prop_map(|pieces| pieces.join(" "))
}

/// Values, as they are written.
fn value() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "None",
        "True",
        "0",
        "-1",
        "99999999999999999999",
        "1.5",
        "''",
        "'a'",
        "'/x'",
        "'a\\nb'",
        "'{a: [}'",
        "[]",
        "()",
        "{}",
        "set()",
        "print",
        "lambda x: x",
        "lambda *a, **k: 1",
        "blob('{a: 1}')",
        "struct(a=1)",
        "range(3)",
        "TRIGGER_MODE_AUTO",
        "os",
        "os.environ",
        "link('x')",
        "1 << 70",
        "float('nan')",
        "b'x'",
        "'\\x00'",
        "'%'",
        "'é'",
    ])
    .prop_map(str::to_owned);
    leaf.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(|items| format!("[{}]", items.join(", "))),
            (inner.clone(), inner.clone()).prop_map(|(key, item)| format!("{{{key}: {item}}}")),
            (inner.clone(), inner).prop_map(|(left, right)| format!("({left}, {right})")),
        ]
    })
}

/// The built-ins, by their documentation.
fn builtin() -> impl Strategy<Value = String> {
    let page = tilt::tiltfile::reference_page();
    let names: Vec<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .map(|line| {
            line.trim_matches('`')
                .split('(')
                .next()
                .unwrap_or_default()
                .to_owned()
        })
        .filter(|name| !name.is_empty() && !name.contains(' ') && name != "exit")
        .collect();
    assert!(names.len() > 60, "the page lists the built-ins: {names:?}");
    prop::sample::select(names)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_answered(text in "[ -~\\n\\té]{0,80}") {
        survives(&text)?;
    }

    #[test]
    fn any_words_are_answered(text in words()) {
        survives(&text)?;
    }

    #[test]
    fn any_operator_between_any_values_is_answered(
        left in value(),
        operator in "(\\+|-|\\*|/|//|%|\\||&|\\^|<<|>>|==|<|in|not in|and)",
        right in value(),
    ) {
        // A shift by much, or much of a text, takes what it takes.
        survives(&format!("x = {left} {operator} {right}\nprint(x)"))?;
    }

    #[test]
    fn any_call_of_a_builtin_is_answered(
        name in builtin(),
        args in prop::collection::vec(value(), 0..4),
        keyword in "(name|default|deps|ignore|x|workload)?",
        last in value(),
    ) {
        let mut args = args;
        if !keyword.is_empty() {
            args.push(format!("{keyword}={last}"));
        }
        survives(&format!("x = {name}({})\nprint(x)", args.join(", ")))?;
    }
}

#[test]
fn data_nested_without_end_is_answered() {
    for depth in [100, 1_000, 20_000] {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        for code in [
            format!("decode_json('{open}{close}')"),
            format!("decode_yaml('{open}{close}')"),
            format!("k8s_yaml(blob('{open}{close}'))"),
            format!("decode_yaml('{}a')", "- ".repeat(depth)),
        ] {
            survives(&format!("x = {code}")).expect("no panic");
        }
    }
}
