//! How a session comes by its cluster, and what is handed on once it is there.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::mpsc;

use super::connected_cluster::{Connected, ImageNeeds};
use super::effects::{Edge, until};
use crate::edge::kube::{Cluster, ClusterAccess};
use crate::edge::retry::{lasting, words};
use crate::engine::{ClusterStatus, Event};
use crate::logs::{LogStore, LogWriter};
use crate::model::{Manifest, Timestamp};

/// The pause before a cluster that could not be reached is tried again, doubled up to the longest.
const FIRST_RECONNECT_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_RECONNECT_PAUSE: Duration = Duration::from_secs(1);

impl Edge {
    /// Connects the cluster, once. `up` goes on trying: somebody may be starting it just now.
    pub(in crate::edge) fn connect(&mut self, manifests: &[Manifest]) {
        if std::mem::replace(&mut self.connecting, true) {
            return;
        }
        let access = match self.access.clone() {
            Ok(access) => access,
            Err(why) => {
                let events = self.events.clone();
                self.tasks.spawn(async move {
                    let _ = events
                        .send(Event::ClusterChanged(ClusterStatus::Failed(why)))
                        .await;
                });
                return;
            }
        };
        let images = ImageNeeds {
            docker: self.docker.get().cloned(),
            has_default_registry: manifests
                .iter()
                .flat_map(|manifest| &manifest.images)
                .any(|image| image.registry.is_some()),
        };
        let (cell, log) = (Arc::clone(&self.cluster), self.log.clone());
        let (events, started) = (self.events.clone(), self.started);
        let (tasks, shutdown) = (self.tasks.clone(), self.shutdown.clone());
        let is_patient = self.is_patient;
        let attempts = async move {
            let mut pause = FIRST_RECONNECT_PAUSE;
            loop {
                let connecting = connect_once(access.clone(), images.clone(), &log, &events, started);
                let outcome = AssertUnwindSafe(connecting).catch_unwind().await;
                let outcome = outcome.unwrap_or_else(|panic| {
                    let why = words(panic.as_ref());
                    Err(format!("internal error: what connects the cluster died: {why}"))
                });
                match outcome {
                    Ok(connected) => {
                        let (cluster, log) = (connected.cluster.clone(), LogWriter::global(log));
                        tasks.spawn(until(shutdown, keep_watching_health(cluster, events, log)));
                        let _ = cell.set(connected);
                        return ClusterStatus::Connected;
                    }
                    Err(error) if is_patient => {
                        let status = Event::ClusterChanged(ClusterStatus::Failed(error));
                        let _ = events.send(status).await;
                    }
                    Err(error) => return ClusterStatus::Failed(error),
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_RECONNECT_PAUSE);
            }
        };
        let shutdown = self.shutdown.clone();
        self.report(
            async move {
                Event::ClusterChanged(tokio::select! {
                    status = attempts => status,
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

    pub(super) fn forward_ports(&mut self) {
        let cluster = self.cluster.get().map(|connected| &connected.cluster);
        self.ports.set(self.forwarded.clone(), cluster);
    }

    pub(super) fn watch_cluster(&self) {
        if let Some(connected) = self.cluster.get() {
            connected.watcher.set(self.cluster_watch.clone());
        }
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
