//! Applies one object: looks first, takes over what was applied by the client, applies on the server, and falls back to
//! stronger means where the server asks for them.

use std::sync::Mutex;
use std::time::Duration;

use kube::core::DynamicObject;
use kube::runtime::wait::{await_condition, conditions::is_deleted};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::never_deleted::{kept, what_it_holds};
use crate::clock;
use crate::edge::kube::connection::{Cluster, ObjectApi, RequestError, WritePermit};
use crate::edge::stages::note;
use crate::k8s::Entity;
use crate::k8s::apply_input::apply_input;
use crate::k8s::display::kind_and_name;
use crate::k8s::labels::Ownership;
use crate::k8s::owned_fields::is_applied;
use crate::k8s::ownership::{Claim, claim_of_others};
use crate::k8s::take_over::take_over;
use crate::k8s::workload::failed_job;
use crate::logs::LogWriter;
use crate::model::{Timestamp, format_go_duration};

/// How often the kind of a new definition is asked for, and how long to wait in between: 5 s in all.
const SERVED_TRIES: u32 = 50;
const SERVED_PAUSE: Duration = Duration::from_millis(100);
/// How often a take-over is tried against somebody who changes the object at the same time.
const TAKE_OVERS: usize = 5;

/// What is the same for all objects of an apply.
pub(in crate::edge::kube) struct Run<'a> {
    pub(in crate::edge::kube) permit: &'a WritePermit,
    pub(super) claims: &'a Claims<'a>,
    pub(in crate::edge::kube) log: &'a LogWriter,
    /// Time allowed for each object.
    pub(in crate::edge::kube) timeout: Duration,
    /// Cancelled once nothing more is to begin.
    pub(in crate::edge::kube) stop: CancellationToken,
}

/// Applies an object, and returns it as the API server has it then.
///
/// One look is all it costs when the object is as we want it already. Otherwise it is applied on the server; that changes
/// nothing either if nothing differs. A definition of custom resources is waited for until it serves.
///
/// Once `stop` is cancelled nothing is begun; but what is being written is finished, so that its outcome is known. What
/// was written stays in `sent`, also when this is dropped in the middle.
///
/// Rule: `docs/rules/deploy.md`, "Apply".
pub(super) async fn apply_object(run: &Run<'_>, entity: &Entity, sent: &Sent) -> Result<Value, RequestError> {
    let find = || {
        run.permit.cluster().object(
            entity.api_version(),
            entity.kind(),
            entity.namespace(),
            entity.name(),
        )
    };
    let found = unless(&run.stop, find()).await?;
    let input = apply_input(entity);
    let first = Turn {
        run,
        api: &found,
        input: &input,
        entity,
        sent,
    };
    let mut found_again = None;
    let applied = match first.apply_once().await {
        Err(error) if error.is_not_found() => {
            run.log.info(&format!(
                "Resource {} was not found during apply. Retrying...",
                found.name
            ));
            // What defines it may be gone, or be another definition by now.
            run.permit.cluster().forget_kinds(entity.api_version());
            let api = found_again.insert(unless(&run.stop, find()).await?);
            Turn { api, ..first }.apply_once().await
        }
        other => other,
    };
    let api = found_again.as_ref().unwrap_or(&found);
    let applied = match applied {
        Ok(Applied::Already(live)) => return Ok(live),
        Ok(Applied::Now(applied)) => applied,
        Err(error) => Turn { api, ..first }.escalate(error).await?,
    };
    if entity.kind() == "CustomResourceDefinition" {
        tokio::select! {
            biased;
            // It is applied all the same.
            () = run.stop.cancelled() => {}
            usable = wait_until_usable(run.permit.cluster(), api, &applied) => usable?,
        }
    }
    Ok(applied)
}

/// What became of an object that is being written.
#[derive(Clone, Debug, Default)]
pub(in crate::edge::kube) enum Written {
    /// Nothing was sent, or the server refused it.
    #[default]
    Nothing,
    /// It was sent; what the server made of it is not known.
    Perhaps,
    /// The server took it.
    Taken(Value),
}

/// What was written of an object: whoever drops an apply in the middle still finds it here.
#[derive(Default)]
pub(super) struct Sent(Mutex<Written>);

impl Sent {
    /// Returns what is known by now.
    pub(in crate::edge::kube) fn written(&self) -> Written {
        self.0.lock().expect("no panic while it is held").clone()
    }

    fn set(&self, written: Written) -> Written {
        std::mem::replace(&mut *self.0.lock().expect("no panic while it is held"), written)
    }

