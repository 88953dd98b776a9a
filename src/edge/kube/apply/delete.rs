//! Deletes objects, without waiting until they are gone.

use futures::{StreamExt, stream};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::edge::kube::connection::{Cluster, RequestError, WritePermit};
use crate::engine::{ObjectId, UnwantedObject};
use crate::k8s::labels::Ownership;
use crate::k8s::order::rank;
use crate::k8s::ownership::{Claim, Fate, claim_of_others, warnings};
use crate::logs::LogWriter;
use crate::model::ObjectUid;

/// How many objects are deleted at a time.
const PARALLEL: usize = 10;
/// How often the deletion of an object is tried against an API server that does not answer.
const TRIES: u32 = 5;

/// Deletes objects that are no longer wanted, with the lines that announce it; what fails is logged, not returned. While
/// the API server does not answer it is waited for, unless `stop` is cancelled: nobody comes back to these objects later.
///
/// Rule: `docs/rules/deploy.md`, "Deletions".
pub async fn collect_garbage(
    cluster: &Cluster,
    reason: &str,
    objects: &[UnwantedObject],
    ownership: &Ownership,
    log: &LogWriter,
    stop: &CancellationToken,
) {
    log.info(&format!("Beginning {reason}"));
    let deletion = Deletion {
        permit: &cluster.permit(),
        log,
        stop: Some(stop),
    };
    if let Err(error) = deletion.run(objects, ownership).await {
        log.error(&format!("Error {reason}: {error}"));
    }
}

/// Deletes objects, and says which, and which of them somebody else has deployed lately. All are attempted; an object or
/// kind that does not exist is no error.
///
/// # Errors
/// With the messages of all that failed, one per line.
pub async fn delete(
    cluster: &Cluster,
    objects: &[ObjectId],
    ownership: &Ownership,
    log: &LogWriter,
) -> Result<(), String> {
    let objects: Vec<UnwantedObject> = objects.iter().cloned().map(UnwantedObject::from).collect();
    let deletion = Deletion {
        permit: &cluster.permit(),
        log,
        stop: None,
    };
    deletion.run(&objects, ownership).await.map(drop)
}

/// What is the same for all objects of a deletion.
pub(super) struct Deletion<'a> {
    pub(in crate::edge::kube) permit: &'a WritePermit,
    pub(in crate::edge::kube) log: &'a LogWriter,
    /// Whether an API server that does not answer is waited for, and until when.
    pub(in crate::edge::kube) stop: Option<&'a CancellationToken>,
}

/// An object that was asked to go, and is still there: as the API server has it.
pub(super) type Pending = (ObjectId, Value);

