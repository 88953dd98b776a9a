//! Tests of `typed`: what is written for what was read, what is refused, what is dropped.

use serde_json::json;

use super::*;
use crate::k8s::schema;

fn read(object: Value) -> (Value, Reader) {
    let text = |key: &str| object[key].as_str().unwrap_or_default().to_owned();
    let of = schema::of_kind(&text("apiVersion"), &text("kind")).expect("a known kind");
    let Value::Object(mut object) = object else {
        panic!("not an object")
    };
    let mut reader = Reader::default();
    reader.read(&mut object, of);
    (object.into(), reader)
}

#[track_caller]
fn check(object: Value, expected: Value) {
    let (written, reader) = read(object);
    assert_eq!(reader.faults, []);
    assert_eq!(reader.dropped, []);
    assert_eq!(written, expected);
}

#[track_caller]
fn check_fault(object: Value, path: &str, message: &str) {
    let (_, reader) = read(object);
    let found: Vec<(&str, &str)> = reader
        .faults
        .iter()
        .map(|fault| (fault.path.as_str(), fault.message.as_str()))
        .collect();
    assert_eq!(found, [(path, message)]);
}

#[test]
fn what_go_always_writes_is_written() {
    for (api, kind, expected) in [
        (
            "apps/v1",
            "Deployment",
            json!({"selector": null, "strategy": {}, "template": {"metadata": {}, "spec": {"containers": null}}}),
        ),
        (
            "apps/v1",
            "DaemonSet",
            json!({"selector": null, "template": {"metadata": {}, "spec": {"containers": null}}, "updateStrategy": {}}),
        ),
        (
            "apps/v1",
            "StatefulSet",
            json!({"selector": null, "serviceName": "", "template": {"metadata": {}, "spec": {"containers": null}},
                "updateStrategy": {}}),
        ),
        (
            "batch/v1",
            "CronJob",
            json!({"jobTemplate": {"metadata": {}, "spec": {"template": {"metadata": {}, "spec": {"containers": null}}}},
                "schedule": ""}),
        ),
        ("v1", "Pod", json!({"containers": null})),
        ("v1", "Service", json!({})),
        ("v1", "PersistentVolumeClaim", json!({"resources": {}})),
        (
            "networking.k8s.io/v1",
            "NetworkPolicy",
            json!({"podSelector": {}}),
        ),
        (
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            json!({"maxReplicas": 0, "scaleTargetRef": {"kind": "", "name": ""}}),
        ),
        (
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            json!({"group": "", "names": {"kind": "", "plural": ""}, "scope": "", "versions": null}),
        ),
    ] {
        check(
            json!({"apiVersion": api, "kind": kind}),
            json!({"apiVersion": api, "kind": kind, "metadata": {}, "spec": expected}),
        );
    }
    check(
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "subjects": [{}]}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {},
            "roleRef": {"apiGroup": "", "kind": "", "name": ""}, "subjects": [{"kind": "", "name": ""}]}),
    );
}

#[test]
fn empty_optional_values_are_left_out_and_pointers_are_kept() {
    check(
        json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "a", "creationTimestamp": null, "labels": {}},
            "spec": {"replicas": 0, "paused": false, "minReadySeconds": 0, "selector": {},
                "template": {"spec": {"hostNetwork": false, "volumes": [{"name": "v", "emptyDir": {}}], "nodeSelector": {},
                    "containers": [{"name": "c", "args": [], "env": [{"name": "E", "value": ""}],
                        "ports": [{"containerPort": 80, "name": ""}]}]}}},
            "status": {"replicas": "many"}}),
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"},
            "spec": {"replicas": 0, "selector": {}, "strategy": {},
                "template": {"metadata": {}, "spec": {"volumes": [{"name": "v", "emptyDir": {}}],
                    "containers": [{"name": "c", "env": [{"name": "E"}], "resources": {}, "ports": [{"containerPort": 80}]}]}}}}),
    );
}

#[test]
fn quantities_ports_and_bytes_are_in_their_canonical_form() {
    check(
        json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "c", "resources":
            {"limits": {"cpu": 1, "memory": "1024Mi"}, "requests": {"cpu": 0.1}},
            "env": [{"name": "E", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}]}]}}),
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {}, "spec": {"containers": [{"name": "c", "resources":
            {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "100m"}},
            "env": [{"name": "E", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "0"}}}]}]}}),
    );
    check(
        json!({"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": 80, "targetPort": "http"}, {"port": 81}]}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {},
            "spec": {"ports": [{"port": 80, "targetPort": "http"}, {"port": 81, "targetPort": 0}]}}),
    );
    check(
        json!({"apiVersion": "v1", "kind": "Secret", "data": {"a": "aGVs\nbG8=", "b": null}}),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {}, "data": {"a": "aGVsbG8=", "b": null}}),
    );
}

