//! Turns the API server's pods and events into our own values. Whose pod it is, and whether to show an event, is the
//! engine's to say.

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{OwnerReference, Time};

use super::pod_status::{pod_errors, pod_status};
use crate::model::{
    ClusterEvent, Container, ContainerExit, ContainerState, ObjectUid, Owner, Pod, PodCondition, PodPhase,
    PodTrouble, RestartPolicy, Timestamp,
};

/// Returns a pod as the engine knows it, with the owners that were found for it.
///
/// Rule: `docs/rules/runtime.md`, "Fields of a pod".
pub fn pod(pod: &core::Pod, owners: Vec<Owner>) -> Pod {
    let metadata = &pod.metadata;
    let status = pod.status.as_ref();
    let conditions = status.and_then(|s| s.conditions.as_deref()).unwrap_or_default();
    let init = status.and_then(|s| s.init_container_statuses.as_deref());
    let run = status.and_then(|s| s.container_statuses.as_deref());
    let specs = pod
        .spec
        .iter()
        .flat_map(|spec| &spec.containers)
        .collect::<Vec<_>>();
    let init_specs = pod
        .spec
        .iter()
        .flat_map(|spec| spec.init_containers.iter().flatten())
        .collect::<Vec<_>>();
    Pod {
        uid: ObjectUid::new(metadata.uid.clone().unwrap_or_default()),
        name: metadata.name.clone().unwrap_or_default(),
        namespace: metadata.namespace.clone().unwrap_or_default(),
        node: pod
            .spec
            .as_ref()
            .and_then(|spec| spec.node_name.clone())
            .unwrap_or_default(),
        created: timestamp(metadata.creation_timestamp.as_ref()).unwrap_or_default(),
        deleting: metadata.deletion_timestamp.is_some(),
        phase: phase(status.and_then(|s| s.phase.as_deref()).unwrap_or_default()),
        restarts: restart_policy(
            pod.spec
                .as_ref()
                .and_then(|spec| spec.restart_policy.as_deref())
                .unwrap_or_default(),
        ),
        status: pod_status(pod),
        given_up: status.and_then(given_up),
        errors: pod_errors(pod),
        conditions: conditions.iter().map(condition).collect(),
        init_containers: init
            .unwrap_or_default()
            .iter()
            .map(|status| container(status, &init_specs))
            .collect(),
        containers: run
            .unwrap_or_default()
            .iter()
            .map(|status| Container {
                has_probe: in_spec(&specs, status).is_some_and(|spec| spec.readiness_probe.is_some()),
                ..container(status, &specs)
            })
            .collect(),
        labels: metadata.labels.clone().unwrap_or_default().into_iter().collect(),
        owners,
    }
}

/// Returns an event as the engine knows it.
pub fn cluster_event(event: &core::Event, owner_chain: Vec<ObjectUid>) -> ClusterEvent {
    let about = &event.involved_object;
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    ClusterEvent {
        uid: ObjectUid::new(text(&event.metadata.uid)),
        count: event_count(event),
        kind: text(&event.type_),
        reason: text(&event.reason),
        message: text(&event.message),
        last_seen: last_seen(event),
        about: (text(&about.kind), text(&about.namespace), text(&about.name)),
        owner_chain,
    }
}

/// Returns whether an event is worth to leave the edge: anything but a `Normal` one, and image pulls.
///
/// Rule: `docs/rules/runtime.md`, "Cluster events".
pub fn is_notable(event: &core::Event) -> bool {
    event.type_.as_deref() != Some("Normal") || matches!(event.reason.as_deref(), Some("Pulling" | "Pulled"))
}

/// Returns the object that an event is about, as one refers to an owner; `None` where its UID is not said.
pub fn involved(event: &core::Event) -> Option<OwnerReference> {
    let about = &event.involved_object;
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let uid = about.uid.clone().filter(|uid| !uid.is_empty())?;
    Some(OwnerReference {
        api_version: text(&about.api_version),
        kind: text(&about.kind),
        name: text(&about.name),
        uid,
        ..OwnerReference::default()
    })
}

/// Returns when an event last occurred.
pub fn last_seen(event: &core::Event) -> Timestamp {
    let series = event.series.as_ref().and_then(|s| s.last_observed_time.as_ref());
    let observed = series
        .or(event.event_time.as_ref())
        .map(|t| Timestamp(t.0.as_microsecond()));
    timestamp(event.last_timestamp.as_ref())
        .max(observed)
        .or(timestamp(event.metadata.creation_timestamp.as_ref()))
        .unwrap_or_default()
}

