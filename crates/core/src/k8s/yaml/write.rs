//! Writes YAML as Go's library does, so that texts made by Tilt and by us are the same.
//!
//! Rule: `docs/rules/yaml.md`, "Writing"; the choice of quotes is that of `go-yaml` 2.

use serde_json::{Number, Value};

use super::key_order::in_order;
use super::scalar::{Scalar, is_timestamp, resolve};
use crate::model::format_go_float;

/// Returns plain data as one document, keys sorted at every level.
pub(super) fn encode(value: &Value) -> String {
    let mut out = String::new();
    node(value, 0, &mut out);
    out
}

/// Writes a value where a line has begun, with `indent` blanks before every further line, and ends the line.
fn node(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Array(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                begin(index, indent, out);
                out.push_str("- ");
                node(item, indent + 2, out);
            }
        }
        Value::Object(fields) if !fields.is_empty() => {
            for (index, (key, value)) in in_order(fields).into_iter().enumerate() {
                begin(index, indent, out);
                if is_simple_key(key) {
                    text(key, Place::Key, out);
                    out.push(':');
                    field(value, indent, out);
                } else {
                    out.push_str("? ");
                    text(key, Place::Block(indent + 2), out);
                    end_line(out);
                    out.extend(std::iter::repeat_n(' ', indent));
                    out.push_str(": ");
                    node(value, indent + 2, out);
                }
            }
        }
        _ => scalar(value, indent, out),
    }
}

/// Begins the line of an entry; the first stands where its container does.
fn begin(index: usize, indent: usize, out: &mut String) {
    if index > 0 {
        out.extend(std::iter::repeat_n(' ', indent));
    }
}

/// Writes the value of a field. Lists are not indented under their key.
fn field(value: &Value, indent: usize, out: &mut String) {
    let below = match value {
        Value::Array(items) if !items.is_empty() => indent,
        Value::Object(fields) if !fields.is_empty() => indent + 2,
        _ => {
            out.push(' ');
            return scalar(value, indent + 2, out);
        }
    };
    out.push('\n');
    out.extend(std::iter::repeat_n(' ', below));
    node(value, below, out);
}

fn scalar(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(value) => out.push_str(&number(value)),
        Value::String(value) => text(value, Place::Block(indent), out),
        Value::Array(_) => out.push_str("[]"),
        Value::Object(_) => out.push_str("{}"),
    }
    end_line(out);
}

fn end_line(out: &mut String) {
    if !out.ends_with('\n') {
        out.push('\n');
    }
}

fn number(number: &Number) -> String {
    match (number.as_i64(), number.as_u64(), number.as_f64()) {
        (Some(value), _, _) => value.to_string(),
        (_, Some(value), _) => value.to_string(),
        (_, _, Some(value)) => unsigned(value).unwrap_or_else(|| format_go_float(value)),
        (None, None, None) => number.to_string(),
    }
}

/// Returns a whole number that only an unsigned word of 64 bits holds, as Go writes it: the digits that tell it from others.
fn unsigned(number: f64) -> Option<String> {
    let digits = (number.fract() == 0.0).then(|| format!("{number}"))?;
    digits.parse::<u64>().is_ok().then_some(digits)
}

/// Where a text stands.
#[derive(Clone, Copy)]
enum Place {
    /// Before a colon.
    Key,
    /// Where it may be a block with this indentation.
    Block(usize),
}

/// Returns whether a key fits before its colon: one line, and short.
fn is_simple_key(key: &str) -> bool {
    const MAX_BYTES: usize = 128;
    key.len() <= MAX_BYTES && !key.contains(is_break)
}

/// Writes text; as a block if it has several lines and may be one.
fn text(text: &str, place: Place, out: &mut String) {
    let shape = Shape::of(text);
    // Written plainly this key would be read as a merge.
    let is_merge = matches!(place, Place::Key) && text == "<<";
    match place {
        Place::Block(indent) if text.contains('\n') && shape.fits_block => block(text, indent, out),
        _ if text.contains('\n') || is_merge || reads_as_other(text) || shape.is_special => {
            double_quoted(text, out);
        }
        _ if shape.fits_plain => out.push_str(text),
        _ => {
            let indent = match place {
                Place::Key => 0,
                Place::Block(indent) => indent.max(2),
            };
            single_quoted(text, indent, out);
        }
    }
}

/// Writes text in single quotes. What follows a line break of another kind is indented, which a reader leaves out.
fn single_quoted(text: &str, indent: usize, out: &mut String) {
    out.push('\'');
    let mut follows_break = false;
    for c in text.chars() {
        if follows_break && !is_break(c) {
            out.extend(std::iter::repeat_n(' ', indent));
        }
        follows_break = is_break(c);
        out.push(c);
        if c == '\'' {
            out.push(c);
        }
    }
    out.push('\'');
}

