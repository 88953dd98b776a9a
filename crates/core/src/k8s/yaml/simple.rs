//! Reads the YAML that most files are written in, in a fraction of the time: block mappings and lists, scalars on one line, literal
//! texts. Whatever is not surely that is left to the reader of all YAML, faults too, which it tells in Go's words.

use serde_json::{Map, Value};

use super::scalar::resolve;

/// Lists and mappings that are nested deeper are left.
const MAX_DEPTH: usize = 64;

/// The longest key; one that is longer may be none.
const MAX_KEY: usize = 256;

/// Reads a document; `None` where it is not surely simple.
pub(super) fn document(text: &str) -> Option<Value> {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~' | b'\n');
    if !text.bytes().all(is_plain) {
        return None;
    }
    let mut reader = Reader {
        rest: text,
        within: None,
    };
    let (indent, _) = reader.peek()?;
    let value = reader.block(indent, 0)?;
    // What is left does not belong to it.
    reader.peek().is_none().then_some(value)
}

struct Reader<'a> {
    /// What was not read yet, from the beginning of a line on.
    rest: &'a str,
    /// What follows a dash on its line, and at which column: it is read as a line of its own.
    within: Option<(usize, &'a str)>,
}

impl<'a> Reader<'a> {
    /// Returns the indentation and the content of the next line that has any.
    fn peek(&mut self) -> Option<(usize, &'a str)> {
        if self.within.is_some() {
            return self.within;
        }
        loop {
            let (line, after) = split_line(self.rest)?;
            let content = line.trim_matches(' ');
            if content.is_empty() || content.starts_with('#') {
                self.rest = after;
                continue;
            }
            let indent = line.len() - line.trim_start_matches(' ').len();
            return Some((indent, content));
        }
    }

    /// Goes on behind the line that was looked at.
    fn advance(&mut self) {
        if self.within.take().is_none() {
            self.rest = split_line(self.rest).map_or("", |(_, after)| after);
        }
    }

    /// Reads a list or a mapping that stands at this indentation.
    fn block(&mut self, indent: usize, depth: usize) -> Option<Value> {
        if depth > MAX_DEPTH {
            return None;
        }
        match self.peek() {
            Some((_, content)) if is_item(content) => self.list(indent, depth),
            _ => self.mapping(indent, depth),
        }
    }

    fn mapping(&mut self, indent: usize, depth: usize) -> Option<Value> {
        let mut pairs: Vec<(String, Value)> = Vec::new();
        while let Some((at, content)) = self.peek() {
            if at < indent || (at == indent && is_item(content)) {
                break;
            }
            if at > indent {
                return None;
            }
            let (key, rest) = key_and_rest(content)?;
            let key = resolve(None, key).ok()?.into_key().ok()?;
            self.advance();
            let value = self.value(rest, indent, true, depth)?;
            pairs.push((key, value));
        }
        let mut fields = Map::with_capacity(pairs.len());
        fields.extend(pairs);
        Some(Value::Object(fields))
    }

    fn list(&mut self, indent: usize, depth: usize) -> Option<Value> {
        let mut items = Vec::new();
        while let Some((at, content)) = self.peek() {
            if at < indent || (at == indent && !is_item(content)) {
                break;
            }
            if at > indent {
                return None;
            }
            self.advance();
            let rest = content[1..].trim_start_matches(' ');
            let item = match key_and_rest(rest) {
                Some(_) => {
                    let column = at + content.len() - rest.len();
                    self.within = Some((column, rest));
                    self.block(column, depth + 1)?
                }
                None => self.value(rest, indent, false, depth)?,
            };
            items.push(item);
        }
        items.shrink_to_fit();
        Some(Value::Array(items))
    }

    /// Reads what follows a key or a dash that stands at this indentation.
    fn value(&mut self, rest: &str, indent: usize, is_field: bool, depth: usize) -> Option<Value> {
        let rest = rest.trim_start_matches(' ');
        let value = match rest.as_bytes() {
            [] | [b'#', ..] => {
                return match self.peek() {
                    Some((at, _)) if at > indent => self.block(at, depth + 1),
                    // The dashes of a field's list may stand below its name.
                    Some((at, content)) if at == indent && is_field && is_item(content) => {
                        self.block(at, depth + 1)
                    }
                    _ => Some(Value::Null),
                };
            }
            b"|" => self.literal(indent, "\n")?,
            b"|-" => self.literal(indent, "")?,
            _ => on_one_line(rest)?,
        };
        // What is indented more goes on with the scalar.
        let goes_on = self.peek().is_some_and(|(at, _)| at > indent);
        (!goes_on).then_some(value)
    }

