//! Reads one YAML document: libyaml's grammar, which Go's library shares, and Go's rules for anchors, merges and keys.

use std::collections::HashMap;

use libyaml_safer::{Encoding, Error, Event, EventData, Mark, Parser};
use serde_json::{Map, Value};

use super::scalar::{Scalar, resolve};
use super::simple;
use super::stream::{Spot, YamlFault};

/// Lists and mappings may be nested this deep.
const MAX_DEPTH: usize = 1_000;

/// Reads the first document of a text.
pub(super) fn document(text: &str) -> Result<Value, YamlFault> {
    match simple::document(text) {
        Some(value) => Ok(value),
        None => all_yaml(text),
    }
}

/// The same, whatever is in it.
pub(super) fn all_yaml(text: &str) -> Result<Value, YamlFault> {
    let mut input = text.strip_prefix('\u{feff}').unwrap_or(text).as_bytes();
    let mut parser = Parser::new();
    // It is known to be UTF-8. A guess would take letters such as `Ａ` at its very beginning for half a byte order mark.
    parser.set_encoding(Encoding::Utf8);
    parser.set_input_string(&mut input);
    let mut composer = Composer::default();
    loop {
        let event = parser.parse().map_err(|error| syntax_fault(&error, text))?;
        let mark = event.start_mark;
        let is_end = matches!(event.data, EventData::DocumentEnd { .. } | EventData::StreamEnd);
        composer.take(event).map_err(|why| yaml_fault(&why, mark))?;
        if is_end {
            return composer.finish();
        }
    }
}

fn yaml_fault(why: &str, mark: Mark) -> YamlFault {
    let spot = spot(mark);
    YamlFault::new(format!("yaml: line {}: {why}", spot.line), spot)
}

/// What JSON does not have, and where it stands. It only matters when it is there at the end: the last of repeated keys wins.
type NoJson = Option<(String, Mark)>;

fn spot(mark: Mark) -> Spot {
    let number = |n: u64| usize::try_from(n).unwrap_or(0);
    Spot {
        line: number(mark.line) + 1,
        column: number(mark.column) + 1,
        width: 0,
    }
}

fn syntax_fault(error: &Error, text: &str) -> YamlFault {
    let Some(mark) = error.problem_mark() else {
        return YamlFault::new(format!("yaml: {}", error.problem()), Spot::default());
    };
    let mut at = spot(mark);
    // What ends too early is marked where the last line is, not after it.
    let n_lines = text.lines().count().max(1);
    if at.line > n_lines {
        at.line = n_lines;
        at.column = text.lines().last().map_or(0, |line| line.chars().count()).max(1);
    }
    YamlFault::new(format!("yaml: line {}: {}", at.line, error.problem()), at)
}

/// Something complete: a scalar may still become a key.
#[derive(Clone)]
enum Node {
    Scalar(Scalar, Mark),
    /// `<<` without quotes.
    Merge,
    Whole(Value, NoJson),
}

impl Node {
    fn into_value(self) -> (Value, NoJson) {
        match self {
            Self::Scalar(scalar, mark) => match scalar.into_value() {
                Ok(value) => (value, None),
                Err(why) => (Value::Null, Some((why, mark))),
            },
            Self::Merge => ("<<".into(), None),
            Self::Whole(value, no_json) => (value, no_json),
        }
    }
}

/// A list or mapping that is being read.
struct Open {
    anchor: Option<String>,
    /// How many nodes had been read before it.
    began: usize,
    content: Content,
    no_json: NoJson,
}

enum Content {
    List(Vec<Value>),
    Mapping(Mapping),
}

#[derive(Default)]
struct Mapping {
    fields: Map<String, Value>,
    /// The key whose value comes next.
    key: Option<Key>,
    no_json: HashMap<String, (String, Mark)>,
}

enum Key {
    Named(String),
    Merge,
    /// One that JSON cannot have.
    Unfit,
}

#[derive(Default)]
struct Composer {
    root: Option<(Value, NoJson)>,
    open: Vec<Open>,
    /// What anchors stand for, and of how many nodes it is made.
    anchors: HashMap<String, (Node, usize)>,
    n_nodes: usize,
    n_repeated: usize,
}

impl Composer {
    fn finish(self) -> Result<Value, YamlFault> {
        match self.root.unwrap_or_default() {
            (value, None) => Ok(value),
            (_, Some((why, mark))) => Err(YamlFault::new(why, spot(mark))),
        }
    }

