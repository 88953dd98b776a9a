//! Container logs: which are read, and for how long.
//!
//! The log of a run that ended is read to its end even when its container was restarted or its pod is gone: what a
//! program says last is what people look for.
//!
//! There may be thousands, so nothing here looks at all of them where only some changed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::deploy;
use super::effect::{Effect, LogId, LogStream};
use super::state::{State, Stream, StreamKey};
use crate::model::ManifestName;

/// How long the rest of a log is waited for after its container or pod is no longer there.
const LINGER: Duration = Duration::from_secs(5);

/// How many ended logs are remembered without asking whether what they are of is still there.
const FEW: usize = 64;

/// Finds out anew which logs of a resource are read.
pub(super) fn refresh(state: &mut State, name: &ManifestName) {
    if let Some(row) = state.rows.get(name) {
        let logs = deploy::of(row).logs(state, row);
        set(state, name, logs);
    }
}

/// Lets these logs be read for somebody, and no others.
pub(super) fn set(state: &mut State, name: &ManifestName, logs: Vec<LogStream>) {
    let (now, streams) = (state.now, &mut state.streams);
    let logs = logs.into_iter();
    let mut listed: BTreeMap<StreamKey, LogStream> =
        logs.map(|log| ((name.clone(), log.id()), log)).collect();
    listed.retain(|key, _| !streams.ended.contains(key));
    let known: Vec<StreamKey> = streams.of(name).cloned().collect();
    for key in known {
        let Some(stream) = streams.wanted.get_mut(&key) else {
            continue;
        };
        if let Some(log) = listed.remove(&key) {
            stream.log.update(log);
            stream.until = None;
            streams.lingering.set(&key, None);
        } else if stream.is_read {
            stream.until = Some(now);
            streams.lingering.set(&key, Some(now));
        } else if stream.until.is_none() {
            stream.log.terminate();
            stream.until = Some(now + LINGER);
            streams.lingering.set(&key, Some(now + LINGER));
        }
        streams.changed.insert(key);
    }
    for (key, log) in listed {
        streams.changed.insert(key.clone());
        let (_, id) = &key;
        streams.readers.add(id, name);
        let stream = Stream {
            log,
            until: None,
            is_read: false,
        };
        streams.wanted.insert(key, stream);
    }
}

/// Notes that a log was read to its end. That of a container that may run again goes on then, so it stays wanted.
pub(super) fn on_ended(state: &mut State, log: &LogId) {
    let streams = &mut state.streams;
    let readers = streams.readers.of(log);
    let keys: Vec<StreamKey> = readers.map(|name| (name.clone(), log.clone())).collect();
    let is_listed = |key: &&StreamKey| {
        streams
            .wanted
            .get(key)
            .is_some_and(|stream| stream.until.is_none())
    };
    // One that belongs to nobody any more may still be read.
    let found = keys.iter().find(is_listed).or(keys.first()).cloned();
    let Some(key) = found else {
        return;
    };
    if let (LogId::Container { .. }, Some(stream)) = (log, streams.wanted.get_mut(&key))
        && stream.until.is_none()
    {
        stream.is_read = true;
        return;
    }
    let was_listed = streams.remove(&key).is_some_and(|stream| stream.until.is_none());
    if was_listed {
        streams.ended.insert(key);
    }
}

/// Gives up on logs whose end was waited for long enough.
pub(super) fn expire(state: &mut State) {
    let (now, streams) = (state.now, &mut state.streams);
    let over: Vec<StreamKey> = streams.lingering.due(now).cloned().collect();
    for key in over {
        streams.remove(&key);
    }
}

/// Forgets the logs of a resource that is gone.
pub(super) fn forget_row(state: &mut State, name: &ManifestName) {
    let streams = &mut state.streams;
    let known: Vec<StreamKey> = streams.of(name).cloned().collect();
    for key in known {
        streams.remove(&key);
    }
    streams.ended.retain(|(of, _)| of != name);
}

/// Forgets which logs were read to their end of what is gone.
fn forget_ended(state: &mut State) {
    let (pods, services) = (&state.pods, &state.services);
    let streams = &mut state.streams;
    if streams.ended.len() < streams.next_sweep {
        return;
    }
    streams.ended.retain(|(_, log)| match log {
        LogId::Pod { pod, .. } => pods.contains_key(pod),
        LogId::Container { id, .. } => services.has(id),
    });
    streams.next_sweep = 2 * streams.ended.len() + FEW;
}

/// Returns when `expire` has something to do again.
pub(super) fn next_expiry(state: &State) -> Option<Instant> {
    state.streams.lingering.next()
}

/// Returns whether the log of a run that ended is still being read.
pub(super) fn is_rest_awaited(state: &State) -> bool {
    let mut wanted = state.streams.wanted.values();
    wanted.any(|stream| stream.log.is_terminated() && !stream.is_read)
}

/// Returns all logs to read, if those are not what is read already.
pub(super) fn stream_logs(state: &mut State) -> Option<Effect> {
    forget_ended(state);
    let streams = &mut state.streams;
    let mut is_news = false;
    for key in std::mem::take(&mut streams.changed) {
        let wanted = streams.wanted.get(&key).map(|stream| &stream.log);
        if wanted == streams.asked.get(&key) {
            continue;
        }
        is_news = true;
        match wanted.cloned() {
            Some(log) => streams.asked.insert(key, log),
            None => streams.asked.remove(&key),
        };
    }
    is_news.then(|| Effect::StreamLogs(streams.asked.clone()))
}
