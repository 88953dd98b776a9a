//! Updates that failed because something could not be reached: an API server, a Docker engine or a registry that is
//! restarted. In a session that stays they are tried again, so that no edit waits for another one.

use std::time::{Duration, Instant};

use super::config::Mode;
use super::effect::Effect;
use super::event::UpdateOutcome;
use super::row::Row;
use super::state::{Running, State};
use crate::model::{Level, LogEvent};

/// The first pause before a new attempt, doubled each time.
const FIRST: Duration = Duration::from_secs(1);
/// The longest pause: what is back is used within five seconds.
const LONGEST: Duration = Duration::from_secs(4);

/// An update that is to be tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Retry {
    /// When; an edit before that, or a user who asks for it, starts it at once.
    pub(crate) at: Instant,
    /// How long it was waited.
    pause: Duration,
    /// Why the update that failed was started.
    pub(crate) reason: String,
    /// Whether it was to make everything anew.
    pub(crate) force: bool,
}

impl Row {
    /// Returns until when its update that could not reach something waits.
    pub(crate) fn waits_until(&self, now: Instant) -> Option<Instant> {
        if self.starts_on_change() || !self.triggers.is_empty() {
            return None;
        }
        let retry = self.retry.as_ref()?;
        (retry.at > now).then_some(retry.at)
    }
}

/// Takes in how an update ended: plans a new attempt if it is worth one, and says so.
pub(super) fn note_end(state: &mut State, running: &Running, outcome: &UpdateOutcome) -> Option<Effect> {
    let (now, is_up) = (state.now, state.config.mode == Mode::Up);
    let row = state.rows.get_mut(&running.manifest)?;
    let pause = row
        .retry
        .take()
        .map_or(FIRST, |retry| (retry.pause * 2).min(LONGEST));
    if !(is_up && outcome.unreachable && row.enabled && !running.outdated) {
        return None;
    }
    row.retry = Some(Retry {
        at: now + pause,
        pause,
        reason: running.reason.clone(),
        force: running.force,
    });
    let text = format!("Trying again in {}s", pause.as_secs());
    let line = LogEvent::line(running.span.clone(), running.manifest.clone(), text);
    Some(Effect::Log(line.level(Level::Info)))
}

/// Takes in that something answers again: whoever waits for an attempt need not wait longer.
pub(super) fn on_came_back(state: &mut State) {
    for retry in state.rows.values_mut().filter_map(|row| row.retry.as_mut()) {
        (retry.at, retry.pause) = (state.now, FIRST);
    }
}

/// Returns when the next attempt is due.
pub(super) fn next(state: &State) -> Option<Instant> {
    let idle = state.rows.values().filter(|row| row.building.is_none());
    idle.filter_map(|row| row.waits_until(state.now)).min()
}
