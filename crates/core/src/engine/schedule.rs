//! Which resource is updated next, and why the others are not. Pure: a question about the state.

use std::collections::{BTreeMap, BTreeSet};

use super::row::Row;
use super::state::{Running, State};
use super::{cycles, deploy, live_update};
use crate::history::WaitReason;
use crate::model::{ImageTarget, ManifestName, TargetId};

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

/// Which update starts now, and why the others that are due do not.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    /// The resource to update now, if there is one and a slot is free.
    pub(crate) next: Option<ManifestName>,
    /// What holds others.
    pub(crate) holds: BTreeMap<ManifestName, Hold>,
    /// Those that nothing holds but that others run, or their own update before.
    pub(crate) lined_up: BTreeMap<ManifestName, WaitReason>,
}

/// Returns which update starts now, and what holds the others that are due.
///
/// Rule: `docs/rules/updates.md`, "Order and holds"; the first reason that applies is the one given.
pub(crate) fn next_update(state: &State) -> Schedule {
    let (mut holds, mut lined_up) = (BTreeMap::new(), BTreeMap::new());
    let is_pending = !state.tiltfile.pending.is_empty() && !cycles::load_waits(state);
    let reloading = state.tiltfile.loading.is_some() || is_pending;
    let busy = busy_targets(state);
    let uncategorized = ManifestName::from(ManifestName::UNCATEGORIZED);
    let uncategorized_runs = state.builds.values().any(|build| build.manifest == uncategorized);
    let alone = state.builds.values().find(|build| build.runs_alone);
    let mut free: Vec<(&ManifestName, &Row)> = Vec::new();
    for (name, row) in state.rows.due() {
        let hold = if reloading {
            Some(Hold::TiltfileReload)
        } else if let Some(alone) = alone {
            Some(Hold::WaitingForLocal(alone.manifest.clone()))
        } else if row.runs_alone() && !state.builds.is_empty() {
            Some(Hold::IsUnparallelizableLocal)
        } else if row.k8s().is_some() && uncategorized_runs && *name != uncategorized {
            Some(Hold::WaitingForUncategorized)
        } else {
            busy_component(row, &busy)
                .or_else(|| unready_dependencies(state, row))
                .or_else(|| deploy::of(row).hold(state, row))
                .or_else(|| row.waits_until(state.now).map(|_| Hold::WaitingForRetry))
                .or_else(|| live_update::hold(row))
                .or_else(|| cycles::update_waits(state, row).then_some(Hold::WaitingForQuiet))
        };
        match hold {
            _ if row.building.is_some() => {
                lined_up.insert(name.clone(), WaitReason::OwnUpdate);
            }
            Some(hold) => {
                holds.insert(name.clone(), hold);
            }
            None => free.push((name, row)),
        }
    }
    let slots = state.update_settings.max_parallel_updates.max(1);
    let taken = state.builds.values().filter(|build| build.takes_slot).count();
    let next = if taken < slots {
        first_of(state, &free)
    } else {
        let light = free.iter().filter(|(_, row)| !row.takes_slot()).copied();
        first_of(state, &light.collect::<Vec<_>>())
    };
    let free = free
        .into_iter()
        .map(|(name, _)| (name.clone(), WaitReason::WaitingForSlot));
    lined_up.extend(free.filter(|(name, _)| Some(name) != next.as_ref()));
    Schedule {
        next,
        holds,
        lined_up,
    }
}

/// Returns which of those that nothing holds goes first: first updates, then those that a user asked for, in that order,
/// then the earliest change.
fn first_of(state: &State, free: &[(&ManifestName, &Row)]) -> Option<ManifestName> {
    let first_updates = || free.iter().filter(|(_, row)| row.awaits_first());
    let chosen = first_updates()
        .find(|(_, row)| row.local().is_some())
        .or_else(|| first_updates().find(|(name, _)| name.as_str() == ManifestName::UNCATEGORIZED))
        .or_else(|| {
            let builds_nothing = |row: &Row| row.images().iter().all(ImageTarget::is_live_update_only);
            first_updates().find(|(_, row)| row.k8s().is_some() && builds_nothing(row))
        })
        .or_else(|| first_updates().next())
        .or_else(|| {
            let in_queue = |name: &ManifestName| free.iter().find(|(free, _)| *free == name);
            state.queue.iter().find_map(in_queue)
        })
        .or_else(|| free.iter().min_by_key(|(_, row)| earliest_change(row)));
    chosen.map(|(name, _)| (*name).clone())
}

fn earliest_change(row: &Row) -> (u64, usize) {
    let files = row.targets.values().flat_map(|target| {
        let heard = target.files.values().map(|edit| edit.heard);
        heard.chain(target.dependencies.values().copied())
    });
    let earliest = files.chain(row.changed_definition).min();
    (earliest.unwrap_or(u64::MAX), row.position)
}

/// Returns the targets that running updates build or deploy.
///
/// An image that an update only uses again does not count, unless it has changed since: then whoever builds it should
/// do so once, for all.
fn busy_targets(state: &State) -> BTreeSet<&TargetId> {
    state
        .builds
        .iter()
        .flat_map(|(id, build)| busy_targets_of(state, *id, build))
        .collect()
}

fn busy_targets_of<'a>(
    state: &'a State,
    id: crate::model::BuildId,
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

fn busy_component(row: &Row, busy: &BTreeSet<&TargetId>) -> Option<Hold> {
    let shared: Vec<TargetId> = row
        .manifest
        .target_ids()
        .filter(|id| busy.contains(id) && !row.reuses(id))
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
