//! The objects that show what the engine does: one truth, the engine's, in the API's shape.
//!
//! Here are those of the session and those that every resource has; `local`, `kubernetes`, `compose` and `images` make the
//! others.

mod compose;
mod images;
mod kubernetes;
mod local;
mod made;

use serde_json::{Value, json};

pub(super) use made::{Made, RESOURCE, owner_reference};

use crate::k8s::KubeContext;
use crate::model::{
    CiSettings, DeployTarget, K8sTarget, LocalPath, ManifestName, PodPhase, PodReadiness, Timestamp,
    format_go_duration,
};
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
    /// Its cluster, if a kubeconfig names one.
    pub context: Option<KubeContext>,
    /// The kubeconfig of what it starts, which means that cluster alone.
    pub kubeconfig: Option<String>,
}

/// Returns the objects that show the session as a whole.
pub(super) fn of_session(view: &View, facts: &SessionFacts) -> Vec<Made> {
    let settings = &view.tiltfile.settings;
    let mut made = vec![
        ("UISession", ui_session(facts.started, &facts.tiltfile, settings)),
        // Before what it owns.
        ("Tiltfile", tiltfile(view, facts)),
        ("UIResource", ui_tiltfile(&view.tiltfile)),
        ("ConfigMap", trigger_queue(view)),
    ];
    // Nobody owns it, and it names no resource.
    let mut stop = stop_button(&ManifestName::tiltfile());
    if let Some(annotations) = stop["metadata"]["annotations"].as_object_mut() {
        annotations.remove(RESOURCE);
    }
    made.push(("UIButton", stop));
    made.extend(cluster(view, facts).map(|cluster| ("Cluster", cluster)));
    for (_, object) in made
        .iter_mut()
        .filter(|(kind, _)| matches!(*kind, "UIResource" | "Cluster"))
    {
        set_tiltfile(object);
    }
    made
}

/// Returns the object that says how all targets are; `targets` are those of the resources, as [`targets_of`] returns them.
pub(super) fn whole_session<'a>(
    view: &View,
    facts: &SessionFacts,
    targets: impl Iterator<Item = &'a Value>,
) -> Made {
    let mut object = session(view, facts, targets);
    set_tiltfile(&mut object);
    ("Session", object)
}

/// Returns which resources users asked to update, as long as their updates have not started.
fn trigger_queue(view: &View) -> Value {
    let queued = view.resources.iter().filter(|resource| resource.queued);
    let names = queued
        .enumerate()
        .map(|(at, resource)| (format!("{at}-name"), resource.name.as_str().into()));
    let mut map = json!({"metadata": {"name": "tilt-trigger-queue"}});
    let data: serde_json::Map<String, Value> = names.collect();
    if !data.is_empty() {
        map["data"] = data.into();
    }
    map
}

/// Returns the objects that show a resource, which stands at a place from 2 on: the Tiltfile is the first.
pub(super) fn of_resource(order: usize, resource: &ResourceView) -> Vec<Made> {
    let mut shown = ui_resource(order, resource);
    shown["metadata"]["annotations"] = json!({RESOURCE: resource.name.as_str()});
    let mut made = vec![
        ("UIResource", shown),
        ("ConfigMap", disable_map(resource)),
        ("ToggleButton", toggle(resource)),
    ];
    made.extend(buttons(resource).map(|button| ("UIButton", button)));
    let definition = &*resource.definition.0;
    made.extend(images::of_resource(resource, definition));
    match &definition.deploy {
        DeployTarget::K8s(target) => made.extend(kubernetes::of_resource(resource, target)),
        DeployTarget::Local(target) => made.extend(local::of_resource(resource, target)),
        DeployTarget::Compose(target) => made.extend(compose::of_resource(resource, target)),
    }
    for (_, object) in &mut made {
        if object["metadata"]["ownerReferences"].is_null() {
            set_owner(object);
        }
    }
    made
}

/// Says of an object that it comes of the Tiltfile, and shows that.
fn set_tiltfile(object: &mut Value) {
    set_owner(object);
    object["metadata"]["annotations"][RESOURCE] = ManifestName::TILTFILE.into();
}

/// Says of an object that it comes of the Tiltfile.
fn set_owner(object: &mut Value) {
    object["metadata"]["ownerReferences"] = json!([owner_reference("Tiltfile", ManifestName::TILTFILE)]);
}

