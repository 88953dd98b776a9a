//! Local ports that lead to pods: each is listened on from when it is asked for until it no longer is, and every
//! connection goes to the pod that is the right one at that moment (`port`); `carry` moves its bytes.
//!
//! A connection to a port without a pod, or whose pod does not answer, is closed at once: nobody takes a dead path for
//! a healthy one. What is wrong with a port is told to the engine: that it is taken, that the last connection failed
//! (`listen`, `port`), that the node does not answer (`path`).

mod carry;
mod listen;
mod path;
mod port;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use imbl::ordmap::DiffItem;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::port::Port;
use super::kube::Cluster;
use crate::edge::lasting_tasks::lasting;
use crate::engine::{Event, Forward, ForwardId, ForwardPart, ForwardTarget, Forwards};
use crate::logs::{LogStore, LogWriter};

/// Keeps port-forwards.
pub(super) struct PortForwards {
    log: LogStore,
    events: mpsc::Sender<Event>,
    /// The host to listen on where none is given.
    web_host: String,
    tasks: TaskTracker,
    shutdown: CancellationToken,
    asked: Forwards,
    open: HashMap<ForwardId, Open>,
    /// All ports that are wanted, for each to know of the others.
    wanted: Arc<Mutex<BTreeSet<ForwardId>>>,
    /// Ports that are being given up, each with when that is done.
    closing: Vec<(u16, CancellationToken)>,
    paths: Option<watch::Sender<Vec<Arc<Port>>>>,
}

struct Open {
    port: Arc<Port>,
    target: watch::Sender<Option<ForwardTarget>>,
    closed: CancellationToken,
}

impl PortForwards {
    /// Returns a keeper whose ports are free again after `shutdown`.
    pub(super) fn new(
        log: LogStore,
        events: mpsc::Sender<Event>,
        web_host: String,
        tasks: TaskTracker,
        shutdown: CancellationToken,
    ) -> Self {
        Self {
            log,
            events,
            web_host,
            tasks,
            shutdown,
            asked: Forwards::new(),
            open: HashMap::new(),
            wanted: Arc::default(),
            closing: Vec::new(),
            paths: None,
        }
    }

    /// Lets these ports lead to these pods, and no others anywhere.
    pub(super) fn set(&mut self, wanted: Forwards, cluster: Option<&Cluster>) {
        let Some(cluster) = cluster else { return };
        self.closing.retain(|(_, closed)| !closed.is_cancelled());
        let asked = std::mem::replace(&mut self.asked, wanted.clone());
        let mut changed = Vec::new();
        for difference in asked.diff(&wanted) {
            match difference {
                DiffItem::Add(id, forward)
                | DiffItem::Update {
                    new: (id, forward), ..
                } => changed.push((id, forward)),
                DiffItem::Remove(id, _) => self.close(id),
            }
        }
        let ids = changed.iter().map(|(id, _)| (*id).clone());
        self.wanted.lock().expect("no panic while it is held").extend(ids);
        for (id, forward) in changed {
            match self.open.get(id) {
                Some(open) => {
                    let is_news = *open.target.borrow() != forward.pod;
                    if is_news {
                        open.target.send_replace(forward.pod.clone());
                        // Another pod, or one that has become ready, is another chance.
                        open.port.tell(ForwardPart::Connection, None);
                    }
                }
                None => {
                    let opened = self.open(forward.clone(), cluster.clone());
                    self.open.insert(id.clone(), opened);
                }
            }
        }
        self.watch_paths(cluster);
    }

    fn close(&mut self, id: &ForwardId) {
        self.wanted.lock().expect("no panic while it is held").remove(id);
        if let Some(open) = self.open.remove(id) {
            open.port.stop.cancel();
            self.closing.push((id.local_port, open.closed));
        }
    }

    fn open(&self, forward: Forward, cluster: Cluster) -> Open {
        let id = forward.id();
        let (target, wanted) = watch::channel(forward.pod);
        let port = Arc::new(Port {
            log: LogWriter::of_span(self.log.clone(), forward.span, forward.manifest),
            events: self.events.clone(),
            errors: Mutex::default(),
            host: id.host.clone().unwrap_or_else(|| self.web_host.clone()),
            told: Mutex::default(),
            wanted: Arc::clone(&self.wanted),
            id,
            target: wanted,
            cluster,
            tasks: self.tasks.clone(),
            stop: self.shutdown.child_token(),
        });
        let closed = CancellationToken::new();
        let before = self
            .closing
            .iter()
            .filter(|(number, _)| *number == port.id.local_port);
        let before: Vec<CancellationToken> = before.map(|(_, closed)| closed.clone()).collect();
        let (serving, ended) = (Arc::clone(&port), closed.clone().drop_guard());
        self.tasks.spawn(async move {
            let _ended = ended;
            for closed in before {
                closed.cancelled().await;
            }
            let name = format!(
                "the port-forward of {} at {}",
                serving.id.asker.name(),
                serving.id.local_port
            );
            lasting(&name, &serving.log, || serving.serve()).await;
        });
        Open { port, target, closed }
    }

    fn watch_paths(&mut self, cluster: &Cluster) {
        let ports: Vec<Arc<Port>> = self.open.values().map(|open| Arc::clone(&open.port)).collect();
        match &self.paths {
            Some(paths) => {
                paths.send_replace(ports);
            }
            None if ports.is_empty() => {}
            None => {
                let (paths, wanted) = watch::channel(ports);
                let (cluster, shutdown) = (cluster.clone(), self.shutdown.clone());
                let log = LogWriter::global(self.log.clone());
                self.tasks.spawn(async move {
                    let begin = || path::watch(cluster.clone(), wanted.clone());
                    tokio::select! {
                        () = shutdown.cancelled() => {}
                        () = lasting("the watch of port-forwards", &log, begin) => {}
                    }
                });
                self.paths = Some(paths);
            }
        }
    }
}
