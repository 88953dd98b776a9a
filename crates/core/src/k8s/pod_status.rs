//! A pod's state in words: the STATUS column of `kubectl get pods`, and what its containers say is wrong.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};

use crate::model::ContainerState;

/// Returns the STATUS column of `kubectl get pods`; a pod that is being deleted is not called `Terminating`, because
/// that is told apart.
///
/// Rule: `docs/rules/runtime.md`, "Fields of a pod".
pub(super) fn pod_status(pod: &Pod) -> String {
    if let Some(status) = unfinished_init(pod) {
        return status;
    }
    run_statuses(pod)
        .iter()
        .find_map(container_reason)
        .or_else(|| pod.status.as_ref().and_then(|s| s.reason.clone()))
        .filter(|reason| !reason.is_empty())
        .or_else(|| pod.status.as_ref().and_then(|s| s.phase.clone()))
        .unwrap_or_default()
}

/// Returns what the containers say is wrong, one message each; init containers only while they run.
pub(super) fn pod_errors(pod: &Pod) -> Vec<String> {
    let init = init_statuses(pod)
        .iter()
        .filter(|_| unfinished_init(pod).is_some());
    init.chain(run_statuses(pod)).flat_map(container_errors).collect()
}

fn init_statuses(pod: &Pod) -> &[ContainerStatus] {
    let statuses = pod
        .status
        .as_ref()
        .and_then(|s| s.init_container_statuses.as_deref());
    statuses.unwrap_or_default()
}

fn run_statuses(pod: &Pod) -> &[ContainerStatus] {
    let statuses = pod.status.as_ref().and_then(|s| s.container_statuses.as_deref());
    statuses.unwrap_or_default()
}

/// Returns the status that the first unfinished init container gives.
fn unfinished_init(pod: &Pod) -> Option<String> {
    let (at, status) = init_statuses(pod)
        .iter()
        .enumerate()
        .find(|(_, status)| !init_is_done(pod, status))?;
    let state = status.state.as_ref();
    if let Some(ended) = state.and_then(|s| s.terminated.as_ref()) {
        let reason = ended.reason.clone().filter(|reason| !reason.is_empty());
        return Some(match (reason, ended.signal.unwrap_or(0)) {
            (Some(reason), _) => format!("Init:{reason}"),
            (None, 0) => format!("Init:ExitCode:{}", ended.exit_code),
            (None, signal) => format!("Init:Signal:{signal}"),
        });
    }
    let waiting = state.and_then(|s| s.waiting.as_ref()?.reason.as_deref());
    Some(match waiting {
        Some(reason) if !reason.is_empty() && reason != "PodInitializing" => format!("Init:{reason}"),
        _ => {
            let count = pod
                .spec
                .as_ref()
                .and_then(|s| s.init_containers.as_ref())
                .map_or(0, Vec::len);
            format!("Init:{at}/{count}")
        }
    })
}

fn init_is_done(pod: &Pod, status: &ContainerStatus) -> bool {
    let ended = status.state.as_ref().and_then(|s| s.terminated.as_ref());
    if ended.is_some_and(|ended| ended.exit_code == 0) {
        return true;
    }
    // A sidecar never ends; the pod goes on once it has started.
    let specs = pod
        .spec
        .as_ref()
        .and_then(|s| s.init_containers.as_deref())
        .unwrap_or_default();
    status.started == Some(true)
        && specs
            .iter()
            .any(|spec| spec.name == status.name && spec.restart_policy.as_deref() == Some("Always"))
}

fn container_reason(status: &ContainerStatus) -> Option<String> {
    let state = status.state.as_ref()?;
    if let Some(reason) = state.waiting.as_ref().and_then(|w| w.reason.clone())
        && !reason.is_empty()
    {
        return Some(reason);
    }
    let ended = state.terminated.as_ref()?;
    let reason = ended.reason.clone().filter(|reason| !reason.is_empty());
    Some(reason.unwrap_or_else(|| match ended.signal.unwrap_or(0) {
        0 => format!("ExitCode:{}", ended.exit_code),
        signal => format!("Signal:{signal}"),
    }))
}

