//! What the containers of Compose projects do, as the Docker engine tells it.
//!
//! One task for each project, so what is told of a project is told in order. Events only say which container to look at:
//! what counts is what the engine shows of it. When the stream of events ends it is opened anew, and then all containers are
//! looked at, so nothing that happened meanwhile is missed. A container that is about to be started again, or removed, is
//! looked at again and again until that is over: where somebody tells it not to start, or it cannot, no event says so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::{FutureExt, Stream, StreamExt};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::edge::docker::{ApiError, ContainerEvent, Docker};
use crate::edge::lasting_tasks::lasting;
use crate::engine::Event;
use crate::logs::{LogStore, LogWriter};
use crate::model::{ServiceContainer, ServiceState};

/// The pause before a stream of events is opened anew, doubled up to the longest while that fails.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// The pauses between looks at containers that are in a state that passes.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
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
            passing: BTreeMap::new(),
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
    /// Containers in a state that passes, also without an event, as they were told last.
    passing: BTreeMap<String, ServiceContainer>,
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
        let mut again = interval(LOOK_AGAIN);
        again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = again.tick(), if !self.passing.is_empty() => {
                    if self.look_at_passing().await.is_err() {
                        return;
                    }
                }
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

    async fn look_at_all(&mut self) -> Result<(), ApiError> {
        let containers = self.docker.service_containers(&self.project).await?;
        self.passing.clear();
        containers.iter().for_each(|container| self.note(container));
        self.tell(Event::ServiceContainersListed {
            project: self.project.clone(),
            containers,
        })
        .await;
        Ok(())
    }

    /// Looks at each container once, however much happened to it.
    async fn look_at(&mut self, events: Vec<ContainerEvent>) -> Result<(), ApiError> {
        let mut gone = BTreeMap::new();
        for event in events {
            *gone.entry(event.id).or_insert(false) |= event.is_gone;
        }
        for (id, is_gone) in gone {
            let container = match is_gone {
                true => None,
                false => self.docker.service_container(&id).await?,
            };
            self.tell_of(id, container).await;
        }
        Ok(())
    }

    /// Looks at the containers in a state that passes; tells of those that are not as they were.
    async fn look_at_passing(&mut self) -> Result<(), ApiError> {
        let before: Vec<ServiceContainer> = self.passing.values().cloned().collect();
        for before in before {
            let container = self.docker.service_container(&before.id).await?;
            if container.as_ref() != Some(&before) {
                self.tell_of(before.id, container).await;
            }
        }
        Ok(())
    }

    async fn tell_of(&mut self, id: String, container: Option<ServiceContainer>) {
        self.passing.remove(&id);
        container.iter().for_each(|container| self.note(container));
        self.tell(match container {
            Some(container) => Event::ServiceContainerSeen(Box::new(container)),
            None => Event::ServiceContainerGone(id),
        })
        .await;
    }

    fn note(&mut self, container: &ServiceContainer) {
        if matches!(container.state, ServiceState::Restarting | ServiceState::Removing) {
            self.passing.insert(container.id.clone(), container.clone());
        }
    }

    async fn tell(&self, event: Event) {
        // The loop may be gone already at exit.
        let _ = self.events.send(event).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::edge::docker::fake_engine::{Answer, FakeEngine};

    fn container(status: &str) -> String {
        format!(
            r#"{{"Id": "c1", "Name": "/shop-web-1", "Created": "2026-01-01T00:00:00Z",
                "State": {{"Status": "{status}", "ExitCode": 137}},
                "Config": {{"Image": "web", "Labels": {{
                    "com.docker.compose.project": "shop", "com.docker.compose.service": "web"}}}}}}"#
        )
    }

    #[tokio::test(start_paused = true)]
    async fn a_container_that_is_told_not_to_start_again_is_seen_without_an_event() {
        let is_stopped = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&is_stopped);
        let engine = FakeEngine::start(move |asked| match asked {
            asked if asked.starts_with("GET /events") => Answer::Begins(String::new()),
            asked if asked.starts_with("GET /containers/json") => {
                Answer::Says(200, r#"[{"Id": "c1"}]"#.to_owned())
            }
            _ => Answer::Says(
                200,
                container(match stopped.load(Ordering::SeqCst) {
                    true => "exited",
                    false => "restarting",
                }),
            ),
        });
        let (_ask, asked) = mpsc::channel(1);
        let (events, mut told) = mpsc::channel(8);
        let mut watcher = Watcher {
            project: "shop".to_owned(),
            docker: Arc::new(engine.docker()),
            events,
            asked,
            passing: BTreeMap::new(),
        };
        let _watching = tokio_util::task::AbortOnDropHandle::new(tokio::spawn(async move {
            watcher.watch().await;
        }));
        let Some(Event::ServiceContainersListed { containers, .. }) = told.recv().await else {
            panic!("all are told first");
        };
        assert_eq!(containers[0].state, ServiceState::Restarting);
        is_stopped.store(true, Ordering::SeqCst);
        let Some(Event::ServiceContainerSeen(container)) = told.recv().await else {
            panic!("what it has become is told next, and nothing that stayed as it was");
        };
        assert_eq!(container.state, ServiceState::Exited);
    }
}
