//! `docker compose up`, for several services at once.
//!
//! Compose reads the whole project at each call, which costs more than to start a container. So what is wanted of one project
//! at one moment goes into one call, and each line of it to the service that it is about. Where such a call fails, each of
//! its services is tried alone, and then fails, or not, for itself. Services that are as wanted are in no call at all. Those
//! whose containers hold another text than the project's files have (`texts`) are in a call of their own, that makes their
//! containers anew.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{RwLock, mpsc, oneshot};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::command::{ComposeCall, ComposeFault, is_progress};
use super::texts::Texts;
use super::unchanged::as_wanted;
use crate::edge::docker::{Docker, Standing};
use crate::edge::local::CommandVariables;
use crate::engine::Transient;
use crate::logs::LogWriter;
use crate::model::{ComposeProject, ComposeTarget};

/// How long it is waited for more services of a project: what one event started comes within it.
const GATHERING: Duration = Duration::from_millis(4);

/// Starts services of Compose projects. Cheap to clone.
#[derive(Clone)]
pub(in crate::edge) struct Ups {
    variables: Arc<CommandVariables>,
    tasks: TaskTracker,
    projects: Arc<Mutex<HashMap<String, mpsc::UnboundedSender<Wish>>>>,
}

/// A service that is to be as its project says.
pub(super) struct Wish {
    pub(super) target: ComposeTarget,
    pub(super) docker: Arc<Docker>,
    pub(super) log: LogWriter,
    pub(super) cancel: CancellationToken,
    answer: oneshot::Sender<Result<(), ComposeFault>>,
}

impl Ups {
    pub(in crate::edge) fn new(variables: Arc<CommandVariables>, tasks: TaskTracker) -> Self {
        Self {
            variables,
            tasks,
            projects: Arc::default(),
        }
    }

    /// Makes a service as its project says: creates, replaces or starts its containers, or leaves them as they are.
    ///
    /// # Errors
    /// When compose fails, or `cancel` stops it.
    pub(in crate::edge) async fn up(
        &self,
        target: &ComposeTarget,
        docker: &Arc<Docker>,
        log: &LogWriter,
        cancel: &CancellationToken,
    ) -> Result<(), ComposeFault> {
        let (answer, answered) = oneshot::channel();
        let wish = Wish {
            target: target.clone(),
            docker: Arc::clone(docker),
            log: log.clone(),
            cancel: cancel.clone(),
            answer,
        };
        let name = &target.project.name;
        let sent = self.project(name).send(wish);
        if sent.is_err() {
            return Err(ComposeFault::Canceled);
        }
        answered.await.unwrap_or(Err(ComposeFault::Canceled))
    }

    /// Makes a service as its project says where nobody waits for how that ends, nor stops it.
    ///
    /// # Errors
    /// What compose said.
    pub(in crate::edge) async fn replace(
        &self,
        target: &ComposeTarget,
        docker: &Arc<Docker>,
        log: &LogWriter,
    ) -> Result<(), String> {
        match self.up(target, docker, log, &CancellationToken::new()).await {
            Ok(()) | Err(ComposeFault::Canceled) => Ok(()),
            Err(ComposeFault::Failed { said, ended, .. }) => {
                Err(format!("{said}\n{ended}").trim().to_owned())
            }
        }
    }

    fn project(&self, name: &str) -> mpsc::UnboundedSender<Wish> {
        let mut projects = self.projects.lock().expect("no panic while it is held");
        let known = projects.entry(name.to_owned()).or_insert_with(|| {
            let (sender, wishes) = mpsc::unbounded_channel();
            let worker = Worker {
                variables: Arc::clone(&self.variables),
                tasks: self.tasks.clone(),
                calls: Arc::default(),
                texts: Arc::default(),
            };
            // It ends with whatever holds the sender.
            tokio::spawn(worker.work(wishes));
            sender
        });
        known.clone()
    }
}

/// Gathers the wishes about one project.
struct Worker {
    variables: Arc<CommandVariables>,
    tasks: TaskTracker,
    calls: Arc<Calls>,
    texts: Arc<Texts>,
}

/// The calls about one project.
#[derive(Default)]
struct Calls {
    /// Those that may run beside others share it; one that must be alone has it for itself.
    lock: RwLock<()>,
    running: AtomicUsize,
    /// How many were begun.
    begun: AtomicUsize,
}

