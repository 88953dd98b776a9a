//! Watches pods and events of namespaces, and reports them with their chains of owners; other kinds are watched in
//! `kinds`.
//!
//! One task per namespace. Nothing blocks its watches: look-ups of owners run beside them, and what the engine has no
//! time for waits in an outbox where a pod's newer state replaces the older.

use std::collections::{BTreeSet, HashMap, HashSet};

use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt, future::BoxFuture};
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::runtime::watcher;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};

use super::context::Context;
use super::kinds::watch_kind;
use super::outbox::Outbox;
use super::patient::patient;
use crate::edge::kube::connection::Cluster;
use crate::edge::kube::owners::Owners;
use crate::edge::lasting_tasks::lasting;
use crate::engine::{ClusterWatch, Event, WatchedKind};
use crate::k8s::convert;
use crate::logs::LogWriter;
use crate::model::{ObjectUid, Owner, Timestamp};

/// Watches what is wanted. Dropping it ends all watches.
pub struct ClusterWatcher {
    wanted: watch::Sender<ClusterWatch>,
    owners: Owners,
    supervisor: tokio::task::JoinHandle<()>,
}

impl ClusterWatcher {
    /// Starts, with nothing to watch yet. Events of the cluster from before `started` are not reported; warnings about
    /// a watch that does not work go to `log`.
    pub fn start(cluster: Cluster, events: mpsc::Sender<Event>, started: Timestamp, log: LogWriter) -> Self {
        let (wanted, changes) = watch::channel(ClusterWatch::default());
        let told = log.clone();
        let owners = Owners::new(cluster.clone());
        let context = Context {
            owners: owners.clone(),
            cluster,
            events,
            started: started.floor_to_second(),
            log,
            wanted: changes.clone(),
        };
        Self {
            wanted,
            owners,
            supervisor: tokio::spawn(async move {
                let begin = || supervise(context.clone(), changes.clone());
                lasting("the watch of the cluster", &told, begin).await;
            }),
        }
    }

    /// Returns how many requests were made so far to find the owners of objects.
    pub fn owner_requests(&self) -> u64 {
        self.owners.requests_made()
    }

    /// Watches these parts of the cluster from now on.
    pub fn set(&self, wanted: ClusterWatch) {
        self.wanted.send_replace(wanted);
    }
}

impl Drop for ClusterWatcher {
    fn drop(&mut self) {
        self.supervisor.abort();
    }
}

/// What a task watches.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Watched {
    Namespace(String),
    Kind(WatchedKind),
}

async fn supervise(context: Context, mut changes: watch::Receiver<ClusterWatch>) {
    // Dropping the set ends its tasks.
    let mut tasks = JoinSet::new();
    let mut running: HashMap<Watched, AbortHandle> = HashMap::new();
    loop {
        let wanted: HashSet<Watched> = {
            let wanted = changes.borrow_and_update();
            let namespaces = wanted.namespaces.iter().cloned().map(Watched::Namespace);
            let kinds = wanted.kinds.iter().cloned().map(Watched::Kind);
            namespaces.chain(kinds).collect()
        };
        running.retain(|watched, task| {
            let keep = wanted.contains(watched);
            if !keep {
                task.abort();
            }
            keep
        });
        for watched in wanted {
            running
                .entry(watched.clone())
                .or_insert_with(|| tasks.spawn(keep_watching(context.clone(), watched)));
        }
        while tasks.try_join_next().is_some() {}
        if changes.changed().await.is_err() {
            return;
        }
    }
}

async fn keep_watching(context: Context, watched: Watched) {
    let name = match &watched {
        Watched::Namespace(namespace) => format!("the watch of namespace \"{namespace}\""),
        Watched::Kind(kind) => format!("the watch of {}s", kind.kind.to_lowercase()),
    };
    let log = context.log.clone();
    lasting(&name, &log, || async {
        match watched.clone() {
            Watched::Namespace(namespace) => watch_namespace(context.clone(), namespace).await,
            Watched::Kind(kind) => watch_kind(context.clone(), kind).await,
        }
    })
    .await;
}

