//! Whether a session has settled: nothing is due, nothing is under way, and what was deployed is ready or known not to be.

use std::collections::{BTreeMap, BTreeSet};

use super::{ClusterView, ResourceView, RuntimeStatus, UpdateStatus, View};
use crate::history::{Result, WaitReason};
use crate::model::ManifestName;

/// Returns what has not settled, the Tiltfile among it.
pub fn unsettled(view: &View) -> impl Iterator<Item = ManifestName> + '_ {
    let is_read = !view.tiltfile.has_pending_changes
        && !matches!(
            view.tiltfile.update_status,
            UpdateStatus::InProgress | UpdateStatus::Pending
        );
    let tiltfile = (!is_read).then(ManifestName::tiltfile);
    let rows = view.resources.iter().filter(|row| !is_settled(view, row));
    tiltfile.into_iter().chain(rows.map(|row| row.name.clone()))
}

/// Returns whether these resources have settled, or all where none are named. None has while the Tiltfile has not: it may say
/// something else of them.
pub fn has_settled(view: &View, names: &BTreeSet<ManifestName>) -> bool {
    unsettled(view).all(|name| !concerns(&name, names))
}

/// Returns whether who waits for these resources, or for all, waits for this one.
fn concerns(name: &ManifestName, names: &BTreeSet<ManifestName>) -> bool {
    *name == ManifestName::tiltfile() || names.is_empty() || names.contains(name)
}

/// Somebody who waits until something has settled, or turns out to go round in a circle.
///
/// Who writes a file is not known, so what seems to be a circle may be the edits of somebody. It is one if another round has led to
/// yet another one while nobody did anything but wait.
#[derive(Debug, Default)]
pub struct Settling {
    /// How many rounds there had been when a circle was first seen.
    circles: BTreeMap<ManifestName, u32>,
}

impl Settling {
    /// Returns whether there is nothing more to wait for.
    pub fn is_over(&mut self, view: &View, names: &BTreeSet<ManifestName>) -> bool {
        let circles = view.resources.iter().map(|row| (&row.name, &row.circle));
        let tiltfile = ManifestName::tiltfile();
        let circles = circles.chain([(&tiltfile, &view.tiltfile.circle)]);
        let mut endless = BTreeSet::new();
        for (name, circle) in circles.filter_map(|(name, circle)| Some((name, circle.as_ref()?))) {
            let first = self.circles.entry(name.clone()).or_insert(circle.rounds);
            *first = circle.rounds.min(*first);
            if circle.rounds > *first {
                endless.insert(name.clone());
            }
        }
        unsettled(view).all(|name| !concerns(&name, names) || endless.contains(&name))
    }
}

/// Returns whether nothing more is to be expected of a resource as things are.
fn is_settled(view: &View, row: &ResourceView) -> bool {
    if !row.enabled || is_held_for_good(view, row) {
        return true;
    }
    let is_updated = !matches!(
        row.update_status,
        UpdateStatus::InProgress | UpdateStatus::Pending
    );
    let is_rolling = |result| matches!(result, Result::Running | Result::RollingOut);
    let mut going_on = row.going_on.iter().map(|record| record.outcome.result);
    let waits_in_vain = row.stuck.is_some() && !going_on.clone().any(|result| result == Result::Running);
    is_updated && (waits_in_vain || !going_on.any(is_rolling))
}

/// Returns whether an update that is due waits for something that does not come by itself.
fn is_held_for_good(view: &View, row: &ResourceView) -> bool {
    if row.building.is_some() {
        return false;
    }
    let Some(wait) = &row.waiting else {
        return false;
    };
    match wait.reason() {
        WaitReason::WaitingForCluster => matches!(view.cluster, ClusterView::Failed(_)),
        WaitReason::WaitingForDep => wait.on().iter().any(|name| {
            let dependency = view.resources.iter().find(|other| other.name.as_str() == name);
            dependency.is_some_and(|dependency| {
                !dependency.ever_ready && is_settled(view, dependency) && is_stuck(dependency)
            })
        }),
        _ => false,
    }
}

/// Returns whether a resource that has settled will not become ready by itself.
fn is_stuck(row: &ResourceView) -> bool {
    !row.enabled
        || row.stuck.is_some()
        || row.update_status != UpdateStatus::Ok && row.update_status != UpdateStatus::NotApplicable
        || row.runtime_status == RuntimeStatus::Error
}
