//! Carries out changes of running containers, and tells what it does: each container by itself, told one after the other.
//!
//! How files and commands get into a container is `container`'s part, what has to be done is the engine's to say; `report_lines`
//! says it in words.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::container::{Containers, Job, Progress, SharedReads, Ways};
use super::image_contents::ImageContents;
use super::report_lines;
use crate::clock;
use crate::edge::compose::ServiceWatch;
use crate::engine::{ContainerUpdate, Event, ExpectedContainers, LiveUpdatePlan};
use crate::logs::{Lane, LogStore, LogWriter};
use crate::model::{Batch, LiveUpdateId, Placement, Sync, SyncFailure, Synced};

/// Changes running containers.
pub(in crate::edge) struct ContainerUpdates {
    log: LogStore,
    events: mpsc::Sender<Event>,
    tasks: TaskTracker,
    shutdown: CancellationToken,
    containers: Containers,
    services: ServiceWatch,
    running: Arc<Mutex<HashMap<LiveUpdateId, CancellationToken>>>,
}

impl ContainerUpdates {
    pub(in crate::edge) fn new(
        log: LogStore,
        events: mpsc::Sender<Event>,
        tasks: TaskTracker,
        shutdown: CancellationToken,
        services: ServiceWatch,
    ) -> Self {
        Self {
            services,
            log,
            events,
            tasks,
            shutdown,
            containers: Containers::default(),
            running: Arc::default(),
        }
    }

    /// Gets ready to change these containers, and lets go of all others.
    pub(in crate::edge) fn expect(&self, wanted: &ExpectedContainers, contents: &ImageContents, ways: &Ways) {
        let content = |image: &str| contents.of(image);
        self.containers.expect(wanted, content, ways, &self.tasks);
    }

    /// Begins to change containers. Each of them answers with an event, also where nothing leads there.
    pub(in crate::edge) fn start(&self, plan: LiveUpdatePlan, ways: &Ways) {
        let log = LogWriter::new(self.log.clone(), plan.span.clone(), plan.manifest.clone());
        if plan.containers.iter().any(|container| !container.is_retry) {
            log.update_started(&plan.header);
        }
        let cancel = self.shutdown.child_token();
        self.running().insert(plan.update, cancel.clone());
        let mut lanes = Vec::new();
        let mut changes = Vec::new();
        let reads = SharedReads::default();
        for container in plan.containers {
            let (log, lane) = log.lane();
            lanes.push(lane);
            let one = OneContainer {
                ways: ways.clone(),
                services: self.services.clone(),
                tasks: self.tasks.clone(),
                containers: self.containers.clone(),
                update: container,
                log,
                cancel: cancel.clone(),
                reads: reads.clone(),
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
    pub(in crate::edge) fn cancel(&self, update: LiveUpdateId) {
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
    ways: Ways,
    services: ServiceWatch,
    tasks: TaskTracker,
    containers: Containers,
    update: ContainerUpdate,
    log: LogWriter,
    cancel: CancellationToken,
    reads: SharedReads,
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
        let outcome = self.change().await;
        report_lines::ended(&self.update, &outcome)
            .iter()
            .for_each(|line| self.log.info(line));
        outcome
    }

    async fn change(&self) -> Result<Synced, SyncFailure> {
        let (update, is_retry) = (&self.update, self.update.is_retry);
        let batch = self.placed();
        let is_initial = !update.whole.is_empty() && !update.is_check;
        if is_initial && !is_retry {
            report_lines::initial(update, &batch)
                .iter()
                .for_each(|line| self.log.info(line));
        }
        let mut progress = |progress: Progress<'_>| {
            let lines = match progress {
                // What was tried before was told then.
                Progress::Delete(_) | Progress::Copy(_) if is_retry => Vec::new(),
                Progress::Copy(_) if is_initial => Vec::new(),
                Progress::Delete(files) => report_lines::deleted(update, files),
                Progress::Copy(files) => report_lines::copied(update, files),
                Progress::Run { run, .. } if run.echo_off => Vec::new(),
                Progress::Run { nth, of, run } => vec![format!("[CMD {nth}/{of}] {}", run.argv.join(" "))],
            };
            lines.iter().for_each(|line| self.log.info(line));
        };
        let job = Job {
            batch: &batch,
            progress: &mut progress,
            log: &self.log,
            cancel: &self.cancel,
            reads: &self.reads,
            started: clock::now(),
        };
        let address = &update.container;
        let synced = self.containers.sync(&self.ways, address, job).await?;
        if update.restart && (synced.differed() || batch.runs_are_due) {
            self.containers
                .restart(&self.ways, &update.container, &self.tasks)
                .await?;
            // The engine is to know of the new run before it hears that the update has ended.
            self.services.look_everywhere().await;
        }
        Ok(synced)
    }

    /// Returns the batch with the places that depend on what there is: a file goes into a place that ends with `/`.
    fn placed(&self) -> Batch {
        let mut batch = self.update.batch.clone();
        if self.update.whole.is_empty() {
            return batch;
        }
        let files = std::mem::take(&mut batch.files)
            .into_iter()
            .zip(&self.update.whole);
        batch.files = files.filter_map(|(file, sync)| self.place(file, sync)).collect();
        batch
    }

    fn place(&self, file: Placement, sync: &Sync) -> Option<Placement> {
        let Ok(metadata) = std::fs::symlink_metadata(file.local.as_path()) else {
            self.log.warn(&format!(
                "Initial sync leaves out {}: there is no such file",
                file.local
            ));
            return None;
        };
        let name = file.local.as_path().file_name();
        let goes_into = !metadata.is_dir() && sync.destination.ends_with('/');
        let container = match name.filter(|_| goes_into) {
            Some(name) => file.container.join(name),
            None => file.container.clone(),
        };
        Some(Placement { container, ..file })
    }
}