async fn watch_namespace(context: Context, namespace: String) {
    let mut pods = patient::<core::Pod>(&context.cluster, &namespace, &context.log, "pods");
    let mut events = patient::<core::Event>(&context.cluster, &namespace, &context.log, "events");
    let mut state = Namespace::new(context.clone(), namespace);
    loop {
        tokio::select! {
            Some(pod) = pods.next() => state.pod_changed(pod),
            Some(event) = events.next() => state.event_changed(event),
            Some(found) = state.look_ups.next(), if !state.look_ups.is_empty() => state.found(found),
            permit = context.events.reserve(), if !state.outbox.is_empty() => match permit {
                Ok(permit) => if let Some(event) = state.outbox.pop() { permit.send(event) },
                Err(_) => return,
            },
            else => return,
        }
    }
}

/// What a look-up was for, and what it found.
enum Found {
    Pod {
        uid: ObjectUid,
        references: Vec<OwnerReference>,
        owners: Vec<Owner>,
    },
    Event {
        uid: ObjectUid,
        owners: Vec<Owner>,
    },
}

/// A pod whose owners are being looked up.
struct Waiting {
    pod: core::Pod,
    gone: bool,
}

/// The state of one namespace's watches.
struct Namespace {
    context: Context,
    name: String,
    outbox: Outbox,
    look_ups: FuturesUnordered<BoxFuture<'static, Found>>,
    waiting: HashMap<ObjectUid, Waiting>,
    /// Events of the cluster whose owners are being looked up, each as it is by now.
    waiting_events: HashMap<ObjectUid, core::Event>,
    /// The pods of a list that is being received.
    listed: BTreeSet<ObjectUid>,
    /// How often each event of the cluster had occurred when it was reported.
    counts: HashMap<ObjectUid, (i32, Timestamp)>,
}

/// How many events of the cluster are remembered.
const MAX_COUNTS: usize = 10_000;
/// How many events may wait for a look-up. More than that wait only where the API server does not answer.
const MAX_WAITING: usize = 4_096;

impl Namespace {
    fn new(context: Context, name: String) -> Self {
        Self {
            context,
            name,
            outbox: Outbox::default(),
            look_ups: FuturesUnordered::new(),
            waiting: HashMap::new(),
            waiting_events: HashMap::new(),
            listed: BTreeSet::new(),
            counts: HashMap::new(),
        }
    }

    fn pod_changed(&mut self, event: watcher::Event<core::Pod>) {
        match event {
            watcher::Event::Init => self.listed.clear(),
            watcher::Event::InitApply(pod) => {
                self.listed.insert(uid(&pod));
                self.pod_seen(pod);
            }
            watcher::Event::InitDone => {
                let pods = std::mem::take(&mut self.listed);
                self.waiting.retain(|uid, _| pods.contains(uid));
                let namespace = self.name.clone();
                self.outbox.push(Event::PodsListed { namespace, pods });
            }
            watcher::Event::Apply(pod) => self.pod_seen(pod),
            watcher::Event::Delete(pod) => match self.waiting.get_mut(&uid(&pod)) {
                Some(waiting) => *waiting = Waiting { pod, gone: true },
                None => self.outbox.push(Event::PodGone(uid(&pod))),
            },
        }
    }

    fn pod_seen(&mut self, mut pod: core::Pod) {
        pod.metadata.managed_fields = None;
        self.context.owners.learn(&pod.metadata);
        let uid = uid(&pod);
        if let Some(waiting) = self.waiting.get_mut(&uid) {
            waiting.pod = pod;
            return;
        }
        let references = pod.metadata.owner_references.clone().unwrap_or_default();
        let is_ours = |uid: &ObjectUid| self.context.is_ours(uid);
        match self.context.owners.known_chain(&references, is_ours) {
            Some(owners) => self
                .outbox
                .push(Event::PodSeen(Box::new(convert::pod(&pod, owners)))),
            None => {
                self.waiting.insert(uid.clone(), Waiting { pod, gone: false });
                self.look_up_pod(uid, references);
            }
        }
    }