    fn take(&mut self, event: Event) -> Result<(), String> {
        self.n_nodes += 1;
        let mark = event.start_mark;
        match event.data {
            EventData::Scalar {
                anchor,
                tag,
                value,
                plain_implicit,
                ..
            } => {
                let node = scalar(tag.as_deref(), value, plain_implicit, mark)?;
                if let Some(anchor) = anchor {
                    self.anchors.insert(anchor, (node.clone(), 1));
                }
                self.complete(node)
            }
            EventData::Alias { anchor } => {
                let node = self.repeat(&anchor)?;
                self.complete(node)
            }
            EventData::SequenceStart { anchor, .. } => self.begin(anchor, Content::List(Vec::new())),
            EventData::MappingStart { anchor, .. } => {
                self.begin(anchor, Content::Mapping(Mapping::default()))
            }
            EventData::SequenceEnd | EventData::MappingEnd => self.end(),
            EventData::StreamStart { .. }
            | EventData::StreamEnd
            | EventData::DocumentStart { .. }
            | EventData::DocumentEnd { .. } => Ok(()),
        }
    }

    fn begin(&mut self, anchor: Option<String>, content: Content) -> Result<(), String> {
        if self.open.len() >= MAX_DEPTH {
            return Err(format!("exceeded max depth of {MAX_DEPTH}"));
        }
        if let Some(anchor) = &anchor {
            self.anchors.remove(anchor);
        }
        self.open.push(Open {
            anchor,
            began: self.n_nodes,
            content,
            no_json: None,
        });
        Ok(())
    }

    fn end(&mut self) -> Result<(), String> {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        let (value, no_json) = match open.content {
            Content::List(mut items) => {
                items.shrink_to_fit();
                (Value::Array(items), None)
            }
            Content::Mapping(mapping) => {
                let no_json = mapping.no_json.into_values().min_by_key(|(_, mark)| mark.index);
                (Value::Object(mapping.fields), no_json)
            }
        };
        let node = Node::Whole(value, open.no_json.or(no_json));
        if let Some(anchor) = open.anchor {
            let size = self.n_nodes - open.began;
            self.anchors.insert(anchor, (node.clone(), size));
        }
        self.complete(node)
    }

    /// Adds what is complete to what it stands in.
    fn complete(&mut self, node: Node) -> Result<(), String> {
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node.into_value());
            return Ok(());
        };
        match &mut open.content {
            Content::List(items) => {
                let (item, no_json) = node.into_value();
                items.push(item);
                open.no_json = open.no_json.take().or(no_json);
            }
            Content::Mapping(mapping) => match (mapping.key.take(), node) {
                (Some(Key::Named(key)), node) => {
                    let (value, no_json) = node.into_value();
                    mapping.no_json.remove(&key);
                    mapping
                        .no_json
                        .extend(no_json.map(|no_json| (key.clone(), no_json)));
                    mapping.fields.insert(key, value);
                }
                (Some(Key::Merge), node) => {
                    let (merged, no_json) = node.into_value();
                    merge(&mut mapping.fields, merged)?;
                    open.no_json = open.no_json.take().or(no_json);
                }
                (Some(Key::Unfit), _) => {}
                (None, Node::Merge) => mapping.key = Some(Key::Merge),
                (None, Node::Scalar(scalar, mark)) => {
                    mapping.key = Some(match scalar.into_key() {
                        Ok(key) => Key::Named(key),
                        Err(why) => {
                            open.no_json.get_or_insert((why, mark));
                            Key::Unfit
                        }
                    });
                }
                (None, Node::Whole(value, _)) => return Err(format!("invalid map key: {value}")),
            },
        }
        Ok(())
    }

    fn repeat(&mut self, anchor: &str) -> Result<Node, String> {
        if self
            .open
            .iter()
            .any(|open| open.anchor.as_deref() == Some(anchor))
        {
            return Err(format!("anchor '{anchor}' value contains itself"));
        }
        let Some((node, size)) = self.anchors.get(anchor) else {
            return Err(format!("unknown anchor '{anchor}' referenced"));
        };
        self.n_repeated += size;
        self.n_nodes += size;
        if is_excessive(self.n_repeated, self.n_nodes) {
            return Err("document contains excessive aliasing".to_owned());
        }
        Ok(node.clone())
    }
}

/// Returns whether too much of a document is repetition: a few lines could fill the memory.
fn is_excessive(n_repeated: usize, n_nodes: usize) -> bool {
    const FEW: usize = 400_000;
    const MANY: usize = 4_000_000;
    let percent = match n_nodes {
        0..=FEW => 99,
        MANY.. => 10,
        n => 99 - 89 * (n - FEW) / (MANY - FEW),
    };
    n_repeated > 100 && n_nodes > 1_000 && n_repeated * 100 > n_nodes * percent
}

