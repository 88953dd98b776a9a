//! Plain data from JSON to `serde_json::Value`.
//!
//! `Value` itself cannot be used: a crate that we depend on makes `serde_json` keep numbers as text for the whole build,
//! and any other format then sees a number as a map with a private key.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::scalar::from_float;

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

/// More keys than most mappings of an object have.
const USUAL_KEYS: usize = 8;

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
        Ok(from_float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Plain(item)) = items.next_element()? {
            list.push(item);
        }
        list.shrink_to_fit();
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut collected = Vec::with_capacity(USUAL_KEYS);
        while let Some((Key(key), Plain(value))) = entries.next_entry()? {
            // `serde_json` hands a number that it keeps as text over as a map with this one key.
            if key == "$serde_json::private::Number" {
                let number = value.as_str().and_then(|text| text.parse::<Number>().ok());
                return Ok(number.map_or(value, plain_number));
            }
            collected.push((key, value));
        }
        // A map that grows by itself keeps room for more: most have one to three keys, and a project thousands of maps.
        let mut map = Map::with_capacity(collected.len());
        map.extend(collected);
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
