//! A pod in the shape of the API.

use serde_json::{Value, json};

use crate::k8s::labels::TEMPLATE_HASH;
use crate::model::{Container, ContainerState, Pod, PodPhase, Timestamp};

/// Returns a pod as a `KubernetesDiscovery` shows it.
pub(crate) fn pod_json(pod: &Pod) -> Value {
    let conditions: Vec<Value> = pod
        .conditions
        .iter()
        .map(|condition| {
            json!({
                "type": condition.kind,
                "status": condition.status,
                "reason": condition.reason,
                "message": condition.message,
                "lastTransitionTime": condition.last_transition.map(Timestamp::to_text),
            })
        })
        .collect();
    json!({
        "uid": pod.uid.as_str(),
        "name": pod.name,
        "namespace": pod.namespace,
        "createdAt": pod.created.to_text(),
        "phase": phase(pod.phase),
        "deleting": pod.deleting,
        "status": pod.status,
        "errors": pod.errors,
        "podTemplateSpecHash": pod.label(TEMPLATE_HASH).unwrap_or_default(),
        "owner": pod.owners.first().map(|owner| json!({
            "name": owner.name,
            "apiVersion": owner.api_version,
            "kind": owner.kind,
            "creationTimestamp": owner.created.map(Timestamp::to_text),
        })),
        "conditions": conditions,
        "initContainers": pod.init_containers.iter().map(container).collect::<Vec<_>>(),
        "containers": pod.containers.iter().map(container).collect::<Vec<_>>(),
    })
}

fn phase(phase: PodPhase) -> &'static str {
    match phase {
        PodPhase::Pending => "Pending",
        PodPhase::Running => "Running",
        PodPhase::Succeeded => "Succeeded",
        PodPhase::Failed => "Failed",
        PodPhase::Unknown => "Unknown",
    }
}

fn container(container: &Container) -> Value {
    let state = match &container.state {
        ContainerState::Running => {
            json!({"running": {"startedAt": container.started.map(Timestamp::to_text)}})
        }
        ContainerState::Waiting { reason, .. } => json!({"waiting": {"reason": reason}}),
        ContainerState::Terminated { reason, exit_code } => {
            json!({"terminated": {"reason": reason, "exitCode": exit_code}})
        }
        ContainerState::Unknown => json!({}),
    };
    json!({
        "name": container.name,
        "id": container.id,
        "image": container.image,
        "ports": container.ports,
        "ready": container.ready,
        "restarts": container.restarts,
        "state": state,
    })
}
