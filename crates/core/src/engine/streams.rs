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
    let (mut is_changed, mut linger_changes) = (false, false);
    for (key, stream) in known.take_while(|((of, _), _)| of == name) {
        if let Some(log) = listed.remove(key) {
            let before = stream.log.clone();
            stream.log.update(log);
            is_changed |= before != stream.log;
            linger_changes |= stream.until.take().is_some();
        } else if stream.is_read {
            (is_changed, linger_changes) = (true, true);
            stream.until = Some(state.now);
        } else if stream.until.is_none() {
            (is_changed, linger_changes) = (true, true);
            stream.log.terminate();
            stream.until = until;
        }
    }
    state.dirty.streams |= is_changed || !listed.is_empty();
    state
        .streams
        .wanted
        .extend(listed.into_iter().map(|(key, log)| (key, Stream::new(log))));
    if linger_changes {
        state.streams.next_expiry = earliest_expiry(state);
    }
}

/// Notes that a log was read to its end. That of a container that may run again goes on then, so it stays wanted.
pub(super) fn on_ended(state: &mut State, log: &LogId) {
    let seen = match log {
        LogId::Pod { pod, .. } => state.pods.get(pod),
        LogId::Container { .. } => None,
    };
    let of_pod = seen.into_iter().flat_map(|seen| &seen.claimed_by);
    let known = of_pod
        .map(|name| (name.clone(), log.clone()))
        .find(|key| state.streams.wanted.contains_key(key));
    // One that belongs to nobody any more may still be read.
    let is_it = |(_, id): &&StreamKey| id == log;
    let lingering = || state.streams.wanted.keys().find(is_it).cloned();
    let Some(key) = known.or_else(lingering) else {
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
    } else {
        state.streams.next_expiry = earliest_expiry(state);
    }
    state.dirty.streams = true;
}

/// Gives up on logs whose end was waited for long enough.
pub(super) fn expire(state: &mut State) {
    let now = state.now;
    if state.streams.next_expiry.is_none_or(|at| now < at) {
        return;
    }
    let before = state.streams.wanted.len();
    state
        .streams
        .wanted
        .retain(|_, stream| stream.until.is_none_or(|until| now < until));
    state.dirty.streams |= state.streams.wanted.len() != before;
    state.streams.next_expiry = earliest_expiry(state);
}

/// Forgets the logs of a resource that is gone.
pub(super) fn forget_row(state: &mut State, name: &ManifestName) {
    state.streams.wanted.retain(|(of, _), _| of != name);
    state.streams.ended.retain(|(of, _)| of != name);
    state.streams.next_expiry = earliest_expiry(state);
}

/// Forgets which logs were read to their end of what is gone.
fn forget_ended(state: &mut State) {
    let (pods, services) = (&state.pods, &state.services);
    state.streams.ended.retain(|(_, log)| match log {
        LogId::Pod { pod, .. } => pods.contains_key(pod),
        LogId::Container { id, .. } => services.has(id),
    });
}

/// Returns when `expire` has something to do again.
pub(super) fn next_expiry(state: &State) -> Option<Instant> {
    state.streams.next_expiry
}

fn earliest_expiry(state: &State) -> Option<Instant> {
    let wanted = state.streams.wanted.values();
    wanted.filter_map(|stream| stream.until).min()
}

/// Returns whether the log of a run that ended is still being read.
pub(super) fn is_rest_awaited(state: &State) -> bool {
    let mut wanted = state.streams.wanted.values();
    wanted.any(|stream| stream.log.is_terminated() && !stream.is_read)
}

/// Returns all logs to read, if those are not what is read already.
pub(super) fn stream_logs(state: &mut State) -> Option<Effect> {
    forget_ended(state);
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
