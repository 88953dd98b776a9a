//! Objects in the cluster that no resource wants any more.
//!
//! Nothing is deleted that a resource of the Tiltfile has applied, or would apply: then it passes to that resource.

use std::collections::{BTreeMap, BTreeSet};

use super::effect::Effect;
use super::event::{AppliedObject, UpdateOutcome};
use super::object_id::{ObjectId, UnwantedObject};
use super::state::{DeleteCommand, Deletion, Deployed, Remains, Row, Running, State};
use crate::k8s::Entity;
use crate::k8s::order::rank;
use crate::model::{DeleteId, ManifestName, ObjectUid, ServiceId, SpanId};

/// What a resource left in the cluster.
type Owned = BTreeMap<ObjectId, AppliedObject>;

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
    state.dirty.watches.insert(running.manifest.clone());
    let was_by_command = row.deployed.delete_command.is_some();
    row.deployed = add_applied(std::mem::take(&mut row.deployed), running, outcome);
    let deployed = &mut row.deployed;
    let earlier = std::mem::take(&mut deployed.objects);
    if outcome.error.is_some() {
        let is_replaced = |known: &AppliedObject| outcome.applied.iter().any(|object| is_same(known, object));
        let kept = earlier.into_iter().filter(|known| !is_replaced(known));
        deployed.objects = kept.chain(outcome.applied.iter().cloned()).collect();
        return None;
    }
    deployed.at = Some(now);
    deployed.objects.clone_from(&outcome.applied);
    let mut dangling = std::mem::take(&mut deployed.owned);
    let is_by_command = running.delete_command.is_some();
    if was_by_command && !is_by_command {
        // What a command had deployed is from now on deleted like anything else.
        deployed.delete_command = None;
        dangling.extend(earlier.into_iter().map(|object| (object.id.clone(), object)));
    }
    let current: Owned = dangling
        .extract_if(.., |_, known| {
            outcome.applied.iter().any(|now| is_same(now, known))
        })
        .collect();
    if !is_by_command {
        deployed.owned = current
            .into_values()
            .filter(|known| outcome.applied.iter().any(|now| now.id == known.id))
            .map(|known| (known.id.clone(), known))
            .collect();
    }
    delete(state, &running.manifest, running.span.clone(), DANGLING, dangling)
}

/// Adds what an update left in the cluster to what its resource had there, however it ended.
pub(super) fn add_applied(mut deployed: Deployed, running: &Running, outcome: &UpdateOutcome) -> Deployed {
    if running.delete_command.is_some() {
        // What a command deploys it also takes away, as far as it came.
        if outcome.deploy_began || outcome.error.is_none() {
            deployed.delete_command.clone_from(&running.delete_command);
        }
        return deployed;
    }
    for object in &outcome.applied {
        deployed.owned.retain(|_, known| !is_same(known, object));
        deployed.owned.insert(object.id.clone(), object.clone());
    }
    deployed
}

/// Deletes what a resource left behind that is gone from the Tiltfile, or off: by the command that belongs to it, where a
/// command deployed it, else object by object.
pub(super) fn delete_remains(
    state: &mut State,
    manifest: &ManifestName,
    span: SpanId,
    remains: Remains,
) -> Vec<Effect> {
    let Remains { deployed, reason } = remains;
    state.dirty.cluster = true;
    let service = deployed
        .service
        .filter(|service| !pass_service_on(state, service));
    let by_service = service.map(|service| remove_service(state, manifest, service));
    let by_object = delete(state, manifest, span.clone(), reason, deployed.owned);
    let by_command = deployed.delete_command.map(|command| {
        let objects = deployed
            .objects
            .into_iter()
            .map(|object| object.id.into())
            .collect();
        start_deletion(state, manifest, span, reason, objects, Some(command))
    });
    by_service
        .into_iter()
        .chain(by_object)
        .chain(by_command)
        .collect()
}

/// Returns whether another resource stands for a service by now; that one is then answerable for its containers.
fn pass_service_on(state: &mut State, service: &ServiceId) -> bool {
    let heir = state.services.row_of(service).cloned();
    let heir = heir
        .and_then(|name| state.rows.get_mut(&name))
        .filter(|row| row.enabled);
    heir.map(|row| row.deployed.service = Some(service.clone()))
        .is_some()
}