/// In which styles a text can be written.
struct Shape {
    fits_plain: bool,
    fits_block: bool,
    /// Whether it has characters that must be escaped.
    is_special: bool,
}

impl Shape {
    fn of(text: &str) -> Self {
        let mut fits_plain = !text.starts_with("---") && !text.starts_with("...");
        let mut is_special = false;
        let mut before = None;
        let mut characters = text.chars().peekable();
        while let Some(c) = characters.next() {
            let ends_word = characters
                .peek()
                .is_none_or(|next| matches!(next, ' ' | '\n' | '\t'));
            fits_plain &= match (before, c) {
                (
                    None,
                    '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@'
                    | '`',
                ) => false,
                (None, '-' | '?' | ':') | (Some(_), ':') => !ends_word,
                (Some(before), '#') => !matches!(before, ' ' | '\t' | '\n'),
                _ => true,
            };
            is_special |= !is_printable(c) || (before == Some(' ') && c == '\n');
            before = Some(c);
        }
        let outer_blank = text.starts_with(' ') || text.ends_with(' ');
        let has_breaks = text.contains(is_break);
        Self {
            fits_plain: fits_plain && !outer_blank && !is_special && !has_breaks,
            fits_block: !is_special && !text.ends_with(' '),
            is_special,
        }
    }
}

fn is_printable(c: char) -> bool {
    match c {
        '\n' | ' '..='~' => true,
        '\u{feff}' | '\u{fffe}' | '\u{ffff}' => false,
        // Go's library escapes what does not fit into 16 bits.
        c => ('\u{a0}'..='\u{ffff}').contains(&c),
    }
}

fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn block(text: &str, indent: usize, out: &mut String) {
    // At the root a block is indented all the same.
    let indent = indent.max(2);
    out.push('|');
    if text.starts_with([' ', '\n']) {
        out.push('2');
    }
    let body = text.trim_end_matches('\n');
    match text.len() - body.len() {
        0 => out.push('-'),
        1 if !body.is_empty() => {}
        _ => out.push('+'),
    }
    out.push('\n');
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        if !line.is_empty() {
            out.extend(std::iter::repeat_n(' ', indent));
            out.push_str(line);
        }
        out.push('\n');
    }
}

fn double_quoted(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\0' => out.push_str("\\0"),
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\x0b' => out.push_str("\\v"),
            '\x0c' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            '\x1b' => out.push_str("\\e"),
            '\u{85}' => out.push_str("\\N"),
            '\u{2028}' => out.push_str("\\L"),
            '\u{2029}' => out.push_str("\\P"),
            c if is_printable(c) => out.push(c),
            c => match c as u32 {
                code @ 0..=0xff => out.push_str(&format!("\\x{code:02X}")),
                code @ 0x100..=0xffff => out.push_str(&format!("\\u{code:04X}")),
                code => out.push_str(&format!("\\U{code:08X}")),
            },
        }
    }
    out.push('"');
}

/// Returns whether a text would be read as something else than text without quotes, here or by an older reader.
fn reads_as_other(text: &str) -> bool {
    let is_other = !matches!(resolve(None, text), Ok(Scalar::Text(_)));
    is_other || is_timestamp(text) || is_base_60(text) || is_long_hex(text)
}