impl Deletion<'_> {
    async fn run(&self, objects: &[UnwantedObject], ownership: &Ownership) -> Result<Vec<Pending>, String> {
        if objects.is_empty() {
            return Ok(Vec::new());
        }
        let objects = self.announce(objects, ownership).await;
        self.delete(objects).await
    }

    /// Says what is deleted, and which of it somebody else has deployed lately. Returns the objects with the UIDs that
    /// they have now, where those are known: what is made anew from now on is another object.
    pub(super) async fn announce(
        &self,
        objects: &[UnwantedObject],
        ownership: &Ownership,
    ) -> Vec<UnwantedObject> {
        let list: String = objects
            .iter()
            .map(|object| format!("\n→ {}", object.id))
            .collect();
        self.log.info(&format!("Deleting kubernetes objects:{list}"));
        let now = clock::timestamp();
        let cluster = self.permit.cluster();
        let looked: Vec<(UnwantedObject, Option<Claim>)> = stream::iter(objects.to_vec())
            .map(|mut object| async move {
                let Some(live) = live(cluster, &object.id).await else {
                    return (object, None);
                };
                if object.uid.is_none() {
                    object.uid = live["metadata"]["uid"].as_str().map(ObjectUid::new);
                }
                let is_it = live["metadata"]["uid"].as_str() == object.uid.as_ref().map(ObjectUid::as_str);
                let claim = claim_of_others(&live, ownership, now).filter(|_| is_it);
                (object, claim)
            })
            .buffered(PARALLEL)
            .collect()
            .await;
        let claims = looked
            .iter()
            .filter_map(|(object, claim)| Some((object.id.to_string(), claim.clone()?)));
        for warning in warnings(Fate::Deleted, &claims.collect::<Vec<_>>(), ownership) {
            self.log.warn(&warning);
        }
        looked.into_iter().map(|(object, _)| object).collect()
    }

    /// Deletes objects: neighbours of the same rank at once, one rank after the other, in the order given. Returns those
    /// that are not gone yet.
    pub(in crate::edge::kube) async fn delete(
        &self,
        objects: Vec<UnwantedObject>,
    ) -> Result<Vec<Pending>, String> {
        let (mut errors, mut pending) = (Vec::new(), Vec::new());
        // Owned batches: a future that borrows from a closure's argument could not be sent to another thread.
        let batches: Vec<Vec<UnwantedObject>> = objects
            .chunk_by(|a, b| rank(&a.id.kind) == rank(&b.id.kind))
            .map(<[UnwantedObject]>::to_vec)
            .collect();
        for batch in batches {
            let outcomes: Vec<Result<Option<Pending>, String>> = stream::iter(batch)
                .map(|object| self.delete_one(object))
                .buffered(PARALLEL)
                .collect()
                .await;
            for outcome in outcomes {
                match outcome {
                    Ok(still_there) => pending.extend(still_there),
                    Err(error) => errors.push(error),
                }
            }
        }
        if errors.is_empty() {
            return Ok(pending);
        }
        // Said once of a cluster that is not ours.
        errors.dedup();
        Err(errors.join("\n"))
    }

    async fn delete_one(&self, object: UnwantedObject) -> Result<Option<Pending>, String> {
        let id = object.id.clone();
        match self.try_to_delete(&object).await {
            Ok(pending) => Ok(pending.map(|live| (id, live))),
            Err(RequestError::NoMatch { .. }) => Ok(None),
            Err(error) if error.is_conflict() && self.is_another_by_now(&object).await => {
                self.log
                    .info(&format!("{id} was made anew by somebody else: it stays."));
                Ok(None)
            }
            Err(error @ RequestError::OtherCluster { .. }) => Err(error.message()),
            Err(error) => Err(format!("{id}: {}", error.message())),
        }
    }

    /// Returns whether there is an object of that name with another UID than the one that was meant.
    async fn is_another_by_now(&self, object: &UnwantedObject) -> bool {
        let Some(uid) = &object.uid else { return false };
        let live = live(self.permit.cluster(), &object.id).await;
        live.is_some_and(|live| live["metadata"]["uid"].as_str() != Some(uid.as_str()))
    }

    async fn try_to_delete(&self, object: &UnwantedObject) -> Result<Option<Value>, RequestError> {
        let mut tries = 0;
        loop {
            let deleted = self.delete_once(object).await;
            tries += 1;
            match (&deleted, self.stop) {
                (Err(error), Some(stop)) if error.is_lost() && tries < TRIES => {
                    tokio::select! {
                        () = stop.cancelled() => return deleted,
                        () = self.permit.cluster().answers_again() => {}
                    }
                }
                _ => return deleted,
            }
        }
    }

    async fn delete_once(&self, object: &UnwantedObject) -> Result<Option<Value>, RequestError> {
        let (id, cluster) = (&object.id, self.permit.cluster());
        let namespace = id.namespace.as_deref();
        let api = cluster
            .object(&id.api_version, &id.kind, namespace, &id.name)
            .await?;
        let uid = object.uid.as_ref().map(ObjectUid::as_str);
        api.delete(self.permit, uid).await
    }
}

/// Returns an object as the API server has it; `None` also where that cannot be told.
pub(in crate::edge::kube) async fn live(cluster: &Cluster, id: &ObjectId) -> Option<Value> {
    let api = cluster.object(&id.api_version, &id.kind, id.namespace.as_deref(), &id.name);
    api.await.ok()?.get().await.ok()?
}
