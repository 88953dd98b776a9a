//! What to do: everything that the engine ever asks for. Plain data: it can be compared, logged and replayed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::moment::Moment;
use super::object_id::UnwantedObject;
use crate::history::UpdateRecord;
use crate::model::{ApiKind, ApiObjects, LogEvent};
use crate::model::{
    Batch, BuildId, BuiltImage, Command, ComposeTarget, ContainerAddress, DeleteId, DeployTarget, Ignore,
    ImageSelector, ImageTarget, LiveUpdateId, LoadId, LocalPath, ManifestName, ObjectUid, Probe, PruneId,
    Registry, ServeId, ServiceId, SpanId, Sync, TargetId, Timestamp,
};

/// Something to do at the edge.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Evaluate the Tiltfile; answered by `TiltfileLoaded`. A load that still runs is abandoned.
    LoadTiltfile {
        /// Its id.
        load: LoadId,
        /// Where its lines go.
        span: SpanId,
        /// The arguments of the Tiltfile.
        args: Vec<String>,
        /// Extensions, and their repositories, that users registered beside the Tiltfile.
        extensions: ApiObjects,
        /// Its beginning.
        moment: Moment,
    },
    /// Stop an evaluation of the Tiltfile; it need not answer.
    CancelLoad {
        /// Which one.
        load: LoadId,
    },
    /// Connect to the cluster; answered by `ClusterChanged`. Once that says that it is connected, each further one tells how
    /// the cluster is.
    ConnectCluster {
        /// Whether the Tiltfile says where images are pushed: a registry that the cluster announces wins over that.
        has_default_registry: bool,
    },
    /// Look out, anew, for the API server, the Docker engine and the registry: when one that is away answers again, that is
    /// told by `CameBack`. Or look out no more.
    LookOut(bool),
    /// Build and deploy a resource; answered by `UpdateFinished`.
    StartUpdate(Box<UpdatePlan>),
    /// Stop an update as soon as possible; it still answers with `UpdateFinished`, whose error is `build canceled`.
    CancelUpdate {
        /// Which one.
        build: BuildId,
    },
    /// Be ready to change these running containers from now on, each made from this image; the edge compares with what it
    /// is ready for.
    ExpectContainers(ExpectedContainers),
    /// Change running containers in place; each of them is answered by `ContainerUpdated`.
    UpdateContainers(Box<LiveUpdatePlan>),
    /// Stop a change of running containers as soon as possible; each of them still answers.
    CancelLiveUpdate {
        /// Which one.
        update: LiveUpdateId,
    },
    /// Delete objects that are no longer wanted; faults are logged. Answered by `ObjectsDeleted`: until then nothing
    /// is started that would apply one of them.
    DeleteObjects {
        /// Its id.
        delete: DeleteId,
        /// Whose they were.
        manifest: ManifestName,
        /// Where its lines go.
        span: SpanId,
        /// Why, such as `garbage collecting Kubernetes objects`.
        reason: &'static str,
        /// In the order to delete them.
        objects: Vec<UnwantedObject>,
        /// What deletes them, where a command deployed them; it is to end in time.
        command: Option<(Command, Duration)>,
    },
    /// Watch these files from now on; the edge compares with what it watches.
    WatchFiles(WatchSet),
    /// Report all changes of files until now, then `FilesCaughtUp`.
    CatchUp {
        /// What stands for this moment.
        mark: u64,
    },
    /// Watch these parts of the cluster from now on; the edge compares with what it watches.
    WatchCluster(ClusterWatch),
    /// Read the kubeconfig again, and tell the user in the log if it no longer means the cluster of this session.
    CheckKubeconfig,
    /// Stream these logs from now on; the edge compares with what it streams.
    StreamLogs(LogStreams),
    /// Watch the containers of these Compose projects from now on; the edge compares with what it watches.
    WatchServices(BTreeSet<String>),
    /// Stop and remove the containers of a service that is no longer wanted; faults are logged. Answered by `ObjectsDeleted`.
    RemoveService {
        /// Its id.
        delete: DeleteId,
        /// Which service.
        service: ServiceId,
    },
    /// Restart the containers of a service, or deploy it; faults are logged. Answered by `ServiceRestarted`.
    RestartService {
        /// Whose they are.
        manifest: ManifestName,
        /// Where its lines go.
        span: SpanId,
        /// Which service.
        service: ServiceId,
        /// What is deployed in place of a restart: its containers share something with some that are gone, so they cannot start.
        anew: Option<Box<ComposeTarget>>,
    },
    /// Let these servers and commands run from now on; the edge compares with what runs. Each answers with `ServerChanged`.
    /// One that is no longer wanted is stopped, and has ended before the next one that the same asks for starts.
    Serve(Servers),
    /// Let these local ports lead to these pods from now on; the edge compares with what is open.
    ForwardPorts(Forwards),
    /// Take out of the Docker engine what nobody needs any more; faults are logged. Answered by `Pruned`.
    Prune(PruneRequest),
    /// Write to the log.
    Log(LogEvent),
    /// Keep what became of an update.
    Record(Arc<UpdateRecord>),
    /// End the session. The edge reads logs to their present end first.
    Exit(ExitOutcome),
}

