//! Reads and writes YAML as Kubernetes tools do.
//!
//! A stream is split into documents, `List`s are taken apart, and each object must say its kind and version. Scalars
//! follow YAML 1.1: `on` is a boolean, `0644` is octal, the last of repeated keys wins. Objects of kinds that Kubernetes
//! itself defines are read typed.

mod data;
mod key_order;
mod objects;
mod read;
mod scalar;
mod simple;
mod stream;
mod write;

use std::ops::Range;

use data::Plain;
use objects::ObjectReader;
use serde_json::Value;
pub use stream::{DroppedField, Remark, Spot, Stream, YamlFault};

use super::Entity;
use crate::model::octets::first_stray;

/// Reads the objects of a stream. `source` names it in [`Origin`].
///
/// # Errors
/// When the text is no YAML, or a document is no object with a kind and a version.
///
/// Rule: `docs/rules/yaml.md`, "Reading".
pub fn read(text: &str, source: &str) -> Result<Stream, YamlFault> {
    let documents = Documents::of(text, source)?;
    documents.read(0..documents.len())
}

/// The documents of a stream. Each is read by itself, so that several can be at once.
#[derive(Clone, Debug)]
pub struct Documents<'a> {
    text: &'a str,
    source: &'a str,
    documents: Vec<Document<'a>>,
}

impl<'a> Documents<'a> {
    /// Cuts a stream into its documents. `source` names it in [`Origin`](crate::k8s::Origin).
    ///
    /// # Errors
    /// When it is no text.
    pub fn of(text: &'a str, source: &'a str) -> Result<Self, YamlFault> {
        check_bytes(text).map_err(not_converted)?;
        Ok(Self {
            text,
            source,
            documents: documents(text),
        })
    }

    /// Returns how many there are; empty ones do not count.
    pub fn len(&self) -> usize {
        self.documents.len()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.documents.is_empty()
    }

    /// Reads the objects of some of them.
    ///
    /// # Errors
    /// As for [`read`]: the first thing that is wrong with any of these documents.
    pub fn read(&self, which: Range<usize>) -> Result<Stream, YamlFault> {
        let mut stream = Stream::default();
        for document in &self.documents[which] {
            let mut reader = ObjectReader {
                text: self.text,
                source: self.source,
                document: document.line,
                line: document.line + first_content(document.text),
                out: &mut stream,
            };
            let values = match json_values(document.text) {
                Some(values) => values,
                None => {
                    vec![parse(document.text).map_err(|fault| not_converted(shift(fault, document.line)))?]
                }
            };
            for value in values {
                reader.add(value, "")?;
            }
        }
        Ok(stream)
    }
}

/// Reads one document as plain data.
///
/// # Errors
/// When the text is no YAML.
pub fn decode(text: &str) -> Result<Value, YamlFault> {
    check_bytes(text)?;
    parse(text)
}

/// Reads one document whose bytes were looked at.
fn parse(text: &str) -> Result<Value, YamlFault> {
    if text.lines().all(is_blank) {
        return Ok(Value::Null);
    }
    read::document(text)
}

/// Reads the documents of a stream as plain data. Empty ones are left out.
///
/// # Errors
/// When the text is no YAML.
pub fn decode_stream(text: &str) -> Result<Vec<Value>, YamlFault> {
    check_bytes(text)?;
    let mut values = Vec::new();
    for document in documents(text) {
        match json_values(document.text) {
            Some(several) => values.extend(several),
            None => values.push(decode(document.text).map_err(|fault| shift(fault, document.line))?),
        }
    }
    values.retain(|value| !value.is_null());
    Ok(values)
}

/// Writes objects as a stream, keys sorted at every level.
///
/// Rule: `docs/rules/yaml.md`, "Writing".
pub fn write(entities: &[Entity]) -> String {
    let texts: Vec<String> = entities.iter().map(|entity| encode(entity.value())).collect();
    texts.join("\n---\n")
}

/// Writes plain data as one document, keys sorted at every level.
///
/// Rule: `docs/rules/yaml.md`, "Writing".
pub fn encode(value: &Value) -> String {
    write::encode(value)
}

/// Returns the values of a JSON text, which may hold several one after the other; `None` when it is none.
fn json_values(text: &str) -> Option<Vec<Value>> {
    if !text.trim_start().starts_with('{') {
        return None;
    }
    let values = serde_json::Deserializer::from_str(text).into_iter::<Plain>();
    values.map(|value| value.map(|Plain(value)| value).ok()).collect()
}

#[derive(Clone, Debug)]
struct Document<'a> {
    text: &'a str,
    /// The line in the stream, counted from 1, with which the document begins.
    line: usize,
}

/// Splits a stream at lines that hold only `---` and perhaps a comment.
fn documents(text: &str) -> Vec<Document<'_>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut documents = Vec::new();
    let (mut start, mut first_line, mut at) = (0, 1, 0);
    for (index, line) in text.split_inclusive('\n').enumerate() {
        if is_separator(line) {
            documents.push(Document {
                text: &text[start..at],
                line: first_line,
            });
            start = at + line.len();
            first_line = index + 2;
        }
        at += line.len();
    }
    documents.push(Document {
        text: &text[start..],
        line: first_line,
    });
    documents.retain(|document| !document.text.lines().all(is_blank));
    documents
}

fn is_separator(line: &str) -> bool {
    line.strip_prefix("---").is_some_and(|rest| {
        let rest = rest.trim();
        rest.is_empty() || rest.starts_with('#')
    })
}

fn is_blank(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#')
}

fn first_content(text: &str) -> usize {
    text.lines().position(|line| !is_blank(line)).unwrap_or(0)
}

