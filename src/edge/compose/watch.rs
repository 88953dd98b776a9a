//! What the containers of Compose projects do, as the Docker engine tells it.
//!
//! One task for each project, so what is told of a project is told in order. Events only say which container to look at:
//! what counts is what the engine shows of it. When the stream of events ends it is opened anew, and then all containers are
//! looked at, so nothing that happened meanwhile is missed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::{FutureExt, Stream, StreamExt};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::edge::docker::{ApiError, ContainerEvent, Docker};
use crate::edge::retry::lasting;
use crate::engine::Event;
use crate::logs::{LogStore, LogWriter};

/// The pause before a stream of events is opened anew, doubled up to the longest while that fails.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How long somebody waits until all is looked at anew.
const PATIENCE: Duration = Duration::from_secs(10);
/// Questions that wait.
const QUESTIONS: usize = 64;

/// Watches Compose projects. Cheap to clone.
#[derive(Clone)]
pub(in crate::edge) struct ServiceWatch {
    log: LogStore,
    events: mpsc::Sender<Event>,
    tasks: TaskTracker,
    shutdown: CancellationToken,
    projects: Arc<Mutex<BTreeMap<String, Watched>>>,
}

/// A project that is watched, for as long as this value lives.
struct Watched {
    questions: mpsc::Sender<oneshot::Sender<bool>>,
    stop: CancellationToken,
}

impl ServiceWatch {
    pub(in crate::edge) fn new(
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
            projects: Arc::default(),
        }
    }

    /// Watches these projects from now on, and no others.
    pub(in crate::edge) fn set(&self, wanted: &BTreeSet<String>, docker: &Arc<Docker>) {
        let mut projects = self.projects();
        projects.retain(|project, _| wanted.contains(project));
        for project in wanted {
            if !projects.contains_key(project) {
                projects.insert(project.clone(), self.start(project, docker));
            }
        }
    }

    /// Looks at all containers of a project; returns once the engine of the session has been told, and whether that could be.
    pub(in crate::edge) async fn look(&self, project: &str) -> bool {
        let questions = self
            .projects()
            .get(project)
            .map(|watched| watched.questions.clone());
        // Of a project that is not watched any more there is nothing to tell.
        let Some(questions) = questions else { return true };
        let looked = async {
            let (answer, answered) = oneshot::channel();
            match questions.send(answer).await {
                Ok(()) => answered.await.unwrap_or(true),
                Err(_) => true,
            }
        };
        timeout(PATIENCE, looked).await.unwrap_or(false)
    }

    /// Looks at all containers of all projects; returns once the engine of the session has been told.
    pub(in crate::edge) async fn look_everywhere(&self) {
        let projects: Vec<String> = self.projects().keys().cloned().collect();
        futures::future::join_all(projects.iter().map(|project| self.look(project))).await;
    }

    fn start(&self, project: &str, docker: &Arc<Docker>) -> Watched {
        let (questions, asked) = mpsc::channel(QUESTIONS);
        let stop = self.shutdown.child_token();
        let watcher = Arc::new(tokio::sync::Mutex::new(Watcher {
            project: project.to_owned(),
            docker: Arc::clone(docker),
            events: self.events.clone(),
            asked,
        }));
        let log = LogWriter::global(self.log.clone());
        let name = format!("the watch of Compose project {project}");
        let stopping = stop.clone();
        self.tasks.spawn(async move {
            let watching = lasting(&name, &log, || {
                let watcher = Arc::clone(&watcher);
                async move { watcher.lock().await.watch().await }
            });
            tokio::select! {
                () = stopping.cancelled() => {}
                () = watching => {}
            }
        });
        Watched { questions, stop }
    }

    fn projects(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Watched>> {
        self.projects.lock().expect("no panic while it is held")
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

struct Watcher {
    project: String,
    docker: Arc<Docker>,
    events: mpsc::Sender<Event>,
    asked: mpsc::Receiver<oneshot::Sender<bool>>,
}

impl Watcher {
    async fn watch(&mut self) {
        let mut pause = FIRST_PAUSE;
        loop {
            if let Ok(happened) = self.docker.container_events(&self.project).await
                && self.look_at_all().await.is_ok()
            {
                pause = FIRST_PAUSE;
                self.follow(happened).await;
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Tells what happens until the stream ends.
    async fn follow(&mut self, happened: impl Stream<Item = Result<ContainerEvent, ApiError>> + Send) {
        let mut happened = std::pin::pin!(happened);
        loop {
            tokio::select! {
                event = happened.next() => {
                    let Some(Ok(event)) = event else { return };
                    let mut events = vec![event];
                    while let Some(Some(Ok(event))) = happened.next().now_or_never() {
                        events.push(event);
                    }
                    if self.look_at(events).await.is_err() {
                        return;
                    }
                }
                Some(answer) = self.asked.recv() => {
                    // One look answers all who asked before it.
                    let mut answers = vec![answer];
                    while let Ok(answer) = self.asked.try_recv() {
                        answers.push(answer);
                    }
                    let looked = self.look_at_all().await;
                    for answer in answers {
                        // Whoever asked may not wait any more.
                        let _ = answer.send(looked.is_ok());
                    }
                    if looked.is_err() {
                        return;
                    }
                }
            }
        }
    }

    async fn look_at_all(&self) -> Result<(), ApiError> {
        let containers = self.docker.service_containers(&self.project).await?;
        self.tell(Event::ServiceContainersListed {
            project: self.project.clone(),
            containers,
        })
        .await;
        Ok(())
    }

    /// Looks at each container once, however much happened to it.
    async fn look_at(&self, events: Vec<ContainerEvent>) -> Result<(), ApiError> {
        let mut gone = BTreeMap::new();
        for event in events {
            *gone.entry(event.id).or_insert(false) |= event.is_gone;
        }
        for (id, is_gone) in gone {
            let container = match is_gone {
                true => None,
                false => self.docker.service_container(&id).await?,
            };
            let event = match container {
                Some(container) => Event::ServiceContainerSeen(Box::new(container)),
                None => Event::ServiceContainerGone(id),
            };
            self.tell(event).await;
        }
        Ok(())
    }

    async fn tell(&self, event: Event) {
        // The loop may be gone already at exit.
        let _ = self.events.send(event).await;
    }
}
