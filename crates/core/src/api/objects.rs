//! The objects that show what the engine does: one truth, the engine's, in the API's shape.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Kind;
use crate::model::{Container, ContainerState, LocalPath, ManifestName, Pod, PodPhase, Timestamp};
use crate::view::{ClusterView, ResourceView, UpdateStatus, View, ui_resource, ui_session, ui_tiltfile};

/// What the objects tell of a session that no event changes.
#[derive(Clone, Debug)]
pub struct SessionFacts {
    /// When it began.
    pub started: Timestamp,
    /// Its process.
    pub pid: u32,
    /// Its Tiltfile.
    pub tiltfile: LocalPath,
    /// Whether it ends by itself.
    pub is_ci: bool,
    /// Whether only this machine can talk to it.
    pub is_local: bool,
    /// The context and the namespace of its cluster, if a kubeconfig names one.
    pub context: Option<(String, String)>,
}

/// Returns the objects of each kind that is made from the engine's state.
pub fn objects(view: &View, facts: &SessionFacts) -> Vec<(&'static Kind, Vec<Value>)> {
    let resources = view.resources.as_slice();
    let made = [
        ("UISession", vec![ui_session(facts.started, &facts.tiltfile)]),
        ("UIResource", ui_resources(view)),
        ("Session", vec![session(view, facts)]),
        ("Tiltfile", vec![tiltfile(view, facts)]),
        ("Cluster", cluster(view, facts).into_iter().collect()),
        (
            "ConfigMap",
            resources.iter().map(|resource| disable_map(resource)).collect(),
        ),
        (
            "ToggleButton",
            resources.iter().map(|resource| toggle(resource)).collect(),
        ),
        (
            "UIButton",
            resources.iter().flat_map(|resource| buttons(resource)).collect(),
        ),
        (
            "KubernetesDiscovery",
            resources
                .iter()
                .filter_map(|resource| discovery(resource))
                .collect(),
        ),
    ];
    made.into_iter()
        .filter_map(|(kind, objects)| Some((Kind::named(kind)?, objects)))
        .collect()
}

/// Returns a `UIResource` for the Tiltfile and for each resource.
fn ui_resources(view: &View) -> Vec<Value> {
    let resources = view.resources.iter().zip(2..);
    std::iter::once(ui_tiltfile(&view.tiltfile))
        .chain(resources.map(|(resource, order)| ui_resource(order, resource)))
        .collect()
}

fn session(view: &View, facts: &SessionFacts) -> Value {
    let targets = view.resources.iter().flat_map(targets);
    let mut targets: Vec<Value> = std::iter::once(tiltfile_target(view)).chain(targets).collect();
    targets.sort_by_key(|target| target["name"].as_str().unwrap_or_default().to_owned());
    json!({
        "metadata": {"name": "Tiltfile"},
        "spec": {
            "tiltfilePath": facts.tiltfile.to_string(),
            "exitCondition": if facts.is_ci { "ci" } else { "manual" },
        },
        "status": {
            "pid": facts.pid,
            "startTime": facts.started.to_micro_text(),
            "targets": targets,
            "done": false,
        },
    })
}

fn tiltfile_target(view: &View) -> Value {
    let tiltfile = &view.tiltfile;
    let state = match (tiltfile.update_status, tiltfile.started, tiltfile.finished) {
        (UpdateStatus::InProgress, Some(started), _) => active(started, None),
        (_, Some(started), Some(finished)) => terminated(started, finished, tiltfile.error.as_deref()),
        _ => json!({"waiting": {"waitReason": "initial-build"}}),
    };
    target("tiltfile:update", "job", &ManifestName::tiltfile(), state)
}

fn target(name: &str, kind: &str, resource: &ManifestName, state: Value) -> Value {
    json!({"name": name, "type": kind, "resources": [resource.as_str()], "state": state})
}

fn active(started: Timestamp, ready: Option<Timestamp>) -> Value {
    json!({"active": {
        "startTime": started.to_micro_text(),
        "ready": ready.is_some(),
        "lastReadyTime": ready.map(Timestamp::to_micro_text),
    }})
}

fn terminated(started: Timestamp, finished: Timestamp, error: Option<&str>) -> Value {
    json!({"terminated": {
        "startTime": started.to_micro_text(),
        "finishTime": finished.to_micro_text(),
        "error": error.unwrap_or_default(),
    }})
}

/// Returns the targets of a resource: its update, and what runs of it.
///
/// Rule: `docs/rules/api.md`, "Objects".
fn targets(resource: &Arc<ResourceView>) -> Vec<Value> {
    use crate::model::RuntimeStatus as Runtime;
    let name = &resource.name;
    let is = |kind: &str| resource.targets.iter().any(|id| id.starts_with(kind));
    let disabled = || json!({"disabled": {}});
    let update = match (&resource.building, resource.history.first()) {
        _ if !resource.enabled => disabled(),
        (Some(build), _) => active(build.started, None),
        (None, Some(last)) => terminated(
            last.started,
            last.finished.unwrap_or(last.started),
            last.error.as_deref(),
        ),
        (None, None) => match &resource.hold {
            Some(hold) => json!({"waiting": {"waitReason": hold.reason}}),
            None if resource.update_status == UpdateStatus::Pending => {
                json!({"waiting": {"waitReason": "initial-build"}})
            }
            None => json!({}),
        },
    };
    let mut targets = vec![target(&format!("{name}:update"), "job", name, update)];
    let runtime = if is("k8s:") {
        format!("{name}:runtime")
    } else if resource.server.is_some() {
        format!("{name}:serve")
    } else {
        return targets;
    };
    let started = resource.first_started.unwrap_or_default();
    let state = match resource.runtime_status {
        _ if !resource.enabled => disabled(),
        Runtime::Ok => active(started, Some(resource.first_ready.unwrap_or(started))),
        Runtime::Error => terminated(started, started, Some(&resource.error().unwrap_or_default())),
        Runtime::Pending if resource.first_started.is_some() => active(started, None),
        _ => json!({}),
    };
    targets.push(target(&runtime, "server", name, state));
    targets
}

