//! Which update starts next, found by a look at all rows: what `candidates` keeps is held against it after each step, wherever
//! assertions are checked.

use std::collections::{BTreeMap, BTreeSet};

use super::schedule::{busy_targets, earliest_change, own_hold};
use super::state::{Gate, Hold, Row, State};
use crate::history::WaitReason;
use crate::model::{ImageTarget, ManifestName, TargetId};

/// Which update starts now, and why the others that are due do not.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Schedule {
    next: Option<ManifestName>,
    holds: BTreeMap<ManifestName, Hold>,
    lined_up: BTreeMap<ManifestName, WaitReason>,
}

impl Schedule {
    /// Returns what is kept.
    pub(super) fn kept(state: &State) -> Self {
        let candidates = &state.candidates;
        let names = || state.rows.keys().cloned();
        Self {
            next: candidates.next(has_slot(state)).cloned(),
            holds: names()
                .filter_map(|name| Some((name.clone(), candidates.hold(&name)?.clone())))
                .collect(),
            lined_up: names()
                .filter_map(|name| Some((name.clone(), candidates.lined_up(&name)?)))
                .collect(),
        }
    }

    /// Finds out all anew.
    pub(super) fn scanned(state: &State) -> Self {
        let mut schedule = Self::default();
        let gate = Gate::of(state);
        let builds = state.builds.iter();
        let busy: BTreeSet<&TargetId> = builds
            .flat_map(|(id, build)| busy_targets(state, *id, build))
            .collect();
        let mut free: Vec<(&ManifestName, &Row)> = Vec::new();
        let hold = |row: &Row| {
            let for_all = gate.hold(row.runs_alone()).cloned();
            for_all.or_else(|| own_hold(state, row, &gate, |target| busy.contains(target)))
        };
        for (name, row) in state.rows_in_order().filter(|(_, row)| row.is_due()) {
            if row.building.is_some() {
                schedule.lined_up.insert(name.clone(), WaitReason::OwnUpdate);
            } else if let Some(hold) = hold(row) {
                schedule.holds.insert(name.clone(), hold);
            } else {
                schedule.lined_up.insert(name.clone(), WaitReason::WaitingForSlot);
                free.push((name, row));
            }
        }
        if !has_slot(state) {
            free.retain(|(_, row)| !row.takes_slot());
        }
        schedule.next = first_of(&free);
        schedule
    }
}

fn has_slot(state: &State) -> bool {
    let taken = state.builds.values().filter(|build| build.takes_slot).count();
    taken < state.update_settings.max_parallel_updates.max(1)
}

fn first_of(free: &[(&ManifestName, &Row)]) -> Option<ManifestName> {
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
            let asked = free.iter().filter(|(_, row)| row.asked.is_some());
            asked.min_by_key(|(_, row)| row.asked)
        })
        .or_else(|| {
            free.iter()
                .min_by_key(|(_, row)| (earliest_change(row), row.position))
        });
    chosen.map(|(name, _)| (*name).clone())
}
