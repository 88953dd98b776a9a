//! What is known of one resource beside its row: updates and why they began, pods, port-forwards, and what depends on what.

use serde_json::{Value, json};

use super::{BuildView, ForwardView, ResourceView, ServerView, View};
use crate::model::{Container, ContainerState, ManifestName, Pod, PodPhase, Timestamp};

/// Returns the details of a resource, as the page takes them; `wire.txt` names the fields.
pub fn detail(view: &View, name: &ManifestName) -> Option<Value> {
    let resource = view.resources.iter().find(|resource| resource.name == *name)?;
    let dependents = view
        .resources
        .iter()
        .filter(|other| other.depends_on.contains(name));
    Some(json!({
        "name": name.as_str(),
        "targets": resource.targets,
        "objects": resource.objects,
        "dependsOn": names(resource.depends_on.iter()),
        "dependents": names(dependents.map(|other| &other.name)),
        "building": resource.building.as_ref().map(build),
        "history": resource.history.iter().map(build).collect::<Vec<_>>(),
        "pods": resource.pods.iter().map(pod).collect::<Vec<_>>(),
        "forwards": resource.forwards.iter().map(forward).collect::<Vec<_>>(),
        "server": resource.server.as_ref().map(server),
        "unwell": unwell(resource),
        "noPod": resource.no_pod,
        "firstStarted": resource.first_started.map(Timestamp::to_micro_text),
        "firstReady": resource.first_ready.map(Timestamp::to_micro_text),
    }))
}

fn names<'a>(names: impl Iterator<Item = &'a ManifestName>) -> Vec<&'a str> {
    names.map(ManifestName::as_str).collect()
}

/// What is wrong with what runs, in a line.
fn unwell(resource: &ResourceView) -> Option<String> {
    let trouble = || resource.telling_pod().and_then(|pod| pod.trouble.clone());
    resource.unwell.clone().or_else(trouble)
}

fn build(build: &BuildView) -> Value {
    json!({
        "spanId": build.span.as_str(),
        "reason": build.reason,
        "startTime": build.started.to_micro_text(),
        "finishTime": build.finished.map(Timestamp::to_micro_text),
        "error": build.error,
    })
}

fn pod(pod: &Pod) -> Value {
    let init = pod.init_containers.iter().map(|of| container(of, true));
    let containers = init.chain(pod.containers.iter().map(|of| container(of, false)));
    json!({
        "name": pod.name,
        "namespace": pod.namespace,
        "status": pod.status,
        "phase": match pod.phase {
            PodPhase::Pending => "Pending",
            PodPhase::Running => "Running",
            PodPhase::Succeeded => "Succeeded",
            PodPhase::Failed => "Failed",
            PodPhase::Unknown => "Unknown",
        },
        "createdAt": pod.created.to_micro_text(),
        "deleting": pod.deleting,
        "errors": pod.errors,
        "containers": containers.collect::<Vec<_>>(),
    })
}

fn container(container: &Container, is_init: bool) -> Value {
    let state = match &container.state {
        ContainerState::Running => "running".to_owned(),
        ContainerState::Waiting { reason, .. } => format!("waiting: {reason}"),
        ContainerState::Terminated { reason, exit_code } => format!("ended: {reason}, exit code {exit_code}"),
        ContainerState::Unknown => "unknown".to_owned(),
    };
    json!({
        "name": container.name,
        "isInit": is_init,
        "ready": container.ready,
        "restarts": container.restarts,
        "state": state,
    })
}

fn forward(forward: &ForwardView) -> Value {
    json!({
        "url": forward.url,
        "name": forward.name,
        "pod": forward.pod,
        "healthy": forward.is_healthy,
        "error": forward.error,
    })
}

fn server(server: &ServerView) -> Value {
    json!({
        "spanId": server.span.as_str(),
        "pid": server.pid,
        "ready": server.ready,
        "fault": server.fault,
    })
}
