//! Container logs: which are read, and for how long.
//!
//! The log of a run that ended is read to its end even when its container was restarted or its pod is gone: what a
//! program says last is what people look for.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::deploy;
use super::effect::{Effect, LogId, LogStream};
use super::state::{State, Stream, StreamKey};
use crate::model::ManifestName;

/// How long the rest of a log is waited for after its container or pod is no longer there.
const LINGER: Duration = Duration::from_secs(5);

/// Finds out anew which logs of a resource are read.
pub(super) fn refresh(state: &mut State, name: &ManifestName) {
    if let Some(row) = state.rows.get(name) {
        let logs = deploy::of(row).logs(state, row);
        set(state, name, logs);
    }
}

/// Lets these logs be read for somebody, and no others.
pub(super) fn set(state: &mut State, name: &ManifestName, logs: Vec<LogStream>) {
    let logs = logs.into_iter();
    let mut listed: BTreeMap<StreamKey, LogStream> =
        logs.map(|log| ((name.clone(), log.id()), log)).collect();
    listed.retain(|key, _| !state.streams.ended.contains(key));
    let until = Some(state.now + LINGER);
    let first = (name.clone(), LogId::first());
    let known = state.streams.wanted.range_mut(first..);
    for (key, stream) in known.take_while(|((of, _), _)| of == name) {
        if let Some(log) = listed.remove(key) {
            stream.log.update(log);
            stream.until = None;
        } else if stream.is_read {
            stream.until = Some(state.now);
        } else if stream.until.is_none() {
            stream.log.terminate();
            stream.until = until;
        }
    }
    state
        .streams
        .wanted
        .extend(listed.into_iter().map(|(key, log)| (key, Stream::new(log))));
    state.dirty.streams = true;
}

/// Notes that a log was read to its end. That of a container that may run again goes on then, so it stays wanted.
pub(super) fn on_ended(state: &mut State, log: &LogId) {
    let is_it = |(_, id): &&StreamKey| id == log;
    let Some(key) = state.streams.wanted.keys().find(is_it).cloned() else {
        return;
    };
    if let (LogId::Container { .. }, Some(stream)) = (log, state.streams.wanted.get_mut(&key))
        && stream.until.is_none()
    {
        stream.is_read = true;
        return;
    }
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
    let (pods, services) = (&state.pods, &state.services);
    state.streams.ended.retain(|(_, log)| match log {
        LogId::Pod { pod, .. } => pods.contains_key(pod),
        LogId::Container { id, .. } => services.has(id),
    });
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
    let mut wanted = state.streams.wanted.values();
    wanted.any(|stream| stream.log.is_terminated() && !stream.is_read)
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