fn container_errors(status: &ContainerStatus) -> Vec<String> {
    let mut errors = Vec::new();
    let Some(state) = &status.state else {
        return errors;
    };
    if let Some(waiting) = &state.waiting {
        let last = status.last_state.as_ref().and_then(|s| s.terminated.as_ref());
        errors.extend(
            last.filter(|ended| ended.exit_code != 0)
                .and_then(|ended| ended.message.clone()),
        );
        let reason = waiting.reason.clone().unwrap_or_default();
        let message = waiting.message.clone().unwrap_or_default();
        let now = ContainerState::Waiting { reason, message };
        errors.extend(waiting.message.clone().filter(|_| now.is_error()));
    } else if let Some(ended) = &state.terminated {
        errors.extend(ended.message.clone().filter(|_| ended.exit_code != 0));
    }
    errors.retain(|message| !message.is_empty());
    errors
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn pod(phase: &str, init: Value, run: Value) -> Pod {
        let status = |(at, extra): (usize, &Value)| {
            let mut status = json!({"name": format!("c{at}"), "ready": false, "restartCount": 0, "image": "", "imageID": ""});
            status
                .as_object_mut()
                .expect("a map")
                .extend(extra.as_object().expect("a map").clone());
            status
        };
        let statuses = |list: &Value| -> Vec<Value> {
            list.as_array()
                .expect("a list")
                .iter()
                .enumerate()
                .map(status)
                .collect()
        };
        let specs: Vec<Value> = (0..3)
            .map(|at| json!({"name": format!("c{at}"), "restartPolicy": if at == 2 { "Always" } else { "" }}))
            .collect();
        serde_json::from_value(json!({"metadata": {}, "spec": {"containers": [], "initContainers": specs},
            "status": {"phase": phase, "initContainerStatuses": statuses(&init), "containerStatuses": statuses(&run)}}))
        .expect("a pod")
    }

    #[test]
    fn the_status_is_that_of_kubectl() {
        let ended = |code: i32| json!({"state": {"terminated": {"exitCode": code}}});
        let waiting = |reason: &str| json!({"state": {"waiting": {"reason": reason}}});
        let running = json!({"state": {"running": {}}});
        let sidecar = json!({"started": true, "state": {"running": {}}});
        for (phase, init, run, expected) in [
            ("Pending", json!([]), json!([]), "Pending"),
            ("Running", json!([]), json!([running]), "Running"),
            (
                "Running",
                json!([]),
                json!([running, waiting("CrashLoopBackOff")]),
                "CrashLoopBackOff",
            ),
            ("Running", json!([]), json!([waiting("A"), waiting("B")]), "A"),
            ("Failed", json!([]), json!([ended(7)]), "ExitCode:7"),
            (
                "Failed",
                json!([]),
                json!([{"state": {"terminated": {"exitCode": 1, "signal": 9}}}]),
                "Signal:9",
            ),
            (
                "Pending",
                json!([running]),
                json!([waiting("PodInitializing")]),
                "Init:0/3",
            ),
            (
                "Pending",
                json!([ended(0), waiting("PodInitializing")]),
                json!([]),
                "Init:1/3",
            ),
            (
                "Pending",
                json!([waiting("ErrImagePull")]),
                json!([]),
                "Init:ErrImagePull",
            ),
            ("Pending", json!([ended(2)]), json!([]), "Init:ExitCode:2"),
            (
                "Running",
                json!([ended(0), ended(0), sidecar]),
                json!([running]),
                "Running",
            ),
        ] {
            let row = format!("{phase} {init} {run}");
            assert_eq!(pod_status(&pod(phase, init, run)), expected, "{row}");
        }
    }

    #[test]
    fn errors_are_what_failed_containers_said() {
        let crash = json!({"state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
            "lastState": {"terminated": {"exitCode": 1, "message": "boom"}}});
        let starting = json!({"state": {"waiting": {"reason": "ContainerCreating", "message": "wait"}}});
        let ended = |code: i32| json!({"state": {"terminated": {"exitCode": code, "message": "said"}}});
        for (init, run, expected) in [
            (json!([]), json!([crash]), vec!["boom", "back-off"]),
            (json!([]), json!([starting]), vec![]),
            (json!([]), json!([ended(0), ended(1)]), vec!["said"]),
            (json!([ended(3)]), json!([]), vec!["said"]),
            (json!([ended(0)]), json!([ended(1)]), vec!["said"]),
        ] {
            let row = format!("{init} {run}");
            assert_eq!(pod_errors(&pod("Running", init, run)), expected, "{row}");
        }
    }
}
