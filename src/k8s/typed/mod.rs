//! Objects of kinds that Kubernetes itself defines, read as Go's types read them and written as those are written.
//!
//! [`Reader::read`] takes an object apart with the help of `schema`: a wrong type is a [`TypeFault`], a field that the type
//! does not have is dropped and noted. What Go writes even when it is empty is there afterwards, what it leaves out is
//! gone. Rule: `reference/tiltfile-api.md` A.1 to A.4.

mod quantity;

use std::fmt;

use base64::Engine as _;
use serde_json::{Map, Value};

use super::schema::{Field, Shape, Struct, StructRef};

/// A value that its field cannot have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TypeFault {
    /// What is wrong, in Go's words.
    pub(super) message: String,
    /// The path of the field, as in `spec.containers[0].image`.
    pub(super) path: String,
}

/// A field that was dropped, because its type does not have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dropped {
    /// Its name.
    pub(super) name: String,
    /// Its path.
    pub(super) path: String,
    /// The field of that type whose name is nearest, if one is near.
    pub(super) near: Option<&'static str>,
}

/// Reads one object.
#[derive(Default)]
pub(super) struct Reader {
    /// What has a wrong type, in the order of the names of fields.
    pub(super) faults: Vec<TypeFault>,
    /// What was dropped.
    pub(super) dropped: Vec<Dropped>,
    /// The way to what is read now.
    path: Vec<Step>,
    /// The structs on the way there.
    owners: Vec<&'static str>,
}

enum Step {
    Field(&'static str),
    Key(String),
    Item(usize),
}

/// A value of a wrong type; it is noted already.
struct Unfit;

impl Reader {
    /// Returns an object of a type as Go writes it. Only meaningful when there are no faults.
    pub(super) fn read(&mut self, object: Map<String, Value>, of: &'static Struct) -> Map<String, Value> {
        self.fields(object, of)
    }

    fn fields(&mut self, object: Map<String, Value>, of: &'static Struct) -> Map<String, Value> {
        self.owners.push(of.name);
        let mut given: Vec<Option<Value>> = vec![None; of.fields().len()];
        for (name, value) in object {
            match of.position(&name) {
                Some(at) => given[at] = Some(value),
                None => self.drop_field(name, of),
            }
        }
        let mut written = Map::new();
        for (field, value) in of.fields().iter().zip(given) {
            if is_status(field) {
                continue;
            }
            self.path.push(Step::Field(field.name));
            if let Some(value) = self.field(field, value.unwrap_or(Value::Null)) {
                written.insert(field.name.to_owned(), value);
            }
            self.path.pop();
        }
        self.owners.pop();
        written
    }

    fn drop_field(&mut self, name: String, of: &'static Struct) {
        let near = crate::diag::nearest(&name, of.fields().iter().map(|field| field.name));
        self.path.push(Step::Key(name.clone()));
        let path = self.shown_path();
        self.path.pop();
        self.dropped.push(Dropped { name, path, near });
    }

    /// Returns what is written for a field; `None` for nothing.
    fn field(&mut self, field: &'static Field, value: Value) -> Option<Value> {
        if let Shape::Pointer(inner) = &field.shape {
            return match value {
                Value::Null => (!field.omits_empty).then_some(Value::Null),
                value => self.value(inner, value).ok(),
            };
        }
        if matches!(field.shape, Shape::Time) && value.is_null() {
            return None;
        }
        let written = self.value(&field.shape, value).ok()?;
        (!field.omits_empty || !is_empty(&field.shape, &written)).then_some(written)
    }

