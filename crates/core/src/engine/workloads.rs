//! Workloads: how far those that were applied have come, and those that make the pods of something that was applied.

use super::effect::WatchedKind;
use super::event::AppliedObject;
use super::state::State;
use crate::model::{ObjectUid, Owner, Pod, Workload, WorkloadKind};

/// Takes in a workload as a watch sees it. A watch may lag behind what was applied since.
pub(super) fn on_seen(state: &mut State, workload: Workload) {
    let known = state.workloads.get(&workload.uid);
    if known.is_some_and(|known| known.generation > workload.generation || *known == workload) {
        return;
    }
    let uids = || std::iter::once(&workload.uid).chain(&workload.owners);
    let claiming = uids().filter_map(|uid| state.claims.get(uid));
    let borrowing = state.borrowed.get(&workload.uid);
    let names = claiming.chain(borrowing).flatten().cloned();
    state.dirty.rows.extend(names);
    state.workloads.insert(workload.uid.clone(), workload);
}

/// Takes in how far workloads were when they were applied. What a watch has said of the same wish since is newer.
pub(super) fn on_applied(state: &mut State, applied: &[AppliedObject]) {
    for workload in applied.iter().filter_map(|object| object.workload.as_ref()) {
        let known = state.workloads.get(&workload.uid);
        if known.is_none_or(|known| known.generation < workload.generation) {
            state.workloads.insert(workload.uid.clone(), workload.clone());
        }
    }
}

/// Forgets workloads that are not watched any more.
pub(super) fn forget_unwatched(state: &mut State) {
    let is_watched = |workload: &Workload| {
        state
            .watched
            .watches(&watched(workload.kind, &workload.namespace))
    };
    state.workloads.retain(|_, workload| is_watched(workload));
    let workloads = &state.workloads;
    state.borrowed.retain(|uid, _| workloads.contains_key(uid));
}

/// Returns how a kind of workload is watched in a namespace.
pub(super) fn watched(kind: WorkloadKind, namespace: &str) -> WatchedKind {
    WatchedKind {
        api_version: kind.api_version().to_owned(),
        kind: kind.as_str().to_owned(),
        namespace: Some(namespace.to_owned()),
    }
}

/// Returns the workload that makes a pod for something of ours that is none itself: the farthest one between them.
pub(super) fn maker<'a>(pod: &'a Pod, ours: Option<&ObjectUid>) -> Option<(&'a Owner, WorkloadKind)> {
    let between = pod.owners.iter().take_while(|owner| Some(&owner.uid) != ours);
    between
        .filter_map(|owner| Some((owner, WorkloadKind::of(&owner.api_version, &owner.kind)?)))
        .last()
}

/// Returns whether an object makes pods, or is one.
pub(super) fn is_part(object: &AppliedObject) -> bool {
    let id = &object.id;
    WorkloadKind::of(&id.api_version, &id.kind).is_some() || (id.kind == "Pod" && id.api_version == "v1")
}
