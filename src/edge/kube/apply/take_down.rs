//! Takes away all that a Tiltfile deploys: what others have to clean up first, while they are still there to do it.
//!
//! An instance of a definition may carry a finalizer that its operator takes away. So instances go first and are waited
//! for, then everything else, then the definitions. What is still there at the end is told with who holds it.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use tokio::time::{Instant, sleep};

use super::delete::{Deletion, Pending, live};
use super::who_holds::{Held, held};
use crate::edge::kube::connection::Cluster;
use crate::engine::{ObjectId, UnwantedObject};
use crate::k8s::Entity;
use crate::k8s::labels::Ownership;
use crate::logs::LogWriter;
use crate::model::ObjectUid;

/// How often it is looked whether something is gone.
const LOOK: Duration = Duration::from_millis(250);

/// How long it is waited until objects are gone.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For instances of definitions: their operators clean up.
    pub instances: Duration,
    /// For what else somebody holds, at the end.
    pub others: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            instances: Duration::from_secs(30),
            others: Duration::from_secs(10),
        }
    }
}

/// Deletes objects, in the order given but for what has to come first or last. `defined` are groups and kinds that the
/// project defines. All are attempted; an object or kind that does not exist is no error.
///
/// # Errors
/// With the messages of all that failed, then what is still there and will not go by itself, and what to do about it.
pub async fn take_down(
    cluster: &Cluster,
    objects: &[&Entity],
    defined: &BTreeSet<(String, String)>,
    ownership: &Ownership,
    log: &LogWriter,
    patience: Patience,
) -> Result<(), String> {
    if objects.is_empty() {
        return Ok(());
    }
    let is_instance =
        |entity: &&&Entity| defined.contains(&(entity.group().to_owned(), entity.kind().to_owned()));
    let is_definition = |entity: &&&Entity| entity.defines().is_some();
    let of = |entity: &&Entity| UnwantedObject::from(ObjectId::of(entity));
    let instances = objects.iter().filter(is_instance);
    let others = objects
        .iter()
        .filter(|entity| !is_instance(entity) && !is_definition(entity));
    let definitions = objects
        .iter()
        .filter(|entity| !is_instance(entity) && is_definition(entity));
    let ordered: Vec<UnwantedObject> = instances
        .chain(others)
        .chain(definitions.clone())
        .map(of)
        .collect();

    let deletion = Deletion {
        permit: &cluster.permit(),
        log,
        stop: None,
    };
    let mut down = TakeDown {
        cluster,
        log,
        errors: Vec::new(),
        held: Vec::new(),
    };
    let mut rest = deletion.announce(&ordered, ownership).await;
    let n_instances = objects.iter().filter(is_instance).count();
    let mut first: Vec<UnwantedObject> = rest.drain(..n_instances).collect();
    let strangers = down.instances_of(definitions.copied(), &first).await;
    if !strangers.is_empty() {
        let list: String = strangers
            .iter()
            .map(|object| format!("\n→ {}", object.id))
            .collect();
        log.info(&format!(
            "Deleting instances that go with their definition:{list}"
        ));
        first.extend(strangers);
    }
    let pending = down.take(deletion.delete(first).await);
    if !pending.is_empty() {
        let list: String = pending.iter().map(|(id, _)| format!("\n→ {id}")).collect();
        log.info(&format!("Waiting for what others have to clean up:{list}"));
        down.wait_until_gone(pending, patience.instances).await;
    }
    // What is held by now was waited for; its definition cannot go either.
    let others = if down.held.is_empty() {
        patience.others
    } else {
        LOOK
    };
    let pending = down.take(deletion.delete(rest).await);
    down.wait_until_gone(pending, others).await;
    down.finish().await
}

/// Returns which objects are still there, as far as the cluster says it.
pub async fn still_there(cluster: &Cluster, objects: &[&Entity]) -> Vec<ObjectId> {
    let looking = objects.iter().map(|entity| async {
        let id = ObjectId::of(entity);
        live(cluster, &id).await.map(|_| id)
    });
    join_all(looking).await.into_iter().flatten().collect()
}

struct TakeDown<'a> {
    cluster: &'a Cluster,
    log: &'a LogWriter,
    errors: Vec<String>,
    /// What was still there when its time was over.
    held: Vec<ObjectId>,
}

