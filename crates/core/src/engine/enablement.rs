//! Resources switched on and off, and what goes with one that is off, or gone from the Tiltfile.

use super::effect::Effect;
use super::state::{Remains, Row, State};
use super::{gc, pods, records};
use crate::model::{Command, LogEvent, ManifestName, SpanId};

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

/// Deletes what a resource had that is gone, or off. While it is still being updated its objects are not all known, so
/// that waits until the update was cancelled.
pub(super) fn release(state: &mut State, name: &ManifestName, row: Row, reason: &'static str) -> Vec<Effect> {
    pods::forget_row(state, name, &row);
    records::release(state, name);
    let remains = Remains {
        deployed: row.deployed,
        reason,
    };
    if let Some(build) = row.building
        && let Some(running) = state.builds.get_mut(build)
    {
        running.orphaned = Some(remains);
        return vec![Effect::CancelUpdate { build }];
    }
    let span = match row.history.front() {
        Some(last) => last.span.clone(),
        None => state.tiltfile_span(),
    };
    gc::delete_remains(state, name, span, remains)
}
