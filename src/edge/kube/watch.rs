//! Watches pods and events of namespaces, and reports them with their chains of owners.
//!
//! One task per namespace. Nothing blocks its watches: look-ups of owners run beside them, and what the engine has no
//! time for waits in an outbox where a pod's newer state replaces the older.

use std::collections::{BTreeSet, HashMap};

use futures::stream::{BoxStream, FuturesUnordered};
use futures::{FutureExt, Stream, StreamExt, future::BoxFuture};
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::runtime::watcher;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};

use super::connect::Cluster;
use super::outbox::Outbox;
use super::owners::Owners;
use super::pauses::Pauses;
use crate::edge::clock;
use crate::engine::{ClusterWatch, Event};
use crate::k8s::convert;
use crate::logs::LogWriter;
use crate::model::{ObjectUid, Owner, Timestamp};

/// Watches what is wanted. Dropping it ends all watches.
pub struct ClusterWatcher {
    wanted: watch::Sender<ClusterWatch>,
    supervisor: tokio::task::JoinHandle<()>,
}

impl ClusterWatcher {
    /// Starts, with nothing to watch yet. Events of the cluster from before `started` are not reported; warnings about
    /// a watch that does not work go to `log`.
    pub fn start(cluster: Cluster, events: mpsc::Sender<Event>, started: Timestamp, log: LogWriter) -> Self {
        let (wanted, changes) = watch::channel(ClusterWatch::default());
        let context = Context {
            owners: Owners::new(cluster.clone()),
            cluster,
            events,
            started: started.floor_to_second(),
            log,
            wanted: changes.clone(),
        };
        Self {
            wanted,
            supervisor: tokio::spawn(supervise(context, changes)),
        }
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

/// What each namespace's task needs.
#[derive(Clone)]
struct Context {
    cluster: Cluster,
    owners: Owners,
    events: mpsc::Sender<Event>,
    started: Timestamp,
    log: LogWriter,
    wanted: watch::Receiver<ClusterWatch>,
}

async fn supervise(context: Context, mut changes: watch::Receiver<ClusterWatch>) {
    // Dropping the set ends its tasks.
    let mut tasks = JoinSet::new();
    let mut running: HashMap<String, AbortHandle> = HashMap::new();
    loop {
        let namespaces = changes.borrow_and_update().namespaces.clone();
        running.retain(|namespace, task| {
            let keep = namespaces.contains(namespace);
            if !keep {
                task.abort();
            }
            keep
        });
        for namespace in namespaces {
            running
                .entry(namespace.clone())
                .or_insert_with(|| tasks.spawn(watch_namespace(context.clone(), namespace)));
        }
        while tasks.try_join_next().is_some() {}
        if changes.changed().await.is_err() {
            return;
        }
    }
}

async fn watch_namespace(context: Context, namespace: String) {
    let client = context.cluster.client();
    let pods: kube::Api<core::Pod> = kube::Api::namespaced(client.clone(), &namespace);
    let events: kube::Api<core::Event> = kube::Api::namespaced(client.clone(), &namespace);
    let mut pods = patient(pods, "pods", context.log.clone());
    let mut events = patient(events, "events", context.log.clone());
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

/// Returns a watch that goes on after errors, with pauses that grow.
fn patient<K>(api: kube::Api<K>, what: &'static str, log: LogWriter) -> BoxStream<'static, watcher::Event<K>>
where
    K: kube::Resource + Clone + std::fmt::Debug + serde::de::DeserializeOwned + Send + 'static,
{
    let stream = watcher::watcher(api, watcher::Config::default()).boxed();
    let state = (stream, Pauses::default(), log);
    futures::stream::unfold(state, move |(mut stream, mut pauses, log)| async move {
        let item = next_good(&mut stream, &mut pauses, what, &log).await?;
        Some((item, (stream, pauses, log)))
    })
    .boxed()
}

async fn next_good<T>(
    stream: &mut (impl Stream<Item = watcher::Result<T>> + Unpin),
    pauses: &mut Pauses,
    what: &str,
    log: &LogWriter,
) -> Option<T> {
    loop {
        match stream.next().await? {
            Ok(item) => {
                pauses.worked();
                return Some(item);
            }
            // The server forgot the version to go on from; a new list is on its way.
            Err(watcher::Error::WatchError(status)) if status.code == 410 => {}
            Err(error) => {
                let (pause, told) = pauses.after_error(clock::now());
                if told {
                    let secs = pause.as_secs();
                    log.warn(&format!(
                        "Pausing k8s {what} watcher for {secs}s: {}",
                        watch_error(&error)
                    ));
                }
                tokio::time::sleep(pause).await;
            }
        }
    }
}

fn watch_error(error: &watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => super::error::message(error),
        watcher::Error::WatchError(status) => status.message.clone(),
        watcher::Error::NoResourceVersion => error.to_string(),
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
        event: Box<core::Event>,
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
    /// The pods of a list that is being received.
    listed: BTreeSet<ObjectUid>,
    /// How often each event of the cluster had occurred when it was reported.
    counts: HashMap<String, i32>,
}

/// How many events of the cluster are remembered.
const MAX_COUNTS: usize = 10_000;

impl Namespace {
    fn new(context: Context, name: String) -> Self {
        Self {
            context,
            name,
            outbox: Outbox::default(),
            look_ups: FuturesUnordered::new(),
            waiting: HashMap::new(),
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
        let known = {
            let wanted = self.context.wanted.borrow();
            self.context.owners.known_chain(&references, &wanted.uids)
        };
        match known {
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
                let stops = context.wanted.borrow().uids.clone();
                let owners = context.owners.chain(&namespace, &references, &stops).await;
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
        let (watcher::Event::Apply(event) | watcher::Event::InitApply(event)) = event else {
            return;
        };
        if !convert::is_notable(&event)
            || convert::last_seen(&event) < self.context.started
            || !self.is_news(&event)
        {
            return;
        }
        let about = &event.involved_object;
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let reference = OwnerReference {
            api_version: text(&about.api_version),
            kind: text(&about.kind),
            name: text(&about.name),
            uid: text(&about.uid),
            ..OwnerReference::default()
        };
        let context = self.context.clone();
        let namespace = about.namespace.clone().unwrap_or_else(|| self.name.clone());
        self.look_ups.push(
            async move {
                let stops = context.wanted.borrow().uids.clone();
                let owners = context.owners.chain(&namespace, &[reference], &stops).await;
                let event = Box::new(event);
                Found::Event { event, owners }
            }
            .boxed(),
        );
    }

    /// Whether the event was not reported yet with this count. A new list repeats what is known.
    fn is_news(&mut self, event: &core::Event) -> bool {
        let series = event.series.as_ref().and_then(|series| series.count);
        let count = event.count.max(series).unwrap_or(1);
        if self.counts.len() >= MAX_COUNTS {
            self.counts.clear();
        }
        let uid = event.metadata.uid.clone().unwrap_or_default();
        self.counts.insert(uid, count).is_none_or(|before| before < count)
    }

    fn found(&mut self, found: Found) {
        match found {
            Found::Event { event, owners } => {
                let chain = owners.into_iter().map(|owner| owner.uid).collect();
                let event = convert::cluster_event(&event, chain);
                self.outbox.push(Event::ClusterEventSeen(Box::new(event)));
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

fn uid(pod: &core::Pod) -> ObjectUid {
    ObjectUid::new(pod.metadata.uid.clone().unwrap_or_default())
}
