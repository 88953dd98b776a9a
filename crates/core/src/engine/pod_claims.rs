//! Whose a pod is, and which pods of a resource count.

use std::collections::{BTreeMap, BTreeSet};

use super::state::{Row, State};
use crate::model::{ManifestName, ObjectUid, Pod, Timestamp};

/// The label that tells which template a pod was made from.
pub(super) const TEMPLATE_HASH: &str = "tilt.dev/pod-template-hash";

/// Returns the resources that a pod belongs to: those that deployed it or one of its owners, or select its labels.
pub(super) fn claimants(state: &State, pod: &Pod) -> BTreeSet<ManifestName> {
    let uids = [&pod.uid]
        .into_iter()
        .chain(pod.owners.iter().map(|owner| &owner.uid));
    let mut names: BTreeSet<ManifestName> = uids
        .filter_map(|uid| state.claims.get(uid))
        .flatten()
        .cloned()
        .collect();
    let selected = |name: &&ManifestName| state.rows.get(*name).is_some_and(|row| selects(row, pod));
    names.extend(state.selecting.iter().filter(selected).cloned());
    names
}

fn selects(row: &Row, pod: &Pod) -> bool {
    let matches = |selector: &BTreeMap<String, String>| {
        !selector.is_empty() && selector.iter().all(|(key, value)| pod.label(key) == Some(value))
    };
    row.deployed.at.is_some() && selectors(row).iter().any(matches)
}

/// Returns the labels by which a resource claims pods that it did not deploy.
pub(super) fn selectors(row: &Row) -> &[BTreeMap<String, String>] {
    row.k8s().map_or(&[], |k8s| &k8s.extra_pod_selectors)
}

/// Returns the objects whose pods a resource claims.
pub(super) fn claimed_objects(state: &State, name: &ManifestName) -> Vec<ObjectUid> {
    let objects = state
        .rows
        .get(name)
        .into_iter()
        .flat_map(|row| &row.deployed.objects);
    objects.map(|object| object.uid.clone()).collect()
}

/// Returns the pods of a resource that count: those that its last deploy made, as far as that can be told, and of
/// those that ReplicaSets own only the ones of the newest.
///
/// Rule: `docs/rules/runtime.md`, "Pods that count". The template is asked first, so that going back to an earlier template, for which
/// Kubernetes takes an older ReplicaSet again, does not lose its pods.
pub(super) fn counting<'a>(state: &'a State, row: &'a Row) -> Vec<&'a Pod> {
    let live = row
        .runtime
        .pods
        .iter()
        .filter_map(|uid| state.pods.get(uid))
        .map(|seen| &seen.pod);
    let current: Vec<&Pod> = live
        .chain(row.runtime.gone.values())
        .filter(|pod| is_current(row, pod))
        .collect();
    let mut newest_set: BTreeMap<Option<&ObjectUid>, (Option<Timestamp>, Timestamp, &ObjectUid)> =
        BTreeMap::new();
    for pod in &current {
        if let Some(set) = replica_set_age(pod) {
            let newest = newest_set.entry(ancestor(row, pod)).or_insert(set);
            *newest = set.max(*newest);
        }
    }
    let is_of_newest_set = |pod: &&Pod| {
        let newest = newest_set.get(&ancestor(row, pod));
        replica_set_age(pod).is_none_or(|(_, _, uid)| newest.is_none_or(|(_, _, newest)| *newest == uid))
    };
    current.into_iter().filter(is_of_newest_set).collect()
}

fn is_current(row: &Row, pod: &Pod) -> bool {
    let hashes = || {
        row.deployed
            .objects
            .iter()
            .flat_map(|object| &object.template_hashes)
    };
    is_ours(row, pod)
        && pod
            .label(TEMPLATE_HASH)
            .is_none_or(|hash| hashes().any(|current| current == hash))
}

/// Returns whether a pod comes from the last deploy of a resource, or has labels that it claims.
pub(super) fn is_ours(row: &Row, pod: &Pod) -> bool {
    ancestor(row, pod).is_some() || selects(row, pod)
}

/// Returns the object of the last deploy that the pod is, or comes from.
fn ancestor<'a>(row: &'a Row, pod: &Pod) -> Option<&'a ObjectUid> {
    let is_in_chain = |uid: &ObjectUid| pod.uid == *uid || pod.owners.iter().any(|owner| owner.uid == *uid);
    row.deployed
        .objects
        .iter()
        .map(|object| &object.uid)
        .find(|uid| is_in_chain(uid))
}

fn replica_set_age(pod: &Pod) -> Option<(Option<Timestamp>, Timestamp, &ObjectUid)> {
    let owner = pod.owners.first().filter(|owner| owner.kind == "ReplicaSet")?;
    Some((owner.created, pod.created, &owner.uid))
}