/// What of the Docker engine nobody needs any more.
#[derive(Clone, Debug, PartialEq)]
pub struct PruneRequest {
    /// Its id.
    pub prune: PruneId,
    /// What is younger stays.
    pub max_age: Duration,
    /// How many of each image stay in any case, the newest first.
    pub keep_recent: usize,
    /// The images that are built here; others stay.
    pub images: Vec<PrunedImage>,
    /// References of those that would be used again as they are; they stay too.
    pub in_use: BTreeSet<String>,
}

/// An image of which old ones may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrunedImage {
    /// What it is called in the Tiltfile.
    pub selector: ImageSelector,
    /// Where it is pushed, if the Tiltfile says so.
    pub registry: Option<Registry>,
}

/// How a session ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExitOutcome {
    /// `up` was stopped by the user.
    Stopped,
    /// `ci` was stopped by the user.
    Interrupted,
    /// `ci`: all is well.
    Succeeded,
    /// `ci`: not all is well.
    Failed(CiFailure),
}

/// Why `ci` failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CiFailure {
    /// What is told last.
    pub message: String,
    /// The resources that it is about, in the order of their names.
    pub resources: Vec<ManifestName>,
}

/// One update of one resource: its images in order, then its objects.
#[derive(Clone, Debug, PartialEq)]
pub struct UpdatePlan {
    /// Its id.
    pub build: BuildId,
    /// Whose it is.
    pub manifest: ManifestName,
    /// Where its lines go.
    pub span: SpanId,
    /// The first line of its log, such as `Initial Build` or `1 File Changed: [web/app.py]`.
    pub header: String,
    /// Its images, each after the ones it is built on.
    pub images: Vec<ImageStep>,
    /// How many images may be built at a time, in all updates together; one of each update always may.
    pub parallel_images: usize,
    /// What is deployed, or run, then.
    pub deploy: DeployTarget,
    /// Whether to delete the objects first.
    pub force: bool,
    /// Its beginning: what changes from then on is not taken in.
    pub moment: Moment,
}

/// Who wants something to run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Asker {
    /// A resource.
    Resource(ManifestName),
    /// An object of the API that a user made.
    Object {
        /// Its kind.
        kind: ApiKind,
        /// Its name.
        name: String,
        /// Which of the things that it wants, from 0 on.
        part: usize,
    },
}

impl Asker {
    /// Returns an object, for one of the things that it wants.
    pub fn object(kind: ApiKind, name: &str, part: usize) -> Self {
        let name = name.to_owned();
        Self::Object { kind, name, part }
    }

    /// Returns its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Resource(name) => name.as_str(),
            Self::Object { name, .. } => name,
        }
    }
}

/// One run of the server of a local resource, or of a command of a user's own.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// Its id.
    pub serve: ServeId,
    /// Who wants it.
    pub asker: Asker,
    /// The resource whose log its lines belong to, if any.
    pub manifest: Option<ManifestName>,
    /// Where its lines go.
    pub span: SpanId,
    /// What runs.
    pub command: Command,
    /// How to find out whether it is ready; without one it is as soon as it runs.
    pub probe: Option<Probe>,
}

/// One local port that leads to a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    /// Who wants it.
    pub asker: Asker,
    /// The resource whose log its lines belong to, if any.
    pub manifest: Option<ManifestName>,
    /// Where its lines go.
    pub span: SpanId,
    /// The port on this machine; 0 for any, which is answered by `ForwardOpened`.
    pub local_port: u16,
    /// The address to listen on; `None` for the host of the session's web page.
    pub host: Option<String>,
    /// Where it leads; `None` while there is no pod.
    pub pod: Option<ForwardTarget>,
}

