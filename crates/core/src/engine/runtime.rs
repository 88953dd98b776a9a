//! How what a resource deployed is doing, told by its newest pod.

use super::row::Row;
use super::serve;
use super::state::State;
use crate::model::RuntimeStatus;
use crate::model::{ManifestName, Pod, PodPhase, PodReadiness};

/// Notes how a resource is doing now, and when it was last well.
pub(super) fn refresh(state: &mut State, name: &ManifestName) {
    let Some(row) = state.rows.get(name) else {
        return;
    };
    let (now, status) = (state.now, status(row, state.newest_pod(row)));
    if let Some(row) = state.rows.get_mut(name) {
        row.runtime.status = status;
        if status == RuntimeStatus::Ok {
            row.runtime.note_ready(now);
        }
    }
}

/// Returns how a resource is doing whose newest pod is this.
///
/// A container that keeps crashing in a pod that counts as running is pending and not an error: the pod's status text
/// tells more.
///
/// Rule: `reference/engine.md` 4.6.
fn status(row: &Row, pod: Option<&Pod>) -> RuntimeStatus {
    if let Some(local) = row.local() {
        return serve::status(row, local);
    }
    let readiness = row.readiness();
    if row.deployed.at.is_none() {
        return RuntimeStatus::Pending;
    }
    if readiness == PodReadiness::Ignore || row.deployed.job_complete {
        return RuntimeStatus::Ok;
    }
    match pod.map(|pod| (pod, pod.phase)) {
        Some((_, PodPhase::Succeeded)) => RuntimeStatus::Ok,
        Some((_, PodPhase::Failed)) => RuntimeStatus::Error,
        Some((pod, PodPhase::Running)) => {
            let ready = !pod.containers.is_empty() && pod.containers.iter().all(|container| container.ready);
            if ready && readiness != PodReadiness::Succeeded {
                RuntimeStatus::Ok
            } else {
                RuntimeStatus::Pending
            }
        }
        Some((pod, _))
            if pod
                .all_containers()
                .any(|(_, container)| container.state.is_error()) =>
        {
            RuntimeStatus::Error
        }
        _ => RuntimeStatus::Pending,
    }
}
