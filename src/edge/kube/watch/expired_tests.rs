//! A watch whose version the API server has forgotten: it lists anew, nothing is missed, no event comes twice.

use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::cluster_watcher::ClusterWatcher;
use crate::edge::kube::fake_api::{FakeApi, Reply};
use crate::engine::{ClusterWatch, Event};
use crate::logs::{LogStore, LogWriter};
use crate::model::{ObjectUid, Timestamp};

fn object(name: &str, version: u64) -> Value {
    json!({"metadata": {"name": name, "namespace": "ns", "uid": name, "resourceVersion": version.to_string()},
        "involvedObject": {"kind": "Deployment", "name": "web", "namespace": "ns", "uid": "web"},
        "type": "Warning", "reason": "Failed", "message": name, "lastTimestamp": "2026-01-01T00:00:00Z"})
}

fn list(names: &str, version: u64) -> Reply {
    let items: Vec<Value> = names.split(' ').map(|name| object(name, version)).collect();
    Reply::Json(json!({"metadata": {"resourceVersion": version.to_string()}, "items": items}))
}

fn modified(name: &str, version: u64) -> Value {
    json!({"type": "MODIFIED", "object": object(name, version)})
}

fn expired() -> Value {
    json!({"type": "ERROR", "object": {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "too old resource version: 11 (20)", "reason": "Expired", "code": 410}})
}

/// Answers the n-th list and the n-th watch of pods and of events: a version expires while it is watched, the next one
/// before the watch begins.
fn server() -> impl Fn(&str) -> Reply + Send + Sync {
    let asked = Mutex::new(HashMap::<String, usize>::new());
    move |path| {
        let (what, query) = path.split_once('?').unwrap_or((path, ""));
        let what = what.rsplit('/').next().unwrap_or_default();
        let is_watch = query.contains("watch=true");
        let mut asked = asked.lock().unwrap();
        let n = asked.entry(format!("{what} {is_watch}")).or_default();
        *n += 1;
        match (what, is_watch, *n) {
            ("pods", false, 1) => list("a b", 10),
            ("pods", false, 2) => list("a c", 20),
            ("pods", false, _) => list("a c d", 30),
            ("events", false, 1) => list("one", 10),
            ("events", false, 2) => list("one two", 20),
            ("events", false, _) => list("one two three", 30),
            ("pods", true, 1) => Reply::Watch(vec![modified("a", 11), expired()]),
            ("events", true, 1) => Reply::Watch(vec![expired()]),
            (_, true, 2) => Reply::Fails(410, "The resourceVersion for the provided watch is too old."),
            _ => Reply::Never,
        }
    }
}

/// Returns what the watcher reports, up to the list of three pods and the third event.
async fn reported(events: &mut mpsc::Receiver<Event>) -> Vec<String> {
    let mut all = Vec::new();
    while !["pods a c d", "event three"]
        .iter()
        .all(|last| all.iter().any(|seen| seen == last))
    {
        let next = tokio::time::timeout(Duration::from_secs(20), events.recv()).await;
        all.push(match next {
            Ok(Some(Event::PodSeen(pod))) => format!("pod {}", pod.uid),
            Ok(Some(Event::PodsListed { pods, .. })) => {
                let pods: Vec<_> = pods.iter().map(ObjectUid::as_str).collect();
                format!("pods {}", pods.join(" "))
            }
            Ok(Some(Event::ClusterEventSeen(event))) => format!("event {}", event.message),
            other => panic!("{other:?} after {all:?}"),
        });
    }
    all
}

#[tokio::test]
async fn a_watch_that_expired_lists_anew_and_repeats_no_event() {
    let api = FakeApi::start(server()).await;
    let (sender, mut events) = mpsc::channel(64);
    let store = LogStore::in_memory();
    let watcher = ClusterWatcher::start(
        api.cluster(),
        sender,
        Timestamp(0),
        LogWriter::global(store.clone()),
    );
    watcher.set(ClusterWatch {
        namespaces: BTreeSet::from(["ns".to_owned()]),
        uids: [ObjectUid::from("web")].into_iter().collect(),
        ..ClusterWatch::default()
    });
    let all = reported(&mut events).await;
    let of = |kind: &str| -> Vec<&str> {
        let those = all
            .iter()
            .map(String::as_str)
            .filter(|line| line.starts_with(kind));
        those.collect()
    };
    assert_eq!(of("pods "), ["pods a b", "pods a c", "pods a c d"], "{all:?}");
    assert!(
        ["pod a", "pod b", "pod c", "pod d"]
            .iter()
            .all(|pod| of("pod ").contains(pod)),
        "{all:?}"
    );
    assert_eq!(of("event "), ["event one", "event two", "event three"], "{all:?}");
    assert!(store.reader().try_next_batch().is_empty(), "nobody needs to know");
}