/// Where a local port leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardTarget {
    /// The pod.
    pub pod: ObjectUid,
    /// Its name.
    pub pod_name: String,
    /// Its namespace.
    pub namespace: String,
    /// The port in it.
    pub port: u16,
    /// A container of it that runs.
    pub container: String,
    /// The node that it runs on.
    pub node: String,
    /// Whether it takes requests.
    pub ready: bool,
}

/// One image of an update.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageStep {
    /// The image.
    pub image: ImageTarget,
    /// Whether a deploy target uses it directly, so that the cluster must be able to pull it.
    pub needs_push: bool,
    /// What to do about it.
    pub action: ImageAction,
    /// Whether what an earlier session built will do in place of a build, if all that changed since can be taken into
    /// containers in place.
    pub may_be_older: bool,
}

/// What to do about an image of an update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageAction {
    /// Build it.
    Build,
    /// Use what was built before, if the Docker engine still has it; else build it.
    Reuse(BuiltImage),
}

/// A change of running containers.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveUpdatePlan {
    /// Its id.
    pub update: LiveUpdateId,
    /// Whose they are.
    pub manifest: ManifestName,
    /// The image whose live update it is.
    pub image: TargetId,
    /// Where its lines go.
    pub span: SpanId,
    /// The first line of its log, such as `1 File Changed: [web/app.py]`.
    pub header: String,
    /// What to do in each container; none waits for another.
    pub containers: Vec<ContainerUpdate>,
}

/// A change of one run of one container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerUpdate {
    /// Which one.
    pub container: ContainerAddress,
    /// What is to be true in it.
    pub batch: Batch,
    /// Where all that is synced is looked at: the steps, in the order of the batch's files. A file whose place ends with
    /// `/` goes into that.
    pub whole: Vec<Sync>,
    /// Whether the container is restarted once something was changed in it.
    pub restart: bool,
    /// Whether that is done only because the container is older than the session, and so may hold what was synced before.
    pub is_check: bool,
    /// Whether this was tried before and did not come through.
    pub is_retry: bool,
}

/// All files that are to be watched.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct WatchSet {
    /// By target.
    pub targets: BTreeMap<TargetId, WatchedTarget>,
    /// Ignores that hold for every target.
    pub ignores: Vec<Ignore>,
}

/// The files of one target.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct WatchedTarget {
    /// Files, and directories with all below them. They need not exist.
    pub paths: Vec<LocalPath>,
    /// What to leave out.
    pub ignores: Vec<Ignore>,
}

/// The parts of the cluster that are to be watched.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ClusterWatch {
    /// Namespaces whose pods and events are watched.
    pub namespaces: BTreeSet<String>,
    /// What we deployed: a look-up of owners can stop here.
    pub uids: imbl::OrdSet<ObjectUid>,
    /// Kinds of which objects are watched: workloads for how they are doing, all of them for being deleted.
    pub kinds: BTreeSet<WatchedKind>,
}

/// A kind of which objects are watched, in one place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatchedKind {
    /// Its apiVersion, such as `apps/v1`.
    pub api_version: String,
    /// The kind.
    pub kind: String,
    /// The namespace, `None` for cluster-wide objects.
    pub namespace: Option<String>,
}

/// Servers and commands that are wanted.
pub type Servers = imbl::OrdMap<ServeId, Server>;

/// A local port that leads to pods.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ForwardId {
    /// Who wants it.
    pub asker: Asker,
    /// The port on this machine; 0 for any.
    pub local_port: u16,
    /// The address to listen on; `None` for the host of the session's web page.
    pub host: Option<String>,
}

/// Local ports that are wanted.
pub type Forwards = imbl::OrdMap<ForwardId, Forward>;

/// Containers that may have to be changed, and which image each was made from.
pub type ExpectedContainers = imbl::OrdMap<ContainerAddress, String>;

/// Logs whose lines are wanted, each for the resource that shows them.
pub type LogStreams = imbl::OrdMap<(ManifestName, LogId), LogStream>;

/// A log whose lines are wanted, by where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogStream {
    /// In a cluster.
    Pod(PodLog),
    /// In the Docker engine.
    Container(ContainerLog),
}

/// What identifies a log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogId {
    /// Of one run of one container of a pod.
    Pod {
        /// The pod.
        pod: ObjectUid,
        /// Which run of which container.
        container_id: String,
    },
    /// Of one run of a container of a service.
    Container {
        /// The container.
        id: String,
        /// When the run began.
        run: Timestamp,
    },
}

