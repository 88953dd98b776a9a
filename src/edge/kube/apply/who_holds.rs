//! Why an object that is being deleted is still there, in words: who holds it, and what to do about it.

use serde_json::Value;

use crate::edge::kube::connection::{Cluster, ObjectApi};

/// Conditions that say why a definition or a Namespace cannot go, while they are true.
const TELLING: [&str; 5] = [
    "Terminating",
    "NamespaceContentRemaining",
    "NamespaceFinalizersRemaining",
    "NamespaceDeletionContentFailure",
    "NamespaceDeletionDiscoveryFailure",
];
/// Finalizers of Kubernetes itself: they go by themselves once what they wait for is done.
const OWN_FINALIZERS: [&str; 2] = ["foregroundDeletion", "orphan"];

/// Why an object is still there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::edge::kube) struct Held {
    /// One reason each.
    pub(super) reasons: Vec<String>,
    /// What to do about it.
    pub(in crate::edge::kube) hint: Option<String>,
    /// Whether it may stay for ever unless somebody does something.
    pub(super) is_stuck: bool,
}

/// Finds out why an object that is being deleted is still there.
pub(in crate::edge::kube) async fn held(cluster: &Cluster, api: &ObjectApi, live: &Value) -> Held {
    let users = if live["kind"] == "PersistentVolumeClaim" {
        users_of_claim(cluster, api.namespace.as_deref(), &api.name).await
    } else {
        Vec::new()
    };
    why(live, &users)
}

/// Returns the names of the pods that use a claim, those that are ending with a word about that.
pub(super) async fn users_of_claim(cluster: &Cluster, namespace: Option<&str>, claim: &str) -> Vec<String> {
    let Ok(api) = cluster.object("v1", "Pod", namespace, "").await else {
        return Vec::new();
    };
    let pods = api.list().await.unwrap_or_default();
    pods.iter()
        .filter(|pod| uses(pod, claim))
        .map(pod_in_words)
        .collect()
}

fn uses(pod: &Value, claim: &str) -> bool {
    let volumes = pod.pointer("/spec/volumes").and_then(Value::as_array);
    let phase = pod.pointer("/status/phase").and_then(Value::as_str);
    let has_ended = matches!(phase, Some("Succeeded" | "Failed"));
    !has_ended
        && volumes
            .into_iter()
            .flatten()
            .any(|volume| volume["persistentVolumeClaim"]["claimName"] == claim)
}

fn pod_in_words(pod: &Value) -> String {
    let name = pod["metadata"]["name"].as_str().unwrap_or_default();
    match pod.pointer("/metadata/deletionTimestamp") {
        Some(_) => format!("{name} (ending)"),
        None => name.to_owned(),
    }
}

