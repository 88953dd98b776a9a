//! What the objects have in common that show what the engine does.

use serde_json::{Value, json};

use crate::api::Kind;
use crate::model::ManifestName;
use crate::view::ResourceView;

/// An object that shows what the engine does.
pub(in crate::api) type Made = (&'static str, Value);

/// The annotation that says which resource an object belongs to.
pub(in crate::api) const RESOURCE: &str = "tilt.dev/resource";

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

/// Returns whether what belongs to a resource is switched off, as its objects say it.
pub(super) fn disable_status(resource: &ResourceView) -> Value {
    let (is_disabled, state) = match resource.enabled {
        true => (false, "Enabled"),
        false => (true, "Disabled"),
    };
    let map = format!("{}-disable", resource.name);
    json!({
        "disabled": is_disabled,
        "lastUpdateTime": resource.switched.to_text(),
        "reason": format!("ConfigMap/key {map:?}/\"isDisabled\" is {is_disabled}"),
        "state": state,
    })
}

/// Returns a reference to an object that owns another one; the store fills in its UID.
pub(in crate::api) fn owner_reference(kind: &str, name: &str) -> Value {
    json!({
        "apiVersion": Kind::api_version(),
        "kind": kind,
        "name": name,
        "uid": "",
        "controller": true,
        "blockOwnerDeletion": true,
    })
}
