//! From values of a Tiltfile to fields of the API, by the shape that says what is expected.
//!
//! Faults are texts: what is wrong with a value, without saying where; the caller knows the argument.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value as Json, json};
use starlark::values::Value;
use starlark::values::dict::DictRef;
use starlark::values::list::ListRef;
use starlark::values::tuple::TupleRef;

use super::shape::{Field, Kind, Shape};
use crate::diag::nearest;
use crate::kinds::{go_type, stringable, type_name};
use crate::model::{LocalPath, format_go_duration, parse_go_duration};

/// What is wrong with a value, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unfit {
    pub(super) cause: String,
    pub(super) hint: Option<String>,
}

impl Unfit {
    fn within(mut self, what: &str) -> Self {
        self.cause = format!("{what}: {}", self.cause);
        self
    }
}

impl From<String> for Unfit {
    fn from(cause: String) -> Self {
        Self { cause, hint: None }
    }
}

/// The fields that were given for a shape; `here` is the current directory.
pub(super) struct Given<'v> {
    values: Vec<Option<Value<'v>>>,
    shape: &'static Shape,
    here: LocalPath,
}

impl<'v> Given<'v> {
    pub(super) fn new(shape: &'static Shape, here: LocalPath) -> Self {
        Self {
            values: vec![None; shape.fields.len()],
            shape,
            here,
        }
    }

    pub(super) fn set(&mut self, at: usize, value: Value<'v>) {
        self.values[at] = Some(value);
    }

    /// Returns the fields of the API: those that were given, and those that are shown even if empty.
    pub(super) fn fields(&self) -> Result<Map<String, Json>, (&'static Field, Unfit)> {
        let mut fields = Map::new();
        for (field, value) in self.shape.fields.iter().zip(&self.values) {
            let json = match value {
                Some(value) => Some(unpack(&field.kind, *value, &self.here).map_err(|unfit| (field, unfit))?),
                None => empty(&field.kind, &self.here),
            };
            put(&mut fields, field, json);
        }
        Ok(fields)
    }
}

fn put(fields: &mut Map<String, Json>, field: &Field, value: Option<Json>) {
    match (&field.kind, value) {
        (Kind::Inlined(_), Some(Json::Object(inner))) => fields.extend(inner),
        (Kind::Inlined(_), _) => {}
        (kind, Some(value)) if field.shown || matters(kind, &value) => {
            fields.insert(field.name.to_owned(), value);
        }
        (_, None) if field.shown => {
            fields.insert(field.name.to_owned(), Json::Null);
        }
        _ => {}
    }
}

/// Returns whether a value is more than that of a field which was not given.
fn matters(kind: &Kind, value: &Json) -> bool {
    match value {
        Json::String(text) => !text.is_empty() || matches!(kind, Kind::MaybeText),
        Json::Bool(flag) => *flag,
        Json::Number(number) => number.as_i64() != Some(0),
        Json::Array(items) => !items.is_empty(),
        Json::Object(fields) => !fields.is_empty() || matches!(kind, Kind::Part(_)),
        Json::Null => false,
    }
}

/// Returns the value of a field that was not given; `None` is shown as `null`.
fn empty(kind: &Kind, here: &LocalPath) -> Option<Json> {
    match kind {
        Kind::Text | Kind::Path => Some("".into()),
        Kind::PathOrHere => Some(here.to_string().into()),
        Kind::Number => Some(0.into()),
        Kind::Duration => Some("0s".into()),
        Kind::FixedPart(shape) => {
            let fields = Given::new(shape, here.clone()).fields();
            fields.ok().map(Json::Object)
        }
        _ => None,
    }
}

