//! Watching pods and events.

use std::collections::BTreeSet;

use serde_json::json;
use tilt::edge::kube::ClusterWatcher;
use tilt::engine::{ClusterWatch, Event};
use tilt::logs::LogWriter;
use tilt::model::{ObjectUid, Timestamp};
use tokio::sync::mpsc;

use super::support::{PATIENCE, World, deployment};

/// Waits for an event of the given kind; fails with all that came.
async fn wait_for<T>(events: &mut mpsc::Receiver<Event>, mut pick: impl FnMut(&Event) -> Option<T>) -> T {
    let mut seen = Vec::new();
    let found = tokio::time::timeout(PATIENCE, async {
        loop {
            let event = events.recv().await.expect("the watcher is alive");
            match pick(&event) {
                Some(found) => return found,
                None => seen.push(event),
            }
        }
    });
    match found.await {
        Ok(found) => found,
        Err(_) => panic!("it never came; what came: {seen:#?}"),
    }
}

pub(super) fn watcher(world: &World, uids: BTreeSet<ObjectUid>) -> (ClusterWatcher, mpsc::Receiver<Event>) {
    let (sender, events) = mpsc::channel(4);
    let log = LogWriter::global(world.store.clone());
    let watcher = ClusterWatcher::start(world.cluster.clone(), sender, Timestamp::default(), log);
    let namespaces = BTreeSet::from([world.namespace.clone()]);
    watcher.set(ClusterWatch {
        namespaces,
        uids: uids.into_iter().collect(),
        ..ClusterWatch::default()
    });
    (watcher, events)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_comes_with_its_chain_of_owners_and_goes() {
    let world = World::new("pods").await;
    let outcome = world.apply(&[deployment("web", "sleep 1000")]).await;
    let uid = world.applied(outcome).applied[0].uid.clone();
    let (_watcher, mut events) = watcher(&world, BTreeSet::new());
    let pod = wait_for(&mut events, |event| match event {
        Event::PodSeen(pod) if pod.status == "Running" => Some(pod.clone()),
        _ => None,
    })
    .await;
    let kinds: Vec<&str> = pod.owners.iter().map(|owner| owner.kind.as_str()).collect();
    assert_eq!(kinds, ["ReplicaSet", "Deployment"]);
    assert_eq!(pod.owners[1].uid, uid);
    assert!(pod.owners.iter().all(|owner| owner.created.is_some()));
    world.kubectl(&["delete", "deployment/web"], "");
    wait_for(&mut events, |event| {
        (*event == Event::PodGone(pod.uid.clone())).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_that_exist_already_are_listed() {
    let world = World::new("listed").await;
    let outcome = world.apply(&[deployment("web", "sleep 1000")]).await;
    let uid = world.applied(outcome).applied[0].uid.clone();
    world.kubectl(
        &[
            "wait",
            "--for=condition=available",
            "deployment/web",
            "--timeout=60s",
        ],
        "",
    );
    let (_watcher, mut events) = watcher(&world, BTreeSet::from([uid]));
    let pods = wait_for(&mut events, |event| match event {
        Event::PodsListed { namespace, pods } if *namespace == world.namespace => Some(pods.clone()),
        _ => None,
    })
    .await;
    assert_eq!(pods.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warning_is_reported_with_the_owners_of_what_it_is_about() {
    let world = World::new("events").await;
    let mut web = deployment("web", "sleep 1000");
    web["spec"]["template"]["spec"]["containers"][0]["envFrom"] =
        json!([{"configMapRef": {"name": "missing"}}]);
    let outcome = world.apply(&[web]).await;
    let uid = world.applied(outcome).applied[0].uid.clone();
    let (_watcher, mut events) = watcher(&world, BTreeSet::from([uid.clone()]));
    let event = wait_for(&mut events, |event| match event {
        // The kubelet warns of other things too when it is busy.
        Event::ClusterEventSeen(event) if event.message.contains("missing") => Some(event.clone()),
        _ => None,
    })
    .await;
    assert_eq!(
        (event.about.0.as_str(), event.about.1.as_str()),
        ("Pod", world.namespace.as_str())
    );
    assert_eq!(event.kind, "Warning");
    assert_eq!(event.owner_chain.last(), Some(&uid));
}
