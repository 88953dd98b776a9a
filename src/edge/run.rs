//! The loop of a session: it owns the engine, hands events in and effects out, and nothing else decides anything.
//!
//! One task runs [`run`]. Everything that takes time runs in a task of its own ([`Edge`] starts it) and answers with
//! an event that carries the id of its effect.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, OnceCell, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::comebacks::Comebacks;
use super::connected::{Connected, ImageNeeds};
use super::docker::{Docker, PruneError};
use super::images::ImageSlots;
use super::kube::{Cluster, ClusterAccess, NO_KUBECONFIG};
use super::local::{CommandVariables, Servers, run_update};
use super::port_forwards::PortForwards;
use super::update::UpdateTools;
use super::watch_files::{WantedFiles, watch_files};
use super::{clock, custom_deploy, load, update};
use crate::engine::{
    ClusterStatus, ClusterWatch, Effect, Engine, EngineConfig, Event, ExitOutcome, Forward, LoadOutcome,
    Mode, PruneRequest, UpdateOutcome, UpdatePlan,
};
use crate::k8s::labels::Ownership;
use crate::logs::{LogStore, LogWriter};
use crate::model::{BuildId, DeployTarget, LoadId, LocalPath, Manifest, ManifestName, SpanId, Timestamp};
use crate::tiltfile::LoadRequest;
use crate::view::View;

/// How many events may wait for the engine before those who report have to wait.
const EVENT_QUEUE: usize = 1024;

/// How long tasks get to stop at the end of a session.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// The pause before a cluster that could not be reached is tried again, doubled up to the longest.
const FIRST_RECONNECT_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_RECONNECT_PAUSE: Duration = Duration::from_secs(1);

/// What a session is about.
pub struct Session {
    /// Whether to stay or to end by itself.
    pub mode: Mode,
    /// The Tiltfile and its arguments.
    pub request: LoadRequest,
    /// How to reach the cluster; `None` when no kubeconfig names one.
    pub access: Option<ClusterAccess>,
    /// Who deploys.
    pub ownership: Ownership,
    /// What commands find in their environment.
    pub commands: CommandVariables,
    /// Where output goes.
    pub log: LogStore,
    /// Whether local ports are opened at all.
    pub forwards_ports: bool,
    /// Whether output may have colour.
    pub has_colour: bool,
    /// The directory that paths in messages are relative to.
    pub cwd: LocalPath,
}

/// Runs a session until the engine ends it; returns how, and what was seen last. `stop` asks it to.
pub async fn run(session: Session, stop: CancellationToken) -> (ExitOutcome, View) {
    let (sender, mut events) = mpsc::channel(EVENT_QUEUE);
    let started = clock::timestamp();
    let mut engine = Engine::new(EngineConfig {
        mode: session.mode,
        started,
        started_at: clock::now(),
        tiltfile: session.request.file.clone(),
        args: session.request.args.clone(),
        cwd: session.cwd.clone(),
        forwards_ports: session.forwards_ports,
        default_namespace: session.request.kube.namespace.clone(),
        kubeconfig: session
            .access
            .iter()
            .flat_map(ClusterAccess::files)
            .map(LocalPath::new)
            .collect(),
    });
    let mut edge = Edge::new(session, sender, started);
    let mut batch = vec![Event::Started];
    let mut stopping = false;
    loop {
        for event in batch.drain(..) {
            tracing::debug!(?event, "event");
            edge.prepare(&event);
            for effect in engine.handle(clock::now(), event) {
                tracing::debug!(?effect, "effect");
                if let Effect::Exit(outcome) = effect {
                    // Nobody reads events any more: whoever still reports must not wait for room in the queue.
                    drop(events);
                    edge.stop().await;
                    return (outcome, engine.view());
                }
                edge.perform(effect);
            }
        }
        let wake = engine.next_wake().map(tokio::time::Instant::from_std);
        tokio::select! {
            biased;
            () = stop.cancelled(), if !stopping => {
                stopping = true;
                batch.push(Event::StopRequested);
            }
            Some(event) = events.recv() => {
                batch.push(event);
                while let Ok(event) = events.try_recv() {
                    batch.push(event);
                }
            }
            () = sleep_until(wake) => batch.push(Event::Wake),
        }
    }
}