/// Returns the value of a field.
fn unpack(kind: &Kind, value: Value<'_>, here: &LocalPath) -> Result<Json, Unfit> {
    match kind {
        Kind::Text | Kind::MaybeText => match value.unpack_str() {
            Some(text) => Ok(text.into()),
            None => Err(format!("got {}, want string", type_name(value)).into()),
        },
        Kind::Flag => match value.unpack_bool() {
            Some(flag) => Ok(flag.into()),
            None => Err(format!("got {}, want bool", type_name(value)).into()),
        },
        Kind::Number => match value.unpack_i32() {
            Some(number) => Ok(number.into()),
            None if type_name(value) == "int" => Err(format!("{value} out of range").into()),
            None => Err(format!("got {}, want int", type_name(value)).into()),
        },
        Kind::Strings => strings(value),
        Kind::StringMap => string_map(value),
        Kind::Path | Kind::PathOrHere => Ok(path(value, here)?.into()),
        Kind::Paths => paths(value, here),
        Kind::Duration => duration(value),
        Kind::Time => time(value),
        Kind::Part(shape) | Kind::FixedPart(shape) | Kind::Inlined(shape) => {
            part(shape, value, here).map(Json::Object)
        }
        Kind::Parts(shape) => parts(shape, value, here),
    }
}

/// Returns the fields of a part, which is a dict whoever made it.
pub(super) fn part(
    shape: &'static Shape,
    value: Value<'_>,
    here: &LocalPath,
) -> Result<Map<String, Json>, Unfit> {
    let Some(dict) = DictRef::from_value(value) else {
        return Err(format!("expected dict, actual: {}", type_name(value)).into());
    };
    let (mut given, mut inner) = (Given::new(shape, here.clone()), None);
    for (key, value) in dict.iter() {
        let Some(key) = key.unpack_str() else {
            return Err(format!("key must be string. Got: {}", type_name(key)).into());
        };
        match shape.fields.iter().position(|field| field.argument == key) {
            Some(at) => given.set(at, value),
            None => match inlined(shape, key) {
                Some((shape, at)) => inner
                    .get_or_insert_with(|| Given::new(shape, here.clone()))
                    .set(at, value),
                None => return Err(unexpected(shape, key)),
            },
        }
    }
    let mut fields = given.fields().map_err(in_field)?;
    if let Some(inner) = inner {
        fields.extend(inner.fields().map_err(in_field)?);
    }
    Ok(fields)
}

/// Returns the field of an inlined part that has a name.
fn inlined(shape: &'static Shape, key: &str) -> Option<(&'static Shape, usize)> {
    let mut inlined = shape.fields.iter().filter_map(|field| match field.kind {
        Kind::Inlined(shape) => Some(shape),
        _ => None,
    });
    inlined.find_map(|shape| {
        let at = shape.fields.iter().position(|field| field.argument == key)?;
        Some((shape, at))
    })
}

fn unexpected(shape: &'static Shape, key: &str) -> Unfit {
    let known = shape.fields.iter().map(|field| field.argument);
    let hint = match nearest(key, known.clone()) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => format!(
            "v1alpha1.{} has {}",
            shape.name,
            known.collect::<Vec<_>>().join(", ")
        ),
    };
    Unfit {
        cause: format!("Unexpected attribute name: {key}"),
        hint: Some(hint),
    }
}

