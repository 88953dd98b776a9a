//! Applies the objects of a resource: injects, then applies batch after batch.

use std::time::Duration;

use futures::{StreamExt, stream};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::object::{Claims, Run, Sent, Written, apply_object, is_deleting};
use super::rejection::explain;
use super::who_holds::held;
use crate::edge::failure::Failure;
use crate::edge::kube::connection::{Cluster, ObjectApi, RequestError};
use crate::engine::{AppliedObject, ObjectId, Transient};
use crate::k8s::api_kinds::well_known;
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
/// Time to look at an object whose apply failed: whether it is there, and who holds it.
const LOOK: Duration = Duration::from_secs(3);
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
    /// Objects that the API server accepted, in the order they were written; also when a later one failed. Those of which
    /// nobody knows whether it did are among them, without a UID.
    pub applied: Vec<AppliedObject>,
    /// Why it failed: the server's words in the first line, then where the object was written.
    pub error: Option<String>,
    /// Why that passes, if it does.
    pub transient: Option<Transient>,
}

/// Applies objects. Nothing is waited for but that the API server accepted all.
///
/// The first error stops the rest; `cancel` stops it with the error `build canceled`. Either way, objects that are just
/// being written are waited for within their time. Lines go to `log`, indented by 5.
///
/// Rule: `docs/rules/deploy.md`, "Apply".
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
    // A new image is surely written somewhere, so whether that is allowed is asked while the objects are looked at. Where
    // nothing is written, nothing is asked; and what is wrong is told by the write.
    let asking = async {
        if !request.images.is_empty() {
            let _ = permit.check().await;
        }
    };
    let ((), failure) = tokio::join!(asking, apply_batches(&run, &entities, &mut outcome.objects));
    outcome.failure = failure;
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
            transient: self.failure.as_ref().and_then(|failure| failure.transient),
            error: self.failure.map(String::from),
        }
    }
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
        while let Some((at, (object, error))) = running.next().await {
            applied.extend(object.map(|object| (at, object)));
            if let Some(error) = error {
                run.stop.cancel();
                fault.get_or_insert(error);
            }
        }
        if fault.is_some() {
            break;
        }
    }
    fault
}

impl Run<'_> {
    /// Returns the object if it is in the cluster by now, or may be, and why it failed.
    async fn apply_in_time(&self, entity: &Entity) -> (Option<Value>, Option<Failure>) {
        let sent = Sent::default();
        let error = match tokio::time::timeout(self.timeout, apply_object(self, entity, &sent)).await {
            Ok(Ok(object)) => return (Some(object), None),
            Ok(Err(error)) => error,
            Err(_) => {
                let live = self.look(entity).await;
                let failure = Failure {
                    text: self.too_late(entity, live.as_ref()).await,
                    // An object may take long for other reasons too.
                    transient: Transient::if_unreachable(self.permit.cluster().is_lost()),
                };
                return (self.taken(entity, &sent, live), Some(failure));
            }
        };
        let live = match sent.written() {
            Written::Perhaps => self.look(entity).await,
            Written::Nothing | Written::Taken(_) => None,
        };
        let failure = Failure {
            text: rejected(self.permit.cluster(), entity, &error),
            transient: Transient::if_unreachable(error.is_unreachable()),
        };
        (self.taken(entity, &sent, live), Some(failure))
    }

    /// Returns an object as it is now, and how to reach it; `None` if it is not there or that cannot be told soon.
    async fn look(&self, entity: &Entity) -> Option<(ObjectApi, Value)> {
        let looking = async {
            let namespace = entity.namespace();
            let cluster = self.permit.cluster();
            let api = cluster.object(entity.api_version(), entity.kind(), namespace, entity.name());
            let api = api.await.ok()?;
            let live = api.get().await.ok()??;
            Some((api, live))
        };
        tokio::time::timeout(LOOK, looking).await.ok().flatten()
    }

    /// Returns what counts as applied of an object whose apply failed: garbage collection has to know of it.
    fn taken(&self, entity: &Entity, sent: &Sent, live: Option<(ObjectApi, Value)>) -> Option<Value> {
        match sent.written() {
            Written::Nothing => None,
            Written::Taken(object) => Some(object),
            // It may come to be still: without a UID it is found by its name.
            Written::Perhaps => Some(match live {
                Some((_, object)) => object,
                None => {
                    let mut object = entity.value().clone();
                    if entity.namespace().is_none() && is_namespaced(entity) {
                        let namespace = self.permit.cluster().context().namespace.clone();
                        object["metadata"]["namespace"] = namespace.into();
                    }
                    object
                }
            }),
        }
    }

    /// Returns the error for an object whose time is over.
    async fn too_late(&self, entity: &Entity, live: Option<&(ObjectApi, Value)>) -> String {
        let late = format!(
            "Hit timeout of {} applying {}",
            format_go_duration(self.timeout),
            kind_and_name(entity)
        );
        let (reasons, hint) = match live {
            Some((api, object)) if is_deleting(object) => {
                let held = held(self.permit.cluster(), api, object).await;
                let still = ["it is still being deleted".to_owned()].into_iter();
                (still.chain(held.reasons).collect(), held.hint)
            }
            Some((_, object)) if entity.kind() == "CustomResourceDefinition" => {
                (not_established(object), None)
            }
            _ => (Vec::new(), None),
        };
        let (first, rest) = match reasons.split_first() {
            Some((first, rest)) => (format!(": {first}"), rest),
            None => (".".to_owned(), &[][..]),
        };
        let rest: String = rest.iter().map(|reason| format!("\n{reason}")).collect();
        let hint = hint.map_or_else(String::new, |hint| format!("\nhint: {hint}"));
        format!("{late}{first}{rest}{hint}")
    }
}

/// Returns why a definition does not serve, as its status says.
fn not_established(definition: &Value) -> Vec<String> {
    let conditions = definition.pointer("/status/conditions").and_then(Value::as_array);
    let refusals = conditions.into_iter().flatten().filter_map(|condition| {
        let is_refusal = condition["status"] == "False" && condition["type"] != "Terminating";
        let message = condition["message"]
            .as_str()
            .filter(|message| !message.is_empty())?;
        is_refusal.then(|| format!("its status says: {message}"))
    });
    let first = "it was not established".to_owned();
    std::iter::once(first).chain(refusals).collect()
}

fn is_namespaced(entity: &Entity) -> bool {
    well_known(entity.api_version(), entity.kind()).is_none_or(|kind| kind.namespaced)
}

fn rejected(cluster: &Cluster, entity: &Entity, error: &RequestError) -> String {
    if matches!(error, RequestError::OtherCluster { .. } | RequestError::Canceled) {
        return error.message();
    }
    explain(error, entity, cluster.context())
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