    /// Reads a text line by line as it is, below something that stands at this indentation.
    fn literal(&mut self, indent: usize, end: &str) -> Option<Value> {
        let mut text = String::new();
        let (mut column, mut n_empty) = (None, 0);
        while let Some((line, after)) = split_line(self.rest) {
            let blanks = line.len() - line.trim_start_matches(' ').len();
            if blanks == line.len() {
                // Blanks of an empty line may be part of the text.
                if blanks > 0 {
                    return None;
                }
                n_empty += 1;
            } else if column.is_none() && blanks <= indent {
                return None;
            } else if blanks < *column.get_or_insert(blanks) {
                break;
            } else {
                // Without its end it is another text.
                if after.is_empty() && !self.rest.ends_with('\n') {
                    return None;
                }
                let is_first = text.is_empty();
                let n_breaks = n_empty + usize::from(!is_first);
                text.extend(std::iter::repeat_n('\n', n_breaks));
                text.push_str(&line[column?..]);
                n_empty = 0;
            }
            self.rest = after;
        }
        column?;
        text.push_str(end);
        Some(Value::String(text))
    }
}

/// Returns the first line without its end, and what comes after it.
fn split_line(text: &str) -> Option<(&str, &str)> {
    match text.split_once('\n') {
        Some(both) => Some(both),
        None if text.is_empty() => None,
        None => Some((text, "")),
    }
}

fn is_item(content: &str) -> bool {
    content == "-" || content.starts_with("- ")
}

/// Returns the key with which a line begins, and what follows its colon.
fn key_and_rest(content: &str) -> Option<(&str, &str)> {
    let is_key = |byte: &u8| byte.is_ascii_alphanumeric() || b"_./-".contains(byte);
    let length = content.bytes().take_while(is_key).count();
    let (key, rest) = content.split_at(length);
    let is_simple = !key.is_empty() && !key.starts_with('-') && length <= MAX_KEY;
    let rest = rest.strip_prefix(':').filter(|_| is_simple)?;
    (rest.is_empty() || rest.starts_with(' ')).then_some((key, rest))
}

/// Reads a scalar, or a list between brackets, that is all of its line.
fn on_one_line(rest: &str) -> Option<Value> {
    let (value, after) = match rest.as_bytes().first()? {
        b'"' | b'\'' => quoted(rest)?,
        b'[' => flow_list(rest)?,
        b'{' => (Value::Object(Map::new()), rest.strip_prefix("{}")?),
        _ => return plain(rest),
    };
    let comment = after.trim_start_matches(' ');
    let is_end = comment.is_empty() || (comment.starts_with('#') && after.starts_with(' '));
    is_end.then_some(value)
}

/// Reads a text between quotes that has no escapes; also returns what follows it.
fn quoted(rest: &str) -> Option<(Value, &str)> {
    let quote = rest.chars().next()?;
    let (text, after) = rest[1..].split_once(quote)?;
    let is_simple = !after.starts_with(quote) && (quote == '\'' || !text.contains('\\'));
    is_simple.then(|| (text.into(), after))
}

/// Reads a scalar without quotes up to a comment.
fn plain(rest: &str) -> Option<Value> {
    let text = rest.split_once(" #").map_or(rest, |(text, _)| text);
    let text = text.trim_end_matches(' ');
    let begins_well = match text.as_bytes() {
        [b'-', second, ..] => *second != b' ',
        [first, ..] => first.is_ascii_alphanumeric() || b"/._$(+~".contains(first),
        [] => false,
    };
    let is_scalar = begins_well && !text.contains(": ") && !text.ends_with(':');
    resolve(None, text).ok().filter(|_| is_scalar)?.into_value().ok()
}