/// Says in which field of a part a fault is, in Go's words.
pub(super) fn in_field((field, unfit): (&'static Field, Unfit)) -> Unfit {
    let got = unfit
        .cause
        .strip_prefix("got ")
        .and_then(|rest| rest.split(',').next());
    match (&field.kind, got) {
        (Kind::Text | Kind::MaybeText, Some(got)) => format!("Expected string, actual: {got}").into(),
        (Kind::Flag, Some(got)) => format!("Expected bool, got: {got}").into(),
        (Kind::Number, _) => unfit.within("Expected int, got"),
        _ => unfit.within(&format!("unpacking {}", field.argument)),
    }
}

fn parts(shape: &'static Shape, value: Value<'_>, here: &LocalPath) -> Result<Json, Unfit> {
    if value.is_none() {
        return Ok(Json::Null);
    }
    let Some(list) = ListRef::from_value(value) else {
        return Err(format!("expected list, actual: {}", type_name(value)).into());
    };
    let items = list.iter().enumerate().map(|(at, item)| {
        part(shape, item, here)
            .map(Json::Object)
            .map_err(|unfit| unfit.within(&format!("at index {at}")))
    });
    items.collect::<Result<Vec<_>, _>>().map(Json::Array)
}

fn items(value: Value<'_>) -> Option<Vec<Value<'_>>> {
    match ListRef::from_value(value) {
        Some(list) => Some(list.iter().collect()),
        None => TupleRef::from_value(value).map(|tuple| tuple.iter().collect()),
    }
}

fn strings(value: Value<'_>) -> Result<Json, Unfit> {
    if value.is_none() {
        return Ok(Json::Null);
    }
    let Some(items) = items(value) else {
        return Err(format!(
            "value should be a List or Tuple of strings, but is of type {}",
            type_name(value)
        )
        .into());
    };
    let text = |item: Value<'_>| {
        stringable(item).map(Json::String).ok_or_else(|| {
            let (shown, got) = (item.to_repr(), type_name(item));
            format!("value should contain only strings, but element \"{shown}\" was of type {got}")
        })
    };
    let texts: Vec<Json> = items.into_iter().map(text).collect::<Result<_, _>>()?;
    // Go makes no list for no elements.
    Ok(if texts.is_empty() {
        Json::Null
    } else {
        texts.into()
    })
}

fn string_map(value: Value<'_>) -> Result<Json, Unfit> {
    if value.is_none() {
        return Ok(Json::Null);
    }
    let Some(dict) = DictRef::from_value(value) else {
        return Err(format!("expected dict, got {}", go_type(value)).into());
    };
    let text = |what: &str, value: Value<'_>| {
        stringable(value)
            .ok_or_else(|| format!("{what} is not a string: {} ({})", go_type(value), value.to_repr()))
    };
    let pairs = dict
        .iter()
        .map(|(key, value)| Ok((text("key", key)?, text("value", value)?.into())));
    pairs.collect::<Result<Map<_, _>, Unfit>>().map(Json::Object)
}

fn path(value: Value<'_>, here: &LocalPath) -> Result<String, Unfit> {
    match value.unpack_str() {
        Some(path) => Ok(here.join(path).to_string()),
        None => Err(format!("expected path | string. Actual type: {}", go_type(value)).into()),
    }
}

fn paths(value: Value<'_>, here: &LocalPath) -> Result<Json, Unfit> {
    if value.is_none() {
        return Ok(Json::Null);
    }
    if value.unpack_str().is_some() {
        return Ok(json!([path(value, here)?]));
    }
    let Some(items) = items(value) else {
        return Err(format!(
            "value should be a string or List or Tuple of strings, but is of type {}",
            type_name(value)
        )
        .into());
    };
    let paths = items.into_iter().enumerate().map(|(at, item)| {
        path(item, here).map_err(|unfit| unfit.within(&format!("unpacking list item at index {at}")))
    });
    paths.collect::<Result<Vec<_>, _>>().map(|paths| json!(paths))
}

fn duration(value: Value<'_>) -> Result<Json, Unfit> {
    let Some(text) = value.unpack_str() else {
        return Err(format!("Expected string. Got: {}", type_name(value)).into());
    };
    Ok(format_go_duration(parse_go_duration(text)?).into())
}

/// A time is kept as it is written; that it is one is checked.
fn time(value: Value<'_>) -> Result<Json, Unfit> {
    let Some(text) = value.unpack_str() else {
        return Err(format!("got {}, want string", type_name(value)).into());
    };
    static FORM: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$").expect("a constant")
    });
    if FORM.is_match(text) {
        return Ok(text.into());
    }
    Err(Unfit {
        cause: format!("{text:?} is no time"),
        hint: Some("write it as in 2026-01-31T12:00:00Z".to_owned()),
    })
}
