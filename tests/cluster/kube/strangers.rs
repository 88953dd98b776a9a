//! A namespace that others share: what they do costs next to nothing, and hides nothing of ours.

use std::collections::BTreeSet;
use std::time::Instant;

use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1 as core;
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};
use tilt::engine::Event;
use tilt::model::ObjectUid;

use super::support::{PATIENCE, World, config_map};
use super::watch::watcher;

/// How many objects of others there are, each with an event.
const STRANGERS: usize = 2_000;
/// How many requests are made at a time.
const PARALLEL: usize = 40;

/// All strangers are of one kind. The first two are asked for alone; then all are listed, in pages of 500. Our own object
/// is never asked for.
const MAX_REQUESTS: u64 = 12;

async fn create<K>(world: &World, objects: impl Iterator<Item = Value>) -> Vec<K>
where
    K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope> + Clone + std::fmt::Debug,
    K: serde::de::DeserializeOwned + serde::Serialize,
    K::DynamicType: Default,
{
    let api: Api<K> = Api::namespaced(world.cluster.client(), &world.namespace);
    let created = stream::iter(objects).map(|object| {
        let api = api.clone();
        async move {
            let object: K = serde_json::from_value(object).expect("an object");
            api.create(&PostParams::default(), &object)
                .await
                .expect("created")
        }
    });
    created.buffer_unordered(PARALLEL).collect().await
}

fn warning(namespace: &str, name: &str, uid: &str) -> Value {
    let now = k8s_openapi::jiff::Timestamp::now()
        .strftime("%Y-%m-%dT%H:%M:%SZ")
        .to_string();
    json!({"metadata": {"name": name}, "type": "Warning", "reason": "Odd", "message": name, "count": 1,
        "firstTimestamp": now, "lastTimestamp": now,
        "involvedObject": {"apiVersion": "v1", "kind": "ConfigMap", "name": name, "namespace": namespace, "uid": uid}})
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_objects_of_others_with_events_cost_a_few_requests() {
    let world = World::new("strangers").await;
    let ns = world.namespace.clone();
    let objects = (0..STRANGERS).map(|n| config_map(&format!("stranger-{n}"), json!({})));
    let strangers: Vec<core::ConfigMap> = create(&world, objects).await;
    let outcome = world.apply(&[config_map("ours", json!({}))]).await;
    let ours = world.applied(outcome).applied[0].uid.clone();
    let (watcher, mut events) = watcher(&world, BTreeSet::from([ours.clone()]));

    let began = Instant::now();
    let reported = tokio::spawn(async move {
        let mut chains = Vec::new();
        while chains.len() <= STRANGERS {
            match tokio::time::timeout(PATIENCE, events.recv()).await {
                Ok(Some(Event::ClusterEventSeen(event))) => chains.push((event.message, event.owner_chain)),
                Ok(Some(_)) => {}
                other => panic!("{} events came, then {other:?}", chains.len()),
            }
        }
        chains
    });
    let of_strangers = strangers.iter().map(|stranger| {
        let metadata = &stranger.metadata;
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        warning(&ns, &text(&metadata.name), &text(&metadata.uid))
    });
    let _: Vec<core::Event> = create(&world, of_strangers).await;
    let _: Vec<core::Event> = create(&world, std::iter::once(warning(&ns, "ours", ours.as_str()))).await;

    let chains = reported.await.expect("all come");
    let is_ours = |chain: &Vec<ObjectUid>| chain.contains(&ours);
    let claimed: Vec<&str> = chains
        .iter()
        .filter(|(_, chain)| is_ours(chain))
        .map(|(message, _)| message.as_str())
        .collect();
    assert_eq!(claimed, ["ours"]);
    let requests = watcher.owner_requests();
    eprintln!(
        "{STRANGERS} strangers cost {requests} requests in {:.1?}",
        began.elapsed()
    );
    assert!(requests <= MAX_REQUESTS, "{requests} requests");
}
