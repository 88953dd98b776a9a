//! What happened: everything that the engine is ever told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use super::effect::{ForwardId, LogId};
use super::moment::Moment;
use super::object_id::ObjectId;
use crate::history::StageTime;
use crate::k8s::Dormancy;
use crate::model::{
    ApiKind, ApiObject, ApiObjects, BuildId, BuiltImage, CiSettings, ClusterDescription, ClusterEvent,
    DeleteId, DockerPrune, Ignore, LiveUpdateId, LoadId, LocalPath, Manifest, ManifestName, ObjectUid, Pod,
    PruneId, ServeId, ServiceContainer, ShownSettings, SourcePlace, SpanId, SyncFailure, Synced, TargetId,
    Timestamp, TriggerMode, TriggerReason, UpdateSettings, Workload,
};

/// Something that happened. Each outcome carries the id that its effect had; the engine ignores an id it no longer runs.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The session begins. Always the first event.
    Started,
    /// An evaluation of the Tiltfile ended.
    TiltfileLoaded {
        /// Which one.
        load: LoadId,
        /// With what.
        outcome: Box<LoadOutcome>,
    },
    /// The connection to the cluster was made, or cannot be made.
    ClusterChanged(ClusterStatus),
    /// The cluster said what it is.
    ClusterDescribed(Arc<ClusterDescription>),
    /// Files changed on disk, after ignores and coalescing. A path comes once per target that watches it.
    FilesChanged(Vec<FileChange>),
    /// The command of an update of a local resource runs.
    CommandRuns {
        /// Which update.
        build: BuildId,
        /// The number of its process.
        pid: u32,
    },
    /// An update ended, well or badly.
    UpdateFinished {
        /// Which one.
        build: BuildId,
        /// With what.
        outcome: Box<UpdateOutcome>,
    },
    /// A change of a running container ended, well or badly.
    ContainerUpdated {
        /// Which change.
        update: LiveUpdateId,
        /// Which run of which container.
        container_id: String,
        /// With what.
        outcome: Result<Box<Synced>, SyncFailure>,
    },
    /// What an update could not reach answers again.
    CameBack,
    /// A deletion was carried out, as far as it could be.
    ObjectsDeleted {
        /// Which one.
        delete: DeleteId,
    },
    /// The Docker engine was pruned, as far as it could be.
    Pruned {
        /// Which one.
        prune: PruneId,
        /// Whether the engine can do it at all.
        is_possible: bool,
    },
    /// The server of a local resource started, became ready or unready, or ended.
    ServerChanged {
        /// Which one.
        serve: ServeId,
        /// How it is doing.
        status: ServerStatus,
    },
    /// Something about a local port that leads to pods went wrong, or works again.
    ForwardChanged {
        /// Which port.
        forward: ForwardId,
        /// What of it.
        part: ForwardPart,
        /// What is wrong; `None` when it works.
        error: Option<String>,
    },
    /// A local port that could be any was opened.
    ForwardOpened {
        /// Which one was asked for.
        forward: ForwardId,
        /// Which one it is.
        port: u16,
    },
    /// A pod of a watched namespace appeared or changed.
    PodSeen(Box<Pod>),
    /// A pod is gone.
    PodGone(ObjectUid),
    /// A watch was restarted: these are all pods of the namespace, the others are gone.
    PodsListed {
        /// Which namespace.
        namespace: String,
        /// The UIDs of all its pods. Each was or will be reported by `PodSeen`.
        pods: BTreeSet<ObjectUid>,
    },
    /// A workload of a watched kind appeared or changed, whoever deployed it.
    WorkloadSeen(Box<Workload>),
    /// An object of a watched kind is gone.
    ObjectGone(ObjectUid),
    /// The cluster reported something about an object.
    ClusterEventSeen(Box<ClusterEvent>),
    /// These are all containers of the services of a Compose project.
    ServiceContainersListed {
        /// Which project.
        project: String,
        /// Its containers, whatever they do.
        containers: Vec<ServiceContainer>,
    },
    /// A container of a service appeared or changed.
    ServiceContainerSeen(Box<ServiceContainer>),
    /// A container is gone.
    ServiceContainerGone(String),
    /// The service of a resource was restarted, as far as it could be.
    ServiceRestarted(ManifestName),
    /// All lines of a container that ended have been read. Sent once per stream of a terminated container.
    LogStreamEnded(LogId),
    /// A user asked for an update of a resource, or of the Tiltfile.
    Triggered {
        /// Which one.
        manifest: ManifestName,
        /// Who asked.
        reason: TriggerReason,
    },
    /// A user switched a resource on or off.
    EnablementChanged {
        /// Which one.
        manifest: ManifestName,
        /// Whether it is to run.
        enabled: bool,
    },
    /// A user set another trigger mode; the next load of the Tiltfile sets its own again.
    TriggerModeOverridden {
        /// Whose.
        manifest: ManifestName,
        /// The mode.
        mode: TriggerMode,
    },
    /// A user gave the Tiltfile other arguments.
    ArgsChanged(Vec<String>),
    /// A user wrote an object of the API.
    ObjectWritten {
        /// Its kind.
        kind: ApiKind,
        /// Its name.
        name: String,
        /// What it is now; `None` if it was deleted.
        object: Option<Box<ApiObject>>,
    },
    /// A user clicked on a button.
    ButtonClicked {
        /// Its name.
        button: String,
        /// When, as the click says it.
        at: Timestamp,
        /// The values of its inputs.
        inputs: Vec<(String, String)>,
    },
    /// Somebody asks to be told once all changes of files until now are known.
    CatchUpRequested {
        /// What stands for that moment.
        mark: u64,
    },
    /// All changes of files up to a mark were reported.
    FilesCaughtUp {
        /// Which.
        mark: u64,
    },
    /// A user asked to cancel what writes in this span: an update, or a load of the Tiltfile.
    CancelRequested(SpanId),
    /// The user asked to stop (Ctrl-C, SIGTERM, SIGHUP).
    StopRequested,
    /// The time that `next_wake` named has come.
    Wake,
}

