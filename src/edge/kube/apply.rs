//! Applies the objects of a resource: injects, then applies batch after batch.

use std::time::Duration;

use futures::{StreamExt, stream};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::apply_object::{Claims, apply_object};
use super::connect::Cluster;
use super::error::RequestError;
use super::identity::WritePermit;
use super::rejection::explain;
use crate::edge::unreachable::Failure;
use crate::engine::{AppliedObject, ObjectId};
use crate::k8s::display::{display_names, kind_and_name};
use crate::k8s::inject::{InjectedImage, inject};
use crate::k8s::kind_order::batches;
use crate::k8s::labels::{Ownership, template_hashes};
use crate::k8s::ownership::{Fate, warnings};
use crate::k8s::workload::workload;
use crate::k8s::{Dormancy, Entity};
use crate::logs::LogWriter;
use crate::model::{ImageLocator, ManifestName, ObjectUid, format_go_duration};

/// How many objects of a batch are applied at a time.
const PARALLEL: usize = 10;
/// The annotation of objects that are never deleted, and its value.
const KEEP: (&str, &str) = ("tilt.dev/down-policy", "keep");

/// What is applied, and how.
#[derive(Clone, Debug)]
pub struct ApplyRequest<'a> {
    /// Whose objects they are.
    pub manifest: &'a ManifestName,
    /// The objects as written.
    pub entities: Vec<Entity>,
    /// The images to put in.
    pub images: &'a [InjectedImage],
    /// Where images are in objects of kinds that are not known.
    pub locators: &'a [ImageLocator],
    /// Who deploys.
    pub ownership: &'a Ownership,
    /// Time allowed for each object.
    pub timeout: Duration,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ApplyOutcome {
    /// Objects that the API server accepted, in the order they were written; also when a later one failed.
    pub applied: Vec<AppliedObject>,
    /// Why it failed: the server's words in the first line, then where the object was written.
    pub error: Option<String>,
    /// Whether that was because the API server, or what it needed, could not be reached.
    pub unreachable: bool,
}

/// Applies objects. Nothing is waited for but that the API server accepted all.
///
/// The first error stops the rest; `cancel` stops it with the error `build canceled`. Either way, objects that are just
/// being written are waited for within their time. Lines go to `log`, indented by 5.
///
/// Rule: `reference/engine.md` 3.2.
pub async fn apply(
    cluster: &Cluster,
    request: ApplyRequest<'_>,
    log: &LogWriter,
    cancel: &CancellationToken,
) -> ApplyOutcome {
    let (build_log, log) = (log, log.indented("     "));
    log.info("Applying YAML to cluster");
    let mut entities = request.entities;
    let injected = inject(
        &mut entities,
        request.manifest,
        request.images,
        request.locators,
        request.ownership,
    );
    if let Err(error) = injected {
        return ApplyOutcome {
            error: Some(error.to_string()),
            ..ApplyOutcome::default()
        };
    }
    let mut outcome = Applied::default();
    let permit = cluster.permit();
    let claims = Claims::new(request.ownership);
    let run = Run {
        permit: &permit,
        claims: &claims,
        log: &log,
        timeout: request.timeout,
        stop: cancel.child_token(),
    };
    outcome.failure = apply_batches(&run, &entities, &mut outcome.objects).await;
    for warning in warnings(Fate::TakenOver, &claims.into_found(), request.ownership) {
        build_log.warn(&warning);
    }
    let headline = match outcome.failure {
        None => "Objects applied to cluster:",
        Some(_) => "Tried to apply objects to cluster:",
    };
    let names = display_names(&entities);
    let list: String = names.iter().map(|name| format!("\n  → {name}")).collect();
    log.info(&format!("{headline}{list}"));
    outcome.finish()
}

/// Positions of objects, and what the API server made of them.
#[derive(Default)]
struct Applied {
    objects: Vec<(usize, Value)>,
    failure: Option<Failure>,
}

impl Applied {
    fn finish(mut self) -> ApplyOutcome {
        self.objects.sort_by_key(|(at, _)| *at);
        ApplyOutcome {
            applied: self
                .objects
                .iter()
                .map(|(_, object)| applied_object(object))
                .collect(),
            unreachable: self.failure.as_ref().is_some_and(|failure| failure.unreachable),
            error: self.failure.map(String::from),
        }
    }
}