/// Reads a list of scalars between brackets; also returns what follows it.
fn flow_list(rest: &str) -> Option<(Value, &str)> {
    let mut items = Vec::new();
    let mut rest = rest.strip_prefix('[')?.trim_start_matches(' ');
    if let Some(after) = rest.strip_prefix(']') {
        return Some((Value::Array(items), after));
    }
    loop {
        let (item, after) = match rest.as_bytes().first()? {
            b'"' | b'\'' => quoted(rest)?,
            first => {
                let is_inner = |byte: &u8| byte.is_ascii_alphanumeric() || b"_./-+=$".contains(byte);
                let length = rest.bytes().take_while(is_inner).count();
                let begins_well = first.is_ascii_alphanumeric() || b"/._".contains(first);
                let (text, after) = rest.split_at_checked(length).filter(|_| begins_well)?;
                (resolve(None, text).ok()?.into_value().ok()?, after)
            }
        };
        items.push(item);
        let after = after.trim_start_matches(' ');
        if let Some(after) = after.strip_prefix(']') {
            return Some((Value::Array(items), after));
        }
        rest = after.strip_prefix(',')?.trim_start_matches(' ');
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::read;
    use super::*;

    #[test]
    fn what_people_write_is_simple() {
        let text = "# Web\napiVersion: apps/v1\nkind: Deployment # it is\nmetadata:\n  name: web\n  labels: {}\nspec:\n  \
                    on: 0644\n  template:\n    containers:\n    - name: \"a b\"\n      args: [\"--x, y\", z, 'q', 3]\n\n      env:\n        \
                    - name: X\n          value: 'on'\n    -\n      image: localhost:5000/a:b\n  list: []\n  none:\n  script: |\n    a:\n\n      \
                    # b\n    c\n\n  last: |-\n    x\n";
        let expected = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "labels": {}},
            "spec": {
                "true": 420,
                "template": {"containers": [
                    {"name": "a b", "args": ["--x, y", "z", "q", 3], "env": [{"name": "X", "value": "on"}]},
                    {"image": "localhost:5000/a:b"},
                ]},
                "list": [], "none": null, "script": "a:\n\n  # b\nc\n", "last": "x",
            },
        });
        assert_eq!(document(text), Some(expected));
    }

    #[test]
    fn what_is_not_surely_simple_is_left() {
        let left = [
            "a: b: c\n",
            "a: &x 1\n",
            "a: *x\n",
            "a: !t 1\n",
            "a: >\n  b\n",
            "a: |+\n  b\n",
            "a: |2\n  b\n",
            "a: b\n  c\n",
            "- - a\n",
            "? a\n",
            "a: \"b\\n\"\n",
            "a: 'it''s'\n",
            "a: {b: c}\n",
            "a: [b: c]\n",
            "a: [b,]\n",
            "a:\tb\n",
            "a: .nan\n",
            "~: 1\n",
            "<<: 1\n",
            "a: |\n  b",
            "a:\n  b: 1\n c: 2\n",
            "---\na: 1\n",
            "a: 1\n...\n",
            "\"a\": 1\n",
            "word\n",
            "a: @b\n",
            "a: é\n",
            "a: 1\n- b\n",
            "a: 1\r\n",
            "",
        ];
        for text in left {
            assert_eq!(document(text), None, "{text:?}");
        }
    }

    /// Pieces that stand at the beginning of a line.
    const HEADS: [&str; 14] = [
        "a: ", "b: ", "c.d/e: ", "on: ", "1: ", "a:", "b:", "- ", "- a: ", "-   b: ", "-", "- - ", "\"q\": ",
        "null: ",
    ];

    /// Pieces that follow.
    const TAILS: [&str; 62] = [
        "",
        "",
        "v",
        "1",
        "0644",
        "1e3",
        "on",
        "null",
        "~",
        "a b",
        "a  b",
        "x # c",
        "x#c",
        "# c",
        "a: b",
        "a:",
        "http://x:80/y",
        "\"q\"",
        "\"q\" # c",
        "\"q\"#c",
        "\"a\\nb\"",
        "'s'",
        "'it''s'",
        "'a",
        "[a, b]",
        "[a, \"b, c\"]",
        "[]",
        "[ ]",
        "[a,]",
        "[a b]",
        "[a, b] c",
        "[a",
        "{}",
        "{} # c",
        "{a: b}",
        "|",
        "|-",
        "|+",
        ">",
        "&x y",
        "*x",
        "!!str 1",
        "-1",
        "--x",
        "- n",
        "@x",
        "1:30",
        "2001-01-01",
        ".inf",
        "+1",
        "a,b",
        "a]",
        "it's",
        "x=y",
        "(a)",
        "$(A)",
        "...",
        "---",
        "<<",
        "a:b",
        "x ",
        "#",
    ];

    fn line() -> impl Strategy<Value = String> {
        let piece = |pieces: &'static [&'static str]| (0..pieces.len()).prop_map(|at| pieces[at]);
        let content = (piece(&HEADS), piece(&TAILS), 0..8_u8).prop_map(|(head, tail, kind)| match kind {
            0 => tail.to_owned(),
            1 => "  ".repeat(tail.len() % 3),
            _ => format!("{head}{tail}"),
        });
        (0..7_usize, content).prop_map(|(indent, content)| format!("{}{content}", " ".repeat(indent)))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(6_000))]

        #[test]
        fn what_is_read_is_what_the_reader_of_all_yaml_reads(lines in vec(line(), 1..7), ends in any::<bool>()) {
            let text = lines.join("\n") + if ends { "\n" } else { "" };
            if let Some(value) = document(&text) {
                prop_assert_eq!(read::all_yaml(&text).ok(), Some(value), "{:?}", text);
            }
        }

        #[test]
        fn well_formed_text_is_read_alike(indents in vec((0..3_usize, 0..HEADS.len(), 0..TAILS.len()), 1..9)) {
            let mut text = String::new();
            let mut depth = 0;
            for (step, head, tail) in indents {
                text.push_str(&format!("{}{}{}\n", "  ".repeat(depth), HEADS[head], TAILS[tail]));
                depth = (depth + step).saturating_sub(1).min(4);
            }
            if let Some(value) = document(&text) {
                prop_assert_eq!(read::all_yaml(&text).ok(), Some(value), "{:?}", text);
            }
        }
    }
}
