//! Watches objects of one kind: workloads for how they are doing, any kind for being deleted.
//!
//! Of kinds that are no workloads only the metadata is asked for, and nobody is told where they may not be watched: then it
//! is not noticed when one is deleted.

use std::collections::HashSet;
use std::fmt::Debug;
use std::mem;
use std::time::Duration;

use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use kube::ResourceExt;
use kube::core::DynamicObject;
use kube::runtime::watcher::{self, Config};
use serde_json::Value;

use super::context::Context;
use super::outbox::Outbox;
use super::patient::patient_over;
use crate::edge::kube::connection::ObjectApi;
use crate::engine::{Event, WatchedKind};
use crate::k8s::workload::workload;
use crate::model::{ObjectUid, WorkloadKind};

/// How long it is waited before the cluster is asked again for a kind that it does not know.
const UNKNOWN_KIND: Duration = Duration::from_secs(60);

/// Watches a kind, for ever.
pub(super) async fn watch_kind(context: Context, kind: WatchedKind) {
    let object = known(&context, &kind).await;
    let mut objects = Objects::default();
    if WorkloadKind::of(&kind.api_version, &kind.kind).is_some() {
        let what = format!("{}s", kind.kind.to_lowercase());
        let start = move || watcher::watcher(object.dynamic(), Config::default()).boxed();
        let stream = patient_over(&context.cluster, Some(context.log.clone()), what, start);
        report(
            &context,
            stream,
            |event| objects.workload_changed(&kind, event),
            Outbox::default(),
        )
        .await;
    } else {
        let start = move || watcher::watcher(object.metadata(), Config::default()).boxed();
        let stream = patient_over(&context.cluster, None, kind.kind.clone(), start);
        report(
            &context,
            stream,
            |event| objects.changed(event),
            Outbox::default(),
        )
        .await;
    }
}

/// Returns a way to objects of the kind, as soon as the cluster knows it.
async fn known(context: &Context, kind: &WatchedKind) -> ObjectApi {
    loop {
        let namespace = kind.namespace.as_deref();
        let found = context
            .cluster
            .object(&kind.api_version, &kind.kind, namespace, "");
        match found.await {
            Ok(object) => return object,
            Err(error) => tracing::debug!(?kind, error = error.message(), "cannot be watched"),
        }
        tokio::time::sleep(UNKNOWN_KIND).await;
    }
}

/// Passes on what a watch reports. What the engine has no time for waits, newer states in place of older ones.
async fn report<T: Debug>(
    context: &Context,
    mut stream: BoxStream<'static, watcher::Event<T>>,
    mut take_in: impl FnMut(watcher::Event<T>) -> Vec<Event>,
    mut outbox: Outbox,
) {
    loop {
        tokio::select! {
            event = stream.next() => match event {
                Some(event) => take_in(event).into_iter().for_each(|event| outbox.push(event)),
                None => return,
            },
            permit = context.events.reserve().fuse(), if !outbox.is_empty() => match permit {
                Ok(permit) => if let Some(event) = outbox.pop() { permit.send(event) },
                Err(_) => return,
            },
        }
    }
}

/// The objects that there are, as far as they were seen.
#[derive(Default)]
struct Objects {
    known: HashSet<ObjectUid>,
    /// Those of a list that is being received.
    listed: HashSet<ObjectUid>,
}

impl Objects {
    fn workload_changed(&mut self, kind: &WatchedKind, event: watcher::Event<DynamicObject>) -> Vec<Event> {
        use watcher::Event::{Apply, Delete, Init, InitApply, InitDone};
        let mut events = Vec::new();
        let event = match event {
            Apply(object) => Apply(self.seen(kind, object, &mut events)),
            InitApply(object) => InitApply(self.seen(kind, object, &mut events)),
            // What it was last may tell that it is over.
            Delete(object) => Delete(self.seen(kind, object, &mut events)),
            Init => Init,
            InitDone => InitDone,
        };
        events.extend(self.changed(event));
        events
    }

    fn seen(&self, kind: &WatchedKind, mut object: DynamicObject, events: &mut Vec<Event>) -> DynamicObject {
        object.metadata.managed_fields = None;
        // Objects of a list do not say what they are.
        object.types = Some(kube::core::TypeMeta {
            api_version: kind.api_version.clone(),
            kind: kind.kind.clone(),
        });
        let value = serde_json::to_value(&object).unwrap_or(Value::Null);
        events.extend(workload(&value).map(|workload| Event::WorkloadSeen(Box::new(workload))));
        object
    }

