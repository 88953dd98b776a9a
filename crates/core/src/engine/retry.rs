//! Updates that failed for something that passes. In a session that stays they are tried again, so that no edit waits for
//! another one: where something could not be reached (an API server, a Docker engine or a registry that is restarted), as
//! long as that takes; where a program was killed, a few times, for it may always end so.

use std::time::Duration;

use super::config::Mode;
use super::effect::Effect;
use super::event::{Transient, UpdateOutcome};
use super::state::{Retry, Running, State};
use crate::model::{Backoff, Level, LogEvent, ManifestName};

/// The pauses before new attempts: what is back is used within five seconds.
const PAUSES: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(4));

/// How often an update is tried again whose program was killed each time: for 23 s, with these pauses.
const MOST_KILLS: u32 = 7;

/// Takes in how an update ended: plans a new attempt if it is worth one, and says so.
pub(super) fn note_end(state: &mut State, running: &Running, outcome: &UpdateOutcome) -> Option<Effect> {
    let (now, is_up) = (state.now, state.config.mode == Mode::Up);
    let row = state.rows.get_mut(&running.manifest)?;
    let last = row.retry.take();
    let (mut pauses, kills) = last.map_or((PAUSES, 0), |retry| (retry.pauses, retry.kills));
    let kills = match outcome.transient? {
        Transient::Unreachable => 0,
        Transient::Killed => kills + 1,
    };
    if !(is_up && kills <= MOST_KILLS && row.enabled && !running.outdated) {
        return None;
    }
    let pause = pauses.pause();
    row.retry = Some(Retry {
        at: now + pause,
        pauses,
        kills,
        reason: running.reason.clone(),
        force: running.force,
    });
    let text = format!("Trying again in {}s", pause.as_secs());
    let line = LogEvent::line(running.span.clone(), running.manifest.clone(), text);
    Some(Effect::Log(line.level(Level::Info)))
}

/// Takes in whether an update could not reach something: it is looked out for as long as a resource waits. That another one,
/// which may need nothing of it, went well says little.
pub(super) fn look_out(state: &mut State, manifest: &ManifestName, unreachable: bool) -> Option<Effect> {
    let rows = &state.rows;
    let looked_out = !state.unreached.is_empty();
    state
        .unreached
        .retain(|name| name != manifest && rows.get(name).is_some());
    if unreachable {
        state.unreached.insert(manifest.clone());
    }
    // What is looked at already came back since, or will: so each failure begins anew.
    let ends = looked_out && state.unreached.is_empty();
    (unreachable || ends).then_some(Effect::LookOut(unreachable))
}

/// Takes in that something answers again: whoever waits for an attempt need not wait longer.
pub(super) fn on_came_back(state: &mut State) {
    let waiting = state.rows.iter().filter(|(_, row)| row.retry.is_some());
    let waiting: Vec<ManifestName> = waiting.map(|(name, _)| name.clone()).collect();
    for name in waiting {
        if let Some(retry) = state.rows.get_mut(&name).and_then(|row| row.retry.as_mut()) {
            (retry.at, retry.pauses) = (state.now, PAUSES);
        }
    }
}