    /// Returns what is written for a value of a type; `null` gives the type's zero value.
    fn value(&mut self, shape: &'static Shape, value: Value) -> Result<Value, Unfit> {
        match (shape, value) {
            (Shape::Pointer(inner), Value::Null) => match **inner {
                Shape::Struct(_) => Ok(Value::Null),
                _ => self.value(inner, Value::Null),
            },
            (Shape::Pointer(inner), value) => self.value(inner, value),
            (Shape::Struct(of), Value::Object(object)) => Ok(self.fields(object, of.get()).into()),
            (Shape::Struct(of), Value::Null) => Ok(self.fields(Map::new(), of.get()).into()),
            (Shape::List(inner), Value::Array(items)) => self.list(inner, items),
            (Shape::Map(inner), Value::Object(entries)) => self.map(inner, entries),
            (Shape::List(_) | Shape::Map(_) | Shape::Bytes | Shape::Any, Value::Null) => Ok(Value::Null),
            (Shape::Any, value) => Ok(value),
            (Shape::Quantity, value) => self.quantity(value),
            (Shape::Time, value @ (Value::String(_) | Value::Null)) => Ok(value),
            (Shape::IntOrString, value @ (Value::Number(_) | Value::String(_))) => Ok(value),
            (Shape::IntOrString, Value::Null) => Ok(0.into()),
            (Shape::SchemaOrBool(_), value @ (Value::Bool(_) | Value::Null)) => Ok(value),
            (Shape::SchemaOrTexts(_), value @ (Value::Array(_) | Value::Null)) => Ok(value),
            (Shape::SchemaOrList(_), Value::Null) => Ok(Value::Null),
            (Shape::SchemaOrList(of), Value::Array(items)) => self.schemas(of, items),
            (
                Shape::SchemaOrBool(of) | Shape::SchemaOrTexts(of) | Shape::SchemaOrList(of),
                Value::Object(object),
            ) => Ok(self.fields(object, of.get()).into()),
            (shape, value) => self.scalar(shape, value),
        }
    }

    fn scalar(&mut self, shape: &'static Shape, value: Value) -> Result<Value, Unfit> {
        match (shape, value) {
            (Shape::Text(_), Value::Null) => Ok(Value::String(String::new())),
            (Shape::Bool(_), Value::Null) => Ok(false.into()),
            (Shape::Integer { .. } | Shape::Float(_), Value::Null) => Ok(0.into()),
            (Shape::Text(_), value @ Value::String(_)) | (Shape::Bool(_), value @ Value::Bool(_)) => {
                Ok(value)
            }
            (Shape::Float(_), value @ Value::Number(_)) => Ok(value),
            (Shape::Integer { bits, .. }, Value::Number(number)) if fits(&number, *bits) => Ok(number.into()),
            (Shape::Integer { .. }, Value::Number(number)) => self.unfit(shape, &format!("number {number}")),
            (Shape::Bytes, Value::String(text)) => self.bytes(&text),
            (shape, value) => self.unfit(shape, kind_of(&value)),
        }
    }

    fn list(&mut self, inner: &'static Shape, items: Vec<Value>) -> Result<Value, Unfit> {
        let mut written = Vec::with_capacity(items.len());
        for (at, item) in items.into_iter().enumerate() {
            self.path.push(Step::Item(at));
            let item = self.value(inner, item);
            self.path.pop();
            written.extend(item);
        }
        Ok(written.into())
    }

    fn map(&mut self, inner: &'static Shape, entries: Map<String, Value>) -> Result<Value, Unfit> {
        let mut written = Map::with_capacity(entries.len());
        for (key, value) in entries {
            if let (Shape::Text(_), Value::String(_)) = (inner, &value) {
                written.insert(key, value);
                continue;
            }
            self.path.push(Step::Key(key.clone()));
            let value = self.value(inner, value);
            self.path.pop();
            written.extend(value.map(|value| (key, value)));
        }
        Ok(written.into())
    }

    fn schemas(&mut self, of: &'static StructRef, items: Vec<Value>) -> Result<Value, Unfit> {
        let mut written = Vec::with_capacity(items.len());
        for (at, item) in items.into_iter().enumerate() {
            self.path.push(Step::Item(at));
            match item {
                Value::Object(object) => written.push(self.fields(object, of.get()).into()),
                other => written.push(other),
            }
            self.path.pop();
        }
        Ok(written.into())
    }

    fn quantity(&mut self, value: Value) -> Result<Value, Unfit> {
        let text = match value {
            Value::Null => return Ok("0".into()),
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            other => other.to_string(),
        };
        match quantity::canonical(&text) {
            Ok(text) => Ok(text.into()),
            Err(why) => self.fault(why.to_string()),
        }
    }

