//! Carries out what the engine asks for: each effect that takes time in a task of its own, which answers with an event.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, OnceCell, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::about::Session;
use super::connected_cluster::Connected;
use super::reachable_again::LookOut;
use super::records::Records;
use crate::clock;
use crate::edge::compose::{self, ContainerLogs, ServiceWatch, Ups};
use crate::edge::docker::{Docker, PruneError};
use crate::edge::evaluation::load;
use crate::edge::kube::ClusterAccess;
use crate::edge::lasting_tasks::vital;
use crate::edge::live_update::container::Ways;
use crate::edge::live_update::{ContainerUpdates, ImageContents};
use crate::edge::local::{CommandVariables, Servers, run_update};
use crate::edge::port_forwards::PortForwards;
use crate::edge::process::{end_marked, kill_all_groups, own_mark};
use crate::edge::update;
use crate::edge::update::{ImageSlots, ImageTools, ServiceTools, UpdateTools, custom_deploy, run_service};
use crate::edge::watch_files::FileWatcher;
use crate::engine::{
    Effect, Event, LoadOutcome, LogStreams, Moment, PruneRequest, UpdateOutcome, UpdatePlan,
};
use crate::k8s::labels::Ownership;
use crate::logs::{LogStore, LogWriter};
use crate::model::{ApiObjects, BuildId, DeployTarget, LoadId, ManifestName, SpanId, Timestamp};
use crate::tiltfile::LoadRequest;

/// How long tasks get to stop, and logs to be read to their present end, at the end of a session.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);
/// The same where a user waits for it.
const ASKED_STOP_TIMEOUT: Duration = Duration::from_millis(800);

/// Carries effects out.
pub(super) struct Edge {
    request: Arc<LoadRequest>,
    pub(in crate::edge) log: LogStore,
    records: Records,
    pub(in crate::edge) started: Timestamp,
    pub(in crate::edge) events: mpsc::Sender<Event>,
    pub(in crate::edge) tasks: TaskTracker,
    /// Cancelled when the session ends: every task listens.
    pub(in crate::edge) shutdown: CancellationToken,
    load: Option<Arc<AtomicBool>>,
    /// What cancels each update, and its task.
    updates: HashMap<BuildId, (CancellationToken, JoinHandle<()>)>,
    pub(in crate::edge) docker: Arc<OnceCell<Arc<Docker>>>,
    image_slots: ImageSlots,
    image_contents: ImageContents,
    /// How to reach the cluster, or why there is none.
    pub(in crate::edge) access: Result<ClusterAccess, String>,
    /// What was last said of a kubeconfig that changed.
    pub(super) told_of_kubeconfig: Arc<Mutex<Option<String>>>,
    ownership: Arc<Ownership>,
    has_colour: bool,
    pub(in crate::edge) cluster: Arc<OnceCell<Connected>>,
    files: FileWatcher,
    commands: Arc<CommandVariables>,
    servers: Servers,
    container_updates: ContainerUpdates,
    services: ServiceWatch,
    ups: Ups,
    container_logs: ContainerLogs,
    look_out: LookOut,
    pub(in crate::edge) ports: PortForwards,
}

impl Edge {
    pub(in crate::edge) fn new(
        session: Session,
        events: mpsc::Sender<Event>,
        died: mpsc::Sender<String>,
        started: Timestamp,
    ) -> Self {
        let shutdown = CancellationToken::new();
        let tasks = TaskTracker::new();
        let cluster = Arc::new(OnceCell::new());
        let files_log = LogWriter::global(session.log.clone());
        let (files, watching) = FileWatcher::start(events.clone(), files_log.clone());
        let watching = async move { vital("the watch of files", &files_log, &died, watching).await };
        tasks.spawn(until(shutdown.clone(), watching));
        let commands = Arc::new(session.commands);
        let servers = Servers::new(
            session.log.clone(),
            events.clone(),
            Arc::clone(&commands),
            tasks.clone(),
            shutdown.clone(),
        );
        let services = ServiceWatch::new(
            session.log.clone(),
            events.clone(),
            tasks.clone(),
            shutdown.clone(),
        );
        Self {
            ups: Ups::new(Arc::clone(&commands), tasks.clone()),
            container_logs: ContainerLogs::new(session.log.clone(), events.clone()),
            commands,
            servers,
            container_updates: ContainerUpdates::new(
                session.log.clone(),
                events.clone(),
                tasks.clone(),
                shutdown.clone(),
                services.clone(),
            ),
            services,
            look_out: LookOut::new(events.clone(), tasks.clone(), shutdown.clone()),
            ports: PortForwards::new(
                session.log.clone(),
                events.clone(),
                session.request.web_host.clone(),
                tasks.clone(),
                shutdown.clone(),
            ),
            request: Arc::new(session.request),
            records: Records::start(&session.log),
            log: session.log,
            started,
            events,
            tasks,
            shutdown,
            load: None,
            updates: HashMap::new(),
            docker: Arc::default(),
            image_slots: ImageSlots::default(),
            image_contents: ImageContents::default(),
            access: session.access,
            told_of_kubeconfig: Arc::default(),
            ownership: Arc::new(session.ownership),
            has_colour: session.has_colour,
            cluster,
            files,
        }
    }

