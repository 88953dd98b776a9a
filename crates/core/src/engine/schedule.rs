//! Why an update that is due may not start, and which of those that may goes first. Pure: questions about the state; `candidates`
//! keeps the answers.

use std::collections::BTreeSet;
use std::time::Instant;

use super::event::ClusterStatus;
use super::state::{FirstKind, Gate, Hold, Rank, Row, Running, State};
use super::{cycles, definitions, deploy, live_update};
use crate::model::{BuildId, ImageTarget, ManifestName, TargetId};

impl Gate {
    pub(super) fn of(state: &State) -> Self {
        let is_pending = !state.tiltfile.pending.is_empty() && !cycles::load_waits(state);
        let for_all = if state.tiltfile.loading.is_some() || is_pending {
            Some(Hold::TiltfileReload)
        } else {
            let alone = state.builds.alone();
            alone.map(|alone| Hold::WaitingForLocal(alone.manifest.clone()))
        };
        let uncategorized = ManifestName::from(ManifestName::UNCATEGORIZED);
        Self {
            for_all,
            something_runs: !state.builds.is_empty(),
            uncategorized_runs: state.builds.of(&uncategorized).next().is_some(),
            is_connected: state.cluster == ClusterStatus::Connected,
        }
    }
}

/// Returns what holds an update that is due, if nothing holds all; see [`Gate::hold`], which is asked first.
///
/// Rule: `docs/rules/updates.md`, "Order and holds"; the first reason that applies is the one given.
pub(super) fn own_hold(
    state: &State,
    row: &Row,
    gate: &Gate,
    is_busy: impl Fn(&TargetId) -> bool,
) -> Option<Hold> {
    if row.k8s().is_some() && gate.uncategorized_runs && !is_uncategorized(row) {
        Some(Hold::WaitingForUncategorized)
    } else {
        busy_component(row, is_busy)
            .or_else(|| unready_dependencies(state, row))
            .or_else(|| deploy::of(row).hold(state, row))
            .or_else(|| row.waits_until(state.now).map(|_| Hold::WaitingForRetry))
            .or_else(|| live_update::hold(row))
            .or_else(|| cycles::update_waits(state, row).then_some(Hold::WaitingForQuiet))
    }
}

impl Rank {
    pub(super) fn of(row: &Row) -> Self {
        if row.awaits_first() {
            Self::First(FirstKind::of(row), row.position)
        } else if let Some(asked) = row.asked {
            Self::Asked(asked)
        } else {
            Self::Changed(earliest_change(row), row.position)
        }
    }
}

impl FirstKind {
    fn of(row: &Row) -> Self {
        if row.local().is_some() {
            Self::Local
        } else if is_uncategorized(row) {
            Self::Uncategorized
        } else if row.k8s().is_some() && row.images().iter().all(ImageTarget::is_live_update_only) {
            Self::BuildsNothing
        } else {
            Self::Other
        }
    }
}

fn is_uncategorized(row: &Row) -> bool {
    row.manifest.name.as_str() == ManifestName::UNCATEGORIZED
}

/// Returns when the earliest change was heard of that no update has taken in.
pub(super) fn earliest_change(row: &Row) -> u64 {
    let files = row.targets.values().flat_map(|target| {
        let heard = target.files.values().map(|edit| edit.heard);
        heard.chain(target.dependencies.values().copied())
    });
    let earliest = files.chain(row.changed_definition).min();
    earliest.unwrap_or(u64::MAX)
}

/// Returns when the time alone may let an update go that is due.
pub(super) fn let_go_at(now: Instant, row: &Row) -> Option<Instant> {
    if row.building.is_some() {
        return None;
    }
    let of_retry = row.waits_until(now).into_iter();
    of_retry.chain(row.cycle.waits_until(now)).min()
}

/// Returns the resources whose state decides whether an update that is due may start.
pub(super) fn waits_for(state: &State, row: &Row) -> BTreeSet<ManifestName> {
    let dependencies = row.manifest.resource_deps.iter();
    let dependencies = dependencies.filter(|_| !row.started_first).cloned();
    dependencies.chain(definitions::looked_at(state, row)).collect()
}

/// Returns the targets that a running update builds or deploys.
///
/// An image that it only uses again does not count, unless it has changed since: then whoever builds it should do so
/// once, for all.
pub(super) fn busy_targets<'a>(
    state: &'a State,
    id: BuildId,
    build: &'a Running,
) -> impl Iterator<Item = &'a TargetId> {
    let row = state
        .rows
        .get(&build.manifest)
        .filter(|row| row.building == Some(id));
    let changed_since = row.into_iter().flat_map(|row| {
        let stale = |target: &&TargetId| row.target(target).is_some_and(|state| !state.is_reusable());
        let built = row.images().iter().filter(|image| !image.is_live_update_only());
        built.map(|image| &image.id).filter(stale)
    });
    build.images.keys().chain([&build.deploy]).chain(changed_since)
}

fn busy_component(row: &Row, is_busy: impl Fn(&TargetId) -> bool) -> Option<Hold> {
    let shared: Vec<TargetId> = row
        .manifest
        .target_ids()
        .filter(|id| is_busy(id) && !row.reuses(id))
        .cloned()
        .collect();
    (!shared.is_empty()).then_some(Hold::BuildingComponent(shared))
}

/// Returns the dependencies that were never ready; they hold only the first update.
fn unready_dependencies(state: &State, row: &Row) -> Option<Hold> {
    if row.started_first {
        return None;
    }
    let kind = deploy::of(row);
    let dependencies = row.manifest.resource_deps.iter();
    let unready = dependencies.filter(|name| kind.lacks(state, name));
    let names: Vec<ManifestName> = unready.cloned().collect();
    (!names.is_empty()).then_some(Hold::WaitingForDep(names))
}
