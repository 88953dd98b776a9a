//! Applies one object: looks first, takes over what was applied by the client, applies on the server, and falls back to
//! stronger means where the server asks for them.

use std::sync::Mutex;
use std::time::Duration;

use kube::core::DynamicObject;
use kube::runtime::wait::{await_condition, conditions::is_deleted};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::api::ObjectApi;
use super::connect::Cluster;
use super::error::RequestError;
use super::identity::WritePermit;
use crate::edge::clock;
use crate::k8s::Entity;
use crate::k8s::apply_input::apply_input;
use crate::k8s::display::kind_and_name;
use crate::k8s::labels::Ownership;
use crate::k8s::owned_fields::is_applied;
use crate::k8s::ownership::{Claim, claim_of_others};
use crate::k8s::take_over::take_over;
use crate::k8s::workload::failed_job;
use crate::logs::LogWriter;
use crate::model::Timestamp;

/// Time for an object to be gone before it is created anew.
const DELETE_TIMEOUT: Duration = Duration::from_secs(30);
/// Time for an object that is being deleted already.
const DELETING_TIMEOUT: Duration = Duration::from_secs(60);
/// How often the kind of a new definition is asked for, and how long to wait in between: 5 s in all.
const SERVED_TRIES: u32 = 50;
const SERVED_PAUSE: Duration = Duration::from_millis(100);
/// How often a take-over is tried against somebody who changes the object at the same time.
const TAKE_OVERS: usize = 5;

/// Applies an object, and returns it as the API server has it then.
///
/// One look is all it costs when the object is as we want it already. Otherwise it is applied on the server; that changes
/// nothing either if nothing differs. A definition of custom resources is waited for until it serves.
///
/// Once `stop` is cancelled nothing is begun; but what is being written is finished, so that its outcome is known.
///
/// Rule: `reference/engine.md` 3.2, "Per object escalation".
pub(super) async fn apply_object(
    permit: &WritePermit,
    entity: &Entity,
    claims: &Claims<'_>,
    log: &LogWriter,
    stop: &CancellationToken,
) -> Result<Value, RequestError> {
    let found = permit.cluster().object(
        entity.api_version(),
        entity.kind(),
        entity.namespace(),
        entity.name(),
    );
    let api = unless(stop, found).await?;
    let input = apply_input(entity);
    let note = |live: &Value| claims.note(entity, live);
    let applied = match apply_once(permit, &api, &input, &note, log, stop).await {
        Err(error) if error.is_not_found() => {
            log.info(&format!(
                "Resource {} was not found during apply. Retrying...",
                api.name
            ));
            apply_once(permit, &api, &input, &note, log, stop).await
        }
        other => other,
    };
    let applied = match applied {
        Ok(Applied::Already(live)) => return Ok(live),
        Ok(Applied::Now(applied)) => applied,
        Err(error) => escalate(permit, &api, &input, error, log).await?,
    };
    if entity.kind() == "CustomResourceDefinition" {
        tokio::select! {
            biased;
            // It is applied all the same.
            () = stop.cancelled() => {}
            usable = wait_until_usable(permit.cluster(), &api, &applied) => usable?,
        }
    }
    Ok(applied)
}

/// Waits for something that changes nothing, unless nobody wants it any more.
async fn unless<T>(
    stop: &CancellationToken,
    looking: impl Future<Output = Result<T, RequestError>>,
) -> Result<T, RequestError> {
    tokio::select! {
        biased;
        () = stop.cancelled() => Err(RequestError::Canceled),
        outcome = looking => outcome,
    }
}

/// Objects that somebody else had deployed until now.
pub(super) struct Claims<'a> {
    ours: &'a Ownership,
    now: Timestamp,
    found: Mutex<Vec<(String, Claim)>>,
}

impl<'a> Claims<'a> {
    pub(super) fn new(ours: &'a Ownership) -> Self {
        Self {
            ours,
            now: clock::timestamp(),
            found: Mutex::default(),
        }
    }

    /// Returns those found, sorted by kind and name.
    pub(super) fn into_found(self) -> Vec<(String, Claim)> {
        let mut found = self.found.into_inner().unwrap_or_default();
        found.sort_by(|(a, _), (b, _)| a.cmp(b));
        found
    }

    fn note(&self, entity: &Entity, live: &Value) {
        if let Some(claim) = claim_of_others(live, self.ours, self.now)
            && let Ok(mut found) = self.found.lock()
        {
            found.push((kind_and_name(entity), claim));
        }
    }
}

/// An object as the API server has it.
enum Applied {
    /// It was so already.
    Already(Value),
    /// It was sent.
    Now(Value),
}

async fn apply_once(
    permit: &WritePermit,
    api: &ObjectApi,
    input: &Value,
    note: &(dyn Fn(&Value) + Sync),
    log: &LogWriter,
    stop: &CancellationToken,
) -> Result<Applied, RequestError> {
    let mut live = unless(stop, api.get()).await?;
    if let Some(object) = live.as_ref().filter(|object| is_deleting(object)) {
        unless(stop, wait_for_deletion(api, object, log)).await?;
        live = None;
    }
    if let Some(object) = &live {
        if let Some(reason) = failed_job(object) {
            log.info(&format!(
                "Job {} failed earlier ({reason}): it is deleted and run again",
                api.name
            ));
            note(object);
            return Ok(Applied::Now(replace(permit, api, object, input).await?));
        }
        if is_applied(input, object) {
            return Ok(Applied::Already(object.clone()));
        }
        note(object);
        take_over_fields(permit, api, object.clone()).await?;
    }
    let applied = api.apply(permit, input).await?;
    if !is_deleting(&applied) {
        return Ok(Applied::Now(applied));
    }
    unless(stop, wait_for_deletion(api, &applied, log)).await?;
    Ok(Applied::Now(api.apply(permit, input).await?))
}

