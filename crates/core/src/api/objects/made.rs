//! What the objects have in common that show what the engine does.

use serde_json::{Value, json};

use crate::model::ManifestName;

/// An object that shows what the engine does.
pub(in crate::api) type Made = (&'static str, Value);

/// Returns the metadata of an object of a resource, whose lines are in a span.
pub(super) fn metadata(name: &str, resource: &ManifestName, span: &str, more: &[(&str, &str)]) -> Value {
    let mut annotations = json!({"tilt.dev/resource": resource.as_str(), "tilt.dev/log-span-id": span});
    for (key, value) in more {
        annotations[key] = (*value).into();
    }
    json!({"name": name, "annotations": annotations})
}

/// Returns where it is written whether a resource is switched off.
pub(super) fn disable_source(resource: &ManifestName) -> Value {
    json!({"configMap": {"name": format!("{resource}-disable"), "key": "isDisabled"}})
}
