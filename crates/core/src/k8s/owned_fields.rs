//! Whether a live object already is what we would apply, judged from the fields that the API server says are ours.
//!
//! The API server keeps, for every field manager, the set of fields that it applied (`metadata.managedFields`). When
//! somebody else changes one of our fields, it leaves our set. So the object is as we want it if our set has exactly the
//! fields of the object that we would send, and each has the value that we would send. Every doubt counts as a
//! difference: then the object is applied, which changes nothing if nothing differs.
//!
//! Rule: <https://kubernetes.io/docs/reference/using-api/server-side-apply/>.

use serde_json::{Map, Value};

/// The name under which we own fields.
pub const FIELD_MANAGER: &str = "tilt";

/// Returns whether applying `input` would leave `live` as it is, as far as can be told without asking.
pub fn is_applied(input: &Value, live: &Value) -> bool {
    let Some(fields) = our_fields(input, live) else {
        return false;
    };
    let (Some(input), Some(live)) = (input.as_object(), live.as_object()) else {
        return false;
    };
    // These say which object it is; they are in nobody's set.
    let mut input = input.clone();
    input.retain(|key, _| key != "apiVersion" && key != "kind");
    if let Some(metadata) = input.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|key, _| key != "name" && key != "namespace");
        if metadata.is_empty() {
            input.shift_remove("metadata");
        }
    }
    map_matches(fields, &input, live)
}

fn our_fields<'a>(input: &Value, live: &'a Value) -> Option<&'a Map<String, Value>> {
    let entries = live.pointer("/metadata/managedFields")?.as_array()?;
    let ours = entries.iter().find(|entry| {
        entry["manager"] == FIELD_MANAGER
            && entry["operation"] == "Apply"
            && entry.get("subresource").is_none()
            && entry["apiVersion"] == input["apiVersion"]
    })?;
    ours.get("fieldsV1")?.as_object()
}

fn value_matches(fields: &Value, input: &Value, live: &Value) -> bool {
    let Some(fields) = fields.as_object() else {
        return false;
    };
    if fields.keys().all(|key| key == ".") {
        return same(input, live);
    }
    match (input, live) {
        (Value::Object(input), Value::Object(live)) => map_matches(fields, input, live),
        (Value::Array(input), Value::Array(live)) => list_matches(fields, input, live),
        _ => false,
    }
}

fn map_matches(fields: &Map<String, Value>, input: &Map<String, Value>, live: &Map<String, Value>) -> bool {
    let owned = fields.keys().filter(|key| *key != ".").count();
    owned == input.len()
        && input.iter().all(|(key, value)| {
            let fields = fields.get(&format!("f:{key}"));
            let live = live.get(key);
            fields
                .zip(live)
                .is_some_and(|(fields, live)| value_matches(fields, value, live))
        })
}

/// A list is owned by keys of its elements (`k:{"name":"web"}`) or by its values (`v:"x"`). Our elements must stand in
/// the live list in the order in which we have them.
fn list_matches(fields: &Map<String, Value>, input: &[Value], live: &[Value]) -> bool {
    let owned: Vec<(&String, &Value)> = fields.iter().filter(|(key, _)| *key != ".").collect();
    let mut from = 0;
    owned.len() == input.len()
        && input.iter().all(|element| {
            let mut mine = owned.iter().filter(|(key, _)| names_element(key, element));
            let (Some((key, fields)), None) = (mine.next(), mine.next()) else {
                return false;
            };
            let Some(at) = live[from..].iter().position(|live| has_key(key, live)) else {
                return false;
            };
            from += at + 1;
            value_matches(fields, element, &live[from - 1])
        })
}

/// Whether an element of ours is the one that `key` means. A part of the key that we left out has a default.
fn names_element(key: &str, element: &Value) -> bool {
    match parse_key(key) {
        Some(Key::Fields(parts)) => {
            element.is_object()
                && parts
                    .iter()
                    .all(|(name, value)| element.get(name).is_none_or(|given| same(given, value)))
        }
        Some(Key::Value(value)) => same(element, &value),
        None => false,
    }
}

