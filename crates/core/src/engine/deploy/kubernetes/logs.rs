//! The logs of the containers of a resource's pods.

use crate::engine::effect::{LogId, LogStream, PodLog};
use crate::engine::state::{Row, State};
use crate::model::{Container, ContainerState, IGNORED_CONTAINERS, ManifestName, Pod, SpanId};

/// Returns the logs of all pods of a resource, also of those of earlier templates.
///
/// Rule: `docs/rules/runtime.md`, "Pod logs".
pub(super) fn logs(state: &State, row: &Row) -> Vec<LogStream> {
    let seen = row.runtime.pods.iter().filter_map(|uid| state.pods.get(uid));
    let name = &row.manifest.name;
    seen.flat_map(|seen| logs_of(state, name, name, &seen.pod))
        .collect()
}

/// Returns the logs of a pod that somebody wants (`key`), under the name of a resource.
pub(in crate::engine) fn logs_of(
    state: &State,
    key: &ManifestName,
    name: &ManifestName,
    pod: &Pod,
) -> Vec<LogStream> {
    let read = |container: &Container| !IGNORED_CONTAINERS.contains(&container.name.as_str());
    let several = pod.containers.iter().filter(|container| read(container)).count() > 1;
    let is_new = state.is_from_this_session(pod.created);
    let has_run = |container: &Container| {
        !container.id.is_empty() && !matches!(container.state, ContainerState::Unknown)
    };
    pod.all_containers()
        .filter(|(_, container)| read(container) && has_run(container))
        .map(|(is_init, container)| PodLog {
            manifest: name.clone(),
            span: pod_span(name, pod),
            pod: pod.uid.clone(),
            pod_name: pod.name.clone(),
            namespace: pod.namespace.clone(),
            container: container.name.clone(),
            container_id: container.id.clone(),
            prefixed: is_init || several,
            since: (!is_new).then_some(state.config.started),
            missed_run: missed_run(state, key, pod, container),
            // One that waits with an id has run: it crashed, and is about to be started again.
            terminated: container.state != ContainerState::Running,
        })
        .map(LogStream::Pod)
        .collect()
}

/// Returns whether the run of a container before the present one was never seen: it ended too soon.
fn missed_run(state: &State, name: &ManifestName, pod: &Pod, container: &Container) -> bool {
    let Some(exit) = &container.last_exit else {
        return false;
    };
    let run = LogId::Pod {
        pod: pod.uid.clone(),
        container_id: exit.id.clone(),
    };
    let key = (name.clone(), run);
    let in_this_session = exit.ended.is_some_and(|time| state.is_from_this_session(time));
    // One that waits to be started again has the id of the run that ended.
    !state.streams.knows(&key) && in_this_session && exit.id != container.id
}

/// Returns the span of a pod's own lines.
pub(in crate::engine) fn pod_span(name: &ManifestName, pod: &Pod) -> SpanId {
    SpanId::new(format!("pod:{name}:{}", pod.name))
}
