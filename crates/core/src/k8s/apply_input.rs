//! The form in which an object is sent for a server-side apply. It differs from what was written only where the API
//! server would read the same into both, but a server-side apply would stumble.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::Entity;
use super::pod_parts::{for_each_container, is_built_in, map_entry, pod_spec_mut};

/// Returns an object as it is sent.
///
/// For kinds of Kubernetes itself: `null` is left out (it means "not set"), and so are `status` and the empty fields
/// that stand for a default (`strategy: {}`, `targetPort: 0`); `stringData` of a Secret goes into `data`, because keys
/// that leave `stringData` would stay in the object; of variables of a container with the same name the last stays, as
/// the container would see it, because a server-side apply refuses the others; references to fields of the pod get their
/// default version, because they are owned as a whole. Custom resources are sent as written.
pub fn apply_input(entity: &Entity) -> Value {
    let mut entity = entity.clone();
    if !is_built_in(&entity) {
        return entity.value().clone();
    }
    drop_nulls(entity.value_mut());
    let kind = entity.kind().to_owned();
    if let Some(spec) = pod_spec_mut(&mut entity) {
        for_each_container(spec, keep_last_of_each_variable);
        for part in ["initContainers", "containers", "ephemeralContainers", "volumes"] {
            spec.get_mut(part).into_iter().for_each(complete_field_references);
        }
    }
    let Some(object) = entity.value_mut().as_object_mut() else {
        return entity.value().clone();
    };
    object.remove("status");
    match kind.as_str() {
        "Secret" => move_string_data(object),
        "Deployment" => drop_if_empty(object, "strategy"),
        "DaemonSet" | "StatefulSet" => drop_if_empty(object, "updateStrategy"),
        "Service" => drop_zero_target_ports(object),
        _ => {}
    }
    entity.value().clone()
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

fn keep_last_of_each_variable(container: &mut Map<String, Value>) {
    let Some(variables) = container.get_mut("env").and_then(Value::as_array_mut) else {
        return;
    };
    let names: Vec<Option<String>> = variables
        .iter()
        .map(|variable| Some(variable.get("name")?.as_str()?.to_owned()))
        .collect();
    let mut at = 0;
    variables.retain(|_| {
        at += 1;
        names[at - 1].is_none() || !names[at..].contains(&names[at - 1])
    });
}

fn complete_field_references(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (reference, field, default) in [
                ("fieldRef", "apiVersion", "v1"),
                ("resourceFieldRef", "divisor", "0"),
            ] {
                if let Some(reference) = map.get_mut(reference).and_then(Value::as_object_mut) {
                    reference.entry(field).or_insert_with(|| default.into());
                }
            }
            map.values_mut().for_each(complete_field_references);
        }
        Value::Array(items) => items.iter_mut().for_each(complete_field_references),
        _ => {}
    }
}

fn move_string_data(secret: &mut Map<String, Value>) {
    let Some(Value::Object(plain)) = secret.remove("stringData") else {
        return;
    };
    if let Some(data) = map_entry(secret, "data") {
        for (key, value) in plain {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            data.insert(key, STANDARD.encode(text).into());
        }
    }
}

fn drop_if_empty(object: &mut Map<String, Value>, field: &str) {
    if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut)
        && spec
            .get(field)
            .and_then(Value::as_object)
            .is_some_and(Map::is_empty)
    {
        spec.remove(field);
    }
}

fn drop_zero_target_ports(object: &mut Map<String, Value>) {
    let ports = object.get_mut("spec").and_then(|spec| spec.get_mut("ports"));
    for port in ports.and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(port) = port.as_object_mut()
            && port.get("targetPort").and_then(Value::as_i64) == Some(0)
        {
            port.remove("targetPort");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::k8s::Origin;
    use serde_json::json;

    #[track_caller]
    fn check(given: Value, expected: Value) {
        assert_eq!(apply_input(&Entity::new(given, Origin::default())), expected);
    }

    #[test]
    fn what_stands_for_a_default_is_left_out() {
        check(
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x", "creationTimestamp": null},
                "spec": {"strategy": {}, "selector": null, "template": {"spec": {"containers": [{"resources": {}}]}}},
                "status": {}}),
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"},
                "spec": {"template": {"spec": {"containers": [{"resources": {}}]}}}}),
        );
        check(
            json!({"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": 80, "targetPort": 0}]}}),
            json!({"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": 80}]}}),
        );
    }

    #[test]
    fn string_data_of_a_secret_wins_over_data() {
        check(
            json!({"apiVersion": "v1", "kind": "Secret", "data": {"a": "eA=="}, "stringData": {"a": "y", "b": "z"}}),
            json!({"apiVersion": "v1", "kind": "Secret", "data": {"a": "eQ==", "b": "eg=="}}),
        );
    }

    #[test]
    fn the_last_of_equal_variables_stays() {
        let pod =
            |env: Value| json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"env": env}]}});
        check(
            pod(json!([{"name": "A", "value": "1"}, {"name": "B"}, {"name": "A", "value": "2"}])),
            pod(json!([{"name": "B"}, {"name": "A", "value": "2"}])),
        );
    }

    #[test]
    fn a_reference_to_a_field_gets_its_default_version() {
        let pod = |reference: Value| {
            let env = json!([{"name": "A", "valueFrom": {"fieldRef": reference}}]);
            json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"env": env}]}})
        };
        check(
            pod(json!({"fieldPath": "x"})),
            pod(json!({"fieldPath": "x", "apiVersion": "v1"})),
        );
    }

    #[test]
    fn a_custom_resource_is_sent_as_written() {
        let orchard = json!({"apiVersion": "farm.example.com/v1", "kind": "Orchard", "spec": {"rows": null}, "status": {}});
        check(orchard.clone(), orchard);
    }
}