fn why(live: &Value, users: &[String]) -> Held {
    let strings = |path: &str| -> Vec<String> {
        let all = live.pointer(path).and_then(Value::as_array).into_iter().flatten();
        all.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let finalizers = strings("/metadata/finalizers");
    let foreign: Vec<&String> = finalizers.iter().filter(|name| !is_own(name)).collect();
    let mut held = Held::default();
    let conditions = live.pointer("/status/conditions").and_then(Value::as_array);
    let conditions = conditions.map_or(&[][..], Vec::as_slice);
    for condition in conditions {
        let is_telling = condition["type"]
            .as_str()
            .is_some_and(|kind| TELLING.contains(&kind));
        if let Some(message) = condition["message"].as_str()
            && is_telling
            && condition["status"] == "True"
            && !message.is_empty()
        {
            held.reasons.push(format!("its status says: {message}"));
        }
    }
    if !users.is_empty() {
        held.reasons.push(format!("pods use it: {}", users.join(", ")));
        held.is_stuck = users.iter().any(|user| !user.ends_with("(ending)"));
        held.hint = held
            .is_stuck
            .then(|| "it goes once no pod uses it: delete those, or what makes them".to_owned());
    }
    if !finalizers.is_empty() {
        held.reasons
            .push(format!("finalizers hold it: {}", finalizers.join(", ")));
    }
    let is_definition = live["kind"] == "CustomResourceDefinition";
    if !foreign.is_empty() {
        held.is_stuck = true;
        held.hint = Some(format!(
            "what set them has to take them away: see whether that runs; where it is gone for good: `{}`",
            command(
                "patch",
                live,
                " --type=merge -p '{\"metadata\":{\"finalizers\":null}}'"
            )
        ));
    } else if is_definition && !held.reasons.is_empty() {
        held.is_stuck = true;
        let plural = live
            .pointer("/spec/names/plural")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let group = live
            .pointer("/spec/group")
            .and_then(Value::as_str)
            .unwrap_or_default();
        held.hint = Some(format!(
            "it goes with its last instance: `kubectl get {plural}.{group} -A` shows them, and `-o yaml` what holds them"
        ));
    } else if live["kind"] == "Namespace" {
        held.is_stuck = conditions.iter().any(|condition| {
            condition["type"] == "NamespaceFinalizersRemaining"
                && condition["status"] == "True"
                && names_foreign(condition)
        });
    } else if held.reasons.is_empty()
        && let Some(grace) = live
            .pointer("/metadata/deletionGracePeriodSeconds")
            .and_then(Value::as_i64)
        && grace > 0
    {
        held.reasons.push(format!("it may take {grace} s to end"));
    }
    held
}

/// Whether a condition of a Namespace, `... has finalizers remaining: a/b in 1 resource instances, ...`, names one that
/// Kubernetes does not take away itself.
fn names_foreign(condition: &Value) -> bool {
    let message = condition["message"].as_str().unwrap_or_default();
    let (_, list) = message.split_once("remaining: ").unwrap_or_default();
    let mut names = list.split(", ").filter_map(|part| part.split(" in ").next());
    names.any(|name| !name.is_empty() && !is_own(name))
}

fn is_own(finalizer: &str) -> bool {
    let domain = finalizer.split('/').next().unwrap_or_default();
    OWN_FINALIZERS.contains(&finalizer)
        || domain == "kubernetes.io"
        || domain.ends_with(".kubernetes.io")
        || domain.ends_with(".k8s.io")
        || finalizer.ends_with(".apiextensions.k8s.io")
}

/// Returns a kubectl command for an object.
pub(in crate::edge::kube) fn command(verb: &str, object: &Value, rest: &str) -> String {
    let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let kind = text("/kind").to_lowercase();
    let group = text("/apiVersion").split_once('/').map_or("", |(group, _)| group);
    let is_builtin = group.is_empty() || !group.contains('.') || group.ends_with(".k8s.io");
    let kind = if is_builtin {
        kind
    } else {
        format!("{kind}.{group}")
    };
    let namespace = match text("/metadata/namespace") {
        "" => String::new(),
        namespace => format!(" -n {namespace}"),
    };
    format!(
        "kubectl {verb} {kind} {}{namespace}{rest}",
        text("/metadata/name")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn who_holds_an_object_is_named() {
        let with = |kind: &str, finalizers: Value, status: Value| {
            json!({"apiVersion": "v1", "kind": kind, "status": status,
                "metadata": {"name": "it", "namespace": "ns", "finalizers": finalizers}})
        };
        let told = |live: &Value, users: &[&str]| {
            let users: Vec<String> = users.iter().map(|user| (*user).to_owned()).collect();
            let held = why(live, &users);
            let stuck = if held.is_stuck { "stuck" } else { "going" };
            let (reasons, hint) = (held.reasons.join("; "), held.hint.unwrap_or_default());
            format!("{stuck}: {reasons}; {hint}").trim_end().to_owned()
        };
        let mut definition = with(
            "CustomResourceDefinition",
            json!(["customresourcecleanup.apiextensions.k8s.io"]),
            json!({"conditions": [
                {"type": "Established", "status": "True", "message": "the initial names have been accepted"},
                {"type": "Terminating", "status": "True", "message": "could not confirm zero CustomResources remaining: 1 instances waiting"}]}),
        );
        definition["spec"] = json!({"group": "shop.example.com", "names": {"plural": "widgets"}});
        let mut pod = with("Pod", Value::Null, Value::Null);
        pod["metadata"]["deletionGracePeriodSeconds"] = json!(30);
        let claim = with(
            "PersistentVolumeClaim",
            json!(["kubernetes.io/pvc-protection"]),
            Value::Null,
        );
        let rows = [
            told(
                &with("ConfigMap", json!(["bugsb.example.com/hold"]), Value::Null),
                &[],
            ),
            told(&definition, &[]),
            told(&claim, &["db-0"]),
            told(&claim, &["db-0 (ending)"]),
            told(&pod, &[]),
        ];
        insta::assert_snapshot!(rows.join("\n"), @r#"
        stuck: finalizers hold it: bugsb.example.com/hold; what set them has to take them away: see whether that runs; where it is gone for good: `kubectl patch configmap it -n ns --type=merge -p '{"metadata":{"finalizers":null}}'`
        stuck: its status says: could not confirm zero CustomResources remaining: 1 instances waiting; finalizers hold it: customresourcecleanup.apiextensions.k8s.io; it goes with its last instance: `kubectl get widgets.shop.example.com -A` shows them, and `-o yaml` what holds them
        stuck: pods use it: db-0; finalizers hold it: kubernetes.io/pvc-protection; it goes once no pod uses it: delete those, or what makes them
        going: pods use it: db-0 (ending); finalizers hold it: kubernetes.io/pvc-protection;
        going: it may take 30 s to end;
        "#);
    }

    #[test]
    fn a_command_names_kind_group_and_namespace() {
        let object = json!({"apiVersion": "shop.example.com/v1", "kind": "Widget", "metadata": {"name": "w", "namespace": "ns"}});
        assert_eq!(
            command("delete", &object, ""),
            "kubectl delete widget.shop.example.com w -n ns"
        );
        let object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}});
        assert_eq!(command("delete", &object, ""), "kubectl delete deployment web");
    }

    #[test]
    fn a_pod_that_has_ended_uses_nothing() {
        let pod = |phase: &str| {
            json!({"metadata": {"name": "p"}, "status": {"phase": phase},
                "spec": {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]}})
        };
        assert!(uses(&pod("Running"), "data") && !uses(&pod("Running"), "other"));
        assert!(!uses(&pod("Succeeded"), "data"));
    }
}
