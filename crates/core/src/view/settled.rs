//! Whether a session has settled: nothing is due, nothing is under way, and what was deployed is ready or known not to be.

use std::collections::BTreeSet;

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
    unsettled(view).all(|name| {
        let is_all = name == ManifestName::tiltfile();
        !is_all && !names.is_empty() && !names.contains(&name)
    })
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
    is_updated
        && !row
            .going_on
            .iter()
            .any(|record| is_rolling(record.outcome.result))
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
        || row.update_status != UpdateStatus::Ok && row.update_status != UpdateStatus::NotApplicable
        || row.runtime_status == RuntimeStatus::Error
}
