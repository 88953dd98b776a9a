//! Whether the way to pods works: from here over the API server to the node, though nobody uses a port just now.
//!
//! A stopped kubelet closes no connection of ours, and the API server keeps its pods `Running` for most of a minute. So
//! one pod of each node is asked for nothing of its log, each second: that goes all the way, and troubles no program
//! in the pod. Only nodes that ports lead to are asked.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::LogParams;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::port::Port;
use crate::edge::kube::{Cluster, error_message};
use crate::engine::ForwardTarget;

/// How often a node is asked, and how long it may take to answer: together the time until a dead path is seen.
const PERIOD: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_millis(900);

/// Watches the ways of ports until there are no more to come.
pub(super) async fn watch(cluster: Cluster, mut ports: watch::Receiver<Vec<Arc<Port>>>) {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let ports_now = ports.borrow_and_update().clone();
        let nodes = by_node(&ports_now);
        if nodes.is_empty() {
            // Pods come without news of the ports; a second is soon enough.
            tokio::select! {
                _ = ticks.tick() => {}
                changed = ports.changed() => if changed.is_err() { return },
            }
            continue;
        }
        ticks.tick().await;
        let asked = nodes
            .into_values()
            .map(async |ways: Vec<(Arc<Port>, ForwardTarget)>| {
                let Some((_, first)) = ways.first() else { return };
                let error = ask(&cluster, first).await.err();
                for (port, target) in &ways {
                    port.path_changed(target.port, error.as_deref());
                }
            });
        futures::future::join_all(asked).await;
        if ports.has_changed().is_err() {
            return;
        }
    }
}

fn by_node(ports: &[Arc<Port>]) -> BTreeMap<String, Vec<(Arc<Port>, ForwardTarget)>> {
    let mut nodes: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for port in ports {
        let target = port.target.borrow().clone();
        if let Some(target) = target.filter(|target| !target.node.is_empty()) {
            nodes
                .entry(target.node.clone())
                .or_default()
                .push((Arc::clone(port), target));
        }
    }
    nodes
}

/// Fails if the node of a pod cannot be reached. What the API server refuses by itself says nothing about the node.
async fn ask(cluster: &Cluster, target: &ForwardTarget) -> Result<(), String> {
    let pods: kube::Api<Pod> = kube::Api::namespaced(cluster.client(), &target.namespace);
    let params = LogParams {
        container: Some(target.container.clone()),
        tail_lines: Some(0),
        limit_bytes: Some(1),
        ..LogParams::default()
    };
    match timeout(PATIENCE, pods.logs(&target.pod_name, &params)).await {
        Ok(Err(kube::Error::Api(status))) if status.code == 401 => {
            cluster.login_refused().await;
            Ok(())
        }
        Ok(Err(kube::Error::Api(status))) if status.code < 500 => Ok(()),
        Ok(answer) => answer.map(drop).map_err(|error| error_message(&error)),
        Err(_) => Err(format!("node \"{}\" does not answer", target.node)),
    }
}
