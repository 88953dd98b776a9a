//! Container logs: which are read, and for how long.
//!
//! The log of a run that ended is read to its end even when its container was restarted or its pod is gone: what a
//! program says last is what people look for.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::effect::{Effect, LogStream};
use super::pods::pod_span;
use super::row::Row;
use super::state::{State, Stream, StreamKey};
use crate::model::{Container, ContainerState, ManifestName, ObjectUid, Pod};

/// Containers that are not read, by name: the side-cars of service meshes.
const IGNORED: [&str; 4] = ["istio-init", "istio-proxy", "linkerd-proxy", "linkerd-init"];

/// How long the rest of a log is waited for after its container or pod is no longer there.
const LINGER: Duration = Duration::from_secs(5);

/// Finds out anew which logs of a resource are read.
///
/// Rule: `docs/rules/runtime.md`, "Pod logs"; all pods of a resource count here, also those of earlier templates.
pub(super) fn refresh(state: &mut State, name: &ManifestName) {
    let Some(row) = state.rows.get(name) else {
        return;
    };
    let mut listed = listed(state, row);
    listed.retain(|key, _| !state.streams.ended.contains(key));
    let until = Some(state.now + LINGER);
    let first = (name.clone(), ObjectUid::new(""), String::new());
    let known = state
        .streams
        .wanted
        .range_mut(first..)
        .take_while(|((of, _, _), _)| of == name);
    for (key, stream) in known {
        if let Some(log) = listed.remove(key) {
            let (since, missed_run) = (stream.log.since, stream.log.missed_run);
            *stream = Stream {
                log: LogStream {
                    since,
                    missed_run,
                    ..log
                },
                until: None,
            };
        } else if stream.until.is_none() {
            stream.log.terminated = true;
            stream.until = until;
        }
    }
    state.streams.wanted.extend(
        listed
            .into_iter()
            .map(|(key, log)| (key, Stream { log, until: None })),
    );
    state.dirty.streams = true;
}

fn listed(state: &State, row: &Row) -> BTreeMap<StreamKey, LogStream> {
    let mut logs = BTreeMap::new();
    for uid in &row.runtime.pods {
        let Some(seen) = state.pods.get(uid) else {
            continue;
        };
        for log in logs_of(state, &row.manifest.name, &seen.pod) {
            logs.insert(
                (log.manifest.clone(), log.pod.clone(), log.container_id.clone()),
                log,
            );
        }
    }
    logs
}

fn logs_of(state: &State, name: &ManifestName, pod: &Pod) -> Vec<LogStream> {
    let read = |container: &Container| !IGNORED.contains(&container.name.as_str());
    let several = pod.containers.iter().filter(|container| read(container)).count() > 1;
    let is_new = state.is_from_this_session(pod.created);
    let has_run = |container: &Container| {
        !container.id.is_empty() && !matches!(container.state, ContainerState::Unknown)
    };
    pod.all_containers()
        .filter(|(_, container)| read(container) && has_run(container))
        .map(|(is_init, container)| LogStream {
            manifest: name.clone(),
            span: pod_span(name, pod),
            pod: pod.uid.clone(),
            pod_name: pod.name.clone(),
            namespace: pod.namespace.clone(),
            container: container.name.clone(),
            container_id: container.id.clone(),
            prefixed: is_init || several,
            since: (!is_new).then_some(state.config.started),
            missed_run: missed_run(state, name, pod, container),
            // One that waits with an id has run: it crashed, and is about to be started again.
            terminated: container.state != ContainerState::Running,
        })
        .collect()
}

/// Returns whether the run of a container before the present one was never seen: it ended too soon.
fn missed_run(state: &State, name: &ManifestName, pod: &Pod, container: &Container) -> bool {
    let Some(exit) = &container.last_exit else {
        return false;
    };
    let key = (name.clone(), pod.uid.clone(), exit.id.clone());
    let is_known = state.streams.wanted.contains_key(&key) || state.streams.ended.contains(&key);
    let in_this_session = exit.ended.is_some_and(|time| state.is_from_this_session(time));
    // One that waits to be started again has the id of the run that ended.
    !is_known && in_this_session && exit.id != container.id
}

/// Notes that a log was read to its end.
pub(super) fn on_ended(state: &mut State, pod: &ObjectUid, container_id: &str) {
    let of_run = |(_, of, id): &&StreamKey| of == pod && id == container_id;
    let Some(key) = state.streams.wanted.keys().find(of_run).cloned() else {
        return;
    };
    let was_listed = state
        .streams
        .wanted
        .remove(&key)
        .is_some_and(|stream| stream.until.is_none());
    if was_listed {
        state.streams.ended.insert(key);
    }
    state.dirty.streams = true;
}

/// Gives up on logs whose end was waited for long enough, and forgets ended ones whose pods are gone.
pub(super) fn expire(state: &mut State) {
    let (now, before) = (state.now, state.streams.wanted.len());
    state
        .streams
        .wanted
        .retain(|_, stream| stream.until.is_none_or(|until| now < until));
    state.dirty.streams |= state.streams.wanted.len() != before;
    let pods = &state.pods;
    state.streams.ended.retain(|(_, pod, _)| pods.contains_key(pod));
}

/// Returns when `expire` has something to do again.
pub(super) fn next_expiry(state: &State) -> Option<Instant> {
    state
        .streams
        .wanted
        .values()
        .filter_map(|stream| stream.until)
        .min()
}

/// Returns whether the log of a run that ended is still being read.
pub(super) fn is_rest_awaited(state: &State) -> bool {
    state.streams.wanted.values().any(|stream| stream.log.terminated)
}

/// Returns all logs to read, if those are not what is read already.
pub(super) fn stream_logs(state: &mut State) -> Option<Effect> {
    let wanted: Vec<LogStream> = state
        .streams
        .wanted
        .values()
        .map(|stream| stream.log.clone())
        .collect();
    if wanted == state.asked.streams {
        return None;
    }
    state.asked.streams.clone_from(&wanted);
    Some(Effect::StreamLogs(wanted))
}