/// Returns when a run gives up, in Go's durations; what is no limit is left out.
fn ci(settings: &CiSettings) -> Value {
    let limits = [
        ("timeout", settings.timeout.unwrap_or_default()),
        ("readinessTimeout", settings.readiness_timeout),
        ("k8sGracePeriod", settings.k8s_grace_period),
    ];
    let limits = limits.into_iter().filter(|(_, limit)| !limit.is_zero());
    limits
        .map(|(name, limit)| (name.to_owned(), Value::from(format_go_duration(limit))))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn session<'a>(view: &View, facts: &SessionFacts, targets: impl Iterator<Item = &'a Value>) -> Value {
    let of_tiltfile = std::iter::once(tiltfile_target(view));
    let mut targets: Vec<Value> = of_tiltfile.chain(targets.cloned()).collect();
    targets.sort_by(|a, b| a["name"].as_str().cmp(&b["name"].as_str()));
    json!({
        "metadata": {"name": "Tiltfile"},
        "spec": {
            "tiltfilePath": facts.tiltfile.to_string(),
            "exitCondition": if facts.is_ci { "ci" } else { "manual" },
            "ci": ci(&view.tiltfile.ci),
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
pub(super) fn targets_of(resource: &ResourceView) -> Vec<Value> {
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
    let mut targets = Vec::new();
    let only_serves =
        matches!(&resource.definition.0.deploy, DeployTarget::Local(local) if local.update_cmd.is_none());
    if !only_serves {
        targets.push(target(&format!("{name}:update"), "job", name, update));
    }
    // What is not waited for is no target.
    let ignores_pods = |k8s: &K8sTarget| k8s.readiness == PodReadiness::Ignore;
    if resource.definition.0.deploy.k8s().is_some_and(ignores_pods) {
        return targets;
    }
    let runtime = if is("k8s:") || is("docker-compose:") {
        format!("{name}:runtime")
    } else if resource.server.is_some() {
        format!("{name}:serve")
    } else {
        return targets;
    };
    let started = resource.first_started.unwrap_or_default();
    // What runs to its end, such as a Job, is over once it has succeeded.
    let succeeds = |k8s: &K8sTarget| k8s.readiness == PodReadiness::Succeeded;
    let is_job = resource.definition.0.deploy.k8s().is_some_and(succeeds);
    let has_succeeded = is_job && resource.pods.iter().any(|pod| pod.phase == PodPhase::Succeeded);
    let state = match resource.runtime_status {
        _ if !resource.enabled => disabled(),
        Runtime::Ok if has_succeeded => {
            json!({"terminated": {"startTime": started.to_micro_text(), "finishTime": null}})
        }
        Runtime::Ok => active(started, Some(resource.first_ready.unwrap_or(started))),
        Runtime::Error => terminated(started, started, Some(&resource.error().unwrap_or_default())),
        Runtime::Pending if resource.first_started.is_some() => active(started, None),
        _ => json!({}),
    };
    let kind = if is_job { "job" } else { "server" };
    targets.push(target(&runtime, kind, name, state));
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
        "spec": {
            "path": facts.tiltfile.to_string(),
            "args": tiltfile.args,
            "restartOn": {"fileWatches": [format!("configs:{}", ManifestName::TILTFILE)]},
            "stopOn": {"uiButtons": [format!("{}-stopbuild", ManifestName::TILTFILE)]},
        },
        "status": status,
    })
}

fn cluster(view: &View, facts: &SessionFacts) -> Option<Value> {
    let kube = facts.context.as_ref()?;
    let (context, namespace) = (&kube.name, &kube.namespace);
    let error = match &view.cluster {
        ClusterView::Failed(error) => error.as_str(),
        ClusterView::Connecting | ClusterView::Connected => "",
    };
    let mut status = json!({"error": error});
    let said = view.cluster_description.as_ref();
    if view.cluster == ClusterView::Connected {
        status["connection"] = json!({"kubernetes": {
            "context": context,
            "namespace": namespace,
            "cluster": said.map_or(kube.cluster.as_str(), |said| &said.name),
            "product": said.map_or(kube.product.word(), |said| said.product),
            "configPath": facts.kubeconfig.as_deref().unwrap_or_default(),
        }});
    }
    if let Some(said) = said {
        status["arch"] = said.arch.as_str().into();
        status["version"] = said.version.as_str().into();
        status["connectedAt"] = said.connected.to_micro_text().into();
        if let Some(host) = &said.registry {
            status["registry"] = json!({"host": host});
        }
    }
    Some(json!({
        "metadata": {"name": "default"},
        "spec": {"connection": {"kubernetes": {"context": context, "namespace": namespace}}},
        "status": status,
    }))
}

fn disable_map(resource: &ResourceView) -> Value {
    json!({
        "metadata": {
            "name": format!("{}-disable", resource.name),
            "annotations": {RESOURCE: ManifestName::TILTFILE},
        },
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
            "annotations": {"tilt.dev/uibutton-type": "DisableToggle", RESOURCE: ManifestName::TILTFILE},
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

/// Returns the button that stops the update of a resource.
fn stop_button(name: &ManifestName) -> Value {
    json!({
        "metadata": {
            "name": format!("{name}-stopbuild"),
            "annotations": {"tilt.dev/uibutton-type": "StopBuild", RESOURCE: ManifestName::TILTFILE},
        },
        "spec": {"location": location(name), "text": "Stop Build", "iconName": "cancel"},
    })
}

/// Returns the buttons that every resource has: one that switches it off or on, and one that stops its update.
fn buttons(resource: &ResourceView) -> [Value; 2] {
    let name = &resource.name;
    let (text, action) = match resource.enabled {
        true => ("Disable Resource", "on"),
        false => ("Enable Resource", "off"),
    };
    let toggle = json!({
        "metadata": {
            "name": format!("toggle-{name}-disable"),
            "annotations": {"tilt.dev/uibutton-type": "DisableToggle"},
            "ownerReferences": [owner_reference("ToggleButton", &format!("{name}-disable"))],
        },
        "spec": {
            "location": location(name),
            "text": text,
            "requiresConfirmation": resource.enabled,
            "inputs": [{"name": "action", "hidden": {"value": action}}],
        },
    });
    [toggle, stop_button(name)]
}
