//! How what each resource deployed is doing, as its kind of deploy judges it: what is noted of that, and when it is asked again.

use super::deploy::Judgement;
use super::state::State;
use super::{deploy, stuck};
use crate::model::{ManifestName, RuntimeStatus};

/// Notes how a resource is doing now, and when it was last well.
pub(super) fn refresh(state: &mut State, name: &ManifestName) {
    let Some(row) = state.rows.get(name) else {
        state.looks.set(name, None);
        return;
    };
    let Judgement {
        status,
        health,
        makers,
    } = deploy::of(row).judge(state, row);
    let now = state.now;
    let kinds = makers.values().cloned().collect();
    for uid in makers.into_keys() {
        state.borrowed.entry(uid).or_default().insert(name.clone());
    }
    let mut look_again = health.look_again;
    if let Some(row) = state.rows.get_mut(name) {
        if row.runtime.borrowed_kinds != kinds {
            state.dirty.watches.insert(name.clone());
        }
        row.runtime.borrowed_kinds = kinds;
        (row.runtime.status, row.runtime.health) = (status, health);
        if status == RuntimeStatus::Ok {
            row.runtime.note_ready(now);
        }
    }
    if let Some(row) = state.rows.get(name) {
        let grave = stuck::grave_trouble(state, row);
        if grave != row.runtime.grave
            && let Some(row) = state.rows.get_mut(name)
        {
            row.runtime.grave = grave;
        }
    }
    if let Some(row) = state.rows.get(name) {
        let limit = stuck::limit(state, row).map(|limit| limit.at);
        look_again = look_again.into_iter().chain(limit.filter(|at| *at > now)).min();
    }
    state.looks.set(name, look_again);
}
