//! Definitions of custom resources: who defines the kinds of whose objects, and who has to wait for that.
//!
//! Within a resource the order of kinds sees to it. Between resources nobody need say it in the Tiltfile.

use std::collections::{BTreeMap, BTreeSet};

use super::state::{Row, State};
use crate::k8s::Entity;
use crate::model::ManifestName;

/// Finds out anew which resources define kinds of objects that others deploy.
pub(super) fn find_definers(state: &mut State) {
    let mut definers: BTreeMap<(String, String), BTreeSet<ManifestName>> = BTreeMap::new();
    for (name, row) in &state.rows {
        for kind in row.entities().iter().filter_map(Entity::defines) {
            definers.entry(kind).or_default().insert(name.clone());
        }
    }
    for (name, row) in state.rows.iter_mut() {
        row.definers = if definers.is_empty() {
            BTreeSet::new()
        } else {
            definers_of(row, &definers)
        };
        row.definers.remove(name);
    }
}

fn definers_of(
    row: &Row,
    definers: &BTreeMap<(String, String), BTreeSet<ManifestName>>,
) -> BTreeSet<ManifestName> {
    let entities = row.entities().iter();
    let kinds = entities.map(|entity| (entity.group().to_owned(), entity.kind().to_owned()));
    kinds
        .filter_map(|kind| definers.get(&kind))
        .flatten()
        .cloned()
        .collect()
}

/// Returns the resources whose update a first deploy of this one waits for, since they define kinds of its objects.
///
/// One that was updated, well or badly, is no longer waited for; nor one that itself waits for this resource.
pub(super) fn awaited(state: &State, name: &ManifestName, row: &Row) -> Vec<ManifestName> {
    if row.deployed.at.is_some() {
        return Vec::new();
    }
    let definers = row.definers.iter();
    definers
        .filter(|definer| is_pending(state, definer) && !waits_for(state, definer, name))
        .cloned()
        .collect()
}

/// Returns the resources whose state decides whether a first deploy of this one waits.
pub(super) fn looked_at(state: &State, row: &Row) -> BTreeSet<ManifestName> {
    let mut seen = BTreeSet::new();
    if row.deployed.at.is_some() {
        return seen;
    }
    let mut open: Vec<&ManifestName> = row.definers.iter().collect();
    while let Some(name) = open.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        if let Some(row) = state.rows.get(name) {
            open.extend(&row.manifest.resource_deps);
            open.extend(&row.definers);
        }
    }
    seen
}

fn is_pending(state: &State, name: &ManifestName) -> bool {
    let row = state.rows.get(name);
    row.is_some_and(|row| row.building.is_some() || row.is_due())
}

/// Returns whether the first deploy of `start` waits for that of `goal`, be it through others.
fn waits_for(state: &State, start: &ManifestName, goal: &ManifestName) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![start];
    while let Some(name) = open.pop() {
        if name == goal {
            return true;
        }
        let Some(row) = state.rows.get(name).filter(|_| seen.insert(name)) else {
            continue;
        };
        if !row.started_first {
            open.extend(&row.manifest.resource_deps);
        }
        if row.deployed.at.is_none() && row.building.is_none() {
            open.extend(&row.definers);
        }
    }
    false
}
