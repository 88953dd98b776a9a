//! Plain data between YAML or JSON and `serde_json::Value`.
//!
//! `Value` itself cannot be used: a crate that we depend on makes `serde_json` keep numbers as text for the whole build,
//! and any other format then sees a number as a map with a private key.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::{Map, Number, Value};

/// Plain data. Keys become text as in Go (`on: 1` has the key `true`), whole floats integers.
pub(super) struct Plain(pub(super) Value);

/// A key of a mapping, as text.
struct Key(String);

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PlainVisitor).map(Plain)
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Plain(value) = Plain::deserialize(deserializer)?;
        Ok(Self(match value {
            Value::String(text) => text,
            other => other.to_string(),
        }))
    }
}

struct PlainVisitor;

impl<'de> Visitor<'de> for PlainVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("plain data")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        if value.fract() == 0.0 && value.abs() < 1e15 {
            // The range was just checked, so nothing is lost.
            return Ok((value as i64).into());
        }
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Plain(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some((Key(key), Plain(value))) = entries.next_entry()? {
            // `serde_json` hands a number that it keeps as text over as a map with this one key.
            if key == "$serde_json::private::Number" {
                let number = value.as_str().and_then(|text| text.parse::<Number>().ok());
                return Ok(number.map_or(value, plain_number));
            }
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

fn plain_number(number: Number) -> Value {
    match (number.as_i64(), number.as_u64(), number.as_f64()) {
        (Some(value), _, _) => value.into(),
        (_, Some(value), _) => value.into(),
        (_, _, Some(value)) => PlainVisitor
            .visit_f64::<serde_json::Error>(value)
            .unwrap_or_default(),
        (None, None, None) => Value::Number(number),
    }
}

/// Plain data with sorted keys. Numbers are written as numbers whatever features of `serde_json` are on.
pub(super) struct Sorted<'a>(pub(super) &'a Value);

impl Serialize for Sorted<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::String(text) => serializer.serialize_str(text),
            Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
                (Some(value), _, _) => serializer.serialize_i64(value),
                (_, Some(value), _) => serializer.serialize_u64(value),
                (_, _, Some(value)) => serializer.serialize_f64(value),
                (None, None, None) => serializer.serialize_str(&number.to_string()),
            },
            Value::Array(items) => {
                let mut seq = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    seq.serialize_element(&Sorted(item))?;
                }
                seq.end()
            }
            Value::Object(fields) => {
                let mut sorted: Vec<_> = fields.iter().collect();
                sorted.sort_by_key(|(key, _)| *key);
                let mut map = serializer.serialize_map(Some(sorted.len()))?;
                for (key, value) in sorted {
                    map.serialize_entry(key, &Sorted(value))?;
                }
                map.end()
            }
        }
    }
}