impl Worker {
    async fn work(self, mut wishes: mpsc::UnboundedReceiver<Wish>) {
        let mut is_first = true;
        while let Some(first) = wishes.recv().await {
            sleep(GATHERING).await;
            let mut open = vec![first];
            while let Ok(wish) = wishes.try_recv() {
                open.push(wish);
            }
            while let Some(first) = open.first() {
                let project = Arc::clone(&first.target.project);
                let (together, others) = open
                    .into_iter()
                    .partition(|wish| *wish.target.project == *project);
                open = others;
                let batch = Batch {
                    project,
                    variables: Arc::clone(&self.variables),
                    calls: Arc::clone(&self.calls),
                    texts: Arc::clone(&self.texts),
                    foreign: Vec::new(),
                    makes_anew: false,
                };
                let standing = batch.standing(&together).await;
                let (differing, others) = batch.by_texts(together, standing.as_ref()).await;
                let to_do = batch.leave_as_they_are(others, standing.as_ref());
                let foreign = standing.map(|standing| batch.foreign_directories(&standing));
                let batch = Batch {
                    foreign: foreign.unwrap_or_default(),
                    ..batch
                };
                for (makes_anew, wishes) in [(false, to_do), (true, differing)] {
                    if wishes.is_empty() {
                        continue;
                    }
                    let batch = Batch {
                        makes_anew,
                        ..batch.clone()
                    };
                    let work = batch.carry_out(wishes, is_first);
                    // The first call makes networks and volumes, which two calls at once may not.
                    if std::mem::take(&mut is_first) {
                        work.await;
                    } else {
                        self.tasks.spawn(work);
                    }
                }
            }
        }
    }
}

/// Services of one project that are started by one call.
#[derive(Clone)]
struct Batch {
    project: Arc<ComposeProject>,
    variables: Arc<CommandVariables>,
    calls: Arc<Calls>,
    texts: Arc<Texts>,
    /// The directories of other projects of the same name that have containers.
    foreign: Vec<String>,
    /// Whether containers are made anew though compose itself would leave them.
    makes_anew: bool,
}

impl Batch {
    /// Returns what there is of the project; `None` where the engine does not tell: then it will not do more either, and
    /// compose says why.
    async fn standing(&self, wishes: &[Wish]) -> Option<Standing> {
        let first = wishes.first()?;
        let images = wishes
            .iter()
            .map(|wish| wish.target.service.image.as_str())
            .collect();
        first.docker.standing(&self.project.name, images).await.ok()
    }

    /// Returns the services of which a container has another text than it is to have, then the others.
    async fn by_texts(&self, wishes: Vec<Wish>, standing: Option<&Standing>) -> (Vec<Wish>, Vec<Wish>) {
        let (mut differing, mut others) = (Vec::new(), Vec::new());
        for wish in wishes {
            let service = &wish.target.service;
            let differs = match standing {
                Some(standing) => self.texts.differ(service, standing, &wish.docker).await,
                None => false,
            };
            match differs {
                true => differing.push(wish),
                false => others.push(wish),
            }
        }
        (differing, others)
    }

    /// Answers for the services that are as wanted, as compose would say it; returns the others.
    fn leave_as_they_are(&self, wishes: Vec<Wish>, standing: Option<&Standing>) -> Vec<Wish> {
        let Some(standing) = standing else {
            return wishes;
        };
        let mut to_do = Vec::new();
        for wish in wishes {
            match as_wanted(&self.project, &wish.target.service, standing) {
                Some(containers) => {
                    containers
                        .iter()
                        .for_each(|name| wish.log.info(&format!(" Container {name}  Running")));
                    self.texts.note(&wish.target.service);
                    // Whoever wished it may be gone.
                    let _ = wish.answer.send(Ok(()));
                }
                None => to_do.push(wish),
            }
        }
        to_do
    }

    async fn carry_out(self, wishes: Vec<Wish>, alone: bool) {
        let (outcome, was_alone) = if alone {
            let _alone = self.calls.lock.write().await;
            (self.call(&wishes).await, true)
        } else {
            let _beside_others = self.calls.lock.read().await;
            let others = self.calls.running.fetch_add(1, Ordering::SeqCst);
            let begun = self.calls.begun.fetch_add(1, Ordering::SeqCst) + 1;
            let outcome = self.call(&wishes).await;
            self.calls.running.fetch_sub(1, Ordering::SeqCst);
            (
                outcome,
                others == 0 && self.calls.begun.load(Ordering::SeqCst) == begun,
            )
        };
        // Two calls may have been in each other's way, or somebody else killed it.
        let was_killed = |fault: &ComposeFault| fault.transient() == Some(Transient::Killed);
        let may_differ = |fault: &ComposeFault| !was_alone || wishes.len() > 1 || was_killed(fault);
        let is_final = !outcome.as_ref().is_err_and(may_differ);
        for wish in wishes {
            let outcome = match &outcome {
                _ if wish.cancel.is_cancelled() => Err(ComposeFault::Canceled),
                outcome if is_final => outcome.clone(),
                _ => {
                    let _alone = self.calls.lock.write().await;
                    self.call(std::slice::from_ref(&wish)).await
                }
            };
            if outcome.is_ok() {
                self.texts.note(&wish.target.service);
            }
            // Whoever wished it may be gone.
            let _ = wish.answer.send(outcome);
        }
    }

