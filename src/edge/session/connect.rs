//! How a session comes by its cluster. When it is connected, and tried again, is the engine's to say.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use tokio::sync::mpsc;

use super::connected_cluster::{Connected, ImageNeeds};
use super::effects::{Edge, until};
use crate::clock;
use crate::edge::kube::{Cluster, ClusterAccess};
use crate::edge::lasting_tasks::{lasting, words};
use crate::engine::{ClusterStatus, Event};
use crate::logs::{LogStore, LogWriter};
use crate::model::{ClusterDescription, Timestamp};

impl Edge {
    /// Tries to connect the cluster. One that is connected is looked after from then on.
    pub(super) fn connect(&self, has_default_registry: bool) {
        let access = self.access.clone();
        let images = ImageNeeds {
            docker: self.docker.get().cloned(),
            has_default_registry,
        };
        let (cell, log, events) = (Arc::clone(&self.cluster), self.log.clone(), self.events.clone());
        let (tasks, shutdown, started) = (self.tasks.clone(), self.shutdown.clone(), self.started);
        let attempt = async move {
            let connected = match access {
                Ok(access) => {
                    let connecting = connect_once(access, images, &log, &events, started);
                    let outcome = AssertUnwindSafe(connecting).catch_unwind().await;
                    outcome.unwrap_or_else(|panic| {
                        let why = words(panic.as_ref());
                        Err(format!("internal error: what connects the cluster died: {why}"))
                    })
                }
                Err(why) => Err(why),
            };
            let connected = match connected {
                Ok(connected) => connected,
                Err(error) => return ClusterStatus::Failed(error),
            };
            let (cluster, log) = (connected.cluster.clone(), LogWriter::global(log));
            tasks.spawn(until(shutdown.clone(), describe(cluster.clone(), events.clone())));
            // Who is told that it is connected finds it.
            let _ = cell.set(connected);
            tasks.spawn(until(shutdown, keep_watching_health(cluster, events, log)));
            ClusterStatus::Connected
        };
        let shutdown = self.shutdown.clone();
        self.report(
            async move {
                Event::ClusterChanged(tokio::select! {
                    status = attempt => status,
                    () = shutdown.cancelled() => ClusterStatus::Connecting,
                })
            },
            |panic| Event::ClusterChanged(ClusterStatus::Failed(panic)),
        );
    }

    pub(super) fn check_kubeconfig(&self) {
        let Ok(access) = self.access.clone() else {
            return;
        };
        let cluster = self.cluster.get().map(|connected| connected.cluster.clone());
        let (told, log) = (
            Arc::clone(&self.told_of_kubeconfig),
            LogWriter::global(self.log.clone()),
        );
        self.tasks.spawn(until(self.shutdown.clone(), async move {
            // Held while asking, so that the latest state is told last.
            let mut told = told.lock().await;
            let drift = crate::edge::kube::drift(&access, cluster.as_ref()).await;
            match &drift {
                Some(text) if *told != drift => log.warn(text),
                None if told.is_some() => log.info("The kubeconfig means the cluster of this session again."),
                _ => {}
            }
            *told = drift;
        }));
    }
}

async fn connect_once(
    access: ClusterAccess,
    images: ImageNeeds,
    log: &LogStore,
    events: &mpsc::Sender<Event>,
    started: Timestamp,
) -> Result<Connected, String> {
    let cluster = Cluster::connect(access)
        .await
        .map_err(|error| error.to_string())?;
    Connected::new(cluster, images, log, events, started).await
}

/// Tells what a cluster says about itself.
async fn describe(cluster: Cluster, events: mpsc::Sender<Event>) {
    let connected = clock::timestamp();
    let version = cluster.version().await.unwrap_or_default();
    let (info, context) = (cluster.info(), cluster.context());
    let registry = info.registry.as_ref().map(|registry| registry.host.clone());
    let description = ClusterDescription {
        connected,
        name: context.cluster.clone(),
        product: context.product.word(),
        arch: info.arch.clone(),
        version,
        registry: registry.filter(|host| !host.is_empty()),
    };
    let _ = events.send(Event::ClusterDescribed(Arc::new(description))).await;
}

/// Reports how a cluster is, whenever that changes, for ever.
pub(in crate::edge) async fn keep_watching_health(
    cluster: Cluster,
    events: mpsc::Sender<Event>,
    log: LogWriter,
) {
    let begin = || watch_health(cluster.clone(), events.clone());
    lasting("the watch of the cluster's health", &log, begin).await;
}

async fn watch_health(cluster: Cluster, events: mpsc::Sender<Event>) {
    let report = |status| async {
        let _ = events.send(Event::ClusterChanged(status)).await;
    };
    crate::edge::kube::watch_health(cluster, report).await;
}
