//! Objects in the cluster that no resource wants any more.
//!
//! Nothing is deleted that a resource of the Tiltfile has applied, or would apply: then it passes to that resource.

use std::collections::BTreeMap;

use super::effect::{Effect, ObjectId};
use super::event::{AppliedObject, UpdateOutcome};
use super::state::{DeleteCommand, Deletion, Remains, Row, Running, State};
use crate::k8s::Entity;
use crate::k8s::order::rank;
use crate::model::{DeleteId, K8sTarget, ManifestName, SpanId};

/// Why objects are deleted, as shown.
pub(super) const REMOVED: &str = "garbage collecting removed Kubernetes objects";
pub(super) const DISABLED: &str = "deleting disabled Kubernetes objects";
const DANGLING: &str = "garbage collecting Kubernetes objects";

/// Takes in what an update applied; after one that ended well, deletes what it no longer has.
///
/// The successful part of a failed update counts too: its pods run, and its objects must not be forgotten.
pub(super) fn note_applied(state: &mut State, running: &Running, outcome: &UpdateOutcome) -> Option<Effect> {
    let now = state.now;
    let row = state.rows.get_mut(&running.manifest)?;
    for object in &outcome.applied {
        row.deployed.owned.retain(|_, known| !is_same(known, object));
        row.deployed.owned.insert(object.id.clone(), object.clone());
    }
    state.dirty.cluster = true;
    if outcome.error.is_some() {
        let replaced = |known: &AppliedObject| outcome.applied.iter().any(|object| is_same(known, object));
        row.deployed.objects.retain(|known| !replaced(known));
        row.deployed.objects.extend(outcome.applied.iter().cloned());
        return None;
    }
    row.deployed.at = Some(now);
    row.deployed.job_complete = outcome.job_complete;
    row.deployed.objects = outcome.applied.clone();
    row.deployed.delete_command = row.k8s().and_then(delete_command);
    if row.deployed.delete_command.is_some() {
        // What a command deploys it also takes away.
        row.deployed.owned.clear();
        return None;
    }
    let mut dangling = std::mem::take(&mut row.deployed.owned);
    row.deployed.owned = dangling
        .extract_if(.., |id, _| outcome.applied.iter().any(|now| now.id == *id))
        .collect();
    delete(state, &running.manifest, running.span.clone(), DANGLING, dangling)
}

/// Returns what takes away what a command deploys.
pub(super) fn delete_command(k8s: &K8sTarget) -> Option<DeleteCommand> {
    let custom = k8s.options.custom_deploy.as_ref()?;
    Some((custom.delete.clone(), k8s.upsert_timeout))
}

/// Deletes what a resource left behind that is gone from the Tiltfile, or off; by the command that belongs to it where a
/// command deployed it.
pub(super) fn delete_remains(
    state: &mut State,
    manifest: &ManifestName,
    span: SpanId,
    remains: Remains,
) -> Option<Effect> {
    state.dirty.cluster = true;
    match remains.delete_command {
        Some(command) => Some(delete_by_command(state, manifest, span, remains.reason, command)),
        None => delete(state, manifest, span, remains.reason, remains.owned),
    }
}

/// Rule: `reference/engine.md` 3.4; in the reverse of the order in which objects are applied.
fn delete(
    state: &mut State,
    manifest: &ManifestName,
    span: SpanId,
    reason: &'static str,
    unwanted: BTreeMap<ObjectId, AppliedObject>,
) -> Option<Effect> {
    let mut objects: Vec<ObjectId> = Vec::new();
    for (id, object) in unwanted {
        if !object.keep && !pass_on(state, &object) {
            objects.push(id);
        }
    }
    objects.sort_by(|a, b| (rank(&b.kind), &b.name).cmp(&(rank(&a.kind), &a.name)));
    if objects.is_empty() {
        return None;
    }
    state.last_delete += 1;
    let delete = DeleteId(state.last_delete);
    state.deletions.insert(delete, Deletion::Objects(objects.clone()));
    Some(Effect::DeleteObjects {
        delete,
        manifest: manifest.clone(),
        span,
        reason,
        objects,
        command: None,
    })
}

/// Rule: `reference/engine.md` 3.4, "With `deleteCmd`".
fn delete_by_command(
    state: &mut State,
    manifest: &ManifestName,
    span: SpanId,
    reason: &'static str,
    command: DeleteCommand,
) -> Effect {
    state.last_delete += 1;
    let delete = DeleteId(state.last_delete);
    state
        .deletions
        .insert(delete, Deletion::ByCommand(manifest.clone()));
    Effect::DeleteObjects {
        delete,
        manifest: manifest.clone(),
        span,
        reason,
        objects: Vec::new(),
        command: Some(command),
    }
}

/// Returns what of a resource is being deleted just now, because nobody wanted it a moment ago; its own name stands for
/// what its command deletes.
pub(super) fn being_deleted(state: &State, row: &Row) -> Vec<String> {
    let default_namespace = &state.config.default_namespace;
    let declares = |id: &&ObjectId| {
        let entities = row.entities();
        entities
            .iter()
            .any(|entity| is_declared_by(entity, id, default_namespace))
    };
    let of_deletion = |deletion: &Deletion| -> Vec<String> {
        match deletion {
            Deletion::Objects(objects) => objects.iter().filter(declares).map(ToString::to_string).collect(),
            Deletion::ByCommand(name) if *name == row.manifest.name => vec![name.to_string()],
            Deletion::ByCommand(_) => Vec::new(),
        }
    };
    state.deletions.values().flat_map(of_deletion).collect()
}

/// Returns whether a resource has the object or would apply it. One that would is from now on answerable for it.
fn pass_on(state: &mut State, object: &AppliedObject) -> bool {
    if state
        .rows
        .values()
        .any(|row| row.deployed.owned.values().any(|known| is_same(known, object)))
    {
        return true;
    }
    let default_namespace = &state.config.default_namespace;
    let declares = |row: &Row| {
        row.enabled
            && row
                .entities()
                .iter()
                .any(|entity| is_declared_by(entity, &object.id, default_namespace))
    };
    let heir = state
        .order
        .iter()
        .find(|name| state.rows.get(*name).is_some_and(declares))
        .cloned();
    let Some(row) = heir.and_then(|name| state.rows.get_mut(&name)) else {
        return false;
    };
    row.deployed.owned.insert(object.id.clone(), object.clone());
    true
}

/// Returns whether both are one object in the cluster, whatever version of its API they were written in.
fn is_same(a: &AppliedObject, b: &AppliedObject) -> bool {
    let key = |id: &ObjectId| {
        (
            group(&id.api_version).to_owned(),
            id.kind.clone(),
            id.namespace.clone(),
            id.name.clone(),
        )
    };
    a.uid == b.uid || key(&a.id) == key(&b.id)
}

fn is_declared_by(entity: &Entity, id: &ObjectId, default_namespace: &str) -> bool {
    let namespace = entity.namespace().unwrap_or(default_namespace);
    entity.kind() == id.kind
        && entity.name() == id.name
        && entity.group() == group(&id.api_version)
        && id.namespace.as_deref().is_none_or(|wanted| wanted == namespace)
}

fn group(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}
