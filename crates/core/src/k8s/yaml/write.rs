//! Writes YAML as Go's library does, so that texts made by Tilt and by us are the same.
//!
//! Rule: `reference/tiltfile-api.md` A.2; the choice of quotes is that of `go-yaml` 2.

use serde_json::{Number, Value};

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
            let mut sorted: Vec<_> = fields.iter().collect();
            sorted.sort_by_key(|(key, _)| *key);
            for (index, (key, value)) in sorted.into_iter().enumerate() {
                begin(index, indent, out);
                text(key, None, out);
                out.push(':');
                field(value, indent, out);
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
        Value::String(value) => text(value, Some(indent), out),
        Value::Array(_) => out.push_str("[]"),
        Value::Object(_) => out.push_str("{}"),
    }
    if !out.ends_with('\n') {
        out.push('\n');
    }
}

fn number(number: &Number) -> String {
    match (number.as_i64(), number.as_u64(), number.as_f64()) {
        (Some(value), _, _) => value.to_string(),
        (_, Some(value), _) => value.to_string(),
        (_, _, Some(value)) => format_go_float(value),
        (None, None, None) => number.to_string(),
    }
}

/// Writes text; as a block with this indentation if it has several lines and may be one.
fn text(text: &str, block_indent: Option<usize>, out: &mut String) {
    let shape = Shape::of(text);
    match block_indent {
        Some(indent) if text.contains('\n') && shape.fits_block => block(text, indent, out),
        _ if text.contains('\n') || reads_as_other(text) || shape.is_special => double_quoted(text, out),
        _ if shape.fits_plain => out.push_str(text),
        _ => {
            out.push('\'');
            out.push_str(&text.replace('\'', "''"));
            out.push('\'');
        }
    }
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
        Self {
            fits_plain: fits_plain && !outer_blank && !is_special,
            fits_block: !is_special && !text.ends_with(' '),
            is_special,
        }
    }
}

fn is_printable(c: char) -> bool {
    match c {
        '\n' | ' '..='~' => true,
        '\u{feff}' | '\u{2028}' | '\u{2029}' | '\u{85}' => false,
        c => c >= '\u{a0}' && !matches!(c, '\u{fffe}' | '\u{ffff}'),
    }
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

/// Returns whether a text would be read as something else than text without quotes.
fn reads_as_other(text: &str) -> bool {
    let Some(first) = text.bytes().next() else {
        return true;
    };
    match first {
        b'~' | b'<' => matches!(text, "~" | "<<"),
        b'a'..=b'z' | b'A'..=b'Z' => is_word(text),
        b'0'..=b'9' | b'+' | b'-' | b'.' => is_number(text) || is_timestamp(text) || is_base_60(text),
        _ => false,
    }
}

/// Returns whether a text is null or a boolean, in any of the spellings that count.
fn is_word(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let is_known = matches!(
        lower.as_str(),
        "null" | "true" | "false" | "yes" | "no" | "on" | "off" | "y" | "n"
    );
    let capital = || text.starts_with(|c: char| c.is_ascii_uppercase()) && text[1..] == lower[1..];
    is_known && (text == lower || text == text.to_ascii_uppercase() || capital())
}

fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let plain = unsigned.replace('_', "");
    let digits = |text: &str, radix| !text.is_empty() && text.chars().all(|c| c.is_digit(radix));
    let based = |prefix: [&str; 2], radix| {
        prefix
            .iter()
            .any(|prefix| plain.strip_prefix(prefix).is_some_and(|rest| digits(rest, radix)))
    };
    digits(&plain, 10)
        || based(["0x", "0X"], 16)
        || based(["0o", "0O"], 8)
        || based(["0b", "0B"], 2)
        || is_float(&plain)
}

/// Returns whether a text has the form `1.5e+3`, with at least one digit before the exponent.
fn is_float(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let exponent_fits = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !digits.is_empty() && all_digits(digits)
    });
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    exponent_fits && all_digits(whole) && all_digits(fraction) && !(whole.is_empty() && fraction.is_empty())
}

/// Returns whether a text begins as a date: `2024-02-29`, alone or with a time.
fn is_timestamp(text: &str) -> bool {
    let mut parts = text.splitn(3, '-');
    let (Some(year), Some(month), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let number = |text: &str, lengths: std::ops::RangeInclusive<usize>| {
        lengths.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let (day, time) = match rest.find(['T', 't', ' ']) {
        Some(at) => (&rest[..at], rest.get(at + 1..)),
        None => (rest, None),
    };
    let is_time = |time: &str| {
        let mut parts = time.splitn(3, ':');
        parts.next().is_some_and(|hour| number(hour.trim_start(), 1..=2))
            && parts.next().is_some_and(|minute| number(minute, 1..=2))
            && parts
                .next()
                .is_some_and(|second| second.starts_with(|c: char| c.is_ascii_digit()))
    };
    number(year, 4..=4) && number(month, 1..=2) && number(day, 1..=2) && time.is_none_or(is_time)
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
            ("ü😀", "ü😀"),
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