    pub(super) fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::LoadTiltfile {
                load,
                span,
                args,
                extensions,
                moment,
            } => self.load_tiltfile((load, span), args, extensions, moment),
            Effect::CancelLoad { .. } => self.abandon_load(),
            Effect::ConnectCluster { has_default_registry } => self.connect(has_default_registry),
            Effect::LookOut(true) => {
                let docker = self.docker.get().cloned();
                self.look_out.begin(self.cluster.get(), docker);
            }
            Effect::LookOut(false) => self.look_out.end(),
            Effect::StartUpdate(plan) => self.start_update(*plan),
            Effect::CancelUpdate { build } => {
                if let Some((token, _)) = self.updates.get(&build) {
                    token.cancel();
                }
            }
            Effect::ExpectContainers(wanted) => {
                self.container_updates
                    .expect(&wanted, &self.image_contents, &self.ways());
            }
            Effect::UpdateContainers(plan) => self.container_updates.start(*plan, &self.ways()),
            Effect::CancelLiveUpdate { update } => self.container_updates.cancel(update),
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
                let (ownership, stop) = (Arc::clone(&self.ownership), self.shutdown.clone());
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
                            crate::edge::kube::collect_garbage(
                                &cluster, reason, &objects, &ownership, &log, &stop,
                            )
                            .await;
                        }
                        Event::ObjectsDeleted { delete }
                    },
                    move |_| Event::ObjectsDeleted { delete },
                );
            }
            Effect::WatchFiles(wanted) => self.files.watch(wanted),
            Effect::WatchCluster(wanted) => {
                if let Some(connected) = self.cluster.get() {
                    connected.watcher.set(wanted);
                }
            }
            Effect::CheckKubeconfig => self.check_kubeconfig(),
            Effect::StreamLogs(wanted) => self.stream_logs(&wanted),
            Effect::WatchServices(wanted) => {
                if let Some(docker) = self.docker.get() {
                    self.services.set(&wanted, docker);
                }
            }
            Effect::RemoveService { delete, service } => {
                let (docker, watch) = (self.docker.get().cloned(), self.services.clone());
                let log = LogWriter::global(self.log.clone());
                self.report(
                    async move {
                        if let Some(docker) = docker
                            && let Err(error) = compose::remove(&docker, &service, &log).await
                        {
                            log.error(&format!("Error removing service {service}: {error}"));
                        }
                        watch.look(&service.project).await;
                        Event::ObjectsDeleted { delete }
                    },
                    move |_| Event::ObjectsDeleted { delete },
                );
            }
            Effect::RestartService {
                manifest,
                span,
                service,
                anew,
            } => {
                let (docker, watch) = (self.docker.get().cloned(), self.services.clone());
                let ups = self.ups.clone();
                let log = LogWriter::new(self.log.clone(), span, manifest.clone());
                let on_panic = Event::ServiceRestarted(manifest.clone());
                self.report(
                    async move {
                        let restarted = match (docker, anew) {
                            (Some(docker), Some(target)) => ups.replace(&target, &docker, &log).await,
                            (Some(docker), None) => compose::restart(&docker, &service, &log).await,
                            (None, _) => Ok(()),
                        };
                        if let Err(error) = restarted {
                            log.error(&format!("Error restarting: {error}"));
                        }
                        watch.look(&service.project).await;
                        Event::ServiceRestarted(manifest)
                    },
                    move |_| on_panic,
                );
            }
            Effect::Serve(wanted) => self.servers.set(wanted),
            Effect::ForwardPorts(wanted) => {
                let cluster = self.cluster.get().map(|connected| &connected.cluster);
                self.ports.set(wanted, cluster);
            }
            Effect::Prune(request) => self.prune(request),
            Effect::Log(event) => self.log.append(event),
            Effect::CatchUp { mark } => self.catch_up(mark),
            Effect::Record(record) => self.records.keep(record),
            Effect::Exit(_) => {}
        }
    }

    fn abandon_load(&mut self) {
        if let Some(load) = self.load.take() {
            load.store(true, Ordering::Relaxed);
        }
    }

    fn load_tiltfile(
        &mut self,
        (load, span): (LoadId, SpanId),
        args: Vec<String>,
        extensions: ApiObjects,
        moment: Moment,
    ) {
        self.abandon_load();
        if self.request.args != args || self.request.extensions != extensions {
            let request = Arc::make_mut(&mut self.request);
            (request.args, request.extensions) = (args, extensions);
        }
        let cancelled = Arc::new(AtomicBool::new(false));
        self.load = Some(Arc::clone(&cancelled));
        let log = LogWriter::new(self.log.clone(), span, ManifestName::tiltfile());
        let (request, docker, store) = (
            Arc::clone(&self.request),
            Arc::clone(&self.docker),
            self.log.clone(),
        );
        let (files, begun) = (self.files.clone(), self.files.begin(moment));
        self.report(
            async move {
                begun.await;
                let outcome = load::run(load, files, request, docker, store, log, cancelled).await;
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

    /// Returns what leads to containers as far as it is there.
    fn ways(&self) -> Ways {
        Ways {
            cluster: self.cluster.get().map(|connected| connected.cluster.clone()),
            docker: self.docker.get().cloned(),
        }
    }

    fn stream_logs(&self, wanted: &LogStreams) {
        if let Some(connected) = self.cluster.get() {
            connected.pod_logs.set(wanted);
        }
        self.container_logs.set(wanted, self.docker.get());
    }

    fn start_update(&mut self, plan: UpdatePlan) {
        let build = plan.build;
        let cancel = self.shutdown.child_token();
        self.updates.retain(|_, (_, task)| !task.is_finished());
        let (cluster, docker) = (self.cluster.get().cloned(), self.docker.get().cloned());
        let (log, ownership) = (self.log.clone(), Arc::clone(&self.ownership));
        let events = self.events.clone();
        let (commands, image_slots) = (Arc::clone(&self.commands), self.image_slots.clone());
        let image_contents = self.image_contents.clone();
        let (services, ups) = (self.services.clone(), self.ups.clone());
        let has_colour = self.has_colour;
        let begun = self.files.begin(plan.moment);
        let token = cancel.clone();
        let task = self.report(
            async move {
                let from = log.end();
                begun.await;
                let store = log.clone();
                let outcome = match (&plan.deploy, cluster) {
                    (DeployTarget::Local(local), _) => {
                        run_update(&log, &plan, local, &commands, &cancel, &events).await
                    }
                    (DeployTarget::Compose(target), _) => {
                        let images = ImageTools {
                            docker,
                            facts: Arc::default(),
                            platform: None,
                            image_slots,
                            image_contents,
                            commands,
                            log,
                            has_colour,
                        };
                        let tools = ServiceTools {
                            images,
                            ups,
                            watch: services,
                        };
                        run_service(tools, &plan, target, cancel).await
                    }
                    (
                        DeployTarget::K8s(_),
                        Some(Connected {
                            cluster,
                            facts,
                            platform,
                            own_docker,
                            ..
                        }),
                    ) => {
                        let images = ImageTools {
                            docker: own_docker.or(docker),
                            facts,
                            platform,
                            image_slots,
                            image_contents,
                            commands,
                            log,
                            has_colour,
                        };
                        let tools = UpdateTools {
                            images,
                            cluster,
                            ownership,
                        };
                        update::run(tools, plan, cancel).await
                    }
                    (DeployTarget::K8s(_), None) => UpdateOutcome {
                        error: Some("cluster not ready".to_owned()),
                        ..UpdateOutcome::default()
                    },
                };
                Event::UpdateFinished {
                    build,
                    outcome: Box::new(UpdateOutcome {
                        log: Some((from, store.end())),
                        ..outcome
                    }),
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
        self.updates.insert(build, (token, task));
    }

    /// Lets all changes of files until now be reported, and then that they were.
    fn catch_up(&self, mark: u64) {
        let caught_up = self.files.catch_up(mark);
        let shutdown = self.shutdown.clone();
        self.tasks.spawn(until(shutdown, caught_up));
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

    /// Runs a task whose outcome is an event. A panic in it is an event too, so that nobody waits for ever. The handle is that
    /// of a task that ends once the event is on its way.
    pub(in crate::edge) fn report(
        &self,
        task: impl Future<Output = Event> + Send + 'static,
        on_panic: impl FnOnce(String) -> Event + Send + 'static,
    ) -> JoinHandle<()> {
        let events = self.events.clone();
        let tasks = self.tasks.clone();
        self.tasks.spawn(async move {
            let event = match tasks.spawn(task).await {
                Ok(event) => event,
                Err(error) => on_panic(format!("internal error: {error}")),
            };
            let _ = events.send(event).await;
        })
    }

    /// Reads logs to their present end and stops every task, all at once; then ends what is left of what was started.
    pub(in crate::edge) async fn stop(mut self, is_asked: bool) {
        self.abandon_load();
        self.records.close();
        self.shutdown.cancel();
        self.tasks.close();
        let drained = async {
            if let Some(connected) = self.cluster.get() {
                connected.pod_logs.drain().await;
            }
        };
        let all = async { tokio::join!(drained, self.container_logs.drain(), self.tasks.wait()) };
        let limit = if is_asked {
            ASKED_STOP_TIMEOUT
        } else {
            STOP_TIMEOUT
        };
        if tokio::time::timeout(limit, all).await.is_err() {
            tracing::debug!("some tasks did not stop in time");
        }
        kill_all_groups();
        end_marked(&own_mark()).await;
    }
}

/// Runs a task that has no end of its own until the session ends.
pub(in crate::edge) async fn until(shutdown: CancellationToken, task: impl Future<Output = ()>) {
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = task => {}
    }
}
