//! Carries out changes of running containers, and tells what it does: each container by itself, told one after the other.
//!
//! Start with [`ContainerUpdates`]. `batch` finds out what there is on disk of what changed, `transfer` brings it into a
//! container, `exec` runs one command there. What has to be done is the engine's to say.

mod batch;
mod exec;
mod lines;
mod transfer;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::batch::OnDisk;
use self::exec::Target;
use super::kube::Cluster;
use crate::engine::{ContainerUpdate, Event, LiveUpdatePlan};
use crate::logs::{Lane, LogStore, LogWriter};
use crate::model::{BatchRun, Command, LiveUpdateId, SentFile, SyncFailure, Synced};

/// Changes running containers.
pub(super) struct ContainerUpdates {
    log: LogStore,
    events: mpsc::Sender<Event>,
    tasks: TaskTracker,
    shutdown: CancellationToken,
    running: Arc<Mutex<HashMap<LiveUpdateId, CancellationToken>>>,
}

impl ContainerUpdates {
    pub(super) fn new(
        log: LogStore,
        events: mpsc::Sender<Event>,
        tasks: TaskTracker,
        shutdown: CancellationToken,
    ) -> Self {
        Self {
            log,
            events,
            tasks,
            shutdown,
            running: Arc::default(),
        }
    }

    /// Begins to change containers. Each of them answers with an event, also where there is no cluster.
    pub(super) fn start(&self, plan: LiveUpdatePlan, cluster: Option<&Cluster>) {
        let log = LogWriter::new(self.log.clone(), plan.span.clone(), plan.manifest.clone());
        if plan.containers.iter().any(|container| !container.is_retry) {
            log.update_started(&plan.header);
        }
        let cancel = self.shutdown.child_token();
        self.running().insert(plan.update, cancel.clone());
        let mut lanes = Vec::new();
        let mut changes = Vec::new();
        for container in plan.containers {
            let (log, lane) = log.lane();
            lanes.push(lane);
            let one = OneContainer {
                cluster: cluster.cloned(),
                update: container,
                log,
                cancel: cancel.clone(),
            };
            changes.push(self.tasks.spawn(one.report(plan.update, self.events.clone())));
        }
        let (running, update) = (Arc::clone(&self.running), plan.update);
        self.tasks.spawn(async move {
            tell(lanes).await;
            futures::future::join_all(changes).await;
            running.lock().expect("no panic while it is held").remove(&update);
        });
    }

    /// Stops changes of containers as soon as possible.
    pub(super) fn cancel(&self, update: LiveUpdateId) {
        if let Some(cancel) = self.running().get(&update) {
            cancel.cancel();
        }
    }

    fn running(&self) -> std::sync::MutexGuard<'_, HashMap<LiveUpdateId, CancellationToken>> {
        self.running.lock().expect("no panic while it is held")
    }
}

/// Tells lanes one after the other, each as it goes.
async fn tell(lanes: Vec<Lane>) {
    for mut lane in lanes {
        while lane.tell_next().await {}
    }
}

/// The change of one container.
struct OneContainer {
    cluster: Option<Cluster>,
    update: ContainerUpdate,
    log: LogWriter,
    cancel: CancellationToken,
}

impl OneContainer {
    async fn report(self, update: LiveUpdateId, events: mpsc::Sender<Event>) {
        let container_id = self.update.container.id.clone();
        // A panic is an answer too.
        let outcome = match tokio::spawn(self.carry_out()).await {
            Ok(outcome) => outcome,
            Err(error) => Err(SyncFailure::Other(format!("internal error: {error}"))),
        };
        let event = Event::ContainerUpdated {
            update,
            container_id,
            outcome: outcome.map(Box::new),
        };
        let _ = events.send(event).await;
    }

    async fn carry_out(self) -> Result<Synced, SyncFailure> {
        let outcome = tokio::select! {
            outcome = self.change() => outcome,
            () = self.cancel.cancelled() => Err(SyncFailure::Canceled),
        };
        self.log.info(&lines::ended(&self.update, outcome.as_ref().err()));
        outcome
    }

    async fn change(&self) -> Result<Synced, SyncFailure> {
        let Some(cluster) = &self.cluster else {
            return Err(SyncFailure::ConnectionLost("cluster not ready".to_owned()));
        };
        let target = Target {
            cluster: cluster.clone(),
            container: self.update.container.clone(),
        };
        let found = OnDisk::read(&self.update, &self.log).await?;
        if !self.update.is_retry {
            lines::begin(&self.update, &found)
                .iter()
                .for_each(|line| self.log.info(line));
        }
        let batch = &self.update.batch;
        let is_due = |run: &&BatchRun| batch.runs_are_due || found.has_any_of(&run.only_for);
        let runs: Vec<&BatchRun> = batch.runs.iter().filter(is_due).collect();
        let synced = Synced {
            sent: found
                .copied
                .iter()
                .map(|(local, container)| SentFile {
                    local: local.clone(),
                    container: container.clone(),
                    bytes: 0,
                })
                .collect(),
            deleted: found.deleted.clone(),
            ..Synced::default()
        };
        transfer::send(&target, found).await?;
        self.run(&target, &runs).await?;
        Ok(synced)
    }

    /// Runs commands one after the other, until one fails.
    ///
    /// Rule: `reference/engine.md` 5.5.
    async fn run(&self, target: &Target, runs: &[&BatchRun]) -> Result<(), SyncFailure> {
        for (at, run) in runs.iter().enumerate() {
            if !run.echo_off {
                let (number, count, words) = (at + 1, runs.len(), run.argv.join(" "));
                self.log.info(&format!("[CMD {number}/{count}] {words}"));
            }
            let ended = target.run(&run.argv, &self.log).await?;
            if ended.exit_code != 0 {
                let shown = Command {
                    argv: run.argv.clone(),
                    ..Command::default()
                };
                return Err(SyncFailure::CommandFailed {
                    command: shown.display(),
                    exit_code: ended.exit_code,
                });
            }
        }
        Ok(())
    }
}
