//! Rows of the session in the shape that Tilt's web page shows: `UIResource` and `UISession`.
//!
//! Rule: `docs/rules/api.md`, "Objects".

use serde_json::{Map, Value, json};

use super::{BuildView, ResourceView, RuntimeStatus, TiltfileView, UpdateStatus};
use crate::engine::Hold;
use crate::model::{COMPATIBLE_VERSION, LocalPath, ManifestName, ShownSettings, Timestamp};

/// Returns the session's own object.
pub fn ui_session(started: Timestamp, tiltfile: &LocalPath, settings: &ShownSettings) -> Value {
    let switch = |(name, is_on): (&&str, &bool)| match is_on {
        true => json!({"name": name, "value": true}),
        false => json!({"name": name}),
    };
    let features: Vec<Value> = settings.features.iter().map(switch).collect();
    json!({
        "metadata": {"name": "Tiltfile"},
        "spec": {},
        "status": {
            "featureFlags": features,
            "runningTiltBuild": {"version": COMPATIBLE_VERSION},
            "versionSettings": {"checkUpdates": settings.check_updates},
            "tiltStartTime": started.to_text(),
            "tiltfileKey": tiltfile.to_string(),
        },
    })
}

fn build(build: &BuildView) -> Value {
    let mut shown = json!({"spanID": build.span.as_str(), "startTime": build.started.to_micro_text()});
    if let Some(finished) = build.finished {
        shown["finishTime"] = finished.to_micro_text().into();
    }
    if let Some(error) = &build.error {
        shown["error"] = error.as_str().into();
    }
    shown
}

/// Returns the row of the Tiltfile.
pub fn ui_tiltfile(tiltfile: &TiltfileView) -> Value {
    let runtime = RuntimeStatus::NotApplicable;
    let (mut history, mut current) = (Vec::new(), Value::Null);
    if let (Some(span), Some(started)) = (&tiltfile.span, tiltfile.started) {
        let mut load = json!({"spanID": span.as_str(), "startTime": started.to_micro_text()});
        match tiltfile.finished {
            None => current = load,
            Some(finished) => {
                load["finishTime"] = finished.to_micro_text().into();
                if let Some(error) = &tiltfile.error {
                    load["error"] = error.as_str().into();
                }
                history.push(load);
            }
        }
    }
    let deployed = tiltfile.finished.filter(|_| tiltfile.error.is_none());
    json!({
        "metadata": {"name": ManifestName::TILTFILE, "annotations": {"tilt.dev/resource": ManifestName::TILTFILE}},
        "spec": {},
        "status": {
            "order": 1,
            "updateStatus": tiltfile.update_status.as_str(),
            "runtimeStatus": runtime.as_str(),
            "buildHistory": history,
            "currentBuild": current,
            "lastDeployTime": deployed.map(Timestamp::to_micro_text),
            "conditions": conditions(true, tiltfile.update_status, runtime),
            "disableStatus": {"enabledCount": 0, "disabledCount": 0, "state": "Enabled", "sources": null},
        },
    })
}

/// Returns the row of a resource, which stands at a place from 1 on.
pub fn ui_resource(order: usize, resource: &ResourceView) -> Value {
    let labels: Map<String, Value> = resource
        .labels
        .iter()
        .map(|label| (label.clone(), label.as_str().into()))
        .collect();
    let has_live_update = |id: &str| {
        let mut images = resource.definition.0.images.iter();
        images.any(|image| image.live_update.is_some() && image.id.to_string() == id)
    };
    let spec = |id: &String| {
        let mut spec = json!({"id": id, "type": id.split(':').next().unwrap_or_default()});
        if has_live_update(id) {
            spec["hasLiveUpdate"] = true.into();
        }
        spec
    };
    let specs: Vec<Value> = resource.targets.iter().map(spec).collect();
    let history: Vec<Value> = resource.history.iter().map(build).collect();
    let link = |(url, name)| json!({"url": url, "name": name});
    let own = resource.links.iter().map(|(url, name)| link((url, name)));
    let forwards = resource
        .forwards
        .iter()
        .map(|forward| link((&forward.url, &forward.name)));
    // Ports of a service come before its links, those that are forwarded after them.
    let links: Vec<Value> = match &resource.service {
        Some(service) => service
            .links
            .iter()
            .map(|(url, name)| link((url, name)))
            .chain(own)
            .collect(),
        None => own.chain(forwards).collect(),
    };
    let good = resource.history.iter().find(|build| build.error.is_none());
    let mut status = json!({
        "order": order,
        "lastDeployTime": good.and_then(|build| build.finished).map(Timestamp::to_micro_text),
        "updateStatus": resource.update_status.as_str(),
        "runtimeStatus": resource.runtime_status.as_str(),
        "triggerMode": resource.trigger_mode as u8,
        "queued": resource.queued,
        "hasPendingChanges": resource.has_pending_changes,
        "buildHistory": history,
        "endpointLinks": links,
        "specs": specs,
        "conditions": conditions(resource.enabled, resource.update_status, resource.runtime_status),
        "disableStatus": {
            "state": if resource.enabled { "Enabled" } else { "Disabled" },
            "enabledCount": i32::from(resource.enabled),
            "disabledCount": i32::from(!resource.enabled),
            "sources": [{"configMap": {"name": format!("{}-disable", resource.name), "key": "isDisabled"}}],
        },
    });
    add_details(&mut status, resource);
    let metadata = json!({
        "name": resource.name.as_str(),
        "labels": labels,
        "annotations": {"tilt.dev/resource": resource.name.as_str()},
    });
    json!({"metadata": metadata, "spec": {}, "status": status})
}

