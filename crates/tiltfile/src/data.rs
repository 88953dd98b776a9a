//! Plain data between Starlark values and JSON.
//!
//! Rule: `docs/rules/tiltfile.md`, "Values".

use std::borrow::Cow;

use serde_json::{Map, Number, Value as Json};
use starlark::values::dict::{AllocDict, DictRef};
use starlark::values::float::UnpackFloat;
use starlark::values::list::{AllocList, ListRef};
use starlark::values::{Heap, UnpackValue, Value};

use super::kinds::{go_type, type_name};
use crate::model::octets::{has_strays, joined};

/// Data may be nested this deep.
const MAX_DEPTH: usize = 1_000;

/// Returns plain data as a value: numbers with a fraction or an exponent are floats.
pub(super) fn alloc<'v>(data: &Json, heap: Heap<'v>) -> Value<'v> {
    alloc_numbers(data, heap, &|number| match (number.as_i64(), number.as_u64()) {
        _ if is_float(number) => heap.alloc(number.as_f64().unwrap_or(f64::NAN)),
        (Some(value), _) => heap.alloc(value),
        (None, Some(value)) => heap.alloc(value),
        (None, None) => heap.alloc(number.as_f64().unwrap_or(f64::NAN)),
    })
}

/// Returns plain data as a value; all numbers are floats.
pub(super) fn alloc_with_floats<'v>(data: &Json, heap: Heap<'v>) -> Value<'v> {
    alloc_numbers(data, heap, &|number| {
        heap.alloc(number.as_f64().unwrap_or(f64::NAN))
    })
}

fn alloc_numbers<'v>(data: &Json, heap: Heap<'v>, number: &dyn Fn(&Number) -> Value<'v>) -> Value<'v> {
    match data {
        Json::Null => Value::new_none(),
        Json::Bool(value) => Value::new_bool(*value),
        Json::String(text) => heap.alloc(text.as_str()),
        Json::Number(value) => number(value),
        Json::Array(items) => {
            let items: Vec<Value<'v>> = items
                .iter()
                .map(|item| alloc_numbers(item, heap, number))
                .collect();
            heap.alloc(AllocList(items))
        }
        Json::Object(fields) => {
            let fields: Vec<(&str, Value<'v>)> = fields
                .iter()
                .map(|(key, value)| (key.as_str(), alloc_numbers(value, heap, number)))
                .collect();
            heap.alloc(AllocDict(fields))
        }
    }
}

fn is_float(number: &Number) -> bool {
    number.is_f64() && number.to_string().contains(['.', 'e', 'E'])
}

/// Returns a value as plain data with sorted keys.
///
/// # Errors
/// A sentence, for a value that is no plain data.
pub(super) fn plain(value: Value<'_>) -> Result<Json, String> {
    convert(value, 0)
}

fn convert(value: Value<'_>, depth: usize) -> Result<Json, String> {
    if depth > MAX_DEPTH {
        return Err(format!(
            "error converting object from starlark: more than {MAX_DEPTH} values within one another"
        ));
    }
    if let Some(list) = ListRef::from_value(value) {
        return list.iter().map(|item| convert(item, depth + 1)).collect();
    }
    if let Some(dict) = DictRef::from_value(value) {
        let mut fields = Vec::with_capacity(dict.len());
        for (key, value) in dict.iter() {
            fields.push((text(field(key)?)?, convert(value, depth + 1)?));
        }
        fields.sort_by(|(left, _), (right, _)| left.cmp(right));
        return Ok(Json::Object(
            fields
                .into_iter()
                .map(|(key, value)| (key.into_owned(), value))
                .collect::<Map<_, _>>(),
        ));
    }
    match type_name(value) {
        "NoneType" => Ok(Json::Null),
        "bool" => Ok(value.unpack_bool().unwrap_or_default().into()),
        "string" => text(value.unpack_str().unwrap_or_default()).map(Json::from),
        "int" => match i64::unpack_value(value) {
            Ok(Some(number)) => Ok(number.into()),
            _ => value.to_str().parse::<u64>().map(Json::from).map_err(|_| {
                format!(
                    "error converting object from starlark: {} is too large",
                    value.to_str()
                )
            }),
        },
        "float" => UnpackFloat::unpack_value(value)
            .ok()
            .flatten()
            .and_then(|UnpackFloat(float)| float_number(float))
            .ok_or_else(|| {
                format!(
                    "error converting object from starlark: {} is no number",
                    value.to_str()
                )
            }),
        _ => Err(format!(
            "error converting object from starlark: unable to convert from starlark value, unsupported type {}",
            go_type(value)
        )),
    }
}

/// A whole float is written without a fraction.
fn float_number(float: f64) -> Option<Json> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if float.fract() == 0.0 && float.abs() <= EXACT {
        // The range was just checked, so nothing is lost.
        return Some((float as i64).into());
    }
    let number = float
        .is_finite()
        .then(|| json_float(float).parse::<Number>().ok());
    number.flatten().map(Json::Number)
}

/// Returns a float as Go writes it in JSON: with an exponent only where it is very large or very small.
fn json_float(float: f64) -> String {
    if (1e-6..1e21).contains(&float.abs()) || float == 0.0 {
        return format!("{float}");
    }
    let text = format!("{float:e}");
    match text.split_once('e') {
        Some((digits, exponent)) if !exponent.starts_with('-') => format!("{digits}e+{exponent}"),
        _ => text,
    }
}

/// Returns text that JSON and YAML can hold.
fn text(text: &str) -> Result<Cow<'_, str>, String> {
    let whole = joined(text);
    if has_strays(&whole) {
        return Err(
            "error converting object from starlark: a string holds bytes that are no UTF-8".to_owned(),
        );
    }
    Ok(whole)
}

fn field(key: Value<'_>) -> Result<&str, String> {
    key.unpack_str().ok_or_else(|| {
        let kind = match type_name(key) {
            "int" => "int64",
            "float" => "float64",
            "bool" => "bool",
            "NoneType" => "<nil>",
            _ => go_type(key),
        };
        format!(
            "error converting object from starlark: only string keys are supported in maps. found key '{}' of type {kind}",
            key.to_str()
        )
    })
}

/// Returns plain data as JSON text, as Go writes it: two blanks, `<`, `>` and `&` escaped, a newline at the end.
pub(super) fn json_text(data: &Json) -> String {
    let mut text = serde_json::to_string_pretty(data).unwrap_or_default();
    // These occur only inside strings, so they can be escaped in the text.
    for (character, escape) in [
        ('<', "\\u003c"),
        ('>', "\\u003e"),
        ('&', "\\u0026"),
        ('\u{2028}', "\\u2028"),
        ('\u{2029}', "\\u2029"),
    ] {
        if text.contains(character) {
            text = text.replace(character, escape);
        }
    }
    text.push('\n');
    text
}
