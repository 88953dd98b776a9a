//! What file watches saw: those of users, and those that resources have.
//!
//! Rule: `docs/rules/files.md`, "Events".

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};

use crate::engine::effect::{WatchSet, WatchedTarget};
use crate::engine::state::State;
use crate::engine::state::objects::watches::SeenFiles;
use crate::engine::state::objects::{DeclaredWatch, Disable, WatchEvents, spec};
use crate::model::{ApiKind, LocalPath, TargetId};

/// How many events are remembered of each watch.
const EVENTS: usize = 20;

/// How many files are remembered of each event.
const FILES: usize = 1_000;

/// Takes in which targets resources have, and which of them are switched off.
pub(crate) fn note_declared(state: &mut State, mut declared: BTreeMap<TargetId, DeclaredWatch>) {
    let mut known = std::mem::take(&mut state.declared_watches);
    let mut changed = Vec::new();
    for (target, watch) in &mut declared {
        let before = known.remove(target);
        let disable = before
            .as_ref()
            .map(|before| before.disable.clone())
            .unwrap_or_default();
        let renewed = disable.renewed(state, &watch.disable_source());
        watch.disable = renewed.unwrap_or(disable);
        if before.as_ref() != Some(watch) {
            changed.push(target.watch_name());
        }
    }
    changed.extend(known.keys().map(TargetId::watch_name));
    state.declared_watches = declared;
    for name in changed {
        state.objects.touch(ApiKind::FileWatch, &name);
    }
}

/// Takes in that these files are watched from now on, and no others.
pub(crate) fn note_watched(state: &mut State, wanted: &WatchSet) {
    let since = state.time_of(state.now);
    let mut known = std::mem::take(&mut state.file_events);
    let mut events = BTreeMap::new();
    let before = state.asked.files.as_ref();
    let mut changed: Vec<String> = Vec::new();
    if before.is_none_or(|before| before.ignores != wanted.ignores) {
        let all = state.declared_watches.keys();
        changed.extend(all.map(TargetId::watch_name));
    }
    for (target, watched) in &wanted.targets {
        let is_same = before.is_some_and(|before| {
            before.ignores == wanted.ignores && before.targets.get(target) == Some(watched)
        });
        let of_target = known.remove(target).unwrap_or_else(|| WatchEvents {
            since,
            last: 0,
            seen: VecDeque::new(),
        });
        if !is_same {
            changed.push(target.watch_name());
        }
        events.insert(target.clone(), of_target);
    }
    changed.extend(known.keys().map(TargetId::watch_name));
    state.file_events = events;
    for name in changed {
        state.objects.touch(ApiKind::FileWatch, &name);
    }
}

/// Takes in that files of a target changed, all at one time.
pub(crate) fn note(state: &mut State, target: &TargetId, file: &LocalPath) {
    let (now, seq) = (state.time_of(state.now), state.seq);
    let Some(events) = state.file_events.get_mut(target) else {
        return;
    };
    if events.last != seq || events.seen.is_empty() {
        events.last = seq;
        events.seen.push_back(SeenFiles {
            time: now,
            files: Vec::new(),
        });
        if events.seen.len() > EVENTS {
            events.seen.pop_front();
        }
    }
    if let Some(seen) = events.seen.back_mut().filter(|seen| seen.files.len() < FILES) {
        seen.files.push(file.clone());
    }
    let name = target.watch_name();
    state.objects.is_stale |= state.objects.heeds(&name);
    state.objects.touch(ApiKind::FileWatch, &name);
}

/// Returns the files that users' watches want.
pub(crate) fn watched(state: &State) -> Vec<(TargetId, WatchedTarget)> {
    let watches = state.objects.of_kind(ApiKind::FileWatch);
    let watches = watches.filter(|(_, row)| !row.disable.is_said_to_be_off());
    watches
        .map(|(name, row)| {
            let spec = &row.object.spec;
            let paths = spec::texts(spec::field(spec, "watchedPaths"));
            let watched = WatchedTarget {
                paths: paths.into_iter().map(LocalPath::new).collect(),
                ignores: spec::ignores(spec::field(spec, "ignores")),
            };
            (TargetId::watch(name), watched)
        })
        .collect()
}

/// Returns the status of a watch as the API shows it.
pub(super) fn status(events: Option<&WatchEvents>, disable: Option<&Disable>) -> Value {
    let seen = events.map(|events| &events.seen);
    let file_events: Vec<Value> = seen
        .into_iter()
        .flatten()
        .map(|seen| {
            let files: Vec<String> = seen.files.iter().map(ToString::to_string).collect();
            json!({"time": seen.time.to_micro_text(), "seenFiles": files})
        })
        .collect();
    let last = seen
        .and_then(|seen| seen.back())
        .map(|seen| seen.time.to_micro_text());
    let mut status = json!({
        "monitorStartTime": events.map(|events| events.since.to_micro_text()),
        "lastEventTime": last,
    });
    if !file_events.is_empty() {
        status["fileEvents"] = file_events.into();
    }
    if let Some(disable) = disable.and_then(Disable::to_json) {
        status["disableStatus"] = disable;
    }
    status
}