#[test]
fn wrong_types_are_refused_in_gos_words() {
    let pod =
        |container: Value| json!({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [container]}});
    check_fault(
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": "three"}}),
        "spec.replicas",
        "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
    );
    check_fault(
        pod(json!({"env": [{"name": "A", "value": 2}]})),
        "spec.containers[0].env[0].value",
        "json: cannot unmarshal number into Go struct field EnvVar.spec.containers.env.value of type string",
    );
    check_fault(
        pod(json!({"imagePullPolicy": true})),
        "spec.containers[0].imagePullPolicy",
        "json: cannot unmarshal bool into Go struct field Container.spec.containers.imagePullPolicy of type v1.PullPolicy",
    );
    check_fault(
        pod(json!({"ports": {"containerPort": 80}})),
        "spec.containers[0].ports",
        "json: cannot unmarshal object into Go struct field Container.spec.containers.ports of type []v1.ContainerPort",
    );
    check_fault(
        json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a.b": true}}),
        "data.[a.b]",
        "json: cannot unmarshal bool into Go struct field ConfigMap.data of type string",
    );
    check_fault(
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 3_000_000_000_u64}}),
        "spec.replicas",
        "json: cannot unmarshal number 3000000000 into Go struct field DeploymentSpec.spec.replicas of type int32",
    );
    check_fault(
        json!({"apiVersion": "v1", "kind": "Secret", "data": {"a": "12-34"}}),
        "data.a",
        "illegal base64 data at input byte 2",
    );
    check_fault(
        pod(json!({"resources": {"limits": {"cpu": "much"}}})),
        "spec.containers[0].resources.limits.cpu",
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    );
    check_fault(
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": 7}),
        "metadata",
        "json: cannot unmarshal number into Go struct field Pod.metadata of type v1.ObjectMeta",
    );
}

#[test]
fn unknown_fields_are_dropped_and_noted_with_the_nearest_name() {
    let (written, reader) = read(json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "spec": {"replica": 3, "Paused": true, "zebra": 1, "template": {"spec": {"containers": [{"imagePullPollicy": "x"}]}}}}));
    assert_eq!(reader.faults, []);
    let found: Vec<(&str, Option<&str>)> = reader
        .dropped
        .iter()
        .map(|dropped| (dropped.path.as_str(), dropped.near))
        .collect();
    assert_eq!(
        found,
        [
            ("spec.replica", Some("replicas")),
            ("spec.Paused", Some("paused")),
            ("spec.zebra", None),
            (
                "spec.template.spec.containers[0].imagePullPollicy",
                Some("imagePullPolicy")
            ),
        ]
    );
    assert_eq!(written["spec"].get("replica"), None);
}

#[test]
fn schemas_of_custom_resources_keep_what_they_hold() {
    let schema = json!({"type": "object", "additionalProperties": false, "default": {"a": []},
        "properties": {"x": {"items": {"type": "string"}, "enum": ["a", 1], "additionalProperties": {"type": "integer"}}},
        "x-kubernetes-preserve-unknown-fields": true});
    let (written, reader) = read(
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "spec": {"versions": [{"name": "v1", "schema": {"openAPIV3Schema": schema}, "subresources": {"status": {}}}]}}),
    );
    assert_eq!((reader.faults, reader.dropped), (vec![], vec![]));
    let version = &written["spec"]["versions"][0];
    assert_eq!(version["schema"]["openAPIV3Schema"], schema);
    assert_eq!(version["subresources"], json!({"status": {}}));
    assert_eq!(
        (&version["served"], &version["storage"]),
        (&json!(false), &json!(false))
    );
}

proptest::proptest! {
    #[test]
    fn no_object_is_a_panic_and_reading_twice_changes_nothing(
        kind in proptest::sample::select(vec!["Pod", "Secret", "Service", "PersistentVolumeClaim"]),
        field in proptest::sample::select(vec!["spec", "data", "metadata", "status"]),
        inner in proptest::sample::select(vec!["containers", "ports", "labels", "resources", "x"]),
        text in "[0-9a-zA-Z.=+-]{0,6}",
        number in proptest::num::i64::ANY,
    ) {
        for value in [json!(text), json!(number), json!(null), json!([null, text]), json!({"limits": {"cpu": text}, "a": number})] {
            let object = json!({"apiVersion": "v1", "kind": kind, field: {inner: value, "port": number, "b": text}});
            let (once, reader) = read(object);
            if reader.faults.is_empty() {
                let (twice, again) = read(once.clone());
                assert_eq!((again.faults, again.dropped), (vec![], vec![]));
                assert_eq!(once, twice);
            }
        }
    }
}
