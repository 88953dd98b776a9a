//! What will not become well by itself, as far as can be told: whoever waits for it need wait no longer.
//!
//! It is what would end a run of `ci`: something that is not ready in time. A reason of Kubernetes' that seldom goes away by itself
//! says so earlier, once it has lasted.

use std::time::{Duration, Instant};

use super::config::Mode;
use super::deploy::{self, TargetState};
use super::state::{GraveTrouble, Row, State};
use crate::model::{PodTrouble, RuntimeStatus, format_go_duration};

/// How long a grave reason lasts before it is believed: a pod that is replaced has 30 s to end, and only then there may be room for
/// the one that comes.
const GRAVE_LASTS: Duration = Duration::from_secs(40);

/// When something counts as stuck, and why.
pub(super) struct Limit {
    pub(super) at: Instant,
    /// For how long it was not ready then, where that is the reason.
    late: Option<Duration>,
}

/// Returns what keeps the pods of a resource from being ready, if that is grave; since when is kept from what was known.
pub(super) fn grave_trouble(state: &State, row: &Row) -> Option<GraveTrouble> {
    let waits = row.runtime.status == RuntimeStatus::Pending;
    let pod = state.telling_pod(row).filter(|_| waits)?;
    let trouble = PodTrouble::of(pod).filter(PodTrouble::is_grave)?;
    let known = row.runtime.grave.as_ref();
    let known = known.filter(|known| known.reason == trouble.reason);
    Some(known.cloned().unwrap_or(GraveTrouble {
        reason: trouble.reason,
        since: state.now,
    }))
}

/// Returns when a resource counts as stuck if nothing changes. In a run of `ci` nobody need know: it ends by itself.
pub(super) fn limit(state: &State, row: &Row) -> Option<Limit> {
    let waits = !matches!(row.runtime.status, RuntimeStatus::Ok | RuntimeStatus::Error);
    let is_asked = state.config.mode == Mode::Up;
    if !is_asked || !row.enabled || !waits || row.building.is_some() || row.is_due() {
        return None;
    }
    // What counts begins with what was deployed last, whatever was ready before.
    let began = row
        .deployed
        .at
        .max(row.server.as_ref().map(|server| server.began));
    let late = late(state, row).map(|(since, late)| Limit {
        at: Some(since).max(began).unwrap_or(since) + late,
        late: Some(late),
    });
    let grave = row.runtime.grave.as_ref().map(|trouble| Limit {
        at: Some(trouble.since).max(began).unwrap_or(trouble.since) + GRAVE_LASTS,
        late: None,
    });
    late.into_iter().chain(grave).min_by_key(|limit| limit.at)
}

/// Returns since when something runs that is not ready, and how long that may last.
fn late(state: &State, row: &Row) -> Option<(Instant, Duration)> {
    let runtime = deploy::of(row)
        .runtime(state, row)
        .filter(|runtime| !runtime.is_job)?;
    match runtime.state {
        TargetState::Active { ready: false, since } => Some((since?, state.readiness_limit()?)),
        _ => None,
    }
}

/// Returns that a resource is stuck, and for how long it was not ready, where that is the reason.
pub(crate) fn told(state: &State, row: &Row) -> Option<String> {
    let limit = limit(state, row).filter(|limit| limit.at <= state.now)?;
    let late = limit
        .late
        .map(|late| format!("not ready for {}", format_go_duration(late)));
    Some(late.unwrap_or_default())
}
