//! From the plain data of a document to objects.

use serde_json::{Map, Value};

use super::stream::{DroppedField, Remark, Spot, Stream, YamlFault};
use crate::k8s::field_place::locate;
use crate::k8s::old_versions::replaced;
use crate::k8s::schema;
use crate::k8s::typed::Reader;
use crate::k8s::{Entity, Origin};

/// Reads the objects of one document.
pub(super) struct ObjectReader<'a> {
    /// The whole stream.
    pub(super) text: &'a str,
    pub(super) source: &'a str,
    /// The line with which the document begins, counted from 1.
    pub(super) document: usize,
    /// The line of its first content.
    pub(super) line: usize,
    pub(super) out: &'a mut Stream,
}

impl ObjectReader<'_> {
    /// Adds an object, or those of a `List`. `path` leads to it, and ends in a dot unless it is empty.
    pub(super) fn add(&mut self, value: Value, path: &str) -> Result<(), YamlFault> {
        let mut fields = match value {
            Value::Null => return Ok(()),
            Value::Object(fields) => fields,
            other => {
                let kind = json_kind(&other);
                return Err(self.fault(format!(
                    "couldn't get version/kind; json parse error: json: cannot unmarshal {kind} into Go value of type \
                     struct {{ APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \
                     \"json:\\\"kind,omitempty\\\"\" }}"
                )));
            }
        };
        let kind = text(&fields, "kind").to_owned();
        let version = text(&fields, "apiVersion").to_owned();
        if kind.is_empty() {
            return Err(self.fault(format!("Object 'Kind' is missing in '{}'", Value::Object(fields))));
        }
        if version.is_empty() {
            let name = name(&fields);
            let json = Value::Object(fields);
            return Err(self.fault(format!(
                "decoding {kind} \"{name}\": Object 'apiVersion' is missing in '{json}'"
            )));
        }
        if kind == "List" && version == "v1" {
            if let Some(Value::Array(items)) = fields.remove("items") {
                for (at, item) in items.into_iter().enumerate() {
                    self.add(item, &format!("{path}items[{at}]."))?;
                }
            }
            return Ok(());
        }
        self.read_typed(&mut fields, &kind, &version, path)?;
        self.remark(&fields, &kind, &version, path);
        let origin = Origin {
            source: self.source.to_owned(),
            line: self.line,
        };
        self.out.entities.push(Entity::new(Value::Object(fields), origin));
        Ok(())
    }

    /// Says what is known to go wrong at the deploy.
    fn remark(&mut self, fields: &Map<String, Value>, kind: &str, version: &str, path: &str) {
        if let Some((new, release)) = replaced(version, kind) {
            self.out.remarks.push(Remark {
                message: format!("Kubernetes {release} and later have no {kind} of {version}"),
                spot: self.spot(path, "apiVersion"),
                hint: format!("write apiVersion: {new}, and look whether its fields are still the same"),
            });
        }
        let prefix = fields
            .get("metadata")
            .and_then(|metadata| metadata.get("generateName"));
        if let Some(prefix) = prefix.and_then(Value::as_str).filter(|_| name(fields).is_empty()) {
            self.out.remarks.push(Remark {
                message: format!("{kind} has no name: an object with generateName cannot be applied"),
                spot: self.spot(path, "metadata.generateName"),
                hint: format!("write a name, as in metadata: {{name: {}1}}", prefix),
            });
        }
    }

    /// Reads an object of a kind that Kubernetes itself defines as Go does; others stay as they are.
    fn read_typed(
        &mut self,
        fields: &mut Map<String, Value>,
        kind: &str,
        version: &str,
        path: &str,
    ) -> Result<(), YamlFault> {
        let Some(of) = schema::of_kind(version, kind) else {
            return Ok(());
        };
        let mut reader = Reader::default();
        reader.read(fields, of);
        if reader.dropped.is_empty() && reader.faults.is_empty() {
            return Ok(());
        }
        let name = name(fields);
        for dropped in reader.dropped {
            self.out.dropped.push(DroppedField {
                message: format!(
                    "{kind} \"{name}\" has no field \"{}\": it is left out",
                    dropped.path
                ),
                spot: self.spot(path, &dropped.path),
                near: dropped.near,
            });
        }
        let mut faults = reader.faults.into_iter();
        let Some(first) = faults.next() else {
            return Ok(());
        };
        let more = faults.map(|fault| {
            let line = self.spot(path, &fault.path).line;
            format!("\"{}\" (line {line}) is wrong too: {}", fault.path, fault.message)
        });
        let more = quotes_are_missing(&first.message).into_iter().chain(more);
        Err(YamlFault {
            message: format!("decoding {kind} \"{name}\": {}", first.message),
            spot: self.spot(path, &first.path),
            more: more.collect(),
        })
    }

    fn fault(&self, message: String) -> YamlFault {
        YamlFault::new(message, self.whole_line())
    }

    fn whole_line(&self) -> Spot {
        Spot {
            line: self.line,
            ..Spot::default()
        }
    }

    fn spot(&self, object: &str, field: &str) -> Spot {
        match locate(self.text, self.document, &format!("{object}{field}")) {
            Some((line, column, width)) => Spot { line, column, width },
            None => self.whole_line(),
        }
    }
}

/// Returns the hint for a text that YAML takes for something else.
fn quotes_are_missing(message: &str) -> Option<String> {
    if !message.ends_with("of type string") {
        return None;
    }
    let what = if message.contains("cannot unmarshal bool") {
        "y, n, yes, no, on, off, true and false are booleans in YAML"
    } else if message.contains("cannot unmarshal number") {
        "digits are a number in YAML"
    } else {
        return None;
    };
    Some(format!("{what}: put the text in quotes"))
}

fn text<'a>(fields: &'a Map<String, Value>, key: &str) -> &'a str {
    fields.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn name(fields: &Map<String, Value>) -> String {
    let name = fields.get("metadata").and_then(|metadata| metadata.get("name"));
    name.and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn json_kind(value: &Value) -> &'static str {
    match value {
        Value::Array(_) => "array",
        Value::String(_) => "string",
        Value::Number(_) => "number",
        Value::Bool(_) => "bool",
        Value::Null | Value::Object(_) => "object",
    }
}