async fn sleep_until(wake: Option<tokio::time::Instant>) {
    match wake {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Carries effects out.
struct Edge {
    request: Arc<LoadRequest>,
    log: LogStore,
    started: Timestamp,
    events: mpsc::Sender<Event>,
    tasks: TaskTracker,
    /// Cancelled when the session ends: every task listens.
    shutdown: CancellationToken,
    load: Option<Arc<AtomicBool>>,
    updates: HashMap<BuildId, CancellationToken>,
    docker: Arc<OnceCell<Arc<Docker>>>,
    image_slots: ImageSlots,
    access: Option<ClusterAccess>,
    /// What was last said of a kubeconfig that changed.
    told_of_kubeconfig: Arc<Mutex<Option<String>>>,
    ownership: Arc<Ownership>,
    connecting: bool,
    has_colour: bool,
    /// Whether a cluster that cannot be reached is tried again until it can.
    is_patient: bool,
    cluster: Arc<OnceCell<Connected>>,
    files: watch::Sender<WantedFiles>,
    commands: Arc<CommandVariables>,
    servers: Servers,
    comebacks: Comebacks,
    ports: PortForwards,
    /// Which ports are to be forwarded; handed on once there is a cluster.
    forwarded: Vec<Forward>,
    /// What is to be watched; handed on once there is a cluster.
    cluster_watch: ClusterWatch,
}

impl Edge {
    fn new(session: Session, events: mpsc::Sender<Event>, started: Timestamp) -> Self {
        let shutdown = CancellationToken::new();
        let tasks = TaskTracker::new();
        let cluster = Arc::new(OnceCell::new());
        let (files, wanted_files) = watch::channel(WantedFiles::default());
        let files_log = LogWriter::global(session.log.clone());
        tasks.spawn(until(
            shutdown.clone(),
            watch_files(wanted_files, events.clone(), files_log),
        ));
        let commands = Arc::new(session.commands);
        let servers = Servers::new(
            session.log.clone(),
            events.clone(),
            Arc::clone(&commands),
            tasks.clone(),
            shutdown.clone(),
        );
        Self {
            commands,
            servers,
            comebacks: Comebacks::new(events.clone(), tasks.clone(), shutdown.clone()),
            ports: PortForwards::new(
                session.log.clone(),
                events.clone(),
                session.request.web_host.clone(),
                tasks.clone(),
                shutdown.clone(),
            ),
            forwarded: Vec::new(),
            request: Arc::new(session.request),
            log: session.log,
            started,
            events,
            tasks,
            shutdown,
            load: None,
            updates: HashMap::new(),
            docker: Arc::default(),
            image_slots: ImageSlots::default(),
            access: session.access,
            told_of_kubeconfig: Arc::default(),
            ownership: Arc::new(session.ownership),
            connecting: false,
            has_colour: session.has_colour,
            is_patient: session.mode == Mode::Up,
            cluster,
            files,
            cluster_watch: ClusterWatch::default(),
        }
    }

    /// Does what must be under way before the engine hears of an event: the first good load connects the cluster.
    fn prepare(&mut self, event: &Event) {
        match event {
            Event::TiltfileLoaded { outcome, .. } => {
                if let Some(manifests) = &outcome.manifests {
                    self.connect(manifests);
                }
            }
            Event::UpdateFinished { build, outcome } => {
                self.updates.remove(build);
                let docker = self.docker.get().cloned();
                self.comebacks
                    .update_ended(outcome.unreachable, self.cluster.get(), docker);
            }
            Event::ClusterChanged(_) => {
                self.watch_cluster();
                self.forward_ports();
            }
            _ => {}
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::LoadTiltfile { load, span, args } => self.load_tiltfile(load, span, args),
            Effect::CancelLoad { .. } => self.abandon_load(),
            Effect::StartUpdate(plan) => self.start_update(*plan),
            Effect::CancelUpdate { build } => {
                if let Some(token) = self.updates.get(&build) {
                    token.cancel();
                }
            }
            Effect::DeleteObjects {
                delete,
                manifest,
                span,
                reason,
                objects,
                command,
            } => {
                let log = LogWriter::new(self.log.clone(), span, manifest);
                let (cluster, commands) = (self.cluster.get().cloned(), Arc::clone(&self.commands));
                let ownership = Arc::clone(&self.ownership);
                self.report(
                    async move {
                        if let Some((command, timeout)) = command {
                            log.info(&format!("Beginning {reason}"));
                            let deleted = async {
                                if let Some(connected) = &cluster {
                                    connected.cluster.confirm().await?;
                                }
                                custom_deploy::delete(&command, timeout, &commands, &log).await
                            };
                            if let Err(error) = deleted.await {
                                log.error(&format!("Error {reason}: {error}"));
                            }
                        } else if let Some(Connected { cluster, .. }) = cluster {
                            super::kube::collect_garbage(&cluster, reason, &objects, &ownership, &log).await;
                        }
                        Event::ObjectsDeleted { delete }
                    },
                    move |_| Event::ObjectsDeleted { delete },
                );
            }
            Effect::WatchFiles(wanted) => {
                self.files.send_replace(WantedFiles {
                    set: wanted,
                    since: clock::timestamp(),
                });
            }
            Effect::WatchCluster(wanted) => {
                self.cluster_watch = wanted;
                self.watch_cluster();
            }
            Effect::CheckKubeconfig => self.check_kubeconfig(),
            Effect::StreamLogs(wanted) => {
                if let Some(connected) = self.cluster.get() {
                    connected.pod_logs.set(wanted);
                }
            }
            Effect::Serve(wanted) => self.servers.set(wanted),
            Effect::ForwardPorts(wanted) => {
                self.forwarded = wanted;
                self.forward_ports();
            }
            Effect::Prune(request) => self.prune(request),
            Effect::Log(event) => self.log.append(event),
            Effect::Exit(_) => {}
        }
    }

    fn abandon_load(&mut self) {
        if let Some(load) = self.load.take() {
            load.store(true, Ordering::Relaxed);
        }
    }

    fn load_tiltfile(&mut self, load: LoadId, span: SpanId, args: Vec<String>) {
        self.abandon_load();
        if self.request.args != args {
            Arc::make_mut(&mut self.request).args = args;
        }
        let cancelled = Arc::new(AtomicBool::new(false));
        self.load = Some(Arc::clone(&cancelled));
        let log = LogWriter::new(self.log.clone(), span, ManifestName::tiltfile());
        let (request, docker, store) = (
            Arc::clone(&self.request),
            Arc::clone(&self.docker),
            self.log.clone(),
        );
        self.report(
            async move {
                let outcome = load::run(request, docker, store, log, cancelled).await;
                Event::TiltfileLoaded {
                    load,
                    outcome: Box::new(outcome),
                }
            },
            move |panic| Event::TiltfileLoaded {
                load,
                outcome: Box::new(LoadOutcome {
                    error: Some(panic),
                    ..LoadOutcome::default()
                }),
            },
        );
    }

    fn start_update(&mut self, plan: UpdatePlan) {
        let build = plan.build;
        let cancel = self.shutdown.child_token();
        self.updates.insert(build, cancel.clone());
        let (cluster, docker) = (self.cluster.get().cloned(), self.docker.get().cloned());
        let (log, ownership) = (self.log.clone(), Arc::clone(&self.ownership));
        let (commands, image_slots) = (Arc::clone(&self.commands), self.image_slots.clone());
        let has_colour = self.has_colour;
        self.report(
            async move {
                let outcome = match (&plan.deploy, cluster) {
                    (DeployTarget::Local(local), _) => {
                        run_update(&log, &plan, local, &commands, &cancel).await
                    }
                    (
                        _,
                        Some(Connected {
                            cluster,
                            facts,
                            platform,
                            own_docker,
                            ..
                        }),
                    ) => {
                        let docker = own_docker.or(docker);
                        let tools = UpdateTools {
                            docker,
                            cluster,
                            facts,
                            platform,
                            image_slots,
                            ownership,
                            commands,
                            log,
                            has_colour,
                        };
                        update::run(tools, plan, cancel).await
                    }
                    (_, None) => UpdateOutcome {
                        error: Some("cluster not ready".to_owned()),
                        ..UpdateOutcome::default()
                    },
                };
                Event::UpdateFinished {
                    build,
                    outcome: Box::new(outcome),
                }
            },
            move |panic| Event::UpdateFinished {
                build,
                outcome: Box::new(UpdateOutcome {
                    error: Some(panic),
                    ..UpdateOutcome::default()
                }),
            },
        );
    }

    /// Prunes the Docker engine that images are built with. Nothing waits for it, not even the end of the session.
    fn prune(&self, request: PruneRequest) {
        let prune = request.prune;
        let connected = self.cluster.get().cloned();
        let docker = connected
            .as_ref()
            .and_then(|connected| connected.own_docker.clone());
        let docker = docker.or_else(|| self.docker.get().cloned());
        let (log, shutdown) = (LogWriter::global(self.log.clone()), self.shutdown.clone());
        self.report(
            async move {
                let registry = connected.and_then(|connected| connected.facts.registry.clone());
                let is_possible = match docker {
                    Some(docker) => tokio::select! {
                        () = shutdown.cancelled() => true,
                        pruned = docker.prune(&request, registry.as_ref(), clock::timestamp(), &log) => {
                            if let Err(error) = &pruned {
                                log.info(&error.to_string());
                            }
                            !matches!(pruned, Err(PruneError::TooOld(_)))
                        }
                    },
                    None => true,
                };
                Event::Pruned { prune, is_possible }
            },
            move |_| Event::Pruned {
                prune,
                is_possible: true,
            },
        );
    }

    /// Connects the cluster, once. `up` goes on trying: somebody may be starting it just now.
    fn connect(&mut self, manifests: &[Manifest]) {
        if std::mem::replace(&mut self.connecting, true) {
            return;
        }
        let Some(access) = self.access.clone() else {
            let events = self.events.clone();
            self.tasks.spawn(async move {
                let status = ClusterStatus::Failed(NO_KUBECONFIG.to_owned());
                let _ = events.send(Event::ClusterChanged(status)).await;
            });
            return;
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
                match connect_once(access.clone(), images.clone(), &log, &events, started).await {
                    Ok(connected) => {
                        let health = watch_health(connected.cluster.clone(), events);
                        tasks.spawn(until(shutdown, health));
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

    fn check_kubeconfig(&self) {
        let Some(access) = self.access.clone() else {
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
            let drift = super::kube::drift(&access, cluster.as_ref()).await;
            match &drift {
                Some(text) if *told != drift => log.warn(text),
                None if told.is_some() => log.info("The kubeconfig means the cluster of this session again."),
                _ => {}
            }
            *told = drift;
        }));
    }

    fn forward_ports(&mut self) {
        let cluster = self.cluster.get().map(|connected| &connected.cluster);
        self.ports.set(self.forwarded.clone(), cluster);
    }

    fn watch_cluster(&self) {
        if let Some(connected) = self.cluster.get() {
            connected.watcher.set(self.cluster_watch.clone());
        }
    }

    /// Runs a task whose outcome is an event. A panic in it is an event too, so that nobody waits for ever.
    fn report(
        &self,
        task: impl Future<Output = Event> + Send + 'static,
        on_panic: impl FnOnce(String) -> Event + Send + 'static,
    ) {
        let events = self.events.clone();
        let tasks = self.tasks.clone();
        self.tasks.spawn(async move {
            let event = match tasks.spawn(task).await {
                Ok(event) => event,
                Err(error) => on_panic(format!("internal error: {error}")),
            };
            let _ = events.send(event).await;
        });
    }

    /// Reads logs to their present end, then stops every task.
    async fn stop(mut self) {
        if let Some(connected) = self.cluster.get() {
            connected.pod_logs.drain().await;
        }
        self.abandon_load();
        self.shutdown.cancel();
        self.tasks.close();
        if tokio::time::timeout(STOP_TIMEOUT, self.tasks.wait())
            .await
            .is_err()
        {
            tracing::debug!("some tasks did not stop in time");
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

/// Reports how a cluster is, whenever that changes.
async fn watch_health(cluster: Cluster, events: mpsc::Sender<Event>) {
    let report = |status| async {
        let _ = events.send(Event::ClusterChanged(status)).await;
    };
    super::kube::watch_health(cluster, report).await;
}

/// Runs a task that has no end of its own until the session ends.
async fn until(shutdown: CancellationToken, task: impl Future<Output = ()>) {
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = task => {}
    }
}
