//! Objects of kinds that Kubernetes itself defines, read as Go's types read them and written as those are written.
//!
//! [`Reader::read`] takes an object apart with the help of `schema`: a wrong type is a [`TypeFault`], a field that the type
//! does not have is dropped and noted. What Go writes even when it is empty is there afterwards, what it leaves out is
//! gone. Rule: `docs/rules/yaml.md`, "Reading", "Types".

mod quantity;

use std::fmt;

use base64::Engine as _;
use serde_json::{Map, Value};

use super::schema::{Field, Shape, Struct, StructRef};

/// A value that its field cannot have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TypeFault {
    /// What is wrong, in Go's words.
    pub(crate) message: String,
    /// The path of the field, as in `spec.containers[0].image`.
    pub(crate) path: String,
}

/// A field that was dropped, because its type does not have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dropped {
    /// Its path.
    pub(crate) path: String,
    /// The field of that type whose name is nearest, if one is near.
    pub(crate) near: Option<&'static str>,
}

/// Reads one object.
#[derive(Default)]
pub(crate) struct Reader {
    /// What has a wrong type, in the order of paths.
    pub(crate) faults: Vec<TypeFault>,
    /// What was dropped.
    pub(crate) dropped: Vec<Dropped>,
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
    /// Makes an object what Go writes for it. Only meaningful when there are no faults.
    pub(crate) fn read(&mut self, object: &mut Map<String, Value>, of: &'static Struct) {
        self.fields(object, of);
        self.faults.sort_by(|a, b| a.path.cmp(&b.path));
    }

    fn fields(&mut self, object: &mut Map<String, Value>, of: &'static Struct) {
        self.owners.push(of.name);
        object.retain(|name, value| match of.field(name) {
            Some(field) => {
                !field.is_status && self.within(Step::Field(field.name), |me| me.field(field, value))
            }
            None => {
                self.note_dropped(name, of);
                false
            }
        });
        for field in of.always_written() {
            if !object.contains_key(field.name) {
                let mut value = Value::Null;
                if self.within(Step::Field(field.name), |me| me.field(field, &mut value)) {
                    object.insert(field.name.to_owned(), value);
                }
            }
        }
        self.owners.pop();
    }

    fn within<T>(&mut self, step: Step, read: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(step);
        let result = read(self);
        self.path.pop();
        result
    }

    fn note_dropped(&mut self, name: &str, of: &'static Struct) {
        let near = crate::diag::nearest(name, of.fields().iter().map(|field| field.name));
        let path = self.within(Step::Key(name.to_owned()), |me| me.shown_path());
        self.dropped.push(Dropped { path, near });
    }

    /// Makes a value what is written for a field; returns whether anything is.
    fn field(&mut self, field: &'static Field, value: &mut Value) -> bool {
        match &field.shape {
            Shape::Pointer(_) if value.is_null() => !field.omits_empty,
            Shape::Pointer(inner) => self.value(inner, value).is_ok(),
            Shape::Time if value.is_null() => false,
            Shape::ApiTime { .. } if value.is_null() => true,
            shape => self.value(shape, value).is_ok() && !(field.omits_empty && is_empty(shape, value)),
        }
    }

    /// Makes a value what is written for a type; `null` becomes the type's zero value.
    fn value(&mut self, shape: &'static Shape, value: &mut Value) -> Result<(), Unfit> {
        match (shape, &mut *value) {
            (Shape::Pointer(inner), Value::Null) if matches!(**inner, Shape::Struct(_)) => {}
            (Shape::Pointer(inner), _) => return self.value(inner, value),
            (Shape::Struct(of), Value::Object(object)) => self.fields(object, of.get()),
            (Shape::Struct(of), Value::Null) => {
                let mut object = Map::new();
                self.fields(&mut object, of.get());
                *value = object.into();
            }
            (Shape::List(inner), Value::Array(items)) => self.list(inner, items),
            (Shape::Map(inner), Value::Object(entries)) => self.map(inner, entries),
            (Shape::List(_) | Shape::Map(_) | Shape::Bytes | Shape::Time, Value::Null) => {}
            (Shape::Any, _) | (Shape::Time, Value::String(_)) | (Shape::ApiTime { .. }, Value::Null) => {}
            (Shape::ApiTime { micro }, Value::String(text)) => match api_time(text, *micro) {
                Ok(canonical) => *text = canonical,
                Err(why) => return self.fault(why),
            },
            (Shape::Quantity, _) => return self.quantity(value),
            (Shape::IntOrString, Value::Number(_) | Value::String(_)) => {}
            (Shape::IntOrString, Value::Null) => *value = 0.into(),
            (Shape::SchemaOrBool(_), Value::Bool(_) | Value::Null) => {}
            (Shape::SchemaOrTexts(_), Value::Array(_) | Value::Null)
            | (Shape::SchemaOrList(_), Value::Null) => {}
            (Shape::SchemaOrList(of), Value::Array(items)) => self.schemas(of, items),
            (
                Shape::SchemaOrBool(of) | Shape::SchemaOrTexts(of) | Shape::SchemaOrList(of),
                Value::Object(object),
            ) => self.fields(object, of.get()),
            _ => return self.scalar(shape, value),
        }
        Ok(())
    }