/// Refuses text with bytes that are no UTF-8.
fn check_bytes(text: &str) -> Result<(), YamlFault> {
    let Some((line, column)) = first_stray(text) else {
        return Ok(());
    };
    let spot = Spot {
        line,
        column,
        width: 1,
    };
    let message = format!("yaml: line {line}: invalid UTF-8 octet");
    let mut fault = YamlFault::new(message, spot);
    fault.more.push(
        "YAML is UTF-8: save the file as such; other bytes belong, as base64, into binaryData or data"
            .to_owned(),
    );
    Err(fault)
}

/// Says it as the readers of Kubernetes do.
fn not_converted(mut fault: YamlFault) -> YamlFault {
    fault.message = format!("error converting YAML to JSON: {}", fault.message);
    fault
}

/// Moves a fault from its document to the stream, also where the message names the line.
fn shift(mut fault: YamlFault, first_line: usize) -> YamlFault {
    if fault.spot.line > 0 && first_line > 1 {
        let named = format!("yaml: line {}: ", fault.spot.line);
        fault.spot.line += first_line - 1;
        if let Some(what) = fault.message.strip_prefix(&named) {
            fault.message = format!("yaml: line {}: {what}", fault.spot.line);
        }
    }
    fault
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn kinds(text: &str) -> Vec<(String, String, usize)> {
        let entities = read(text, "test").unwrap().entities;
        let row = |e: &Entity| (e.kind().to_owned(), e.name().to_owned(), e.origin.line);
        entities.iter().map(row).collect()
    }

    #[track_caller]
    fn check_fault(text: &str, line: usize, message: &str) {
        let fault = read(text, "test").unwrap_err();
        assert!(fault.message.contains(message), "{}", fault.message);
        assert_eq!(fault.spot.line, line, "{}", fault.message);
    }

    #[test]
    fn a_text_begins_with_any_letter_or_a_byte_order_mark() {
        for text in ["Ａ: 1", "\u{feff}Ａ: 1"] {
            assert_eq!(decode(text), Ok(serde_json::json!({"Ａ": 1})), "{text:?}");
        }
    }

    #[test]
    fn documents_know_their_lines_and_empty_ones_are_skipped() {
        let text = "# top\n---\nkind: A\napiVersion: v1\nmetadata: {name: a}\n--- # next\n\n---\n# c\nnull\n---\n\nkind: B\napiVersion: v1\n";
        assert_eq!(
            kinds(text),
            [
                ("A".to_owned(), "a".to_owned(), 3),
                ("B".to_owned(), String::new(), 13)
            ]
        );
    }

    #[test]
    fn lists_are_taken_apart_and_typed_lists_are_not() {
        let text = "{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: X}]}, \
                    {apiVersion: v1, kind: ConfigMapList, items: [{a: 1}]}]}";
        let names: Vec<String> = kinds(text).into_iter().map(|(kind, ..)| kind).collect();
        assert_eq!(names, ["X", "ConfigMapList"]);
    }

    #[test]
    fn scalars_follow_yaml_1_1() {
        let value =
            decode("a: on\nb: 0644\nc: 1.0\nd: 1e3\ne: \"on\"\nf: 2024-01-01\ng: 0.5\nh: 1\nh: 2\n").unwrap();
        assert_eq!(
            value,
            json!({"a": true, "b": 420, "c": 1, "d": 1000, "e": "on", "f": "2024-01-01", "g": 0.5, "h": 2})
        );
    }

    #[test]
    fn bare_booleans_as_keys_and_several_json_values_are_read_as_go_does() {
        assert_eq!(
            decode("on: 1\n\"off\": 2\n3: x\n").unwrap(),
            json!({"true": 1, "off": 2, "3": "x"})
        );
        let text = "{\"apiVersion\":\"v1\",\"kind\":\"A\",\"n\":1.5,\"m\":2.0}\n{\"apiVersion\":\"v1\",\"kind\":\"B\"}";
        let entities = read(text, "test").unwrap().entities;
        assert_eq!(entities.len(), 2);
        assert_eq!(entities[0].get(&["n"]), Some(&json!(1.5)));
        assert_eq!(entities[0].get(&["m"]), Some(&json!(2)));
    }

    #[test]
    fn faults_are_placed_in_the_stream() {
        check_fault(
            "kind: A\napiVersion: v1\n---\nkind: B\napiVersion: [\n",
            5,
            "yaml: line 5: did not find expected node content",
        );
        check_fault(
            "kind: A\napiVersion: v1\n---\n\nhello\n",
            5,
            "couldn't get version/kind",
        );
        check_fault("a: 1\n", 1, "Object 'Kind' is missing in '{\"a\":1}'");
        check_fault(
            "kind: Foo\nmetadata: {name: x}\n",
            1,
            "decoding Foo \"x\": Object 'apiVersion' is missing in",
        );
    }

    #[test]
    fn data_of_secrets_must_be_base64() {
        check_fault(
            "{apiVersion: v1, kind: Secret, metadata: {name: s}, data: {a: '!'}}",
            1,
            "decoding Secret \"s\": illegal base64 data at input byte 0",
        );
    }

    #[test]
    fn what_is_written_reads_the_same() {
        let value =
            json!({"b": "yes", "a": [1, 2.5, {"x": "1"}], "c": "two\nlines\n", "d": {}, "e": null, "f": []});
        assert_eq!(decode(&encode(&value)).unwrap(), value);
        assert!(encode(&value).starts_with("a:\n- 1\n- 2.5\n- x: \"1\"\nb: \"yes\"\nc: |\n"));
    }
}
