//! The connection to the cluster: made once something is to be deployed, and tried again where it could not be made.
//!
//! How the cluster is doing is `State::cluster`; here is only who connects and when.

use std::time::{Duration, Instant};

use super::config::Mode;
use super::effect::Effect;
use super::event::ClusterStatus;
use super::state::{Connection, State, Wish};
use crate::model::{ApiKind, ApiObjects, Backoff, Manifest};

/// The pauses before a cluster that could not be reached is tried again: somebody may be starting it just now.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(1));

/// Kinds of objects that need a cluster.
const OF_CLUSTER: [ApiKind; 3] = [
    ApiKind::KubernetesApply,
    ApiKind::KubernetesDiscovery,
    ApiKind::PortForward,
];

impl Wish {
    fn effect(&self) -> Effect {
        Effect::ConnectCluster {
            has_default_registry: self.has_default_registry,
        }
    }
}

/// Connects the cluster, once, if one of these needs it.
pub(super) fn connect_for(state: &mut State, manifests: &[Manifest], objects: &ApiObjects) -> Option<Effect> {
    let is_deployed = |manifest: &Manifest| manifest.deploy.k8s().is_some();
    let has_any = |kind: &ApiKind| objects.of_kind(*kind).next().is_some();
    if !manifests.iter().any(is_deployed) && !OF_CLUSTER.iter().any(has_any) {
        return None;
    }
    let mut images = manifests.iter().flat_map(|manifest| &manifest.images);
    connect(state, images.any(|image| image.registry.is_some()))
}

/// Connects the cluster, once, if an object of this kind needs it.
pub(super) fn connect_for_object(state: &mut State, kind: ApiKind) -> Option<Effect> {
    OF_CLUSTER
        .contains(&kind)
        .then(|| connect(state, false))
        .flatten()
}

fn connect(state: &mut State, has_default_registry: bool) -> Option<Effect> {
    if !matches!(state.connection, Connection::Unneeded) {
        return None;
    }
    let wish = Wish {
        has_default_registry,
        pauses: PAUSES,
    };
    let effect = wish.effect();
    state.connection = Connection::Asked(wish);
    Some(effect)
}

/// Takes in how the cluster is, or that it could not be connected.
pub(super) fn on_changed(state: &mut State, status: ClusterStatus) {
    let is_patient = state.config.mode == Mode::Up && state.config.has_cluster;
    let now = state.now;
    match (&status, &mut state.connection) {
        (ClusterStatus::Connected, Connection::Settled) => {}
        (ClusterStatus::Connected, _) => {
            state.connection = Connection::Settled;
            // What was asked for before there was a cluster nobody could do.
            state.watched.forget_asked();
            state.asked.forwards.forget_asked();
            state.dirty.cluster = true;
        }
        (ClusterStatus::Failed(_), Connection::Asked(wish)) if is_patient => {
            let pause = wish.pauses.pause();
            state.connection = Connection::Again(wish.clone(), now + pause);
        }
        (ClusterStatus::Failed(_), Connection::Asked(_)) => state.connection = Connection::Settled,
        _ => {}
    }
    state.cluster = status;
}

/// Connects once more when it is time.
pub(super) fn try_again(state: &mut State) -> Option<Effect> {
    let Connection::Again(wish, at) = &state.connection else {
        return None;
    };
    if *at > state.now {
        return None;
    }
    let wish = wish.clone();
    let effect = wish.effect();
    state.connection = Connection::Asked(wish);
    Some(effect)
}

/// Returns when it is time.
pub(super) fn next(state: &State) -> Option<Instant> {
    match state.connection {
        Connection::Again(_, at) => Some(at),
        _ => None,
    }
}
