//! The resources whose next update is due: what holds each of them, and in which order the others start.
//!
//! What holds one, and its rank, are answers of `schedule`. They are kept in the state, and asked for anew only where something
//! changed that they depend on: the row itself, one that it waits for, a target that a running update makes, a deletion, or the
//! time. What holds all, or all that run alone, lies over these answers, and is not kept with each. So an event costs the same
//! however many updates are due.

use std::collections::BTreeSet;

use super::gc;
use super::schedule;
use super::state::{Candidate, Candidates, Facts, Gate, Rank, Standing, State, Touched};
use crate::model::{BuildId, ManifestName, TargetId};

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
}
