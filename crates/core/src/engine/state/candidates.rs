//! The resources whose next update is due, as `candidates` keeps them: what holds each, and in which order the others start.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::hold::Hold;
use super::lists::Lists;
use super::row::Row;
use super::services::Reached;
use super::timers::Timers;
use crate::history::WaitReason;
use crate::model::{BuildId, DeleteId, ManifestName, RuntimeStatus, TargetId};

/// All that are due.
#[derive(Debug, Default)]
pub(crate) struct Candidates {
    pub(crate) due: BTreeMap<ManifestName, Candidate>,
    /// Those that nothing of their own holds.
    free: Free,
    /// Those of them beside which nothing else may run.
    free_alone: Free,
    /// When the time lets one of them go.
    pub(crate) timers: Timers<ManifestName>,
    /// Which of them wait for a resource, or may have to.
    pub(crate) watching: Lists<ManifestName, ManifestName>,
    /// Which of them wait for a deletion.
    pub(crate) awaiting: Lists<DeleteId, ManifestName>,
    /// What others may wait for, of each resource.
    pub(crate) facts: BTreeMap<ManifestName, Facts>,
    /// The targets that running updates make, and how many make each.
    pub(crate) busy: BTreeMap<TargetId, usize>,
    /// Which these are.
    pub(crate) made_by: BTreeMap<BuildId, BTreeSet<TargetId>>,
    /// What holds all of them, or all of a kind.
    pub(crate) gate: Gate,
    /// Those about which something else is to be said than was.
    pub(crate) changed: Changed,
}

/// Those that nothing of their own holds, in the order in which they start.
#[derive(Debug, Default)]
struct Free {
    all: BTreeSet<(Rank, ManifestName)>,
    /// Those that start whether a slot is free or not.
    light: BTreeSet<(Rank, ManifestName)>,
}

/// Those about which something else is to be said than was.
#[derive(Debug, Default)]
pub(crate) struct Changed {
    /// Each of these.
    pub(crate) names: BTreeSet<ManifestName>,
    /// What holds all of them, or all that run alone, may be something else.
    pub(crate) all: bool,
}

/// One that is due.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) standing: Standing,
    pub(crate) runs_alone: bool,
    /// What it waits for, or may have to.
    pub(crate) watches: BTreeSet<ManifestName>,
    pub(crate) awaits: BTreeSet<DeleteId>,
}

/// How far it is from being started, but for what holds all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Its own last update still runs.
    Running,
    Held(Hold),
    Free {
        rank: Rank,
        is_light: bool,
    },
}

/// What others may wait for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    has_started: bool,
    is_building: bool,
    is_due: bool,
    is_deployed: bool,
    was_ready: bool,
    has_failed: bool,
    reached: BTreeSet<Reached>,
}

impl Facts {
    pub(crate) fn of(row: &Row) -> Self {
        Self {
            has_started: row.started_first,
            is_building: row.building.is_some(),
            is_due: row.is_due(),
            is_deployed: row.deployed.at.is_some(),
            was_ready: row.runtime.last_ready.is_some(),
            has_failed: row.runtime.status == RuntimeStatus::Error,
            reached: row.service.reached.clone(),
        }
    }
}

/// What holds all updates that are due, or all of a kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Gate {
    pub(crate) for_all: Option<Hold>,
    pub(crate) something_runs: bool,
    pub(crate) uncategorized_runs: bool,
    pub(crate) is_connected: bool,
}

/// Which of the updates that nothing holds goes first: first updates, then those that a user asked for, in that order, then
/// the earliest change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    /// A first update, by the place of the resource in the definition order.
    First(FirstKind, usize),
    /// One that a user asked for, by the order of these wishes.
    Asked(u64),
    /// One that a change leads to, by when that was heard of.
    Changed(u64, usize),
}

/// Kinds of first updates, in the order in which they start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FirstKind {
    Local,
    Uncategorized,
    /// Of what is deployed without an image that is built.
    BuildsNothing,
    Other,
}