fn scalar(tag: Option<&str>, text: String, is_plain: bool, mark: Mark) -> Result<Node, String> {
    let is_merge_tag = tag == Some("tag:yaml.org,2002:merge");
    if text == "<<" && (is_plain || is_merge_tag) {
        return Ok(Node::Merge);
    }
    if tag.is_none() && !is_plain {
        return Ok(Node::Scalar(Scalar::Text(text), mark));
    }
    resolve(tag, &text).map(|scalar| Node::Scalar(scalar, mark))
}

/// Adds the fields of a mapping, or of several, of which the first counts most.
fn merge(fields: &mut Map<String, Value>, merged: Value) -> Result<(), String> {
    match merged {
        Value::Object(merged) => fields.extend(merged),
        Value::Array(items) if items.iter().all(Value::is_object) => {
            for item in items.into_iter().rev() {
                merge(fields, item)?;
            }
        }
        _ => {
            return Err("map merge requires map or sequence of maps as the value".to_owned());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check_fault(text: &str, message: &str) {
        assert_eq!(
            document(text).map_err(|fault| fault.message),
            Err(message.to_owned())
        );
    }

    #[test]
    fn anchors_are_repeated_and_merged() {
        let text =
            "a: &a {x: 1, y: 2}\nb: *a\nc:\n  <<: *a\n  y: 3\nd:\n  <<: [{x: 5}, *a]\ne: &e word\nf: *e\n";
        assert_eq!(
            document(text).unwrap(),
            json!({
                "a": {"x": 1, "true": 2}, "b": {"x": 1, "true": 2}, "c": {"x": 1, "true": 3},
                "d": {"x": 5, "true": 2}, "e": "word", "f": "word",
            })
        );
    }

    #[test]
    fn a_merge_is_only_one_without_quotes_and_of_mappings() {
        assert_eq!(
            document("'<<': 1\nk: <<\nl: [<<]\n").unwrap(),
            json!({"<<": 1, "k": "<<", "l": ["<<"]})
        );
        check_fault(
            "a: 1\n<<: 2\n",
            "yaml: line 2: map merge requires map or sequence of maps as the value",
        );
    }

    #[test]
    fn what_go_refuses_is_refused_in_its_words() {
        check_fault(
            "a: b: c\n",
            "yaml: line 1: mapping values are not allowed in this context",
        );
        check_fault("a: *x\n", "yaml: line 1: unknown anchor 'x' referenced");
        check_fault("a: &x [*x]\n", "yaml: line 1: anchor 'x' value contains itself");
        check_fault("k: .inf\n", "json: unsupported value: +Inf");
        check_fault("~: 1\n", "unsupported map key of type: null");
        check_fault("? [a]\n: 1\n", "yaml: line 1: invalid map key: [\"a\"]");
        check_fault("a: !!int x\n", "yaml: line 1: cannot decode !!str `x` as a !!int");
        check_fault("k: 'x\n", "yaml: line 1: found unexpected end of stream");
    }

    #[test]
    fn quoted_text_may_go_on_with_less_indentation() {
        assert_eq!(
            document("a:\n  b: 'x\n y'\n").unwrap(),
            json!({"a": {"b": "x y"}})
        );
        assert_eq!(
            document("a:\n  b: \"x\ny\"\n").unwrap(),
            json!({"a": {"b": "x y"}})
        );
    }

    #[test]
    fn what_json_does_not_have_may_be_overwritten() {
        assert_eq!(document("a: [.nan, {~: 1}]\na: 1\n").unwrap(), json!({"a": 1}));
        let fault = document("b: 1\na: [.nan]\n").unwrap_err();
        assert_eq!(
            (fault.message.as_str(), fault.spot.line),
            ("json: unsupported value: NaN", 2)
        );
    }

    #[test]
    fn what_follows_a_document_is_left_alone() {
        assert_eq!(document("a: 1\n...\nb: 2\n").unwrap(), json!({"a": 1}));
    }

    #[test]
    fn neither_depth_nor_repetition_can_fill_the_memory() {
        let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
        assert!(document(&deep).unwrap_err().message.contains("max depth"));
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let before = format!("*a{}, ", level - 1).repeat(10);
            bomb.push_str(&format!("a{level}: &a{level} [{before}]\n"));
        }
        assert!(
            document(&bomb)
                .unwrap_err()
                .message
                .contains("excessive aliasing")
        );
    }
}