    fn bytes(&mut self, text: &str) -> Result<Value, Unfit> {
        let base64 = base64::engine::general_purpose::STANDARD;
        let clean = text.replace(['\n', '\r'], "");
        let at = match base64.decode(&clean) {
            Ok(_) => return Ok(clean.into()),
            Err(base64::DecodeError::InvalidByte(at, _) | base64::DecodeError::InvalidLastSymbol(at, _)) => {
                at
            }
            Err(base64::DecodeError::InvalidLength(at)) => at - at % 4,
            Err(base64::DecodeError::InvalidPadding) => clean.trim_end_matches('=').len(),
        };
        self.fault(format!("illegal base64 data at input byte {at}"))
    }

    fn unfit(&mut self, shape: &Shape, found: &str) -> Result<Value, Unfit> {
        let fields: Vec<&str> = self.path.iter().filter_map(Step::field).collect();
        let owner = self.owners.last().copied().unwrap_or_default();
        self.fault(format!(
            "json: cannot unmarshal {found} into Go struct field {owner}.{} of type {}",
            fields.join("."),
            go_name(shape)
        ))
    }

    fn fault(&mut self, message: String) -> Result<Value, Unfit> {
        let path = self.shown_path();
        self.faults.push(TypeFault { message, path });
        Err(Unfit)
    }

    fn shown_path(&self) -> String {
        let mut shown = String::new();
        for step in &self.path {
            if !shown.is_empty() && !matches!(step, Step::Item(_)) {
                shown.push('.');
            }
            shown.push_str(&step.to_string());
        }
        shown
    }
}

impl Step {
    fn field(&self) -> Option<&'static str> {
        match self {
            Self::Field(name) => Some(name),
            Self::Key(_) | Self::Item(_) => None,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => f.write_str(name),
            Self::Key(key) if key.contains(['.', '[']) => write!(f, "[{key}]"),
            Self::Key(key) => f.write_str(key),
            Self::Item(at) => write!(f, "[{at}]"),
        }
    }
}

/// What a cluster says about an object is not part of what is wanted.
fn is_status(field: &Field) -> bool {
    field.name == "status" && matches!(field.shape, Shape::Struct(_))
}

/// Returns whether Go takes a value for empty. Structs never are.
fn is_empty(shape: &Shape, value: &Value) -> bool {
    match (shape, value) {
        (Shape::Text(_) | Shape::Bytes, Value::String(text)) => text.is_empty(),
        (Shape::Bool(_), Value::Bool(value)) => !value,
        (Shape::Integer { .. } | Shape::Float(_), Value::Number(number)) => number.as_f64() == Some(0.0),
        (Shape::List(_), Value::Array(items)) => items.is_empty(),
        (Shape::Map(_), Value::Object(entries)) => entries.is_empty(),
        (_, Value::Null) => true,
        _ => false,
    }
}

fn fits(number: &serde_json::Number, bits: u32) -> bool {
    match bits {
        16 => number.as_u64().is_some_and(|n| u16::try_from(n).is_ok()),
        32 => number.as_i64().is_some_and(|n| i32::try_from(n).is_ok()),
        _ => number.as_i64().is_some(),
    }
}

/// Returns what Go's JSON calls a value.
fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn go_name(shape: &Shape) -> String {
    match shape {
        Shape::Text(go) | Shape::Bool(go) | Shape::Float(go) | Shape::Integer { go, .. } => (*go).to_owned(),
        Shape::Bytes => "[]uint8".to_owned(),
        Shape::Pointer(inner) => go_name(inner),
        Shape::List(inner) => format!("[]{}", go_name(inner)),
        Shape::Map(inner) => format!("map[string]{}", go_name(inner)),
        Shape::Struct(of) => of.go().to_owned(),
        Shape::Quantity => "resource.Quantity".to_owned(),
        Shape::IntOrString => "intstr.IntOrString".to_owned(),
        Shape::Time => "v1.Time".to_owned(),
        Shape::Any => "runtime.RawExtension".to_owned(),
        Shape::SchemaOrBool(_) => "v1.JSONSchemaPropsOrBool".to_owned(),
        Shape::SchemaOrList(_) => "v1.JSONSchemaPropsOrArray".to_owned(),
        Shape::SchemaOrTexts(_) => "v1.JSONSchemaPropsOrStringArray".to_owned(),
    }
}

#[cfg(test)]
mod tests;