    /// Returns which objects are gone. One that a new list lacks was deleted while nobody watched.
    fn changed<T: kube::Resource>(&mut self, event: watcher::Event<T>) -> Vec<Event> {
        let uid = |object: &T| ObjectUid::new(object.uid().unwrap_or_default());
        match event {
            watcher::Event::Init => self.listed.clear(),
            watcher::Event::InitApply(object) => {
                self.listed.insert(uid(&object));
            }
            watcher::Event::InitDone => {
                let before = mem::replace(&mut self.known, mem::take(&mut self.listed));
                let gone = before.difference(&self.known);
                return gone.cloned().map(Event::ObjectGone).collect();
            }
            watcher::Event::Apply(object) => {
                self.known.insert(uid(&object));
            }
            watcher::Event::Delete(object) => {
                self.known.remove(&uid(&object));
                return vec![Event::ObjectGone(uid(&object))];
            }
        }
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use serde_json::json;
    use tokio::sync::mpsc;

    use super::*;
    use crate::edge::kube::ClusterWatcher;
    use crate::edge::kube::fake_api::{FakeApi, Reply};
    use crate::engine::ClusterWatch;
    use crate::logs::{LogStore, LogWriter};
    use crate::model::Timestamp;

    fn job(name: &str, status: &Value) -> Value {
        json!({"metadata": {"name": name, "namespace": "ns", "uid": name, "generation": 1, "resourceVersion": "1"},
            "spec": {}, "status": status})
    }

    fn list(items: &[Value]) -> Reply {
        Reply::Json(json!({"metadata": {"resourceVersion": "1"}, "items": items}))
    }

    /// Returns what is reported of a kind until this many events came.
    async fn reported(
        kind: (&str, &str),
        n_events: usize,
        answer: impl Fn(bool, usize) -> Reply + Send + Sync + 'static,
    ) -> Vec<String> {
        let plural = format!("{}s", kind.1.to_lowercase());
        let (lists, watches) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let api = FakeApi::start(move |path| {
            if !path.contains(&plural) {
                return Reply::Never;
            }
            let is_watch = path.contains("watch=true");
            let count = if is_watch { &watches } else { &lists };
            answer(is_watch, count.fetch_add(1, Ordering::Relaxed))
        })
        .await;
        let (sender, mut events) = mpsc::channel(4);
        let log = LogWriter::global(LogStore::in_memory());
        let watcher = ClusterWatcher::start(api.cluster(), sender, Timestamp::default(), log);
        let kind = WatchedKind {
            api_version: kind.0.to_owned(),
            kind: kind.1.to_owned(),
            namespace: Some("ns".to_owned()),
        };
        watcher.set(ClusterWatch {
            kinds: BTreeSet::from([kind]),
            ..ClusterWatch::default()
        });
        let mut seen = Vec::new();
        while seen.len() < n_events {
            let event = tokio::time::timeout(Duration::from_secs(20), events.recv()).await;
            seen.push(match event {
                Ok(Some(Event::WorkloadSeen(workload))) => {
                    let is_over = if workload.is_over() { " is over" } else { "" };
                    format!("{workload}{is_over}")
                }
                Ok(Some(Event::ObjectGone(uid))) => format!("{uid} is gone"),
                other => panic!("{other:?} after {seen:?}"),
            });
        }
        seen
    }

    #[tokio::test]
    async fn workloads_are_told_with_their_last_state_before_they_go() {
        let complete = json!({"conditions": [{"type": "Complete", "status": "True"}]});
        let seen = reported(("batch/v1", "Job"), 3, move |is_watch, n| match (is_watch, n) {
            (false, _) => list(&[job("a", &json!({}))]),
            (true, 0) => Reply::Watch(vec![json!({"type": "DELETED", "object": job("a", &complete)})]),
            _ => Reply::Never,
        });
        assert_eq!(seen.await, ["Job/a", "Job/a is over", "a is gone"]);
    }

    #[tokio::test]
    async fn what_a_new_list_lacks_was_deleted_while_nobody_watched() {
        let expired = json!({"type": "ERROR", "object": {"kind": "Status", "apiVersion": "v1", "metadata": {},
            "status": "Failure", "message": "too old", "reason": "Expired", "code": 410}});
        let object = |name: &str| job(name, &json!({}));
        let seen = reported(("v1", "ConfigMap"), 1, move |is_watch, n| match (is_watch, n) {
            (false, 0) => list(&[object("a"), object("b")]),
            (false, _) => list(&[object("b")]),
            (true, 0) => Reply::Watch(vec![expired.clone()]),
            _ => Reply::Never,
        });
        assert_eq!(seen.await, ["a is gone"]);
    }
}