fn tiltfile(view: &View, facts: &SessionFacts) -> Value {
    let tiltfile = &view.tiltfile;
    let status = match (tiltfile.update_status, tiltfile.started, tiltfile.finished) {
        (UpdateStatus::InProgress, Some(started), _) => {
            json!({"running": {"startedAt": started.to_micro_text()}})
        }
        (_, Some(started), Some(finished)) => json!({"terminated": {
            "error": tiltfile.error.clone().unwrap_or_default(),
            "startedAt": started.to_micro_text(),
            "finishedAt": finished.to_micro_text(),
        }}),
        _ => json!({"waiting": {}}),
    };
    json!({
        "metadata": {"name": ManifestName::TILTFILE},
        "spec": {"path": facts.tiltfile.to_string(), "args": tiltfile.args},
        "status": status,
    })
}

fn cluster(view: &View, facts: &SessionFacts) -> Option<Value> {
    let (context, namespace) = facts.context.as_ref()?;
    let error = match &view.cluster {
        ClusterView::Failed(error) => error.as_str(),
        ClusterView::Connecting | ClusterView::Connected => "",
    };
    Some(json!({
        "metadata": {"name": "default"},
        "spec": {"connection": {"kubernetes": {"context": context, "namespace": namespace}}},
        "status": {"error": error},
    }))
}

fn disable_map(resource: &ResourceView) -> Value {
    json!({
        "metadata": {"name": format!("{}-disable", resource.name)},
        "data": {"isDisabled": (!resource.enabled).to_string()},
    })
}

fn location(name: &ManifestName) -> Value {
    json!({"componentID": name.as_str(), "componentType": "Resource"})
}

fn toggle(resource: &ResourceView) -> Value {
    json!({
        "metadata": {
            "name": format!("{}-disable", resource.name),
            "annotations": {"tilt.dev/uibutton-type": "DisableToggle", "tilt.dev/resource": resource.name.as_str()},
        },
        "spec": {
            "location": location(&resource.name),
            "on": {"text": "Enable Resource"},
            "off": {"text": "Disable Resource", "requiresConfirmation": true},
            "stateSource": {"configMap": {
                "name": format!("{}-disable", resource.name),
                "key": "isDisabled",
                "onValue": "true",
                "offValue": "false",
            }},
        },
    })
}

/// Returns the buttons that every resource has: one that switches it off or on, and while it is updated one that stops that.
fn buttons(resource: &ResourceView) -> Vec<Value> {
    let name = &resource.name;
    let (text, action) = match resource.enabled {
        true => ("Disable Resource", "on"),
        false => ("Enable Resource", "off"),
    };
    let mut buttons = vec![json!({
        "metadata": {
            "name": format!("toggle-{name}-disable"),
            "annotations": {"tilt.dev/uibutton-type": "DisableToggle", "tilt.dev/resource": name.as_str()},
        },
        "spec": {
            "location": location(name),
            "text": text,
            "requiresConfirmation": resource.enabled,
            "inputs": [{"name": "action", "hidden": {"value": action}}],
        },
    })];
    buttons.push(json!({
        "metadata": {
            "name": format!("{name}-stopbuild"),
            "annotations": {"tilt.dev/uibutton-type": "StopBuild", "tilt.dev/resource": name.as_str()},
        },
        "spec": {
            "location": location(name),
            "text": "Cancel",
            "disabled": resource.building.is_none(),
        },
    }));
    buttons
}

fn discovery(resource: &ResourceView) -> Option<Value> {
    let is_k8s = resource.targets.iter().any(|id| id.starts_with("k8s:"));
    is_k8s.then(|| {
        let pods: Vec<Value> = resource.pods.iter().map(pod_status).collect();
        json!({
            "metadata": {
                "name": resource.name.as_str(),
                "annotations": {"tilt.dev/resource": resource.name.as_str()},
            },
            "spec": {"cluster": "default"},
            "status": {"pods": pods},
        })
    })
}

fn pod_status(pod: &Pod) -> Value {
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
        ContainerState::Running => json!({"running": {}}),
        ContainerState::Waiting { reason, .. } => json!({"waiting": {"reason": reason}}),
        ContainerState::Terminated { reason, exit_code } => {
            json!({"terminated": {"reason": reason, "exitCode": exit_code}})
        }
        ContainerState::Unknown => json!({}),
    };
    json!({
        "name": container.name,
        "id": container.id,
        "ready": container.ready,
        "restarts": container.restarts,
        "state": state,
    })
}
