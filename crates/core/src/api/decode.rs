//! Reads what a client sends: types, unknown fields, defaults.

use serde_json::{Map, Value};

use super::{ApiError, Kind, VERSION};
use crate::k8s::schema::of_api_kind;
use crate::k8s::typed::Reader;

/// Returns an object as it is stored. With `strict`, fields that the kind does not have are refused; else they are dropped.
///
/// # Errors
/// A body that is no object, one of another kind or version, a value of a wrong type, an unknown field.
pub(super) fn decode(kind: &'static Kind, body: Value, strict: bool) -> Result<Map<String, Value>, ApiError> {
    let Value::Object(mut object) = body else {
        return Err(ApiError::bad_request("the body of the request is no object"));
    };
    check_type(kind, &object)?;
    object.remove("kind");
    object.remove("apiVersion");
    let mut reader = Reader::default();
    if let Some(of) = of_api_kind(kind.name) {
        reader.read(&mut object, of);
    }
    let cannot = |why: &str| {
        let name = kind.name;
        ApiError::bad_request(format!(
            "{name} in version {VERSION:?} cannot be handled as a {name}: {why}"
        ))
    };
    if let Some(fault) = reader.faults.first() {
        return Err(cannot(&fault.message));
    }
    if strict && !reader.dropped.is_empty() {
        let unknown: Vec<String> = reader
            .dropped
            .iter()
            .map(|dropped| format!("unknown field {:?}", dropped.path))
            .collect();
        return Err(cannot(&format!("strict decoding error: {}", unknown.join(", "))));
    }
    set_defaults(kind, &mut object);
    let mut whole = Map::new();
    whole.insert("kind".to_owned(), kind.name.into());
    whole.insert("apiVersion".to_owned(), Kind::api_version().into());
    whole.extend(object);
    Ok(whole)
}

fn check_type(kind: &Kind, object: &Map<String, Value>) -> Result<(), ApiError> {
    let expected = [
        ("kind", "kind", kind.name.to_owned()),
        ("apiVersion", "API version", Kind::api_version()),
    ];
    for (field, what, expected) in expected {
        match object.get(field).and_then(Value::as_str) {
            Some(given) if !given.is_empty() && given != expected => {
                return Err(ApiError::bad_request(format!(
                    "the {what} in the data ({given}) does not match the expected {what} ({expected})"
                )));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Fills in what a client may leave out.
///
/// Rule: `docs/rules/api.md`, "The API".
fn set_defaults(kind: &Kind, object: &mut Map<String, Value>) {
    let has_cluster = [
        "KubernetesApply",
        "KubernetesDiscovery",
        "PodLogStream",
        "PortForward",
    ];
    if !has_cluster.contains(&kind.name) {
        return;
    }
    if let Some(cluster) = object.get_mut("spec").and_then(|spec| spec.get_mut("cluster"))
        && cluster == ""
    {
        *cluster = "default".into();
    }
}