impl TakeDown<'_> {
    fn take(&mut self, outcome: Result<Vec<Pending>, String>) -> Vec<Pending> {
        match outcome {
            Ok(pending) => pending,
            Err(error) => {
                self.errors.push(error);
                Vec::new()
            }
        }
    }

    /// Returns the instances of definitions that are there and not among the known ones: deleting a definition deletes
    /// them too.
    async fn instances_of<'e>(
        &self,
        definitions: impl Iterator<Item = &'e Entity>,
        known: &[UnwantedObject],
    ) -> Vec<UnwantedObject> {
        let mut found = Vec::new();
        for definition in definitions {
            let Some(definition) = live(self.cluster, &ObjectId::of(definition)).await else {
                continue;
            };
            for instance in self.cluster.instances(&definition).await {
                let text = |path: &str| instance.pointer(path).and_then(serde_json::Value::as_str);
                let object = UnwantedObject {
                    id: ObjectId {
                        api_version: text("/apiVersion").unwrap_or_default().to_owned(),
                        kind: text("/kind").unwrap_or_default().to_owned(),
                        namespace: text("/metadata/namespace").map(str::to_owned),
                        name: text("/metadata/name").unwrap_or_default().to_owned(),
                    },
                    uid: text("/metadata/uid").map(ObjectUid::new),
                };
                if known.iter().all(|known| known.uid != object.uid) {
                    found.push(object);
                }
            }
        }
        found
    }

    /// Waits until objects are gone, or at least will go without anybody's help.
    async fn wait_until_gone(&mut self, mut pending: Vec<Pending>, limit: Duration) {
        let end = Instant::now() + limit;
        loop {
            let looks = pending.iter().map(|(id, known)| async {
                let (now, why) = self.why_still_there(id).await?;
                let is_it = now["metadata"]["uid"] == known["metadata"]["uid"];
                is_it.then_some(why)
            });
            let reasons: Vec<Option<Held>> = join_all(looks).await;
            let mut reasons = reasons.into_iter();
            pending.retain(|_| reasons.next().flatten().is_some_and(|held| held.is_stuck));
            if pending.is_empty() || Instant::now() >= end {
                break;
            }
            sleep(LOOK).await;
        }
        self.held.extend(pending.into_iter().map(|(id, _)| id));
    }

    async fn why_still_there(&self, id: &ObjectId) -> Option<(serde_json::Value, Held)> {
        let namespace = id.namespace.as_deref();
        let api = self
            .cluster
            .object(&id.api_version, &id.kind, namespace, &id.name)
            .await
            .ok()?;
        let live = api.get().await.ok()??;
        let held = held(self.cluster, &api, &live).await;
        Some((live, held))
    }

    /// Tells what is still there.
    async fn finish(mut self) -> Result<(), String> {
        let mut hints: Vec<String> = Vec::new();
        for id in std::mem::take(&mut self.held) {
            let Some((_, held)) = self.why_still_there(&id).await else {
                self.log.info(&format!("{id} is gone now."));
                continue;
            };
            self.errors.push(format!(
                "{id} is still being deleted: {}",
                held.reasons.join("; ")
            ));
            hints.extend(held.hint.map(|hint| format!("hint: {id}: {hint}")));
        }
        self.errors.extend(hints);
        match self.errors.is_empty() {
            true => Ok(()),
            false => Err(self.errors.join("\n")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use http::Method;
    use serde_json::{Value, json};

    use super::*;
    use crate::edge::kube::fake_api::{FakeApi, Reply};
    use crate::k8s::Origin;
    use crate::logs::LogStore;

    fn definition() -> Value {
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "widgets.shop.example.com", "uid": "u-crd"},
            "spec": {"group": "shop.example.com", "names": {"kind": "Widget", "plural": "widgets"},
                "versions": [{"name": "v1", "served": true}]}})
    }

    fn widget(name: &str) -> Value {
        json!({"apiVersion": "shop.example.com/v1", "kind": "Widget",
            "metadata": {"name": name, "namespace": "ns", "uid": format!("u-{name}"),
                "finalizers": ["shop.example.com/hold"]}})
    }

    fn operator() -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "operator", "uid": "u-op"}})
    }

    /// A cluster whose operator lets go of a widget once it was looked at so often; `None`: never.
    async fn cluster(lets_go_after: Option<u32>) -> FakeApi {
        let going: Mutex<Vec<(String, u32)>> = Mutex::default();
        FakeApi::start_for_methods(move |method, path| {
            let path = path.split('?').next().unwrap_or_default();
            let name = path.rsplit('/').next().unwrap_or_default();
            let mut going = going.lock().unwrap();
            let resource = json!({"name": "widgets", "kind": "Widget", "namespaced": true, "singularName": "", "verbs": []});
            match (method, name) {
                (_, "v1") => Reply::Json(json!({"kind": "APIResourceList", "groupVersion": "shop.example.com/v1",
                    "resources": [resource]})),
                (&Method::GET, "widgets") => Reply::Json(json!({"items": [widget("ours"), widget("theirs")], "metadata": {}})),
                (&Method::GET, "widgets.shop.example.com") => match going.iter().any(|(gone, _)| gone == name) {
                    false => Reply::Json(definition()),
                    true => Reply::Fails(404, "not found"),
                },
                (&Method::GET, "ours" | "theirs") => {
                    let mut live = widget(name);
                    if let Some((_, looks)) = going.iter_mut().find(|(gone, _)| gone == name) {
                        *looks += 1;
                        if lets_go_after.is_some_and(|after| *looks > after) {
                            return Reply::Fails(404, "not found");
                        }
                        live["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
                    }
                    Reply::Json(live)
                }
                (&Method::DELETE, _) => {
                    going.push((name.to_owned(), 0));
                    let mut live = widget(name);
                    live["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
                    match name {
                        "ours" | "theirs" => Reply::Json(live),
                        _ => Reply::Json(json!({"kind": "Status", "apiVersion": "v1", "status": "Success"})),
                    }
                }
                _ => Reply::Fails(404, "not found"),
            }
        })
        .await
    }

    async fn taken_down(api: &FakeApi) -> (Result<(), String>, String) {
        let entities =
            [operator(), definition(), widget("ours")].map(|object| Entity::new(object, Origin::default()));
        let objects: Vec<&Entity> = entities.iter().collect();
        let defined = entities.iter().filter_map(Entity::defines).collect();
        let store = LogStore::in_memory();
        let log = LogWriter::global(store.clone());
        let patience = Patience {
            instances: Duration::from_secs(1),
            others: LOOK,
        };
        let outcome = take_down(
            &api.cluster(),
            &objects,
            &defined,
            &Ownership::default(),
            &log,
            patience,
        )
        .await;
        let segments = store.reader().try_next_batch();
        (
            outcome,
            segments.iter().map(|segment| segment.text.as_str()).collect(),
        )
    }

    #[tokio::test]
    async fn instances_are_gone_before_their_operator_and_it_before_their_definition() {
        let api = cluster(Some(1)).await;
        let (outcome, told) = taken_down(&api).await;
        assert_eq!(outcome, Ok(()));
        let wrote = api.wrote();
        assert_eq!(wrote[2..], ["DELETE operator", "DELETE widgets.shop.example.com"]);
        let mut first = wrote[..2].to_vec();
        first.sort();
        assert_eq!(first, ["DELETE ours", "DELETE theirs"]);
        insta::assert_snapshot!(told, @r#"
        Deleting kubernetes objects:
        → Widget/ours
        → Deployment/operator
        → CustomResourceDefinition/widgets.shop.example.com
        Deleting instances that go with their definition:
        → Widget/theirs
        Waiting for what others have to clean up:
        → Widget/ours
        → Widget/theirs
        "#);
    }

    #[tokio::test]
    async fn what_nobody_lets_go_is_told_with_its_finalizers() {
        let (outcome, _) = taken_down(&cluster(None).await).await;
        insta::assert_snapshot!(outcome.unwrap_err(), @r#"
        Widget/ours is still being deleted: finalizers hold it: shop.example.com/hold
        Widget/theirs is still being deleted: finalizers hold it: shop.example.com/hold
        hint: Widget/ours: what set them has to take them away: see whether that runs; where it is gone for good: `kubectl patch widget.shop.example.com ours -n ns --type=merge -p '{"metadata":{"finalizers":null}}'`
        hint: Widget/theirs: what set them has to take them away: see whether that runs; where it is gone for good: `kubectl patch widget.shop.example.com theirs -n ns --type=merge -p '{"metadata":{"finalizers":null}}'`
        "#);
    }
}
