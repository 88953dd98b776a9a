//! Why an update that is due may not start, and which of those that may goes first. Pure: questions about the state; `candidates`
//! keeps the answers.

use std::collections::BTreeSet;
use std::time::Instant;

use super::event::ClusterStatus;
use super::row::Row;
use super::state::{Running, State};
use super::{cycles, definitions, deploy, live_update};
use crate::history::WaitReason;
use crate::model::{BuildId, ImageTarget, ManifestName, TargetId};

/// Why an update that is due may not start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    /// The Tiltfile is about to be, or being, evaluated again.
    TiltfileReload,
    /// A local resource runs that runs alone.
    WaitingForLocal(ManifestName),
    /// It runs alone, and something else runs.
    IsUnparallelizableLocal,
    /// The resource `uncategorized` is deployed first.
    WaitingForUncategorized,
    /// These targets of it are just built or deployed by another update.
    BuildingComponent(Vec<TargetId>),
    /// These resources were never ready.
    WaitingForDep(Vec<ManifestName>),
    /// These resources define kinds of its objects, and are still to be deployed.
    WaitingForDefinition(Vec<ManifestName>),
    /// There is no connection to the cluster.
    WaitingForCluster,
    /// These objects of it are being deleted, or all that its command deletes: it was gone, or off, and is back.
    WaitingForDeletion(Vec<String>),
    /// It could not reach something, and is tried again in a moment.
    WaitingForRetry,
    /// Its changes are taken into running containers.
    Reconciling,
    /// Its changes will be taken into the containers of its last deploy, which do not run yet.
    WaitingForDeploy,
    /// It goes round in a circle: what it reads is written while it runs.
    WaitingForQuiet,
}

impl Hold {
    /// Returns the word that scripts know.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::TiltfileReload => "tiltfile-reload",
            Self::WaitingForLocal(_) => "waiting-for-local",
            Self::IsUnparallelizableLocal => "is-unparallelizable-local",
            Self::WaitingForUncategorized => "waiting-for-uncategorized",
            Self::BuildingComponent(_) => "building-component",
            Self::WaitingForDep(_) | Self::WaitingForDefinition(_) => "waiting-for-dep",
            Self::WaitingForCluster => "waiting-for-cluster",
            Self::WaitingForDeletion(_) => "waiting-for-deletion",
            Self::WaitingForRetry => "waiting-for-retry",
            Self::Reconciling => "reconciling",
            Self::WaitingForDeploy => "waiting-for-deploy",
            Self::WaitingForQuiet => "waiting-for-quiet",
        }
    }

    /// Returns it as a record says it.
    pub(crate) fn wait_reason(&self) -> WaitReason {
        match self {
            Self::TiltfileReload => WaitReason::TiltfileReload,
            Self::WaitingForLocal(_) => WaitReason::WaitingForLocal,
            Self::IsUnparallelizableLocal => WaitReason::IsUnparallelizableLocal,
            Self::WaitingForUncategorized => WaitReason::WaitingForUncategorized,
            Self::BuildingComponent(_) => WaitReason::BuildingComponent,
            Self::WaitingForDep(_) | Self::WaitingForDefinition(_) => WaitReason::WaitingForDep,
            Self::WaitingForCluster => WaitReason::WaitingForCluster,
            Self::WaitingForDeletion(_) => WaitReason::WaitingForDeletion,
            Self::WaitingForRetry => WaitReason::WaitingForRetry,
            Self::Reconciling => WaitReason::Reconciling,
            Self::WaitingForDeploy => WaitReason::WaitingForDeploy,
            Self::WaitingForQuiet => WaitReason::WaitingForQuiet,
        }
    }

    /// Returns the names of what it waits for.
    pub fn on(&self) -> Vec<String> {
        match self {
            Self::TiltfileReload => vec![ManifestName::TILTFILE.to_owned()],
            Self::WaitingForLocal(name) => vec![name.to_string()],
            Self::IsUnparallelizableLocal
            | Self::WaitingForRetry
            | Self::Reconciling
            | Self::WaitingForDeploy
            | Self::WaitingForQuiet => Vec::new(),
            Self::WaitingForUncategorized => vec![ManifestName::UNCATEGORIZED.to_owned()],
            Self::BuildingComponent(targets) => targets.iter().map(TargetId::to_string).collect(),
            Self::WaitingForDep(names) | Self::WaitingForDefinition(names) => {
                names.iter().map(ManifestName::to_string).collect()
            }
            Self::WaitingForCluster => vec!["default".to_owned()],
            Self::WaitingForDeletion(objects) => objects.clone(),
        }
    }
}

/// What holds all updates that are due, or all of a kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Gate {
    pub(super) for_all: Option<Hold>,
    pub(super) something_runs: bool,
    uncategorized_runs: bool,
    is_connected: bool,
}

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

    /// Returns what holds all, or all that run alone.
    pub(super) fn hold(&self, runs_alone: bool) -> Option<&Hold> {
        let for_those_alone = (runs_alone && self.something_runs).then_some(&Hold::IsUnparallelizableLocal);
        self.for_all.as_ref().or(for_those_alone)
    }

    /// Returns whether something is different that each has to be asked about.
    pub(super) fn differs_for_each(&self, other: &Self) -> bool {
        let for_each = |gate: &Self| (gate.uncategorized_runs, gate.is_connected);
        for_each(self) != for_each(other)
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

/// Which of the updates that nothing holds goes first: first updates, then those that a user asked for, in that order, then
/// the earliest change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// A first update, by the place of the resource in the definition order.
    First(FirstKind, usize),
    /// One that a user asked for, by the order of these wishes.
    Asked(u64),
    /// One that a change leads to, by when that was heard of.
    Changed(u64, usize),
}

/// Kinds of first updates, in the order in which they start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum FirstKind {
    Local,
    Uncategorized,
    /// Of what is deployed without an image that is built.
    BuildsNothing,
    Other,
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