/// What is the same for all objects of an apply.
struct Run<'a> {
    permit: &'a WritePermit,
    claims: &'a Claims<'a>,
    log: &'a LogWriter,
    timeout: Duration,
    /// Cancelled once nothing more is to begin.
    stop: CancellationToken,
}

/// Applies batch after batch; returns the first fault. What is being written then is waited for: whether the API server
/// took it has to be known.
async fn apply_batches(
    run: &Run<'_>,
    entities: &[Entity],
    applied: &mut Vec<(usize, Value)>,
) -> Option<Failure> {
    let mut fault = None;
    for batch in batches(entities) {
        let mut running = stream::iter(batch)
            .map(|at| async move { (at, run.apply_in_time(&entities[at]).await) })
            .buffer_unordered(PARALLEL);
        while let Some((at, outcome)) = running.next().await {
            match outcome {
                Ok(object) => applied.push((at, object)),
                Err(error) => {
                    run.stop.cancel();
                    fault.get_or_insert(error);
                }
            }
        }
        if fault.is_some() {
            break;
        }
    }
    fault
}

impl Run<'_> {
    async fn apply_in_time(&self, entity: &Entity) -> Result<Value, Failure> {
        let applying = apply_object(self.permit, entity, self.claims, self.log, &self.stop);
        match tokio::time::timeout(self.timeout, applying).await {
            Ok(Ok(object)) => Ok(object),
            Ok(Err(error)) => Err(Failure {
                text: rejected(self.permit.cluster(), entity, &error),
                unreachable: error.is_unreachable(),
            }),
            Err(_) => Err(Failure {
                text: format!(
                    "Killed kubectl. Hit timeout of {} applying {}.",
                    format_go_duration(self.timeout),
                    kind_and_name(entity)
                ),
                // An object may take long for other reasons too.
                unreachable: self.permit.cluster().is_lost(),
            }),
        }
    }
}

fn rejected(cluster: &Cluster, entity: &Entity, error: &RequestError) -> String {
    if matches!(error, RequestError::OtherCluster { .. } | RequestError::Canceled) {
        return error.message();
    }
    let fields: Vec<&str> = error
        .status()
        .and_then(|status| status.details.as_ref())
        .map(|details| details.causes.iter().map(|cause| cause.field.as_str()).collect())
        .unwrap_or_default();
    explain(&error.message(), entity, &fields, cluster.context())
}

/// Returns what matters of an object that the API server has accepted.
pub fn applied_object(object: &Value) -> AppliedObject {
    let text = |path: &str| object.pointer(path).and_then(Value::as_str).map(str::to_owned);
    let annotation = object
        .pointer("/metadata/annotations")
        .and_then(|all| all.get(KEEP.0));
    AppliedObject {
        id: ObjectId {
            api_version: text("/apiVersion").unwrap_or_default(),
            kind: text("/kind").unwrap_or_default(),
            namespace: text("/metadata/namespace"),
            name: text("/metadata/name").unwrap_or_default(),
        },
        uid: ObjectUid::new(text("/metadata/uid").unwrap_or_default()),
        template_hashes: template_hashes(object),
        keep: annotation.is_some_and(|value| value == KEEP.1),
        dormancy: Dormancy::of(object),
        workload: workload(object),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_applied_object_is_told_with_its_hash_and_its_wish_to_be_kept() {
        let object = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "x", "namespace": "ns",
            "uid": "u", "annotations": {"tilt.dev/down-policy": "keep"}},
            "spec": {"template": {"metadata": {"labels": {"tilt.dev/pod-template-hash": "abc"}}}},
            "status": {"conditions": [{"type": "Complete", "status": "True"}]}});
        let outcome = Applied {
            objects: vec![(0, object)],
            failure: None,
        }
        .finish();
        let workload = outcome.applied[0].workload.as_ref();
        assert!(workload.is_some_and(crate::model::Workload::is_over));
        assert_eq!(outcome.applied[0].id.namespace.as_deref(), Some("ns"));
        assert_eq!(outcome.applied[0].template_hashes, ["abc"]);
        assert!(outcome.applied[0].keep);
    }
}
