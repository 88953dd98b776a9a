//! What was applied and somebody else has deleted since: nothing brings it back by itself, so it is told.

use std::collections::BTreeSet;

use super::config::Mode;
use super::effect::Effect;
use super::state::State;
use crate::model::{Level, LogEvent};
use crate::model::{ManifestName, ObjectUid, PodPhase, SpanId, Workload};

/// Takes in that an object is gone. A Job that is over has done what it was for.
pub(super) fn on_gone(state: &mut State, uid: &ObjectUid) -> Vec<Effect> {
    if state.workloads.get(uid).is_some_and(Workload::is_over) {
        return Vec::new();
    }
    if let Some(workload) = state.workloads.remove(uid) {
        let owners = workload.owners.iter().filter_map(|owner| state.claims.get(owner));
        state.dirty.rows.extend(owners.flatten().cloned());
    }
    state
        .dirty
        .rows
        .extend(state.borrowed.remove(uid).unwrap_or_default());
    note(state, uid)
}

/// Takes in that a pod is gone, which may have been applied as it was. One that has ended has done what it was for.
pub(super) fn on_pod_gone(state: &mut State, uid: &ObjectUid) -> Vec<Effect> {
    let phase = state.pods.get(uid).map(|seen| seen.pod.phase);
    if matches!(phase, Some(PodPhase::Succeeded | PodPhase::Failed)) {
        return Vec::new();
    }
    note(state, uid)
}

fn note(state: &mut State, uid: &ObjectUid) -> Vec<Effect> {
    let names: BTreeSet<ManifestName> = state.claims.get(uid).cloned().unwrap_or_default();
    let mut effects = Vec::new();
    for name in names {
        if let Some(row) = state.rows.get_mut(&name) {
            row.deployed.gone.insert(uid.clone());
        }
        effects.extend(tell(state, &name));
        state.dirty.rows.insert(name);
    }
    effects
}

/// Looks again at what is gone once an update has ended: what it has deleted to make it anew is not missing.
pub(super) fn on_updated(state: &mut State, name: &ManifestName) -> Vec<Effect> {
    let Some(row) = state.rows.get_mut(name) else {
        return Vec::new();
    };
    let deployed = &mut row.deployed;
    let is_ours = |uid: &ObjectUid| deployed.objects.iter().any(|object| object.uid == *uid);
    deployed.gone.retain(|uid| is_ours(uid));
    deployed.told_gone.retain(|uid| is_ours(uid));
    tell(state, name)
}

/// Warns of what is gone, once. While an update runs it may be the one who deletes.
fn tell(state: &mut State, name: &ManifestName) -> Vec<Effect> {
    let is_up = state.config.mode == Mode::Up;
    let Some(row) = state
        .rows
        .get_mut(name)
        .filter(|row| is_up && row.building.is_none())
    else {
        return Vec::new();
    };
    let deployed = &mut row.deployed;
    let untold: Vec<ObjectUid> = deployed.gone.difference(&deployed.told_gone).cloned().collect();
    let told = deployed
        .objects
        .iter()
        .filter(|object| untold.contains(&object.uid));
    let lines: Vec<Effect> = told
        .map(|object| {
            let text = format!(
                "{} was deleted, and not by this session; it does not come back by itself\n\
                 hint: an update brings it back: `tilt trigger {name}`, or save one of its files",
                object.id
            );
            let line = LogEvent::line(SpanId::new(format!("events:{name}")), name.clone(), text);
            Effect::Log(line.level(Level::Warn))
        })
        .collect();
    deployed.told_gone.extend(untold);
    lines
}