/// Returns an owner as its dependent names it; when it was created is not known yet.
pub fn owner(reference: &OwnerReference) -> Owner {
    Owner {
        uid: ObjectUid::new(reference.uid.clone()),
        api_version: reference.api_version.clone(),
        kind: reference.kind.clone(),
        name: reference.name.clone(),
        created: None,
    }
}

/// Returns a time of the API server as ours.
pub fn timestamp(time: Option<&Time>) -> Option<Timestamp> {
    time.map(|time| Timestamp(time.0.as_microsecond()))
}

fn event_count(event: &core::Event) -> u32 {
    let series = event.series.as_ref().and_then(|s| s.count);
    let count = event.count.max(series).unwrap_or(1);
    u32::try_from(count).unwrap_or(1).max(1)
}

fn phase(text: &str) -> PodPhase {
    match text {
        "Running" => PodPhase::Running,
        "Succeeded" => PodPhase::Succeeded,
        "Failed" => PodPhase::Failed,
        "Unknown" => PodPhase::Unknown,
        // A pod without a status was just made.
        _ => PodPhase::Pending,
    }
}

fn restart_policy(text: &str) -> RestartPolicy {
    match text {
        "OnFailure" => RestartPolicy::OnFailure,
        "Never" => RestartPolicy::Never,
        _ => RestartPolicy::Always,
    }
}

/// Returns a container as its pod's specification has it.
fn in_spec<'s>(specs: &[&'s core::Container], status: &core::ContainerStatus) -> Option<&'s core::Container> {
    specs.iter().copied().find(|spec| spec.name == status.name)
}

fn condition(condition: &core::PodCondition) -> PodCondition {
    PodCondition {
        kind: condition.type_.clone(),
        status: condition.status.clone(),
        reason: condition.reason.clone().unwrap_or_default(),
        message: condition.message.clone().unwrap_or_default(),
        last_transition: timestamp(condition.last_transition_time.as_ref()),
    }
}

fn container(status: &core::ContainerStatus, specs: &[&core::Container]) -> Container {
    let running = status.state.as_ref().and_then(|state| state.running.as_ref());
    let spec = in_spec(specs, status);
    let ports = spec.and_then(|spec| spec.ports.as_ref()).into_iter().flatten();
    Container {
        name: status.name.clone(),
        id: runtime_id(status.container_id.as_deref()),
        // Its status may spell another name of the same image.
        image: spec
            .and_then(|spec| spec.image.clone())
            .unwrap_or_else(|| status.image.clone()),
        ready: status.ready,
        has_probe: false,
        started: running.and_then(|running| timestamp(running.started_at.as_ref())),
        restarts: u32::try_from(status.restart_count).unwrap_or(0),
        state: container_state(status.state.as_ref()),
        last_exit: status.last_state.as_ref().and_then(last_exit),
        ports: ports
            .filter_map(|port| u16::try_from(port.container_port).ok())
            .collect(),
    }
}

/// Returns the runtime's id of a run without its scheme; empty if there is none yet.
fn runtime_id(id: Option<&str>) -> String {
    let id = id.unwrap_or_default();
    id.split_once("://").map_or(id, |(_, id)| id).to_owned()
}

fn last_exit(state: &core::ContainerState) -> Option<ContainerExit> {
    let ended = state.terminated.as_ref()?;
    Some(ContainerExit {
        id: runtime_id(ended.container_id.as_deref()),
        ended: timestamp(ended.finished_at.as_ref()),
        reason: ended.reason.clone().unwrap_or_default(),
        message: ended.message.clone().unwrap_or_default(),
        exit_code: ended.exit_code,
    })
}

/// Returns why a failed pod was given up as a whole; one whose containers failed by themselves has no reason of its own.
fn given_up(status: &core::PodStatus) -> Option<PodTrouble> {
    let reason = status.reason.as_deref().filter(|reason| !reason.is_empty())?;
    let message = status.message.clone().unwrap_or_default();
    (phase(status.phase.as_deref().unwrap_or_default()) == PodPhase::Failed)
        .then(|| PodTrouble::new(reason, message))
}

