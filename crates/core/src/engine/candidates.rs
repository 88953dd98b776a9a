//! The resources whose next update is due: what holds each of them, and in which order the others start.
//!
//! What holds one, and its rank, are answers of `schedule`. They are kept here, and asked for anew only where something
//! changed that they depend on: the row itself, one that it waits for, a target that a running update makes, a deletion, or the
//! time. What holds all, or all that run alone, lies over these answers, and is not kept with each. So an event costs the same
//! however many updates are due.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::gc;
use super::lists::Lists;
use super::row::Row;
use super::rows::Touched;
use super::schedule::{self, Gate, Hold, Rank};
use super::services::{self, Reached};
use super::state::State;
use super::timers::Timers;
use crate::history::WaitReason;
use crate::model::{BuildId, DeleteId, ManifestName, RuntimeStatus, TargetId};

/// All that are due.
#[derive(Debug, Default)]
pub(crate) struct Candidates {
    due: BTreeMap<ManifestName, Candidate>,
    /// Those that nothing of their own holds.
    free: Free,
    /// Those of them beside which nothing else may run.
    free_alone: Free,
    /// When the time lets one of them go.
    timers: Timers<ManifestName>,
    /// Which of them wait for a resource, or may have to.
    watching: Lists<ManifestName, ManifestName>,
    /// Which of them wait for a deletion.
    awaiting: Lists<DeleteId, ManifestName>,
    /// What others may wait for, of each resource.
    facts: BTreeMap<ManifestName, Facts>,
    /// The targets that running updates make, and how many make each.
    busy: BTreeMap<TargetId, usize>,
    /// Which these are.
    made_by: BTreeMap<BuildId, BTreeSet<TargetId>>,
    /// What holds all of them, or all of a kind.
    gate: Gate,
    /// Those about which something else is to be said than was.
    changed: Changed,
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
pub(super) struct Changed {
    /// Each of these.
    pub(super) names: BTreeSet<ManifestName>,
    /// What holds all of them, or all that run alone, may be something else.
    pub(super) all: bool,
}

/// One that is due.
#[derive(Debug)]
struct Candidate {
    standing: Standing,
    runs_alone: bool,
    /// What it waits for, or may have to.
    watches: BTreeSet<ManifestName>,
    awaits: BTreeSet<DeleteId>,
}

/// How far it is from being started, but for what holds all.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Standing {
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
struct Facts {
    has_started: bool,
    is_building: bool,
    is_due: bool,
    is_deployed: bool,
    was_ready: bool,
    has_failed: bool,
    reached: BTreeSet<Reached>,
}

impl Facts {
    fn of(row: &Row) -> Self {
        Self {
            has_started: row.started_first,
            is_building: row.building.is_some(),
            is_due: row.is_due(),
            is_deployed: row.deployed.at.is_some(),
            was_ready: row.runtime.last_ready.is_some(),
            has_failed: row.runtime.status == RuntimeStatus::Error,
            reached: services::reached(row).clone(),
        }
    }
}

/// Finds out anew what became of those that are due. Rows are indexed then.
pub(super) fn refresh(state: &mut State) {
    state.rows.index();
    let touched = state.rows.take_unscheduled();
    let builds = state.builds.take_changed();
    let (deletions_began, deletions_ended) = state.deletions.take_news();
    let mut candidates = std::mem::take(&mut state.candidates);
    let mut stale = candidates.note_facts(state, &touched);
    stale.extend(candidates.note_busy(state, &touched, builds));
    stale.extend(candidates.note_gate(state));
    for ended in deletions_ended {
        stale.extend(candidates.awaiting.of(&ended).cloned());
    }
    if deletions_began {
        stale.extend(candidates.due.keys().cloned());
    }
    stale.extend(candidates.timers.due(state.now).cloned());
    for name in stale {
        candidates.look_at(state, name);
    }
    state.candidates = candidates;
}

impl Candidates {
    /// Returns the one that is started next, if one may start now.
    pub(super) fn next(&self, has_slot: bool) -> Option<&ManifestName> {
        if self.gate.for_all.is_some() {
            return None;
        }
        let alone = Some(&self.free_alone).filter(|_| !self.gate.something_runs);
        let sets = [Some(&self.free), alone].into_iter().flatten();
        let firsts = sets.filter_map(|free| if has_slot { &free.all } else { &free.light }.first());
        firsts.min().map(|(_, name)| name)
    }