impl Gate {
    /// Returns what holds all, or all that run alone.
    pub(crate) fn hold(&self, runs_alone: bool) -> Option<&Hold> {
        let for_those_alone = (runs_alone && self.something_runs).then_some(&Hold::IsUnparallelizableLocal);
        self.for_all.as_ref().or(for_those_alone)
    }

    /// Returns whether something is different that each has to be asked about.
    pub(crate) fn differs_for_each(&self, other: &Self) -> bool {
        let for_each = |gate: &Self| (gate.uncategorized_runs, gate.is_connected);
        for_each(self) != for_each(other)
    }
}

impl Candidates {
    /// Returns the one that is started next, if one may start now.
    pub(crate) fn next(&self, has_slot: bool) -> Option<&ManifestName> {
        if self.gate.for_all.is_some() {
            return None;
        }
        let alone = Some(&self.free_alone).filter(|_| !self.gate.something_runs);
        let sets = [Some(&self.free), alone].into_iter().flatten();
        let firsts = sets.filter_map(|free| if has_slot { &free.all } else { &free.light }.first());
        firsts.min().map(|(_, name)| name)
    }

    /// Returns when the time lets one of them go.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Returns what holds one of them.
    pub(crate) fn hold(&self, name: &ManifestName) -> Option<&Hold> {
        self.held(self.due.get(name)?)
    }

    /// Returns what one of them waits for that nothing holds: its own update, or those of others.
    pub(crate) fn lined_up(&self, name: &ManifestName) -> Option<WaitReason> {
        let candidate = self.due.get(name)?;
        match &candidate.standing {
            Standing::Running => Some(WaitReason::OwnUpdate),
            _ if self.held(candidate).is_some() => None,
            Standing::Held(_) | Standing::Free { .. } => Some(WaitReason::WaitingForSlot),
        }
    }

    fn held<'a>(&'a self, candidate: &'a Candidate) -> Option<&'a Hold> {
        match &candidate.standing {
            Standing::Running => None,
            Standing::Held(hold) => self.gate.hold(candidate.runs_alone).or(Some(hold)),
            Standing::Free { .. } => self.gate.hold(candidate.runs_alone),
        }
    }

    /// Returns all that are due.
    pub(crate) fn due(&self) -> impl Iterator<Item = &ManifestName> {
        self.due.keys()
    }

    /// Returns those that wait for a resource, or may have to.
    pub(crate) fn watching(&self, name: &ManifestName) -> impl Iterator<Item = &ManifestName> {
        self.watching.of(name)
    }

    /// Returns those of which something else is to be said than when this was last asked.
    pub(crate) fn take_changed(&mut self) -> Changed {
        std::mem::take(&mut self.changed)
    }

    /// Takes one out of all lists but those of what it waits for.
    pub(crate) fn take_out(&mut self, name: &ManifestName) -> Option<Candidate> {
        let candidate = self.due.remove(name)?;
        if let Standing::Free { rank, .. } = candidate.standing {
            let place = (rank, name.clone());
            let free = self.free(candidate.runs_alone);
            free.all.remove(&place);
            free.light.remove(&place);
        }
        self.timers.set(name, None);
        Some(candidate)
    }

    /// Puts one in, or in anew.
    pub(crate) fn put_in(&mut self, name: ManifestName, candidate: Candidate, before: Option<Candidate>) {
        if let Standing::Free { rank, is_light } = candidate.standing {
            let place = (rank, name.clone());
            let free = self.free(candidate.runs_alone);
            if is_light {
                free.light.insert(place.clone());
            }
            free.all.insert(place);
        }
        let is_same = before.as_ref().is_some_and(|before| {
            before.standing == candidate.standing && before.runs_alone == candidate.runs_alone
        });
        if !is_same {
            self.changed.names.insert(name.clone());
        }
        let (watched, awaited) = before
            .map(|before| (before.watches, before.awaits))
            .unwrap_or_default();
        self.watching.rekey(&name, &watched, &candidate.watches);
        self.awaiting.rekey(&name, &awaited, &candidate.awaits);
        self.due.insert(name, candidate);
    }

    fn free(&mut self, runs_alone: bool) -> &mut Free {
        match runs_alone {
            true => &mut self.free_alone,
            false => &mut self.free,
        }
    }
}
