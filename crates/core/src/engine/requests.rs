//! What a user asks for while a session runs: updates, another trigger mode, other arguments.

use std::sync::Arc;

use super::effect::Effect;
use super::state::State;
use super::{load, records};
use crate::model::{Level, LogEvent};
use crate::model::{ManifestName, SpanId, TriggerMode, TriggerReason};

/// Queues an update that a user asked for. One that is queued keeps its place. Nothing is done for what is disabled or
/// not there: whoever asks is told so before.
///
/// Rule: `docs/rules/updates.md`, "Manual triggers".
pub(super) fn on_triggered(state: &mut State, name: &ManifestName, reason: TriggerReason) -> Vec<Effect> {
    if *name == ManifestName::tiltfile() {
        state.tiltfile.triggers.insert(reason);
        return load::load_if_changed(state);
    }
    let place = state.next_asked();
    let Some(row) = state.rows.get_mut(name).filter(|row| row.enabled) else {
        return Vec::new();
    };
    row.ask([reason], place);
    state.dirty.live.insert(name.clone());
    Vec::new()
}

/// Sets another trigger mode, until the Tiltfile is loaded the next time.
///
/// Rule: `docs/rules/updates.md`, "Trigger modes".
pub(super) fn on_trigger_mode_overridden(state: &mut State, name: &ManifestName, mode: TriggerMode) {
    if let Some(row) = state.rows.get_mut(name) {
        Arc::make_mut(&mut row.manifest).trigger_mode = mode;
        state.dirty.live.insert(name.clone());
    }
}

/// Evaluates the Tiltfile with other arguments, if they are others.
///
/// Rule: `docs/rules/sessions.md`, "Reloads".
pub(super) fn on_args_changed(state: &mut State, args: Vec<String>) -> Vec<Effect> {
    if state.tiltfile.args == args {
        return Vec::new();
    }
    state.tiltfile.args = args;
    state.tiltfile.args_changed = true;
    load::load_if_changed(state)
}

/// Cancels what writes in a span: an update, or the load of the Tiltfile.
///
/// Rule: `docs/rules/updates.md`, "Candidates"; `docs/rules/sessions.md`, "Reloads".
pub(super) fn on_cancel_requested(state: &mut State, span: &SpanId) -> Vec<Effect> {
    let running = state.builds.iter().find(|(_, running)| running.span == *span);
    if let Some((build, _)) = running {
        return vec![Effect::CancelUpdate { build: *build }];
    }
    let rounds = state.rows.values().flat_map(|row| &row.live.rounds);
    if let Some((update, _)) = rounds.into_iter().find(|(_, round)| round.span == *span) {
        return vec![Effect::CancelLiveUpdate { update: *update }];
    }
    if state.tiltfile_span() != *span {
        return Vec::new();
    }
    let Some(loading) = state.tiltfile.loading.take() else {
        return Vec::new();
    };
    records::end_load(state, loading.load, Some("build canceled".to_owned()), true);
    state.tiltfile.loaded = true;
    state.tiltfile.finished = Some(state.now);
    state.tiltfile.sets_enabled |= loading.sets_enabled;
    let error = "build canceled".to_owned();
    let line = LogEvent::line(span.clone(), ManifestName::tiltfile(), error.clone());
    state.tiltfile.error = Some(error);
    let mut effects = vec![
        Effect::CancelLoad { load: loading.load },
        Effect::Log(line.level(Level::Error)),
    ];
    effects.extend(load::load_if_changed(state));
    effects
}