/// The log of one run of one container of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodLog {
    /// Whose it is.
    pub manifest: ManifestName,
    /// Where its lines go.
    pub span: SpanId,
    /// The pod.
    pub pod: ObjectUid,
    /// The pod's name.
    pub pod_name: String,
    /// The pod's namespace.
    pub namespace: String,
    /// The container's name.
    pub container: String,
    /// Which run of it.
    pub container_id: String,
    /// Whether each line starts with `[<container>] `.
    pub prefixed: bool,
    /// Lines before this time are not wanted.
    pub since: Option<Timestamp>,
    /// Whether the run before this one ended in this session before it was seen, so that its lines are still to be read.
    pub missed_run: bool,
    /// Whether this run has ended, so that its log has an end.
    pub terminated: bool,
}

/// The log of a container of a Compose service. It goes on over all runs of the container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerLog {
    /// Whose it is.
    pub manifest: ManifestName,
    /// Where its lines go.
    pub span: SpanId,
    /// The container.
    pub container: String,
    /// Its name.
    pub name: String,
    /// When its last run began.
    pub run: Timestamp,
    /// Whether each line starts with `[<name>] `.
    pub prefixed: bool,
    /// Whether it writes to a terminal.
    pub has_tty: bool,
    /// Lines before this time are not wanted.
    pub since: Option<Timestamp>,
    /// Whether this run has ended, so that its log has an end.
    pub terminated: bool,
}

impl LogId {
    /// Returns an id that comes before all others.
    pub(crate) fn first() -> Self {
        Self::Pod {
            pod: ObjectUid::new(""),
            container_id: String::new(),
        }
    }
}

impl Server {
    /// Returns servers as a set.
    pub fn all(servers: impl IntoIterator<Item = Self>) -> Servers {
        let servers = servers.into_iter();
        servers.map(|server| (server.serve, server)).collect()
    }
}

impl Forward {
    /// Returns local ports as a set.
    pub fn all(forwards: impl IntoIterator<Item = Self>) -> Forwards {
        let forwards = forwards.into_iter();
        forwards.map(|forward| (forward.id(), forward)).collect()
    }
}

impl LogStream {
    /// Returns logs as a set.
    pub fn all(logs: impl IntoIterator<Item = Self>) -> LogStreams {
        let logs = logs.into_iter();
        logs.map(|log| ((log.manifest().clone(), log.id()), log))
            .collect()
    }

    /// Returns which log it is.
    pub fn id(&self) -> LogId {
        match self {
            Self::Pod(log) => log.id(),
            Self::Container(log) => log.id(),
        }
    }

    /// Returns whose it is.
    pub fn manifest(&self) -> &ManifestName {
        match self {
            Self::Pod(log) => &log.manifest,
            Self::Container(log) => &log.manifest,
        }
    }

    /// Returns whether the log has an end.
    pub fn is_terminated(&self) -> bool {
        match self {
            Self::Pod(log) => log.terminated,
            Self::Container(log) => log.terminated,
        }
    }

    /// Returns the log of a pod, if it is one.
    pub fn into_pod(self) -> Option<PodLog> {
        match self {
            Self::Pod(log) => Some(log),
            Self::Container(_) => None,
        }
    }

    /// Notes that what wrote it is no longer there.
    pub(crate) fn terminate(&mut self) {
        match self {
            Self::Pod(log) => log.terminated = true,
            Self::Container(log) => log.terminated = true,
        }
    }

    /// Takes in what is known of the log by now. From where on it is read stays as it was.
    pub(crate) fn update(&mut self, now: Self) {
        match (self, now) {
            (Self::Pod(log), Self::Pod(now)) => {
                let (since, missed_run) = (log.since, log.missed_run);
                *log = PodLog {
                    since,
                    missed_run,
                    ..now
                };
            }
            (Self::Container(log), Self::Container(now)) => {
                let since = log.since;
                *log = ContainerLog { since, ..now };
            }
            // What is in one place is never in the other.
            (Self::Pod(_), Self::Container(_)) | (Self::Container(_), Self::Pod(_)) => {}
        }
    }
}

impl From<PodLog> for LogStream {
    fn from(log: PodLog) -> Self {
        Self::Pod(log)
    }
}

impl ContainerLog {
    /// Returns which log it is.
    pub fn id(&self) -> LogId {
        LogId::Container {
            id: self.container.clone(),
            run: self.run,
        }
    }
}

impl PodLog {
    /// Returns which log it is.
    pub fn id(&self) -> LogId {
        LogId::Pod {
            pod: self.pod.clone(),
            container_id: self.container_id.clone(),
        }
    }
}