fn has_key(key: &str, live: &Value) -> bool {
    match parse_key(key) {
        Some(Key::Fields(parts)) => parts
            .iter()
            .all(|(name, value)| live.get(name).is_some_and(|given| same(given, value))),
        Some(Key::Value(value)) => same(live, &value),
        None => false,
    }
}

enum Key {
    Fields(Map<String, Value>),
    Value(Value),
}

fn parse_key(key: &str) -> Option<Key> {
    if let Some(json) = key.strip_prefix("k:") {
        serde_json::from_str(json).ok().map(Key::Fields)
    } else {
        let json = key.strip_prefix("v:")?;
        serde_json::from_str(json).ok().map(Key::Value)
    }
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        // `1` and `1.0` are told apart as text only.
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn live() -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "x", "namespace": "ns", "uid": "u", "labels": {"a": "1", "other": "2"},
                "finalizers": ["theirs", "ours"],
                "managedFields": [
                    {"manager": "other", "operation": "Update", "apiVersion": "apps/v1", "fieldsV1": {}},
                    {"manager": "tilt", "operation": "Apply", "apiVersion": "apps/v1", "fieldsV1": {
                        "f:metadata": {"f:labels": {"f:a": {}}, "f:finalizers": {"v:\"ours\"": {}}},
                        "f:spec": {"f:replicas": {}, "f:containers": {
                            "k:{\"name\":\"c\"}": {".": {}, "f:name": {}, "f:args": {}, "f:ports": {
                                "k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}}}},
                            "k:{\"name\":\"d\"}": {".": {}, "f:name": {}}}}}}]},
            "spec": {"replicas": 1, "strategy": {"type": "RollingUpdate"}, "containers": [
                {"name": "c", "args": ["x"], "image": "theirs", "ports": [{"containerPort": 80, "protocol": "TCP"}]},
                {"name": "d"}]}})
    }

    fn input() -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "x", "labels": {"a": "1"}, "finalizers": ["ours"]},
            "spec": {"replicas": 1, "containers": [
                {"name": "c", "args": ["x"], "ports": [{"containerPort": 80}]}, {"name": "d"}]}})
    }

    #[test]
    fn defaults_and_fields_of_others_are_no_difference() {
        assert!(is_applied(&input(), &live()));
    }

    #[test]
    fn every_change_on_our_side_is_a_difference() {
        let pointers = [
            ("/metadata/labels/a", json!("2")),
            ("/metadata/labels", json!({"a": "1", "b": "1"})),
            ("/metadata/labels", json!({})),
            ("/metadata/finalizers", json!(["ours", "more"])),
            ("/spec/replicas", json!(2)),
            ("/spec", json!({"replicas": 1})),
            ("/spec/containers/0/args", json!(["x", "y"])),
            ("/spec/containers/0/ports", json!([])),
            ("/spec/containers/0/ports/0/containerPort", json!(81)),
            (
                "/spec/containers/0/ports/0",
                json!({"containerPort": 80, "protocol": "UDP"}),
            ),
            ("/spec/containers/1/name", json!("e")),
            ("/spec/containers/1", json!({"name": "d", "args": []})),
            (
                "/spec/containers",
                json!([{"name": "d"}, {"name": "c", "args": ["x"], "ports": [{"containerPort": 80}]}]),
            ),
            ("/apiVersion", json!("apps/v2")),
        ];
        for (pointer, value) in pointers {
            let mut changed = input();
            *changed.pointer_mut(pointer).expect(pointer) = value.clone();
            assert!(!is_applied(&changed, &live()), "{pointer} = {value}");
        }
    }

    #[test]
    fn a_change_of_our_fields_by_others_is_a_difference() {
        let mut taken = live();
        *taken.pointer_mut("/spec/replicas").expect("it is there") = json!(5);
        let ours = "/metadata/managedFields/1/fieldsV1/f:spec";
        taken
            .pointer_mut(ours)
            .and_then(Value::as_object_mut)
            .expect("a map")
            .remove("f:replicas");
        assert!(!is_applied(&input(), &taken));
        let mut nobody = live();
        *nobody
            .pointer_mut("/metadata/managedFields")
            .expect("it is there") = json!([]);
        assert!(!is_applied(&input(), &nobody));
    }
}
