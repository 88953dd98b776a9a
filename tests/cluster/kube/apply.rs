//! Applying and deleting.

use serde_json::json;
use tilt::edge::kube::delete;
use tilt::k8s::apply_input::apply_input;
use tilt::k8s::inject::inject;
use tilt::k8s::owned_fields::is_applied;
use tilt::k8s::{Entity, Origin};
use tilt::logs::LogWriter;
use tilt::model::ManifestName;

use super::support::{World, config_map, deployment, job, ownership};

#[tokio::test(flavor = "multi_thread")]
async fn the_cluster_says_what_it_is() {
    let world = World::new("connect").await;
    let info = world.cluster.info();
    assert_eq!(
        (info.arch.as_str(), info.container_runtime.as_str()),
        ("amd64", "containerd")
    );
    let registry = info.registry.as_ref().expect("the cluster announces one");
    assert_eq!(registry.in_words(), "&{localhost:5000    }");
    assert!(info.identity.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unchanged_apply_changes_nothing() {
    let world = World::new("unchanged").await;
    let mut web = deployment("web", "sleep 1000");
    web["spec"]["strategy"] = json!({});
    web["spec"]["template"]["spec"]["containers"][0]["resources"] = json!({});
    web["spec"]["template"]["spec"]["containers"][0]["ports"] = json!([{"containerPort": 80}]);
    web["spec"]["template"]["spec"]["containers"][0]["env"] =
        json!([{"name": "A", "value": ""}, {"name": "B", "value": "1"}, {"name": "B", "value": "2"}]);
    let objects = [
        config_map("settings", json!({"a": "1"})),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "secret"}, "stringData": {"a": "b"}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
            "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 0}]}}),
        web,
    ];
    let first = world.apply(&objects).await;
    let first = world.applied(first);
    let fields = ["configmap/settings", "secret/secret", "service/web"];
    let versions = || fields.map(|object| world.get(object)["metadata"]["resourceVersion"].clone());
    let generation = || world.get("deployment/web")["metadata"]["managedFields"][0].clone();
    let before = (versions(), generation());
    let second = world.apply(&objects).await;
    assert_eq!(world.applied(second), first);
    assert_eq!((versions(), generation()), before);
}

/// The look that decides it is all that an unchanged project costs.
#[tokio::test(flavor = "multi_thread")]
async fn a_look_tells_that_objects_of_the_usual_kinds_are_unchanged() {
    let world = World::new("look").await;
    let mut web = deployment("web", "sleep 1000");
    web["spec"]["strategy"] = json!({});
    let pod = &mut web["spec"]["template"]["spec"];
    pod["volumes"] = json!([{"name": "v", "configMap": {"name": "settings"}}, {"name": "e", "emptyDir": {}}]);
    pod["securityContext"] = json!({"runAsUser": 0});
    let container = &mut pod["containers"][0];
    container["resources"] = json!({"requests": {"cpu": "10m", "memory": "16Mi"}});
    container["env"] = json!([{"name": "A", "value": "1"},
        {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]);
    container["envFrom"] = json!([{"configMapRef": {"name": "settings"}}]);
    container["ports"] = json!([{"containerPort": 80}, {"name": "more", "containerPort": 81}]);
    container["volumeMounts"] = json!([{"name": "v", "mountPath": "/v"}, {"name": "e", "mountPath": "/e"}]);
    container["readinessProbe"] = json!({"exec": {"command": ["true"]}, "periodSeconds": 1});
    let mut backup = job("backup", "true");
    let template = backup["spec"]["template"].take();
    let cron = json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "backup"},
        "spec": {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": template}}}});
    let objects = [
        config_map("settings", json!({"a": "1", "b": "x\ny\n"})),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "secret"}, "stringData": {"a": "b"}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"selector": {"app": "web"},
            "ports": [{"name": "a", "port": 80, "targetPort": 80}, {"name": "b", "port": 81, "targetPort": "more"}]}}),
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "web"}}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "web"},
            "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}]}),
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "web"}, "spec": {"rules": [
            {"host": "x.example.com", "http": {"paths": [{"path": "/", "pathType": "Prefix",
                "backend": {"service": {"name": "web", "port": {"number": 80}}}}]}}]}}),
        web,
        job("seed", "true"),
        cron,
    ];
    let outcome = world.apply(&objects).await;
    world.applied(outcome);
    let mut entities: Vec<Entity> = objects
        .iter()
        .map(|object| Entity::new(object.clone(), Origin::default()))
        .collect();
    inject(&mut entities, &ManifestName::from("web"), &[], &[], &ownership()).expect("no images to miss");
    for entity in &entities {
        let live = world.get(&format!("{}/{}", entity.kind(), entity.name()));
        assert!(
            is_applied(&apply_input(entity), &live),
            "{}: {live:#}",
            entity.kind()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_by_somebody_else_is_corrected() {
    let world = World::new("drift").await;
    let objects = [config_map("settings", json!({"a": "1"}))];
    let outcome = world.apply(&objects).await;
    world.applied(outcome);
    world.kubectl(
        &[
            "patch",
            "configmap/settings",
            "--type=merge",
            "-p",
            r#"{"data":{"a":"2","b":"3"}}"#,
        ],
        "",
    );
    let outcome = world.apply(&objects).await;
    world.applied(outcome);
    assert_eq!(
        world.get("configmap/settings")["data"],
        json!({"a": "1", "b": "3"})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_leaves_the_yaml_leaves_the_object() {
    let world = World::new("removed").await;
    let outcome = world
        .apply(&[config_map("settings", json!({"a": "1", "b": "2"}))])
        .await;
    world.applied(outcome);
    let outcome = world.apply(&[config_map("settings", json!({"a": "1"}))]).await;
    world.applied(outcome);
    assert_eq!(world.get("configmap/settings")["data"], json!({"a": "1"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_applied_by_a_client_is_taken_over() {
    let world = World::new("takeover").await;
    for (name, manager) in [("by-kubectl", "kubectl-client-side-apply"), ("by-tilt", "tilt")] {
        let before = config_map(name, json!({"a": "1", "b": "2"})).to_string();
        let field_manager = format!("--field-manager={manager}");
        world.kubectl(&["apply", &field_manager, "-f", "-"], &before);
        let outcome = world.apply(&[config_map(name, json!({"a": "1"}))]).await;
        world.applied(outcome);
        let now = world.get(&format!("configmap/{name}"));
        assert_eq!(now["data"], json!({"a": "1"}), "{name}");
        let last = "kubectl.kubernetes.io/last-applied-configuration";
        assert_eq!(now["metadata"]["annotations"].get(last), None, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_immutable_field_replaces_the_object() {
    let world = World::new("immutable").await;
    let mut web = deployment("web", "sleep 1000");
    let outcome = world.apply(std::slice::from_ref(&web)).await;
    let first = world.applied(outcome);
    for labels in ["/spec/selector/matchLabels", "/spec/template/metadata/labels"] {
        web.pointer_mut(labels).expect("labels")["more"] = "1".into();
    }
    let outcome = world.apply(&[web]).await;
    let second = world.applied(outcome);
    assert_ne!(first.applied[0].uid, second.applied[0].uid);
    let selector = world.get("deployment/web")["spec"]["selector"]["matchLabels"].clone();
    assert_eq!(selector, json!({"app": "web", "more": "1"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_object_fails_in_the_words_of_the_server() {
    let world = World::new("invalid").await;
    let mut web = deployment("web", "sleep 1000");
    web["spec"]["selector"]["matchLabels"]["app"] = "other".into();
    let outcome = world.apply(&[config_map("settings", json!({})), web]).await;
    let error = outcome.error.expect("it is invalid");
    assert!(
        error.starts_with(
            "Deployment.apps \"web\" is invalid: spec.template.metadata.labels: Invalid value: "
        ),
        "{error}"
    );
    assert!(
        error.contains("`selector` does not match template `labels`"),
        "{error}"
    );
    let applied: Vec<&str> = outcome
        .applied
        .iter()
        .map(|object| object.id.kind.as_str())
        .collect();
    assert_eq!(applied, ["ConfigMap"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_kind_and_a_missing_namespace_say_what_to_do() {
    let world = World::new("unknown").await;
    let orchard =
        json!({"apiVersion": "nowhere.example.com/v1", "kind": "Orchard", "metadata": {"name": "x"}});
    let error = world.apply(&[orchard]).await.error.expect("nobody knows it");
    assert!(
        error.starts_with("no matches for kind \"Orchard\" in version \"nowhere.example.com/v1\""),
        "{error}"
    );
    let mut lost = config_map("x", json!({}));
    lost["metadata"]["namespace"] = "tilt-test-nowhere".into();
    let error = world
        .apply(&[lost])
        .await
        .error
        .expect("there is no such namespace");
    assert!(
        error.starts_with("namespaces \"tilt-test-nowhere\" not found\nhint: create it"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_definition_and_its_instance_are_applied_in_one_go() {
    let world = World::new("crd").await;
    let group = format!("{}.example.com", world.namespace);
    let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("orchards.{group}")}, "spec": {"group": group, "scope": "Namespaced",
            "names": {"kind": "Orchard", "plural": "orchards", "singular": "orchard"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema":
                {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}});
    let orchard = json!({"apiVersion": format!("{group}/v1"), "kind": "Orchard", "metadata": {"name": "plums"}, "spec": {"rows": 12}});
    let outcome = world.apply(&[orchard, definition]).await;
    let ids: Vec<_> = outcome.applied.iter().map(|object| object.id.clone()).collect();
    let log = LogWriter::global(world.store.clone());
    let deleted = delete(&world.cluster, &ids, &ownership(), &log).await;
    world.applied(outcome);
    assert_eq!((ids.len(), deleted), (2, Ok(())));
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_says_what_and_does_not_mind_what_is_gone() {
    let world = World::new("delete").await;
    let outcome = world.apply(&[config_map("settings", json!({}))]).await;
    let ids = vec![world.applied(outcome).applied[0].id.clone()];
    let log = LogWriter::global(world.store.clone());
    for _ in 0..2 {
        assert_eq!(delete(&world.cluster, &ids, &ownership(), &log).await, Ok(()));
    }
    let left = world.kubectl(&["get", "configmap", "settings", "--ignore-not-found"], "");
    assert_eq!(left, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_complete_is_not_run_again() {
    let world = World::new("job").await;
    let seed = job("seed", "echo seeding");
    let outcome = world.apply(std::slice::from_ref(&seed)).await;
    let first = world.applied(outcome);
    let is_over = |outcome: &tilt::edge::kube::ApplyOutcome| {
        let workload = outcome.applied[0].workload.as_ref();
        workload.is_some_and(tilt::model::Workload::is_over)
    };
    assert!(!is_over(&first));
    world.kubectl(
        &["wait", "--for=condition=complete", "job/seed", "--timeout=60s"],
        "",
    );
    let outcome = world.apply(&[seed]).await;
    let second = world.applied(outcome);
    assert!(is_over(&second));
    assert_eq!(first.applied[0].uid, second.applied[0].uid);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_has_failed_is_run_again() {
    let world = World::new("failed-job").await;
    let mut exam = job("exam", "exit 3");
    exam["spec"]["backoffLimit"] = json!(0);
    let outcome = world.apply(std::slice::from_ref(&exam)).await;
    let first = world.applied(outcome);
    world.kubectl(
        &["wait", "--for=condition=failed", "job/exam", "--timeout=60s"],
        "",
    );
    let outcome = world.apply(&[exam]).await;
    let second = world.applied(outcome);
    assert_ne!(first.applied[0].uid, second.applied[0].uid);
    let segments = world.store.reader().try_next_batch();
    let said: String = segments.iter().map(|segment| segment.text.as_str()).collect();
    let line = "Job exam failed earlier (BackoffLimitExceeded): it is deleted and run again";
    assert!(said.contains(line), "{said}");
}