async fn take_over_fields(
    permit: &WritePermit,
    api: &ObjectApi,
    mut live: Value,
) -> Result<(), RequestError> {
    for _ in 0..TAKE_OVERS {
        let Some(patch) = take_over(&live) else {
            return Ok(());
        };
        match api.merge(permit, &patch).await {
            Ok(_) => return Ok(()),
            Err(error) if error.is_conflict() => match api.get().await? {
                Some(newer) => live = newer,
                None => return Ok(()),
            },
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn wait_for_deletion(api: &ObjectApi, object: &Value, log: &LogWriter) -> Result<(), RequestError> {
    log.info(&format!(
        "Resource {} is currently being deleted. Waiting 60s for deletion before retrying...",
        api.name
    ));
    wait_until_gone(api, object, DELETING_TIMEOUT).await
}

async fn escalate(
    permit: &WritePermit,
    api: &ObjectApi,
    input: &Value,
    error: RequestError,
    log: &LogWriter,
) -> Result<Value, RequestError> {
    let mut error = error;
    if error.is_too_large() {
        log.info(&format!("Updating \"{}\" failed: {}", api.name, error.message()));
        log.info("Attempting to create or replace");
        match api.replace_or_create(permit, input).await {
            Ok(applied) => {
                log.info(&format!("Updating \"{}\" succeeded!", api.name));
                return Ok(applied);
            }
            Err(next) => error = next,
        }
    }
    if !error.needs_new_object() {
        return Err(error);
    }
    let Some(live) = api.get().await? else {
        return Err(error);
    };
    let message = error.message();
    let first_line = message.lines().next().unwrap_or_default();
    log.info(&format!("Updating \"{}\" failed: {first_line}", api.name));
    log.info("Attempting to delete and re-create");
    let applied = replace(permit, api, &live, input).await?;
    log.info(&format!("Updating \"{}\" succeeded!", api.name));
    Ok(applied)
}

/// Deletes an object and makes it anew.
async fn replace(
    permit: &WritePermit,
    api: &ObjectApi,
    live: &Value,
    input: &Value,
) -> Result<Value, RequestError> {
    api.delete(permit, live["metadata"]["uid"].as_str()).await?;
    wait_until_gone(api, live, DELETE_TIMEOUT).await?;
    api.apply(permit, input).await
}

async fn wait_until_gone(api: &ObjectApi, object: &Value, limit: Duration) -> Result<(), RequestError> {
    let uid = object["metadata"]["uid"].as_str().unwrap_or_default();
    let gone = await_condition(api.dynamic(), &api.name, is_deleted(uid));
    match tokio::time::timeout(limit, gone).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(failure(&format!(
            "waiting for {} to be deleted: {error}",
            api.name
        ))),
        Err(_) => Err(failure(&format!(
            "timed out after {}s waiting for {} to be deleted; look for finalizers that hold it",
            limit.as_secs(),
            api.name
        ))),
    }
}

async fn wait_until_usable(
    cluster: &Cluster,
    api: &ObjectApi,
    definition: &Value,
) -> Result<(), RequestError> {
    wait_until_established(api).await?;
    wait_until_served(cluster, definition).await;
    Ok(())
}

async fn wait_until_established(api: &ObjectApi) -> Result<(), RequestError> {
    let serves = |object: Option<&DynamicObject>| object.is_some_and(|object| is_established(&object.data));
    match await_condition(api.dynamic(), &api.name, serves).await {
        Ok(_) => Ok(()),
        Err(error) => Err(failure(&format!(
            "waiting for {} to be established: {error}",
            api.name
        ))),
    }
}

/// A definition is established a moment before its kind can be found. There is nothing to watch for that, so it is asked
/// for until it is there; whoever needs a kind that never comes is told so then.
async fn wait_until_served(cluster: &Cluster, definition: &Value) {
    let text = |path: &str| {
        definition
            .pointer(path)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let (group, kind) = (text("/spec/group"), text("/spec/names/kind"));
    let versions = definition.pointer("/spec/versions").and_then(Value::as_array);
    for version in versions
        .into_iter()
        .flatten()
        .filter(|version| version["served"] == true)
    {
        let api_version = format!("{group}/{}", version["name"].as_str().unwrap_or_default());
        for _ in 0..SERVED_TRIES {
            if cluster.object(&api_version, kind, None, "").await.is_ok() {
                break;
            }
            tokio::time::sleep(SERVED_PAUSE).await;
        }
    }
}

fn failure(message: &str) -> RequestError {
    kube::Error::Api(kube::core::Status::failure(message, "").boxed()).into()
}

fn is_deleting(object: &Value) -> bool {
    object.pointer("/metadata/deletionTimestamp").is_some()
}

fn is_established(definition: &Value) -> bool {
    has_condition(definition, "Established")
}

/// Whether the object's status has this condition.
fn has_condition(object: &Value, kind: &str) -> bool {
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition["type"] == kind && condition["status"] == "True")
}
