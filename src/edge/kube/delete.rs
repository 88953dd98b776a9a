//! Deletes objects, without waiting until they are gone.

use futures::{StreamExt, stream};

use super::connect::Cluster;
use super::error::RequestError;
use super::identity::WritePermit;
use crate::edge::clock;
use crate::engine::ObjectId;
use crate::k8s::labels::Ownership;
use crate::k8s::order::rank;
use crate::k8s::ownership::{Claim, Fate, claim_of_others, warnings};
use crate::logs::LogWriter;

/// How many objects are deleted at a time.
const PARALLEL: usize = 10;

/// Deletes objects that are no longer wanted, with the lines that announce it; what fails is logged, not returned.
///
/// Rule: `reference/engine.md` 3.4.
pub async fn collect_garbage(
    cluster: &Cluster,
    reason: &str,
    objects: &[ObjectId],
    ownership: &Ownership,
    log: &LogWriter,
) {
    log.info(&format!("Beginning {reason}"));
    if let Err(error) = delete(cluster, objects, ownership, log).await {
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
    if objects.is_empty() {
        return Ok(());
    }
    let list: String = objects.iter().map(|object| format!("\n→ {object}")).collect();
    log.info(&format!("Deleting kubernetes objects:{list}"));
    for warning in warnings(
        Fate::Deleted,
        &others(cluster, objects, ownership).await,
        ownership,
    ) {
        log.warn(&warning);
    }
    delete_all(cluster, objects).await
}

/// Returns which of these objects somebody else has deployed lately.
async fn others(cluster: &Cluster, objects: &[ObjectId], ours: &Ownership) -> Vec<(String, Claim)> {
    let now = clock::timestamp();
    let claims: Vec<Option<(String, Claim)>> = stream::iter(objects.to_vec())
        .map(|object| async move {
            let namespace = object.namespace.as_deref();
            let found = cluster.object(&object.api_version, &object.kind, namespace, &object.name);
            let live = found.await.ok()?.get().await.ok()??;
            Some((object.to_string(), claim_of_others(&live, ours, now)?))
        })
        .buffered(PARALLEL)
        .collect()
        .await;
    claims.into_iter().flatten().collect()
}

/// Deletes objects without a word: neighbours of the same rank at once, one rank after the other, in the order given.
///
/// # Errors
/// With the messages of all that failed, one per line.
pub async fn delete_all(cluster: &Cluster, objects: &[ObjectId]) -> Result<(), String> {
    let permit = &cluster.permit();
    let mut errors = Vec::new();
    // Owned batches: a future that borrows from a closure's argument could not be sent to another thread.
    let batches: Vec<Vec<ObjectId>> = objects
        .chunk_by(|a, b| rank(&a.kind) == rank(&b.kind))
        .map(<[ObjectId]>::to_vec)
        .collect();
    for batch in batches {
        let outcomes: Vec<Result<(), String>> = stream::iter(batch)
            .map(|object| async move { delete_one(permit, object).await })
            .buffered(PARALLEL)
            .collect()
            .await;
        errors.extend(outcomes.into_iter().filter_map(Result::err));
    }
    if errors.is_empty() {
        Ok(())
    } else {
        // Said once of a cluster that is not ours.
        errors.dedup();
        Err(errors.join("\n"))
    }
}

async fn delete_one(permit: &WritePermit, object: ObjectId) -> Result<(), String> {
    let namespace = object.namespace.as_deref();
    let deleted = async {
        let api = permit
            .cluster()
            .object(&object.api_version, &object.kind, namespace, &object.name)
            .await?;
        api.delete(permit, None).await
    };
    match deleted.await {
        Ok(()) | Err(RequestError::NoMatch { .. }) => Ok(()),
        Err(error @ RequestError::OtherCluster { .. }) => Err(error.message()),
        Err(error) => Err(format!("{object}: {}", error.message())),
    }
}