fn container_state(state: Option<&core::ContainerState>) -> ContainerState {
    let Some(state) = state else {
        return ContainerState::Unknown;
    };
    if let Some(waiting) = &state.waiting {
        ContainerState::Waiting {
            reason: waiting.reason.clone().unwrap_or_default(),
            message: waiting.message.clone().unwrap_or_default(),
        }
    } else if let Some(ended) = &state.terminated {
        ContainerState::Terminated {
            reason: ended.reason.clone().unwrap_or_default(),
            exit_code: ended.exit_code,
        }
    } else if state.running.is_some() {
        ContainerState::Running
    } else {
        ContainerState::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pod_keeps_what_the_engine_needs() {
        let given: core::Pod = serde_json::from_value(json!({
            "metadata": {"uid": "u", "name": "web-1", "namespace": "ns", "creationTimestamp": "1970-01-01T00:00:05Z",
                "deletionTimestamp": "1970-01-01T00:00:09Z", "labels": {"b": "2", "a": "1"}},
            "spec": {"containers": [{"name": "c", "image": "web:1"}], "restartPolicy": "OnFailure"},
            "status": {"phase": "Running",
                "conditions": [{"type": "Ready", "status": "False", "reason": "R", "message": "M",
                    "lastTransitionTime": "1970-01-01T00:00:07Z"}],
                "initContainerStatuses": [{"name": "init", "ready": true, "restartCount": 0, "image": "", "imageID": "",
                    "containerID": "containerd://1", "state": {"terminated": {"exitCode": 3, "reason": "Error"}}}],
                "containerStatuses": [
                    {"name": "c", "ready": true, "restartCount": 2, "image": "docker.io/library/web:1", "imageID": "",
                        "containerID": "containerd://2", "state": {"running": {}}},
                    {"name": "d", "ready": false, "restartCount": 0, "image": "", "imageID": "",
                        "state": {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}}]}
        }))
        .expect("a pod");
        let got = pod(&given, Vec::new());
        assert_eq!(
            (got.name.as_str(), got.namespace.as_str(), got.deleting),
            ("web-1", "ns", true)
        );
        assert_eq!(got.created, Timestamp::from_secs(5));
        assert_eq!(
            (got.phase, got.restarts),
            (PodPhase::Running, RestartPolicy::OnFailure)
        );
        assert_eq!(
            got.containers[0].image, "web:1",
            "as written, not as the runtime calls it"
        );
        assert_eq!(got.conditions[0].last_transition, Some(Timestamp::from_secs(7)));
        assert_eq!(got.label("a"), Some("1"));
        let ended = ContainerState::Terminated {
            reason: "Error".to_owned(),
            exit_code: 3,
        };
        assert_eq!(
            (got.init_containers[0].id.as_str(), &got.init_containers[0].state),
            ("1", &ended)
        );
        assert_eq!(
            (got.containers[0].restarts, &got.containers[0].state),
            (2, &ContainerState::Running)
        );
        assert!(got.containers[1].id.is_empty() && got.containers[1].state.is_error());
        assert_eq!(got.errors, ["no such image"]);
    }

    #[test]
    fn why_a_pod_was_given_up_is_kept() {
        let given_up = |phase: &str| {
            let given: core::Pod = serde_json::from_value(json!({"metadata": {}, "status": {
                "phase": phase, "reason": "Evicted", "message": "The node was low on resource: memory."}}))
            .expect("a pod");
            pod(&given, Vec::new()).given_up.map(|why| why.to_string())
        };
        let evicted = "Evicted: The node was low on resource: memory.";
        assert_eq!(given_up("Failed").as_deref(), Some(evicted));
        assert_eq!(given_up("Running"), None);
    }

    fn event(value: serde_json::Value) -> core::Event {
        let mut whole = json!({"metadata": {"uid": "e", "creationTimestamp": "1970-01-01T00:00:01Z"},
            "involvedObject": {"kind": "Pod", "namespace": "ns", "name": "web-1", "uid": "u"}});
        whole
            .as_object_mut()
            .expect("a map")
            .extend(value.as_object().expect("a map").clone());
        serde_json::from_value(whole).expect("an event")
    }

    #[test]
    fn an_event_is_notable_unless_it_is_normal_and_no_image_pull() {
        for (given, expected) in [
            (json!({"type": "Warning", "reason": "BackOff"}), true),
            (json!({"reason": "Odd"}), true),
            (json!({"type": "Normal", "reason": "Pulled"}), true),
            (json!({"type": "Normal", "reason": "Pulling"}), true),
            (json!({"type": "Normal", "reason": "Scheduled"}), false),
        ] {
            assert_eq!(is_notable(&event(given.clone())), expected, "{given}");
        }
    }

    #[test]
    fn an_event_last_occurred_at_its_latest_time() {
        let at = |given| last_seen(&event(given)).0 / 1_000_000;
        assert_eq!(at(json!({})), 1);
        assert_eq!(at(json!({"lastTimestamp": "1970-01-01T00:00:03Z"})), 3);
        assert_eq!(at(json!({"eventTime": "1970-01-01T00:00:02.5Z"})), 2);
        let series = json!({"eventTime": "1970-01-01T00:00:02Z",
            "series": {"count": 4, "lastObservedTime": "1970-01-01T00:00:08Z"}});
        assert_eq!(at(series.clone()), 8);
        assert_eq!(cluster_event(&event(series), Vec::new()).count, 4);
    }
}