    /// Takes in what became of a write.
    async fn writing(
        &self,
        write: impl Future<Output = Result<Value, RequestError>>,
    ) -> Result<Value, RequestError> {
        let before = self.set(Written::Perhaps);
        let outcome = write.await;
        match &outcome {
            Ok(object) => {
                self.set(Written::Taken(object.clone()));
            }
            Err(error) if error.is_lost() => {}
            Err(_) => {
                self.set(before);
            }
        }
        outcome
    }
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
    pub(in crate::edge::kube) fn new(ours: &'a Ownership) -> Self {
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

/// One object on its way.
struct Turn<'a> {
    run: &'a Run<'a>,
    api: &'a ObjectApi,
    input: &'a Value,
    entity: &'a Entity,
    sent: &'a Sent,
}

impl Turn<'_> {
    async fn apply_once(&self) -> Result<Applied, RequestError> {
        let (api, stop) = (self.api, &self.run.stop);
        let mut live = unless(stop, api.get()).await?;
        if let Some(object) = live.as_ref().filter(|object| is_deleting(object)) {
            unless(stop, self.wait_for_deletion(object)).await?;
            live = None;
        }
        if let Some(object) = &live {
            if let Some(reason) = failed_job(object) {
                self.run.log.info(&format!(
                    "Job {} failed earlier ({reason}): it is deleted and run again",
                    api.name
                ));
                self.run.claims.note(self.entity, object);
                return Ok(Applied::Now(self.replace(object).await?));
            }
            if is_applied(self.input, object) {
                note(|facts| facts.unchanged.push(self.shown()));
                return Ok(Applied::Already(object.clone()));
            }
            self.run.claims.note(self.entity, object);
            take_over_fields(self.run.permit, api, object.clone()).await?;
        }
        let is_new = live.is_none();
        let applied = self.apply().await?;
        note(|facts| match is_new {
            true => facts.created.push(self.shown()),
            false => facts.changed.push(self.shown()),
        });
        if !is_deleting(&applied) {
            return Ok(Applied::Now(applied));
        }
        unless(stop, self.wait_for_deletion(&applied)).await?;
        Ok(Applied::Now(self.apply().await?))
    }

    fn shown(&self) -> String {
        format!("{}/{}", self.entity.kind(), self.entity.name())
    }

    /// Deletes the object and makes it anew.
    async fn replace(&self, live: &Value) -> Result<Value, RequestError> {
        note(|facts| facts.changed.push(self.shown()));
        self.api
            .delete(self.run.permit, live["metadata"]["uid"].as_str())
            .await?;
        wait_until_gone(self.api, live).await?;
        self.apply().await
    }

    async fn apply(&self) -> Result<Value, RequestError> {
        self.sent
            .writing(self.api.apply(self.run.permit, self.input))
            .await
    }

    /// Waits for as long as the object has, whoever holds it.
    async fn wait_for_deletion(&self, object: &Value) -> Result<(), RequestError> {
        self.run.log.info(&format!(
            "Resource {} is currently being deleted. Waiting {} for deletion before retrying...",
            self.api.name,
            format_go_duration(self.run.timeout)
        ));
        wait_until_gone(self.api, object).await
    }

    /// Tries stronger means where the server asks for them.
    async fn escalate(&self, mut error: RequestError) -> Result<Value, RequestError> {
        let (api, log) = (self.api, self.run.log);
        if error.is_too_large() {
            log.info(&format!("Updating \"{}\" failed: {}", api.name, error.message()));
            log.info("Attempting to create or replace");
            let replacing = api.replace_or_create(self.run.permit, self.input);
            match self.sent.writing(replacing).await {
                Ok(applied) => {
                    log.info(&format!("Updating \"{}\" succeeded!", api.name));
                    return Ok(applied);
                }
                Err(next) => error = next,
            }
        }
        if !unless(&self.run.stop, needs_new_object(api, self.input, &error)).await? {
            return Err(error);
        }
        let Some(live) = api.get().await? else {
            return Err(error);
        };
        if let Some(holds) = what_it_holds(&api.api_version, &api.kind) {
            let cluster = self.run.permit.cluster();
            return Err(kept(cluster, api, self.input, &live, holds, error).await);
        }
        let message = error.message();
        let first_line = message.lines().next().unwrap_or_default();
        log.info(&format!("Updating \"{}\" failed: {first_line}", api.name));
        log.info("Attempting to delete and re-create");
        let applied = self.replace(&live).await?;
        log.info(&format!("Updating \"{}\" succeeded!", api.name));
        Ok(applied)
    }
}

/// Returns whether only a new object can have what we want, and would be taken: what is deleted must not be missing then.
pub(super) async fn needs_new_object(
    api: &ObjectApi,
    input: &Value,
    error: &RequestError,
) -> Result<bool, RequestError> {
    if !error.is_of_a_change() {
        return Ok(false);
    }
    match api.try_anew(input).await {
        Err(next) if next.status().is_none() => Err(next),
        Err(next) => Ok(!next.shares_a_cause(error)),
        Ok(()) => Ok(true),
    }
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

async fn wait_until_gone(api: &ObjectApi, object: &Value) -> Result<(), RequestError> {
    let uid = object["metadata"]["uid"].as_str().unwrap_or_default();
    match await_condition(api.dynamic(), &api.name, is_deleted(uid)).await {
        Ok(_) => Ok(()),
        Err(error) => Err(failure(&format!(
            "waiting for {} to be deleted: {error}",
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

pub(super) fn is_deleting(object: &Value) -> bool {
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