    /// Calls compose. What it says of a service goes to that service; what it says of none goes to the first, of several
    /// only once all went well.
    async fn call(&self, wishes: &[Wish]) -> Result<(), ComposeFault> {
        let Some(first) = wishes.first() else {
            return Ok(());
        };
        let mut args = vec!["up".to_owned(), "--no-deps".to_owned()];
        if self.foreign.is_empty() {
            args.push("--remove-orphans".to_owned());
        } else {
            self.warn(wishes);
        }
        args.extend(self.makes_anew.then(|| "--force-recreate".to_owned()));
        args.extend(["--no-build", "-d"].map(str::to_owned));
        args.extend(wishes.iter().map(|wish| wish.target.service.name.clone()));
        // One of several cannot be stopped by itself.
        let cancel = match wishes {
            [only] => only.cancel.clone(),
            _ => CancellationToken::new(),
        };
        let call = ComposeCall {
            project: &self.project,
            args,
            variables: &self.variables,
            log: &first.log,
            cancel: &cancel,
        };
        let mut held = Vec::new();
        let called = call
            .run(|line| match wishes.iter().find(|wish| wish.is_about(line)) {
                Some(wish) => wish.log.info(line),
                None if wishes.len() == 1 || is_progress(line) => first.log.info(line),
                None => held.push(line.to_owned()),
            })
            .await;
        if called.is_ok() {
            held.iter().for_each(|line| first.log.info(line));
        }
        called
    }

    /// Returns the directories of other projects of the same name that have containers: other checkouts of this one.
    fn foreign_directories(&self, standing: &Standing) -> Vec<String> {
        let own = self.project.directory.to_string();
        let all = standing.directories().into_iter();
        all.filter(|directory| *directory != own)
            .map(str::to_owned)
            .collect()
    }

    fn warn(&self, wishes: &[Wish]) {
        let text = format!(
            "Compose project {name:?} has containers of another directory: {}. Compose tells projects apart by name alone, so \
             containers of services that both have are replaced\n\
             hint: give one of them another name: docker_compose(..., project_name='{name}-2'), or `name:` in its file",
            self.foreign.join(", "),
            name = self.project.name,
        );
        wishes.iter().for_each(|wish| wish.log.warn(&text));
    }
}

impl Wish {
    /// Returns whether a line is about this service: ` Container shop-web-1  Creating`, ` web Pulling`.
    fn is_about(&self, line: &str) -> bool {
        let service = &self.target.service;
        let mut words = line.split_whitespace();
        match (words.next(), words.next()) {
            (Some("Container"), Some(name)) => is_container_of(
                name,
                &self.target.project.name,
                &service.name,
                service.container_name.as_deref(),
            ),
            (Some(word), Some(_)) => word == service.name && line.starts_with(' '),
            _ => false,
        }
    }
}

/// Returns whether a container is one of a service. While one is replaced, the new one's name begins with the old one's id.
fn is_container_of(name: &str, project: &str, service: &str, fixed: Option<&str>) -> bool {
    let is_id = |text: &str| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let name = name
        .split_once('_')
        .filter(|(id, _)| is_id(id))
        .map_or(name, |(_, name)| name);
    let number = ['-', '_']
        .iter()
        .find_map(|separator| name.strip_prefix(&format!("{project}{separator}{service}{separator}")));
    fixed == Some(name) || number.is_some_and(|number| number.parse::<u32>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_is_told_by_its_name_from_those_of_services_with_a_longer_one() {
        for (name, expected) in [
            ("shop-web-1", true),
            ("shop_web_2", true),
            ("0123456789ab_shop-web-1", true),
            ("front", true),
            ("shop-web-admin-1", false),
            ("shop-webs-1", false),
            ("shop-web", false),
        ] {
            assert_eq!(
                is_container_of(name, "shop", "web", Some("front")),
                expected,
                "{name}"
            );
        }
    }
}
