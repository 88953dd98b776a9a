//! Whether a session has settled: nothing is due, nothing is under way, and what was deployed is ready or known not to be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::loops::Loops;
use super::{ClusterView, ResourceView, RuntimeStatus, UpdateStatus, View};
use crate::history::{Result, UpdateRecord, WaitReason};
use crate::model::ManifestName;

/// Returns what of these resources, or of all where none are named, has not settled.
///
/// The Tiltfile is always among what is asked for: it may say something else of them. So is what goes round with them: what it
/// does leads to another round of theirs.
pub fn unsettled<'a>(
    view: &'a View,
    names: &BTreeSet<ManifestName>,
) -> impl Iterator<Item = ManifestName> + 'a {
    let is_read = !view.tiltfile.has_pending_changes
        && !matches!(
            view.tiltfile.update_status,
            UpdateStatus::InProgress | UpdateStatus::Pending
        );
    let tiltfile = (!is_read).then(ManifestName::tiltfile);
    let rows = view.resources.iter().filter(|row| !is_settled(view, row));
    let all_names = tiltfile.into_iter().chain(rows.map(|row| row.name.clone()));
    let concerned = (!names.is_empty()).then(|| {
        let tiltfile = BTreeSet::from([ManifestName::tiltfile()]);
        Loops::of(view).with(&(names | &tiltfile))
    });
    all_names.filter(move |name| concerned.as_ref().is_none_or(|names| names.contains(name)))
}

/// Returns whether these resources have settled, or all where none are named.
pub fn has_settled(view: &View, names: &BTreeSet<ManifestName>) -> bool {
    unsettled(view, names).next().is_none()
}

/// Returns the number of the update, and that of the load, that began last.
pub fn last_update(view: &View) -> (u64, u64) {
    let last = |going_on: &[UpdateRecord], ended: &[Arc<UpdateRecord>]| {
        let last = going_on.first().or(ended.first().map(|record| &**record));
        last.map_or(0, |record| record.number)
    };
    let rows = view.resources.iter().map(|row| last(&row.going_on, &row.ended));
    let tiltfile = &view.tiltfile;
    (rows.max().unwrap_or(0), last(&tiltfile.going_on, &tiltfile.ended))
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
        unsettled(view, names).all(|name| endless.contains(&name))
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
