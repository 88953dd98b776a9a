//! What of the cluster is watched: namespaces and kinds of resources whose first update has started, so that their pods are
//! known as soon as they are there.
//!
//! What each resource wants is remembered, and how many want each thing: so only those are looked at of which something changed.

use std::collections::BTreeSet;

use super::config::Mode;
use super::effect::{Effect, WatchedKind};
use super::state::{Row, Share, State};
use super::{objects, pods, workloads};
use crate::model::{PodReadiness, WorkloadKind};

/// Returns what of the cluster to watch, if that is not what is watched already.
pub(super) fn watch_cluster(state: &mut State) -> Option<Effect> {
    let mut names = std::mem::take(&mut state.dirty.watches);
    if std::mem::take(&mut state.dirty.cluster) {
        names.extend(state.rows.keys().cloned());
        names.extend(state.watched.shares.keys().cloned());
    }
    for name in &names {
        match state.rows.get(name).and_then(|row| share(state, row)) {
            Some(share) => state.watched.set(name, share),
            None => state.watched.remove(name),
        }
    }
    let mut wanted = state.watched.wanted.clone();
    let of_objects = objects::namespaces(state).map(str::to_owned);
    wanted.namespaces.extend(of_objects);
    if wanted == state.watched.asked {
        return None;
    }
    let asked = std::mem::replace(&mut state.watched.asked, wanted.clone());
    for namespace in asked.namespaces.difference(&wanted.namespaces) {
        pods::on_listed(state, namespace, &BTreeSet::new());
    }
    if !asked.kinds.is_subset(&wanted.kinds) {
        workloads::forget_unwatched(state);
    }
    Some(Effect::WatchCluster(wanted))
}

/// Returns what a resource wants watched; `None` as long as it has nothing in the cluster.
fn share(state: &State, row: &Row) -> Option<Share> {
    if !row.started_first && row.deployed.owned.is_empty() {
        return None;
    }
    let default = state.config.default_namespace.as_str();
    let (mut namespaces, mut kinds, mut uids) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let entities = row.entities().iter();
    namespaces.extend(entities.map(|entity| entity.namespace().unwrap_or(default)));
    kinds.extend(workload_kinds(row, default));
    let borrowed = row.runtime.borrowed_kinds.iter();
    kinds.extend(
        borrowed.map(|(kind, namespace)| (kind.api_version(), kind.as_str(), Some(namespace.as_str()))),
    );
    if state.config.mode == Mode::Up {
        kinds.extend(deletable_kinds(row));
    }
    for object in row.deployed.all() {
        namespaces.insert(object.id.namespace.as_deref().unwrap_or(default));
        uids.insert(&object.uid);
    }
    let kind = |(api_version, kind, namespace): KindAndPlace<'_>| WatchedKind {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        namespace: namespace.map(str::to_owned),
    };
    Some(Share {
        namespaces: namespaces.into_iter().map(str::to_owned).collect(),
        kinds: kinds.into_iter().map(kind).collect(),
        uids: uids.into_iter().cloned().collect(),
    })
}

/// An apiVersion, a kind and a namespace.
type KindAndPlace<'a> = (&'a str, &'a str, Option<&'a str>);

/// Returns the kinds of workloads that a resource deploys, and where, also before it has.
fn workload_kinds<'a>(row: &'a Row, default: &'a str) -> impl Iterator<Item = KindAndPlace<'a>> {
    let written = row.entities().iter().map(move |entity| {
        let kind = WorkloadKind::of(entity.api_version(), entity.kind());
        (kind, entity.namespace().unwrap_or(default))
    });
    let applied = row.deployed.objects.iter().map(move |object| {
        let kind = WorkloadKind::of(&object.id.api_version, &object.id.kind);
        (kind, object.id.namespace.as_deref().unwrap_or(default))
    });
    let judges = row.readiness() != PodReadiness::Ignore;
    written
        .chain(applied)
        .filter(move |_| judges)
        .filter_map(|(kind, namespace)| Some((kind?, namespace)))
        .map(|(kind, namespace)| (kind.api_version(), kind.as_str(), Some(namespace)))
}

/// Returns the kinds of which it is told when somebody deletes an object. Pods are watched anyway.
fn deletable_kinds(row: &Row) -> impl Iterator<Item = KindAndPlace<'_>> {
    let objects = row.deployed.objects.iter().map(|object| &object.id);
    objects.filter(|id| id.kind != "Pod").map(|id| {
        // One watch for each kind of workload, whatever version it was written in.
        let known = WorkloadKind::of(&id.api_version, &id.kind);
        let api_version = known.map_or(id.api_version.as_str(), |known| known.api_version());
        (api_version, id.kind.as_str(), id.namespace.as_deref())
    })
}
