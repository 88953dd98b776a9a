//! What a user asks for while a session runs: updates, resources switched on and off, another trigger mode, other arguments.

use std::sync::Arc;

use super::effect::Effect;
use super::reload::release;
use super::row::Row;
use super::state::State;
use super::{gc, pods, records, reload};
use crate::model::{Command, ManifestName, SpanId, TriggerMode, TriggerReason};
use crate::model::{Level, LogEvent};

/// Queues an update that a user asked for. One that is queued keeps its place. Nothing is done for what is disabled or
/// not there: whoever asks is told so before.
///
/// Rule: `docs/rules/updates.md`, "Manual triggers".
pub(super) fn on_triggered(state: &mut State, name: &ManifestName, reason: TriggerReason) -> Vec<Effect> {
    if *name == ManifestName::tiltfile() {
        state.tiltfile.triggers.insert(reason);
        return reload::load_if_changed(state);
    }
    let place = state.next_asked();
    let Some(row) = state.rows.get_mut(name).filter(|row| row.enabled) else {
        return Vec::new();
    };
    row.ask([reason], place);
    state.dirty.live.insert(name.clone());
    Vec::new()
}

/// Switches a resource on or off.
///
/// Rule: `docs/rules/sessions.md`, "Disabling".
pub(super) fn on_enablement_changed(state: &mut State, name: &ManifestName, enabled: bool) -> Vec<Effect> {
    let Some(row) = state.rows.get_mut(name).filter(|row| row.enabled != enabled) else {
        return Vec::new();
    };
    let mut effects = Vec::new();
    if enabled {
        row.enabled = true;
        row.switched = state.now;
    } else {
        let mut fresh = Row::new((*row.manifest).clone(), false, row.position, state.now);
        fresh.definers.clone_from(&row.definers);
        let old = std::mem::replace(row, fresh);
        effects.extend(stopped_commands(name, &old));
        pods::unclaim(state, name, &old);
        effects.extend(release(state, name, old, gc::DISABLED));
    }
    state.dirty.rows.insert(name.clone());
    state.everything_asked_for(name);
    state.objects.is_stale = true;
    let word = if enabled { "enabled" } else { "disabled" };
    let span = SpanId::new(format!("disabletoggle-{name}"));
    let text = format!(
        "Resource {name:?} {word}. To enable/disable it, use the Tilt Web UI.",
        name = name.as_str()
    );
    effects.push(Effect::Log(LogEvent::line(span, name.clone(), text)));
    effects
}

/// Returns a line for each command of a resource that is stopped because the resource is off.
fn stopped_commands(name: &ManifestName, row: &Row) -> Vec<Effect> {
    let update = row.local().and_then(|local| local.update_cmd.as_ref());
    let update = update
        .filter(|_| row.building.is_some())
        .map(|command| (SpanId::new(format!("cmd:{name}:update")), command));
    let server = row.server.as_ref().filter(|server| !server.has_ended());
    let server = server.map(|server| (server.server.span.clone(), &server.server.command));
    let stopped = update.into_iter().chain(server);
    stopped
        .map(|(span, command)| {
            let text = format!("Resource is disabled, stopping cmd {}", words(command));
            Effect::Log(LogEvent::line(span, name.clone(), text))
        })
        .collect()
}

/// Returns the words of a command as Tilt shows them here: `["sh" "-c" "x"]`.
fn words(command: &Command) -> String {
    let words: Vec<String> = command.argv.iter().map(|word| format!("{word:?}")).collect();
    format!("[{}]", words.join(" "))
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
    reload::load_if_changed(state)
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
    effects.extend(reload::load_if_changed(state));
    effects
}