fn remove_service(state: &mut State, manifest: &ManifestName, service: ServiceId) -> Effect {
    let delete = state.deletions.begin(Deletion {
        manifest: manifest.clone(),
        objects: Vec::new(),
        by_command: false,
        service: Some(service.clone()),
    });
    Effect::RemoveService { delete, service }
}

/// Returns whether the containers of a service are being removed just now.
pub(super) fn is_being_removed(state: &State, service: &ServiceId) -> bool {
    state.deletions.of_service(service).next().is_some()
}

/// Rule: `docs/rules/deploy.md`, "Deletions"; in the reverse of the order in which objects are applied.
fn delete(
    state: &mut State,
    manifest: &ManifestName,
    span: SpanId,
    reason: &'static str,
    unwanted: BTreeMap<ObjectId, AppliedObject>,
) -> Option<Effect> {
    let mut objects: Vec<UnwantedObject> = Vec::new();
    for (id, object) in unwanted {
        if !object.keep && !pass_on(state, &object) {
            let uid = is_known(&object.uid).then_some(object.uid);
            objects.push(UnwantedObject { id, uid });
        }
    }
    objects.sort_by(|UnwantedObject { id: a, .. }, UnwantedObject { id: b, .. }| {
        (rank(&b.kind), &b.name).cmp(&(rank(&a.kind), &a.name))
    });
    if objects.is_empty() {
        return None;
    }
    Some(start_deletion(state, manifest, span, reason, objects, None))
}

/// Starts a deletion: of these objects, or by a command that takes them away.
///
/// Rule: `docs/rules/deploy.md`, "Deletions".
fn start_deletion(
    state: &mut State,
    manifest: &ManifestName,
    span: SpanId,
    reason: &'static str,
    objects: Vec<UnwantedObject>,
    command: Option<DeleteCommand>,
) -> Effect {
    let delete = state.deletions.begin(Deletion {
        manifest: manifest.clone(),
        objects: objects.iter().map(|object| object.id.clone()).collect(),
        by_command: command.is_some(),
        service: None,
    });
    Effect::DeleteObjects {
        delete,
        manifest: manifest.clone(),
        span,
        reason,
        objects: if command.is_some() { Vec::new() } else { objects },
        command,
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
        if deletion.by_command && deletion.manifest == row.manifest.name {
            return vec![deletion.manifest.to_string()];
        }
        let objects = deletion.objects.iter();
        objects.filter(declares).map(ToString::to_string).collect()
    };
    let awaited = awaited_deletions(state, row).into_iter();
    awaited
        .filter_map(|id| state.deletions.get(id))
        .flat_map(of_deletion)
        .collect()
}

/// Returns the deletions that an update of a resource may have to wait for.
pub(super) fn awaited_deletions(state: &State, row: &Row) -> BTreeSet<DeleteId> {
    let deletions = &state.deletions;
    if deletions.is_empty() {
        return BTreeSet::new();
    }
    if let Some(compose) = row.compose() {
        return deletions.of_service(&compose.service_id()).collect();
    }
    let of_objects = row
        .entities()
        .iter()
        .flat_map(|entity| deletions.of_object(entity.kind(), entity.name()));
    deletions
        .by_command_of(&row.manifest.name)
        .chain(of_objects)
        .collect()
}

/// Returns whether a resource has the object or would apply it. One that would is from now on answerable for it.
fn pass_on(state: &mut State, object: &AppliedObject) -> bool {
    if state
        .rows
        .values()
        .any(|row| row.deployed.all().any(|known| is_same(known, object)))
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
    let Some(name) = heir else { return false };
    if let Some(row) = state.rows.get_mut(&name) {
        row.deployed.owned.insert(object.id.clone(), object.clone());
    }
    state.dirty.watches.insert(name);
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
    (is_known(&a.uid) && a.uid == b.uid) || key(&a.id) == key(&b.id)
}

fn is_known(uid: &ObjectUid) -> bool {
    !uid.as_str().is_empty()
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
