//! Takes over what was applied by the client: fields that kubectl or Tilt set in that way become ours, so that those
//! which left the YAML leave the object with the next server-side apply.

use serde_json::{Map, Value, json};

use super::owned_fields::FIELD_MANAGER;

/// Managers under whose names a client-side apply writes: kubectl's, those of its take-over, Tilt's.
const CLIENT_SIDE: [&str; 3] = ["kubectl-client-side-apply", "kubectl-last-applied", FIELD_MANAGER];
/// What a client-side apply remembers of its last input.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Returns the merge patch that makes the fields of former client-side applies ours, `None` if there are none. It
/// carries the resource version, so that it fails when the object has changed meanwhile.
///
/// Rule: what kubectl does before its first server-side apply of an object,
/// <https://kubernetes.io/docs/reference/using-api/server-side-apply/#upgrading-from-client-side-apply-to-server-side-apply>.
pub fn take_over(live: &Value) -> Option<Value> {
    let metadata = live.get("metadata")?;
    let entries = metadata.get("managedFields").and_then(Value::as_array)?;
    let (theirs, mut rest): (Vec<Value>, Vec<Value>) = entries.iter().cloned().partition(is_client_side);
    let annotated = metadata
        .get("annotations")
        .is_some_and(|map| map.get(LAST_APPLIED).is_some());
    if theirs.is_empty() && !annotated {
        return None;
    }
    let mut patch = json!({"metadata": {"resourceVersion": metadata.get("resourceVersion")?}});
    if annotated {
        patch["metadata"]["annotations"] = json!({ LAST_APPLIED: null });
    }
    if let Some(first) = theirs.first() {
        let ours = rest.iter().position(is_ours);
        let mut entry = match ours {
            Some(at) => rest.remove(at),
            None => {
                let mut entry = first.clone();
                entry["manager"] = FIELD_MANAGER.into();
                entry["operation"] = "Apply".into();
                entry
            }
        };
        let mut fields = entry["fieldsV1"].as_object().cloned().unwrap_or_default();
        for theirs in theirs.iter().filter_map(|entry| entry["fieldsV1"].as_object()) {
            unite(&mut fields, theirs);
        }
        forget_last_applied(&mut fields);
        entry["fieldsV1"] = Value::Object(fields);
        rest.insert(0, entry);
        patch["metadata"]["managedFields"] = Value::Array(rest);
    }
    Some(patch)
}

fn is_client_side(entry: &Value) -> bool {
    let manager = entry["manager"].as_str().unwrap_or_default();
    entry["operation"] == "Update" && entry.get("subresource").is_none() && CLIENT_SIDE.contains(&manager)
}

fn is_ours(entry: &Value) -> bool {
    entry["operation"] == "Apply" && entry.get("subresource").is_none() && entry["manager"] == FIELD_MANAGER
}

fn unite(into: &mut Map<String, Value>, from: &Map<String, Value>) {
    for (key, value) in from {
        match (into.get_mut(key), value) {
            (Some(Value::Object(into)), Value::Object(from)) => unite(into, from),
            (Some(_), _) => {}
            (None, _) => {
                into.insert(key.clone(), value.clone());
            }
        }
    }
}

fn forget_last_applied(fields: &mut Map<String, Value>) {
    let annotations = fields
        .get_mut("f:metadata")
        .and_then(|metadata| metadata.get_mut("f:annotations"));
    if let Some(annotations) = annotations.and_then(Value::as_object_mut) {
        annotations.remove(&format!("f:{LAST_APPLIED}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(annotated: bool, entries: Value) -> Value {
        let annotations = if annotated {
            json!({ LAST_APPLIED: "{}" })
        } else {
            json!({})
        };
        json!({"metadata": {"resourceVersion": "7", "annotations": annotations, "managedFields": entries}})
    }

    #[test]
    fn an_object_that_was_never_applied_by_a_client_needs_nothing() {
        let entries = json!([
            {"manager": "tilt", "operation": "Apply", "fieldsV1": {}},
            {"manager": "tilt", "operation": "Update", "subresource": "status", "fieldsV1": {}},
            {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {}}]);
        assert_eq!(take_over(&object(false, entries)), None);
    }

    #[test]
    fn fields_of_client_side_applies_are_united_with_ours() {
        let entries = json!([
            {"manager": "kubectl-client-side-apply", "operation": "Update", "apiVersion": "v1", "fieldsV1": {
                "f:data": {"f:a": {}}, "f:metadata": {"f:annotations": {format!("f:{LAST_APPLIED}"): {}}}}},
            {"manager": "other", "operation": "Update", "apiVersion": "v1", "fieldsV1": {"f:x": {}}},
            {"manager": "tilt", "operation": "Apply", "apiVersion": "v1", "fieldsV1": {"f:data": {"f:b": {}}}},
            {"manager": "tilt", "operation": "Update", "apiVersion": "v1", "fieldsV1": {"f:data": {"f:c": {}}}}]);
        assert_eq!(
            take_over(&object(true, entries)),
            Some(
                json!({"metadata": {"resourceVersion": "7", "annotations": {LAST_APPLIED: null}, "managedFields": [
                {"manager": "tilt", "operation": "Apply", "apiVersion": "v1", "fieldsV1": {
                    "f:data": {"f:b": {}, "f:a": {}, "f:c": {}}, "f:metadata": {"f:annotations": {}}}},
                {"manager": "other", "operation": "Update", "apiVersion": "v1", "fieldsV1": {"f:x": {}}}]}})
            )
        );
    }

    #[test]
    fn a_first_take_over_turns_the_entry_into_ours() {
        let entries = json!([{"manager": "tilt", "operation": "Update", "apiVersion": "v1", "time": "t",
            "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {}}}]);
        let patch = take_over(&object(false, entries)).expect("a take-over");
        assert_eq!(
            patch["metadata"]["managedFields"],
            json!([{"manager": "tilt", "operation": "Apply", "apiVersion": "v1", "time": "t",
                "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {}}}])
        );
    }
}