/// What an evaluation of the Tiltfile gave.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct LoadOutcome {
    /// All resources in definition order; `None` when the load failed, then what runs stays as it is.
    pub manifests: Option<Vec<Manifest>>,
    /// Which of them are to run.
    pub enabled: BTreeSet<ManifestName>,
    /// Why the load failed, rendered; already in the log. Starts with the lines that people search for.
    pub error: Option<String>,
    /// Where the first of its faults is written, if that is known.
    pub error_place: Option<SourcePlace>,
    /// Files whose change reloads the Tiltfile.
    pub config_files: Vec<LocalPath>,
    /// The files that were read.
    pub read: BTreeSet<LocalPath>,
    /// Which of them held something else once all was read and all changes until then were known; what changed later is
    /// reported as after this load.
    pub changed_meanwhile: Vec<LocalPath>,
    /// Ignores that hold for every watch.
    pub watch_ignores: Vec<Ignore>,
    /// Settings for updates.
    pub update_settings: UpdateSettings,
    /// Settings for `tilt ci`.
    pub ci_settings: CiSettings,
    /// When the Docker engine is pruned.
    pub docker_prune: DockerPrune,
    /// What the page is told of the settings.
    pub shown_settings: Arc<ShownSettings>,
    /// Objects of the API that the Tiltfile registered; also those of a load that failed.
    pub objects: ApiObjects,
    /// What became of the extensions that ran on their own, by name.
    pub extensions: BTreeMap<String, ExtensionEnd>,
}

/// What became of an extension that ran on its own.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ExtensionEnd {
    /// Its Tiltfile, if there is one.
    pub path: Option<LocalPath>,
    /// Why it could not be run.
    pub error: Option<String>,
}

/// The state of the connection to the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClusterStatus {
    /// Not yet known.
    Connecting,
    /// Usable.
    Connected,
    /// Not usable; the message is for the user.
    Failed(String),
}