    /// Returns when the time lets one of them go.
    pub(super) fn next_wake(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Returns what holds one of them.
    pub(super) fn hold(&self, name: &ManifestName) -> Option<&Hold> {
        self.held(self.due.get(name)?)
    }

    /// Returns what one of them waits for that nothing holds: its own update, or those of others.
    pub(super) fn lined_up(&self, name: &ManifestName) -> Option<WaitReason> {
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
    pub(super) fn due(&self) -> impl Iterator<Item = &ManifestName> {
        self.due.keys()
    }

    /// Returns those that wait for a resource, or may have to.
    pub(super) fn watching(&self, name: &ManifestName) -> impl Iterator<Item = &ManifestName> {
        self.watching.of(name)
    }

    /// Returns those of which something else is to be said than when this was last asked.
    pub(super) fn take_changed(&mut self) -> Changed {
        std::mem::take(&mut self.changed)
    }

    /// Takes in what others may wait for. Returns who has to be looked at.
    fn note_facts(&mut self, state: &State, touched: &Touched) -> BTreeSet<ManifestName> {
        if touched.all {
            self.facts = state
                .rows
                .iter()
                .map(|(name, row)| (name.clone(), Facts::of(row)))
                .collect();
            return state.rows.keys().chain(self.due.keys()).cloned().collect();
        }
        let mut stale = touched.rows.clone();
        for name in &touched.rows {
            let Some(facts) = state.rows.get(name).map(Facts::of) else {
                continue;
            };
            if self.facts.get(name) != Some(&facts) {
                stale.extend(self.watching.of(name).cloned());
                self.facts.insert(name.clone(), facts);
            }
        }
        stale
    }

    /// Takes in which targets running updates make. Returns who has to be looked at.
    fn note_busy(
        &mut self,
        state: &State,
        touched: &Touched,
        mut builds: BTreeSet<BuildId>,
    ) -> BTreeSet<ManifestName> {
        match touched.all {
            true => builds.extend(state.builds.keys()),
            false => builds.extend(touched.rows.iter().flat_map(|name| state.builds.of(name))),
        }
        let mut stale = BTreeSet::new();
        for id in builds {
            let build = state.builds.get(&id);
            let makes: BTreeSet<TargetId> = build
                .into_iter()
                .flat_map(|build| schedule::busy_targets(state, id, build))
                .cloned()
                .collect();
            let made = self.made_by.remove(&id).unwrap_or_default();
            for target in made.difference(&makes) {
                if let Some(count) = self.busy.get_mut(target) {
                    *count -= 1;
                    if *count == 0 {
                        self.busy.remove(target);
                        stale.extend(state.rows.with_target(target));
                    }
                }
            }
            for target in makes.difference(&made) {
                match self.busy.get_mut(target) {
                    Some(count) => *count += 1,
                    None => {
                        self.busy.insert(target.clone(), 1);
                        stale.extend(state.rows.with_target(target));
                    }
                }
            }
            if build.is_some() {
                self.made_by.insert(id, makes);
            }
        }
        stale
    }

    /// Takes in what holds all of them, or all of a kind. Returns who has to be looked at.
    fn note_gate(&mut self, state: &State) -> BTreeSet<ManifestName> {
        let gate = Gate::of(state);
        if gate == self.gate {
            return BTreeSet::new();
        }
        self.changed.all = true;
        let is_for_each = gate.differs_for_each(&self.gate);
        self.gate = gate;
        match is_for_each {
            true => self.due.keys().cloned().collect(),
            false => BTreeSet::new(),
        }
    }

    /// Finds out anew whether a resource is due, and how far it is from being started.
    fn look_at(&mut self, state: &State, name: ManifestName) {
        let before = self.take_out(&name);
        let row = state.rows.get(&name).filter(|row| row.is_due());
        let Some(row) = row else {
            if let Some(before) = before {
                self.watching.rekey(&name, &before.watches, &BTreeSet::new());
                self.awaiting.rekey(&name, &before.awaits, &BTreeSet::new());
                self.changed.names.insert(name);
            }
            return;
        };
        let is_busy = |target: &TargetId| self.busy.contains_key(target);
        let standing = if row.building.is_some() {
            Standing::Running
        } else if let Some(hold) = schedule::own_hold(state, row, &self.gate, is_busy) {
            Standing::Held(hold)
        } else {
            Standing::Free {
                rank: Rank::of(row),
                is_light: !row.takes_slot(),
            }
        };
        self.timers.set(&name, schedule::let_go_at(state.now, row));
        let candidate = Candidate {
            runs_alone: row.runs_alone(),
            watches: schedule::waits_for(state, row),
            awaits: gc::awaited_deletions(state, row),
            standing,
        };
        self.put_in(name, candidate, before);
    }

    /// Takes one out of all lists but those of what it waits for.
    fn take_out(&mut self, name: &ManifestName) -> Option<Candidate> {
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
    fn put_in(&mut self, name: ManifestName, candidate: Candidate, before: Option<Candidate>) {
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
