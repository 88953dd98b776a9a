//! Values of Secret objects, which must not be shown.

use std::collections::BTreeMap;

use base64::Engine as _;
use serde_json::Value;

use crate::k8s::{Entity, secret_fields};

/// A value of a Secret object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    /// The name of the object.
    pub name: String,
    /// The key within it.
    pub key: String,
    /// The value in base64. It may be of bytes that are no text.
    pub encoded: String,
    /// Whether it is null, which counts as empty.
    pub is_null: bool,
}

/// The length from which on a value is hidden, in bytes: shorter ones are found everywhere.
const SHORTEST: usize = 5;

/// Returns what must not be shown, and what is shown in its place: each value as it is and in base64.
///
/// Rule: `docs/rules/deploy.md`, "Secrets".
pub fn stand_ins(secrets: &BTreeMap<String, Secret>) -> Vec<(String, String)> {
    let long = secrets.iter().filter(|(value, _)| value.len() >= SHORTEST);
    long.flat_map(|(value, secret)| {
        let shown = format!("[redacted secret {}:{}]", secret.name, secret.key);
        [(value.clone(), shown.clone()), (secret.encoded.clone(), shown)]
    })
    .collect()
}

/// Returns the values of all Secrets among the objects, with where each is from.
pub(super) fn of<'a>(entities: impl Iterator<Item = &'a Entity>) -> BTreeMap<String, Secret> {
    let mut secrets = BTreeMap::new();
    for entity in entities {
        for field in secret_fields(entity.api_version(), entity.kind()) {
            for (key, text) in texts(entity, field) {
                if let Some(value) = value(field, text) {
                    let is_null = *field == "data" && entity.get(&[*field, key]).is_some_and(Value::is_null);
                    add(&mut secrets, entity, (key, is_null), &value);
                }
            }
        }
    }
    secrets
}

/// Returns the value that a text stands for: in `data` it is base64; `None` where it is none.
fn value(field: &str, text: &str) -> Option<Vec<u8>> {
    if field != "data" {
        return Some(text.as_bytes().to_vec());
    }
    base64::engine::general_purpose::STANDARD
        .decode(text.replace(['\n', '\r'], ""))
        .ok()
}

fn add(secrets: &mut BTreeMap<String, Secret>, entity: &Entity, (key, is_null): (&str, bool), value: &[u8]) {
    let secret = Secret {
        name: entity.name().to_owned(),
        key: key.to_owned(),
        encoded: base64::engine::general_purpose::STANDARD.encode(value),
        is_null,
    };
    secrets.insert(String::from_utf8_lossy(value).into_owned(), secret);
}

fn texts<'a>(entity: &'a Entity, field: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let fields = entity.get(&[field]).and_then(Value::as_object);
    fields
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| match value {
            // Go's types know no null here.
            Value::Null => Some((key.as_str(), "")),
            value => Some((key.as_str(), value.as_str()?)),
        })
}