    fn look_up_pod(&mut self, uid: ObjectUid, references: Vec<OwnerReference>) {
        let (context, namespace) = (self.context.clone(), self.name.clone());
        self.look_ups.push(
            async move {
                let is_ours = |uid: &ObjectUid| context.is_ours(uid);
                let owners = context.owners.chain(&namespace, &references, is_ours).await;
                Found::Pod {
                    uid,
                    references,
                    owners,
                }
            }
            .boxed(),
        );
    }

    fn event_changed(&mut self, event: watcher::Event<core::Event>) {
        let (watcher::Event::Apply(mut event) | watcher::Event::InitApply(mut event)) = event else {
            return;
        };
        let is_old = convert::last_seen(&event) < self.context.started;
        if !convert::is_notable(&event) || is_old || !self.is_news(&event) {
            return;
        }
        event.metadata.managed_fields = None;
        // What says of no object which one it is cannot be ours.
        let Some(reference) = convert::involved(&event) else {
            return;
        };
        let is_ours = |uid: &ObjectUid| self.context.is_ours(uid);
        let references = [reference];
        match self.context.owners.known_chain(&references, is_ours) {
            Some(owners) => self.event_attributed(&event, owners),
            None => self.look_up_event(event, references),
        }
    }

    /// An event that is looked up already is only brought up to date.
    fn look_up_event(&mut self, event: core::Event, references: [OwnerReference; 1]) {
        let uid = event_uid(&event);
        let is_full = self.waiting_events.len() >= MAX_WAITING;
        if is_full && !self.waiting_events.contains_key(&uid) {
            tracing::debug!(?uid, "too many events wait for look-ups");
            return;
        }
        let namespace = event.involved_object.namespace.clone();
        let namespace = namespace.unwrap_or_else(|| self.name.clone());
        if self.waiting_events.insert(uid.clone(), event).is_some() {
            return;
        }
        let context = self.context.clone();
        self.look_ups.push(
            async move {
                let is_ours = |uid: &ObjectUid| context.is_ours(uid);
                let owners = context.owners.chain(&namespace, &references, is_ours).await;
                Found::Event { uid, owners }
            }
            .boxed(),
        );
    }

    fn event_attributed(&mut self, event: &core::Event, owners: Vec<Owner>) {
        let chain = owners.into_iter().map(|owner| owner.uid).collect();
        let event = convert::cluster_event(event, chain);
        self.outbox.push(Event::ClusterEventSeen(Box::new(event)));
    }

    /// Whether the event was not reported yet with this count and time. A new list repeats what is known.
    fn is_news(&mut self, event: &core::Event) -> bool {
        let series = event.series.as_ref().and_then(|series| series.count);
        let now = (event.count.max(series).unwrap_or(1), convert::last_seen(event));
        if self.counts.len() >= MAX_COUNTS {
            self.counts.clear();
        }
        let before = self.counts.insert(event_uid(event), now);
        before.is_none_or(|before| before.0 < now.0 || before.1 < now.1)
    }

    fn found(&mut self, found: Found) {
        match found {
            Found::Event { uid, owners } => {
                if let Some(event) = self.waiting_events.remove(&uid) {
                    self.event_attributed(&event, owners);
                }
            }
            Found::Pod {
                uid,
                references,
                owners,
            } => {
                let Some(waiting) = self.waiting.remove(&uid) else {
                    return;
                };
                let now = waiting.pod.metadata.owner_references.clone().unwrap_or_default();
                if now != references && !waiting.gone {
                    self.waiting.insert(uid.clone(), waiting);
                    return self.look_up_pod(uid, now);
                }
                let pod = convert::pod(&waiting.pod, owners);
                self.outbox.push(Event::PodSeen(Box::new(pod)));
                if waiting.gone {
                    self.outbox.push(Event::PodGone(uid));
                }
            }
        }
    }
}

fn event_uid(event: &core::Event) -> ObjectUid {
    ObjectUid::new(event.metadata.uid.clone().unwrap_or_default())
}

fn uid(pod: &core::Pod) -> ObjectUid {
    ObjectUid::new(pod.metadata.uid.clone().unwrap_or_default())
}