/// How the server of a local resource is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerStatus {
    /// It runs.
    Running {
        /// The number of its process.
        pid: u32,
        /// Whether its probe says so, or it has none.
        ready: bool,
        /// What its probe found wrong last; `None` if the last try went well.
        fault: Option<String>,
    },
    /// It ended, in whatever way: that is an error.
    Exited {
        /// The number that its process had.
        pid: u32,
        /// How.
        how: ServerEnd,
    },
    /// It could not be started; the reason names what was to run.
    NotStarted(String),
}

/// How a server, or a command that runs to its end, ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerEnd {
    /// With this exit code.
    Code(i32),
    /// By a signal, or in a way that could not be found out: in words.
    Other(String),
}

impl std::fmt::Display for ServerEnd {
    /// As in `exit code 4` or `signal: killed`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Other(how) => f.write_str(how),
        }
    }
}

/// One file changed for one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileChange {
    /// Whose watch saw it.
    pub target: TargetId,
    /// What changed.
    pub path: LocalPath,
    /// The latest moment that had passed when the file changed: what began later has read the change.
    pub after: Moment,
    /// The latest load that had read all when the file changed, 0 for none: what a later one has read, it has compared
    /// with the change.
    pub after_load: LoadId,
    /// Whether the file holds what it held when it was last reported, or read by a load.
    pub is_same: bool,
    /// Whether nothing was written: only its time is another one, as `touch` leaves it.
    pub is_touched: bool,
    /// When the change was noticed; `None` for not before it is told.
    pub seen: Option<Instant>,
}

impl FileChange {
    /// Returns a change that nothing has read.
    pub fn new(target: TargetId, path: LocalPath) -> Self {
        Self {
            target,
            path,
            after: Moment::MAX,
            after_load: LoadId(u64::MAX),
            is_same: false,
            is_touched: false,
            seen: None,
        }
    }
}

/// How an update ended.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct UpdateOutcome {
    /// Images that were built, with their new references. Kept also when a later step failed.
    pub built: Vec<(TargetId, BuiltImage)>,
    /// Those of them that an earlier session built, with what has changed since, and is to go into their containers.
    pub older: Vec<(TargetId, Vec<LocalPath>)>,
    /// Objects that the API server accepted, also when a later one failed.
    pub applied: Vec<AppliedObject>,
    /// Whether the deploy step began: from then on there may be something to take away.
    pub deploy_began: bool,
    /// Whether the deploy step ended well.
    pub deployed: bool,
    /// Why the update failed, rendered; already in the log.
    pub error: Option<String>,
    /// Why the same update may go well later, where it failed for something that passes.
    pub transient: Option<Transient>,
    /// Whether the last lines of its log may explain the error: what a command of the user's said.
    pub explained_by_log: bool,
    /// How the command of a local resource ended, if it ended by itself.
    pub exit: Option<ServerEnd>,
    /// Where the time went, in order.
    pub stages: Vec<StageTime>,
    /// The positions in the log between which its lines are.
    pub log: Option<(u64, u64)>,
}

/// Why an update that failed may go well when it is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transient {
    /// Something could not be reached that may come back.
    Unreachable,
    /// Somebody else ended a program that carried it out.
    Killed,
}

impl Transient {
    /// Returns why a failure passes of which it is known whether something could not be reached.
    pub fn if_unreachable(is_unreachable: bool) -> Option<Self> {
        is_unreachable.then_some(Self::Unreachable)
    }

    /// Returns it in a word, as records say it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "Unreachable",
            Self::Killed => "Killed",
        }
    }
}

/// An object as the API server accepted it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppliedObject {
    /// Which object.
    pub id: ObjectId,
    /// Its UID; empty if nobody knows whether the API server took the object.
    pub uid: ObjectUid,
    /// The values of `tilt.dev/pod-template-hash` in it.
    pub template_hashes: Vec<String>,
    /// Whether it asks to be kept (`tilt.dev/down-policy: keep`).
    pub keep: bool,
    /// What keeps it from getting pods.
    pub dormancy: Option<Dormancy>,
    /// How far it is, if it is a workload.
    pub workload: Option<Workload>,
}

/// What of a port-forward can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ForwardPart {
    /// Listening on the local port.
    Listening,
    /// The way to the node that the pod runs on.
    Path,
    /// The last connection to the pod.
    Connection,
}