/// Returns whether a text is a hexadecimal number, however long: some readers make a float of those that are too long.
fn is_long_hex(text: &str) -> bool {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    digits.is_some_and(|digits| digits.len() > 1 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Returns whether a text is a number to the base 60, such as `1:30`, as older readers have it.
fn is_base_60(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let mut parts = unsigned.split(':');
    let first = parts.next().unwrap_or_default();
    let is_first = first.starts_with(|c: char| c.is_ascii_digit())
        && first.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    let rest: Vec<&str> = parts.collect();
    let Some((last, middle)) = rest.split_last() else {
        return false;
    };
    let is_sixtieth = |part: &str| {
        (1..=2).contains(&part.len())
            && part.parse::<u8>().is_ok_and(|number| number < 60)
            && !part.starts_with('+')
    };
    let last = last.split('.').next().unwrap_or_default();
    is_first && middle.iter().all(|part| is_sixtieth(part)) && is_sixtieth(last)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::k8s::yaml::decode;

    #[test]
    fn text_is_quoted_only_where_it_must_be() {
        for (text, written) in [
            ("word", "word"),
            ("two words", "two words"),
            ("it's", "it's"),
            ("", "\"\""),
            ("yes", "\"yes\""),
            ("Off", "\"Off\""),
            ("oFF", "oFF"),
            ("y", "\"y\""),
            ("null", "\"null\""),
            ("~", "\"~\""),
            ("1", "\"1\""),
            ("0755", "\"0755\""),
            ("1_000", "\"1_000\""),
            ("0x1F", "\"0x1F\""),
            ("1e3", "\"1e3\""),
            ("1.", "\"1.\""),
            (".5", "\".5\""),
            ("1.2.3", "1.2.3"),
            ("2024-02-29", "\"2024-02-29\""),
            ("2024-02-29T10:00:00Z", "\"2024-02-29T10:00:00Z\""),
            ("2024-02-29-x", "2024-02-29-x"),
            ("2023-02-29", "2023-02-29"),
            ("2024-2-9 1:2:3.5", "\"2024-2-9 1:2:3.5\""),
            ("2024-02-29 10:00:00 -5", "2024-02-29 10:00:00 -5"),
            ("2024-02-29T10:00:00", "2024-02-29T10:00:00"),
            ("12:30", "\"12:30\""),
            ("80:8080", "80:8080"),
            ("a: b", "'a: b'"),
            ("a:b", "a:b"),
            ("a:", "'a:'"),
            (" pad", "' pad'"),
            ("pad ", "'pad '"),
            ("# no", "'# no'"),
            ("a #b", "'a #b'"),
            ("a#b", "a#b"),
            ("-", "'-'"),
            ("- a", "'- a'"),
            ("-a", "-a"),
            ("---", "'---'"),
            ("{a}", "'{a}'"),
            ("*", "'*'"),
            ("'a'", "'''a'''"),
            ("\"a\"", "'\"a\"'"),
            ("@a", "'@a'"),
            ("%a", "'%a'"),
            ("a\tb", "\"a\\tb\""),
            ("ü", "ü"),
            ("a\u{2028}b", "'a\u{2028}  b'"),
            ("ü😀", "\"ü\\U0001F600\""),
            ("<<", "<<"),
            ("1e400", "1e400"),
            (
                "0xC89C5B2F0D35A6F6D4E5B27C4F3E2D1C0B9A8877",
                "\"0xC89C5B2F0D35A6F6D4E5B27C4F3E2D1C0B9A8877\"",
            ),
            ("a\u{7f}", "\"a\\x7F\""),
            ("a\\b", "a\\b"),
        ] {
            assert_eq!(encode(&json!(text)), format!("{written}\n"), "{text:?}");
        }
    }

    #[test]
    fn several_lines_are_a_block() {
        let value =
            json!({"a": "x\ny\n", "b": "x\ny", "c": "x\n\n", "d": " x\ny\n", "e": "x \ny", "l": ["x\ny\n"]});
        assert_eq!(
            encode(&value),
            "a: |\n  x\n  y\nb: |-\n  x\n  y\nc: |+\n  x\n\nd: |2\n   x\n  y\ne: \"x \\ny\"\nl:\n- |\n  x\n  y\n"
        );
    }

    #[test]
    fn keys_that_do_not_fit_before_a_colon_stand_alone() {
        let long = "k".repeat(129);
        let value = json!({"two\nlines": 1, "<<": [1], &long: {"a": 1, "b": [2]}});
        assert_eq!(
            encode(&value),
            format!("\"<<\":\n- 1\n? {long}\n: a: 1\n  b:\n  - 2\n? |-\n  two\n  lines\n: 1\n")
        );
        assert_eq!(decode(&encode(&value)).unwrap(), value);
    }

    #[test]
    fn lists_are_not_indented_under_their_keys() {
        let value = json!({"b": [1, [2, {"x": 1, "w": []}]], "a": {"k": {}, "m": null}, "c": [{"z": [true]}], "f": 1.5});
        assert_eq!(
            encode(&value),
            "a:\n  k: {}\n  m: null\nb:\n- 1\n- - 2\n  - w: []\n    x: 1\nc:\n- z:\n  - true\nf: 1.5\n"
        );
    }

    fn data() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            "[ -~\n\t]{0,12}",
            "(yes|No|1|0x1|1e3|~|2024-01-01|[-#:?'\" ]{1,3})",
            "\\PC{0,8}"
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            text.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-z ]{1,6}|yes|1|a: b", inner, 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_was_written_reads_back_the_same(value in data()) {
            let text = encode(&value);
            let read = decode(&text).map_err(|fault| TestCaseError::fail(format!("{fault}\n{text}")))?;
            prop_assert_eq!(&read, &value, "{}", text);
        }
    }
}
