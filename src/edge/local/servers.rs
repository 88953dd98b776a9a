//! The servers of local resources, and users' own commands: as many as are wanted, one task each.

use std::collections::HashMap;
use std::sync::Arc;

use imbl::ordmap::DiffItem;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::CommandVariables;
use super::probe::{Prober, Readiness};
use crate::edge::lasting_tasks::lasting;
use crate::edge::process::{MARK, Process, end_marked, mark_of};
use crate::engine::{Asker, Event, Server, ServerEnd, ServerStatus, Servers as Wanted};
use crate::logs::{LogStore, LogWriter};
use crate::model::ServeId;

/// Runs servers and commands. Who is no longer wanted is stopped; the next one that the same asks for starts only then, so
/// that it finds its port free.
pub struct Servers {
    log: LogStore,
    events: mpsc::Sender<Event>,
    variables: Arc<CommandVariables>,
    tasks: TaskTracker,
    shutdown: CancellationToken,
    asked: Wanted,
    running: HashMap<ServeId, Running>,
    /// When those have ended of each asker that are being stopped.
    ending: HashMap<Asker, Vec<CancellationToken>>,
}

struct Running {
    asker: Asker,
    stop: CancellationToken,
    ended: CancellationToken,
}

impl Servers {
    /// Returns a keeper of servers that all end with `shutdown`; `tasks` has the tasks that must be waited for.
    pub fn new(
        log: LogStore,
        events: mpsc::Sender<Event>,
        variables: Arc<CommandVariables>,
        tasks: TaskTracker,
        shutdown: CancellationToken,
    ) -> Self {
        Self {
            log,
            events,
            variables,
            tasks,
            shutdown,
            asked: Wanted::new(),
            running: HashMap::new(),
            ending: HashMap::new(),
        }
    }

    /// Lets these servers run and no others. One that ended by itself is not started again.
    pub fn set(&mut self, wanted: Wanted) {
        let asked = std::mem::replace(&mut self.asked, wanted.clone());
        let mut new = Vec::new();
        for difference in asked.diff(&wanted) {
            match difference {
                DiffItem::Add(_, server) => new.push(server.clone()),
                DiffItem::Remove(id, _) => self.stop(*id),
                DiffItem::Update { .. } => {}
            }
        }
        new.into_iter().for_each(|server| self.start(server));
    }

    fn stop(&mut self, id: ServeId) {
        let Some(running) = self.running.remove(&id) else {
            return;
        };
        running.stop.cancel();
        let ending = self.ending.entry(running.asker).or_default();
        ending.retain(|ended| !ended.is_cancelled());
        ending.push(running.ended);
    }

    fn start(&mut self, server: Server) {
        let before = self.ending.remove(&server.asker).unwrap_or_default();
        let (stop, ended) = (self.shutdown.child_token(), CancellationToken::new());
        let running = Running {
            asker: server.asker.clone(),
            stop: stop.clone(),
            ended: ended.clone(),
        };
        self.running.insert(server.serve, running);
        let log = LogWriter::of_span(self.log.clone(), server.span.clone(), server.manifest.clone());
        let (events, variables) = (self.events.clone(), Arc::clone(&self.variables));
        let shutdown = self.shutdown.clone();
        self.tasks.spawn(async move {
            // Also when the task panics, the next one must not wait for ever.
            let _ended = ended.drop_guard();
            for ended in before {
                ended.cancelled().await;
            }
            let serving = Serving { server, events, log };
            let name = format!("what runs \"{}\"", serving.server.command.display());
            lasting(&name, &serving.log, || serving.run(&variables, &stop)).await;
            // What left its group, as daemons do, is stopped with it, so that the next one finds its port free.
            stop.cancelled().await;
            if !shutdown.is_cancelled() {
                end_marked(&serving.mark()).await;
            }
        });
    }
}

/// One run of one server.
struct Serving {
    server: Server,
    events: mpsc::Sender<Event>,
    log: LogWriter,
}

impl Serving {
    /// Returns what its processes carry.
    fn mark(&self) -> String {
        mark_of(self.server.serve.0)
    }

    async fn run(&self, variables: &CommandVariables, stop: &CancellationToken) {
        if stop.is_cancelled() {
            return;
        }
        let shown = self.server.command.display();
        self.log.info(&format!("Running cmd: {shown}"));
        let mut prober = match self.prober(variables) {
            Ok(prober) => prober,
            Err(error) => {
                return self
                    .not_started(format!("Invalid readiness probe: {error}"))
                    .await;
            }
        };
        let mut child = variables.child(&self.server.command);
        child.env.set(MARK, self.mark());
        let mut process = match Process::spawn(&child, &self.log) {
            Ok(process) => process,
            Err(error) => {
                return self
                    .not_started(format!("{shown} failed to start: {error}"))
                    .await;
            }
        };
        let pid = process.pid();
        let ready = self.server.probe.is_none();
        let fault = None;
        self.tell(ServerStatus::Running { pid, ready, fault }).await;
        tokio::select! {
            exit = process.wait() => {
                let how = exit.map_or_else(|error| ServerEnd::Other(error.to_string()), ServerEnd::from);
                let is_server = matches!(self.server.asker, Asker::Resource(_));
                if is_server {
                    self.log.error(&format!("Server exited with {how}"));
                }
                self.tell(ServerStatus::Exited { pid, how }).await;
            }
            () = self.probe(pid, prober.as_mut()) => {}
            () = stop.cancelled() => {
                // How it ends does not matter any more.
                let _ = process.stop(&self.log).await;
            }
        }
    }

    fn prober(&self, variables: &CommandVariables) -> Result<Option<Prober>, String> {
        let probe = self.server.probe.clone();
        let prober = probe.map(|probe| Prober::new(probe, variables.child(&self.server.command).env));
        prober.transpose()
    }

    async fn not_started(&self, why: String) {
        self.log.error(&why);
        self.tell(ServerStatus::NotStarted(why)).await;
    }

    /// Tells when the server becomes ready or unready, and what its probe finds, for ever.
    async fn probe(&self, pid: u32, prober: Option<&mut Prober>) {
        let Some(prober) = prober else {
            return std::future::pending().await;
        };
        loop {
            let Readiness { ready, fault } = prober.next_change(&self.log).await;
            self.tell(ServerStatus::Running { pid, ready, fault }).await;
        }
    }

    async fn tell(&self, status: ServerStatus) {
        let serve = self.server.serve;
        // Nobody listens any more once the session ends.
        let _ = self.events.send(Event::ServerChanged { serve, status }).await;
    }
}