/// Returns what an update waits for, as the object that stands for it; of targets Tilt names the images.
fn waits_on(reason: &str, name: &str) -> Option<Value> {
    let (kind, name) = match (reason, name.split_once(':')) {
        ("building-component", Some(("image", image))) => ("ImageMap", image),
        ("building-component", _) => return None,
        ("waiting-for-deletion", _) => return Some(json!({"name": name})),
        ("waiting-for-cluster", _) => ("Cluster", name),
        _ => ("UIResource", name),
    };
    Some(json!({"group": "tilt.dev", "apiVersion": "v1alpha1", "kind": kind, "name": name}))
}

/// Adds what only some resources have.
fn add_details(status: &mut Value, resource: &ResourceView) {
    if let Some(build) = &resource.building {
        let build = self::build(build);
        status["currentBuild"] = json!({"spanID": build["spanID"], "startTime": build["startTime"]});
    }
    // Of what goes into running containers it is not said that it waits.
    let hold = resource.hold.as_ref();
    if let Some(hold) = hold.filter(|hold| hold.reason != Hold::Reconciling.reason()) {
        let on: Vec<Value> = hold
            .on
            .iter()
            .filter_map(|name| waits_on(hold.reason, name))
            .collect();
        status["waiting"] = json!({"reason": hold.reason, "on": on});
    }
    if let Some(pod) = &resource.pod {
        status["k8sResourceInfo"] = json!({
            "podName": pod.name,
            "podCreationTime": pod.created.to_text(),
            "podStatus": pod.status,
            "podStatusMessage": pod.errors.join("; "),
            "allContainersReady": pod.ready_containers == pod.containers,
            "podRestarts": pod.restarts,
            "spanID": format!("pod:{}:{}", resource.name, pod.name),
        });
    }
    if !resource.objects.is_empty() {
        status["k8sResourceInfo"]["displayNames"] = resource.objects.clone().into();
    } else if !resource.applied.is_empty() {
        // What a command deployed.
        let names = resource.applied.iter();
        let names = names.map(|object| format!("{}:{}", object.id.name, object.id.kind.to_lowercase()));
        status["k8sResourceInfo"]["displayNames"] = names.collect::<Vec<_>>().into();
    }
    if let Some(service) = &resource.service {
        status["composeResourceInfo"] = json!({"healthStatus": service.health});
    }
    if resource.targets.iter().any(|id| id.starts_with("local:")) {
        status["localResourceInfo"] = json!({});
    }
    if let Some(pid) = resource.server.as_ref().and_then(|server| server.pid) {
        status["localResourceInfo"] = json!({"pid": pid});
    }
}

/// Rule: `docs/rules/api.md`, "Objects".
fn conditions(enabled: bool, update: UpdateStatus, runtime: RuntimeStatus) -> Value {
    let is_updated = matches!(update, UpdateStatus::Ok | UpdateStatus::NotApplicable);
    let is_ready = runtime == RuntimeStatus::Ok || (runtime == RuntimeStatus::NotApplicable && is_updated);
    let of_update = match update {
        _ if !enabled => "Disabled",
        UpdateStatus::Error => "UpdateError",
        UpdateStatus::Pending | UpdateStatus::InProgress => "UpdatePending",
        _ => "Unknown",
    };
    let of_runtime = match runtime {
        RuntimeStatus::Error if enabled => "RuntimeError",
        RuntimeStatus::Pending if enabled && is_updated => "RuntimePending",
        _ => of_update,
    };
    let condition = |kind: &str, holds: bool, reason: &str| {
        if holds {
            json!({"type": kind, "status": "True"})
        } else {
            json!({"type": kind, "status": "False", "reason": reason})
        }
    };
    json!([
        condition("UpToDate", is_updated, of_update),
        condition("Ready", is_ready, of_runtime)
    ])
}
