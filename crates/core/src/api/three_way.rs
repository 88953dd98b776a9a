//! What `apply` changes when the client works it out: the patch that leads from what there is to what a file says, and that
//! also takes away what the file said the last time and says no longer.
//!
//! Rule: Kubernetes' "Declarative Management of Kubernetes Objects", "How apply calculates differences and merges changes".

use serde_json::{Map, Value};

/// The annotation that holds what was applied the last time.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Returns an object with a note of itself, as it is to be applied.
pub fn with_last_applied(object: &Value) -> Value {
    let mut plain = object.clone();
    if let Some(annotations) = plain["metadata"]["annotations"].as_object_mut() {
        annotations.remove(LAST_APPLIED);
    } else if let Some(metadata) = plain["metadata"].as_object_mut() {
        metadata.insert("annotations".to_owned(), Map::new().into());
    }
    let note = format!("{}\n", sorted(&plain));
    let mut noted = plain;
    noted["metadata"]["annotations"][LAST_APPLIED] = note.into();
    noted
}

/// Returns what was applied the last time, if that is known.
pub fn last_applied(object: &Value) -> Option<Value> {
    serde_json::from_str(object["metadata"]["annotations"][LAST_APPLIED].as_str()?).ok()
}

/// Returns the merge patch that leads from `current` to `wanted`; what only `last` has is taken away. It is empty if all is
/// as wanted.
pub fn three_way_patch(last: Option<&Value>, wanted: &Value, current: &Value) -> Value {
    fn patch(
        last: Option<&Value>,
        wanted: &Map<String, Value>,
        current: &Map<String, Value>,
    ) -> Map<String, Value> {
        let mut changes = Map::new();
        for (name, value) in wanted {
            let before = last.and_then(|last| last.get(name));
            match (value, current.get(name)) {
                (Value::Object(value), Some(Value::Object(there))) => {
                    let inner = patch(before, value, there);
                    if !inner.is_empty() {
                        changes.insert(name.clone(), inner.into());
                    }
                }
                (value, there) if there != Some(value) => {
                    changes.insert(name.clone(), value.clone());
                }
                _ => {}
            }
        }
        let earlier = last.and_then(Value::as_object).into_iter().flatten();
        for (name, _) in earlier.filter(|(name, _)| !wanted.contains_key(*name)) {
            if current.contains_key(name) {
                changes.insert(name.clone(), Value::Null);
            }
        }
        changes
    }
    match (wanted.as_object(), current.as_object()) {
        (Some(wanted), Some(current)) => patch(last, wanted, current).into(),
        _ => wanted.clone(),
    }
}

/// Returns the same value with the fields of objects in alphabetical order, as Go writes them.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| name.as_str());
            let sorted = fields
                .into_iter()
                .map(|(name, value)| (name.clone(), sorted(value)));
            sorted.collect::<Map<_, _>>().into()
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_a_file_said_before_is_taken_away() {
        let last = json!({"data": {"a": "1", "b": "1"}, "spec": {"x": {"y": 1}}});
        let current =
            json!({"data": {"a": "1", "b": "1", "other": "1"}, "spec": {"x": {"y": 1}}, "status": {}});
        let wanted = json!({"data": {"a": "2"}, "spec": {"x": {"y": 1}}});
        assert_eq!(
            three_way_patch(Some(&last), &wanted, &current),
            json!({"data": {"a": "2", "b": null}})
        );
        assert_eq!(
            three_way_patch(None, &wanted, &current),
            json!({"data": {"a": "2"}})
        );
        assert_eq!(
            three_way_patch(
                Some(&wanted),
                &wanted,
                &json!({"data": {"a": "2"}, "spec": {"x": {"y": 1}}})
            ),
            json!({})
        );
    }

    #[test]
    fn what_was_applied_is_noted_and_read_again() {
        let object = json!({"kind": "X", "metadata": {"name": "a"}, "data": {"b": "1"}});
        let noted = with_last_applied(&object);
        assert_eq!(
            noted["metadata"]["annotations"][LAST_APPLIED],
            "{\"data\":{\"b\":\"1\"},\"kind\":\"X\",\"metadata\":{\"annotations\":{},\"name\":\"a\"}}\n"
        );
        assert_eq!(with_last_applied(&noted), noted, "the note is not part of itself");
        assert_eq!(
            last_applied(&noted).map(|last| last["data"].clone()),
            Some(json!({"b": "1"}))
        );
    }
}