    fn scalar(&mut self, shape: &'static Shape, value: &mut Value) -> Result<(), Unfit> {
        match (shape, &*value) {
            (Shape::Text(_), Value::Null) => *value = Value::String(String::new()),
            (Shape::Bool(_), Value::Null) => *value = false.into(),
            (Shape::Integer { .. } | Shape::Float(_), Value::Null) => *value = 0.into(),
            (Shape::Text(_), Value::String(_)) | (Shape::Bool(_), Value::Bool(_)) => {}
            (Shape::Float(_), Value::Number(_)) => {}
            (Shape::Integer { bits, .. }, Value::Number(number)) if fits(number, *bits) => {}
            (Shape::Integer { .. }, Value::Number(number)) => {
                return self.unfit(shape, &format!("number {number}"));
            }
            (Shape::Bytes, Value::String(_)) => return self.bytes(value),
            (shape, value) => return self.unfit(shape, kind_of(value)),
        }
        Ok(())
    }

    // What is wrong with an element is noted; the others are read all the same.
    fn list(&mut self, inner: &'static Shape, items: &mut [Value]) {
        for (at, item) in items.iter_mut().enumerate() {
            let _ = self.within(Step::Item(at), |me| me.value(inner, item));
        }
    }

    fn map(&mut self, inner: &'static Shape, entries: &mut Map<String, Value>) {
        for (key, value) in entries.iter_mut() {
            if !matches!((inner, &*value), (Shape::Text(_), Value::String(_))) {
                let _ = self.within(Step::Key(key.clone()), |me| me.value(inner, value));
            }
        }
    }

    fn schemas(&mut self, of: &'static StructRef, items: &mut [Value]) {
        for (at, item) in items.iter_mut().enumerate() {
            if let Value::Object(object) = item {
                self.within(Step::Item(at), |me| me.fields(object, of.get()));
            }
        }
    }

    fn quantity(&mut self, value: &mut Value) -> Result<(), Unfit> {
        let canonical = match &*value {
            Value::Null => Ok("0".to_owned()),
            Value::String(text) => quantity::canonical(text),
            other => quantity::canonical(&other.to_string()),
        };
        match canonical {
            Ok(text) => {
                *value = text.into();
                Ok(())
            }
            Err(why) => self.fault(why.to_string()),
        }
    }

    fn bytes(&mut self, value: &mut Value) -> Result<(), Unfit> {
        let Value::String(text) = value else {
            return Ok(());
        };
        text.retain(|c| !matches!(c, '\n' | '\r'));
        let at = match base64::engine::general_purpose::STANDARD.decode(&*text) {
            Ok(_) => return Ok(()),
            Err(base64::DecodeError::InvalidByte(at, _) | base64::DecodeError::InvalidLastSymbol(at, _)) => {
                at
            }
            Err(base64::DecodeError::InvalidLength(at)) => at - at % 4,
            Err(base64::DecodeError::InvalidPadding) => text.trim_end_matches('=').len(),
        };
        self.fault(format!("illegal base64 data at input byte {at}"))
    }

    fn unfit(&mut self, shape: &Shape, found: &str) -> Result<(), Unfit> {
        let fields: Vec<&str> = self.path.iter().filter_map(Step::field).collect();
        let owner = self.owners.last().copied().unwrap_or_default();
        self.fault(format!(
            "json: cannot unmarshal {found} into Go struct field {owner}.{} of type {}",
            fields.join("."),
            go_name(shape)
        ))
    }

    fn fault(&mut self, message: String) -> Result<(), Unfit> {
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

/// Checks that a text is a time as our own API reads it.
fn api_time(text: &str, micro: bool) -> Result<String, String> {
    let layout = if micro {
        "2006-01-02T15:04:05.000000Z07:00"
    } else {
        "2006-01-02T15:04:05Z07:00"
    };
    let fault =
        |rest: &str| format!("parsing time {text:?} as {layout:?}: cannot parse {rest:?} as {layout:?}");
    let time: Result<k8s_openapi::jiff::Timestamp, _> = text.parse();
    let digits = text
        .split_once('.')
        .map(|(_, rest)| rest.chars().take_while(char::is_ascii_digit).count());
    match (time, digits) {
        (Ok(time), Some(6)) if micro => Ok(format!("{time:.6}")),
        (Ok(time), _) if !micro => Ok(format!("{time:.0}")),
        (Ok(_), _) => Err(fault(text.get(19..).unwrap_or(text))),
        (Err(_), _) => Err(fault(text)),
    }
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
        Shape::Time | Shape::ApiTime { micro: false } => "v1.Time".to_owned(),
        Shape::ApiTime { micro: true } => "v1.MicroTime".to_owned(),
        Shape::Any => "runtime.RawExtension".to_owned(),
        Shape::SchemaOrBool(_) => "v1.JSONSchemaPropsOrBool".to_owned(),
        Shape::SchemaOrList(_) => "v1.JSONSchemaPropsOrArray".to_owned(),
        Shape::SchemaOrTexts(_) => "v1.JSONSchemaPropsOrStringArray".to_owned(),
    }
}

#[cfg(test)]
mod tests;
