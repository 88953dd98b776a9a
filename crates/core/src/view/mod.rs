//! What every reader sees of the state: plain, serialisable values, and nothing that a reader could change.
//!
//! [`View`] is the whole; one [`ResourceView`] stands for each row. The engine makes a new one on demand; readers may
//! miss states in between. Log text is not here: `logs` has it, by span.

mod awaited;
mod detail;
mod history;
mod loops;
mod pod_json;
mod project;
mod projection;
mod report;
mod settled;
mod snapshot;
mod ui_objects;
#[cfg(test)]
mod wire;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;

use crate::engine::{AppliedObject, ServerEnd, ServerStatus};
use crate::history::{ProjectFiles, UpdateRecord, Waits};
use crate::model::{
    ApiKind, ApiObject, BuiltImage, CiSettings, ClusterDescription, Command, Manifest, ManifestName, Pod,
    ServiceContainer, ShownSettings, SourcePlace, SpanId, TargetId, Timestamp, TriggerMode,
};
pub use crate::model::{RuntimeStatus, UpdateStatus};
pub use detail::detail;

pub(crate) use awaited::headline;
pub use awaited::{AwaitAnswer, AwaitedResource, awaited, last_edited};
pub use history::{history, history_of};
pub(crate) use pod_json::pod_json;
pub(crate) use project::view;
pub(crate) use projection::Projection;
pub use report::{ReportRow, report, table};
pub use settled::{Settling, has_settled, last_update, unsettled};
pub use snapshot::{SnapshotFacts, log_list, snapshot};
pub use ui_objects::{ui_resource, ui_session, ui_tiltfile};

/// The state of a session after an event. Nothing in it depends on the moment at which it is read: it has times, and readers
/// that want ages subtract.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct View {
    /// How many events the session has handled.
    pub events: u64,
    /// The Tiltfile itself.
    pub tiltfile: TiltfileView,
    /// Whether the cluster can be used.
    pub cluster: ClusterView,
    /// What it says about itself, once it did.
    #[serde(skip)]
    pub cluster_description: Option<Arc<ClusterDescription>>,
    /// The latest mark up to which all changes of files are known.
    pub caught_up: u64,
    /// What the last good load of the Tiltfile says of files.
    #[serde(skip)]
    pub files: Arc<ProjectFiles>,
    /// One per resource, in definition order.
    #[serde(serialize_with = "whole_rows")]
    pub resources: imbl::Vector<Arc<ResourceView>>,
    /// The objects that users made, and the watches of files, by kind and name.
    #[serde(skip)]
    pub objects: ObjectViews,
}

/// Objects by kind and name.
pub type ObjectViews = imbl::OrdMap<(ApiKind, String), Arc<ObjectView>>;

/// An object of the API that a user made, or that goes with one, and what it does.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectView {
    /// Its kind.
    pub kind: ApiKind,
    /// Its name.
    pub name: String,
    /// What it was said to be.
    pub object: ApiObject,
    /// How it is, in the API's shape; `None` where only users say it.
    pub status: Option<serde_json::Value>,
    /// Whether it comes from the Tiltfile.
    pub is_declared: bool,
    /// How often this program changed what users can write of it; `None` if users write nothing of it.
    pub written: Option<u64>,
    /// The object that it goes with.
    pub owner: Option<(ApiKind, String)>,
}

fn whole_rows<S: serde::Serializer>(
    rows: &imbl::Vector<Arc<ResourceView>>,
    to: S,
) -> Result<S::Ok, S::Error> {
    to.collect_seq(rows.iter().map(|row| &**row))
}

impl Default for View {
    /// What there is to see before anything happened.
    fn default() -> Self {
        Self {
            events: 0,
            tiltfile: TiltfileView {
                update_status: UpdateStatus::Pending,
                error: None,
                error_place: None,
                span: None,
                started: None,
                finished: None,
                args: Vec::new(),
                settings: Arc::default(),
                ci: CiSettings::default(),
                has_pending_changes: false,
                circle: None,
                led_by: BTreeSet::new(),
                going_on: Vec::new(),
                ended: Arc::default(),
            },
            cluster: ClusterView::Connecting,
            cluster_description: None,
            caught_up: 0,
            files: Arc::default(),
            resources: imbl::Vector::new(),
            objects: ObjectViews::new(),
        }
    }
}

/// How the Tiltfile is doing.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TiltfileView {
    /// How the last load went.
    pub update_status: UpdateStatus,
    /// Why the last load failed.
    pub error: Option<String>,
    /// Where its fault is written, if that is known.
    #[serde(skip)]
    pub error_place: Option<SourcePlace>,
    /// Where the lines of the last load are; `None` before the first.
    pub span: Option<SpanId>,
    /// When the last load began.
    pub started: Option<Timestamp>,
    /// When it ended; `None` while it runs.
    pub finished: Option<Timestamp>,
    /// The Tiltfile's arguments.
    pub args: Vec<String>,
    /// What the last good load said of the page.
    #[serde(skip)]
    pub settings: Arc<ShownSettings>,
    /// When a run of `ci` gives up.
    #[serde(skip)]
    pub ci: CiSettings,
    /// Whether what it is made of has changed since it was read; loads that go round in a circle wait.
    #[serde(skip)]
    pub has_pending_changes: bool,
    /// That they go round in a circle, while the next one waits for its turn.
    #[serde(skip)]
    pub circle: Option<CircleView>,
    /// What seems to lead to its loads: it ran each time that the file changed which led to one.
    #[serde(skip)]
    pub led_by: BTreeSet<ManifestName>,
    /// Evaluations that go on, the last one first.
    #[serde(skip)]
    pub going_on: Vec<UpdateRecord>,
    /// Those that ended, the last one first.
    #[serde(skip)]
    pub ended: Arc<Vec<Arc<UpdateRecord>>>,
}

/// Updates, or loads, that seem to write what they read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CircleView {
    /// Which files, and while what ran.
    pub why: String,
    /// How many rounds there were.
    pub rounds: u32,
}

/// The connection to the cluster.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "state", content = "error", rename_all = "snake_case")]
pub enum ClusterView {
    /// Not yet known.
    Connecting,
    /// Usable.
    Connected,
    /// Not usable, and why.
    Failed(String),
}

/// One resource.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ResourceView {
    /// Its name.
    pub name: ManifestName,
    /// The labels that group it.
    pub labels: BTreeSet<String>,
    /// What it is defined to be.
    #[serde(skip)]
    pub definition: Definition,
    /// What was built of its images.
    #[serde(skip)]
    pub images: Vec<ImageView>,
    /// What it applied last.
    #[serde(skip)]
    pub applied: Vec<AppliedObject>,
    /// The resources that it waits for.
    pub depends_on: Vec<ManifestName>,
    /// What it is made of, such as `image:web` and `k8s:web`.
    pub targets: Vec<String>,
    /// Whether it is to run at all.
    pub enabled: bool,
    /// Since when that is so.
    #[serde(skip)]
    pub switched: Timestamp,
    /// How the last update went.
    pub update_status: UpdateStatus,
    /// How what was deployed is doing.
    pub runtime_status: RuntimeStatus,
    /// When updates start.
    pub trigger_mode: TriggerMode,
    /// Whether a user asked for an update that has not started.
    pub queued: bool,
    /// Whether it has changes that no update has taken in.
    pub has_pending_changes: bool,
    /// Why an update that is due does not start.
    pub hold: Option<HoldView>,
    /// That its updates go round in a circle, while the next one waits for its turn.
    #[serde(skip)]
    pub circle: Option<CircleView>,
    /// What seems to lead to its updates: it ran each time that the file changed which led to one.
    #[serde(skip)]
    pub led_by: BTreeSet<ManifestName>,
    /// That what was deployed will not become ready by itself, as far as can be told; says what `no_pod` and what is said of
    /// pods does not.
    #[serde(skip)]
    pub stuck: Option<String>,
    /// The update that runs.
    pub building: Option<BuildView>,
    /// Updates that ended, the last one first; at most two.
    pub history: Vec<BuildView>,
    /// The newest pod.
    pub pod: Option<PodView>,
    /// What it deploys to a cluster, such as `web:deployment`.
    pub objects: Vec<String>,
    /// All its pods.
    #[serde(skip)]
    pub pods: Vec<Pod>,
    /// The pod that shows what is wrong, if anything is.
    pub culprit: Option<PodView>,
    /// What is wrong, in a line, where a workload tells more than its pods.
    pub unwell: Option<String>,
    /// Why it waits for a pod, where that is known.
    pub no_pod: Option<String>,
    /// The server of a local resource.
    pub server: Option<ServerView>,
    /// Links that the Tiltfile names: URL, and what is shown in its place.
    pub links: Vec<(String, String)>,
    /// The Compose service that it stands for.
    pub service: Option<ServiceView>,
    /// Its port-forwards.
    pub forwards: Vec<ForwardView>,
    /// Updates that go on, the last one first.
    #[serde(skip)]
    pub going_on: Vec<UpdateRecord>,
    /// Updates that ended, the last one first.
    #[serde(skip)]
    pub ended: Arc<Vec<Arc<UpdateRecord>>>,
    /// What its next update waits for, if one is due.
    #[serde(skip)]
    pub waiting: Option<Waits>,
    /// Where the first of its objects is written, if that is a file.
    #[serde(skip)]
    pub place: Option<SourcePlace>,
    /// When its first update started.
    pub first_started: Option<Timestamp>,
    /// When it was first seen to be ready.
    pub first_ready: Option<Timestamp>,
    /// Whether it was ever ready since this session first deployed it.
    pub ever_ready: bool,
    /// When it was last made as a whole.
    #[serde(skip)]
    pub(crate) making: Making,
}

/// Which making of a row it is. One that only waits for others since then, for the same reason, is of the same making.
#[derive(Clone, Debug, Default)]
pub(crate) struct Making(Arc<()>);

impl PartialEq for Making {
    /// Rows are compared by what they show.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl ResourceView {
    /// Returns whether all that differs is for whom it waits, for the same reason. That may be so of many at once, and again in a
    /// moment.
    pub fn differs_only_in_whom_it_waits_for(&self, before: &Self) -> bool {
        Arc::ptr_eq(&self.making.0, &before.making.0)
    }

    /// Returns what is wrong, if anything is: the error of the last update, else of what runs.
    pub fn error(&self) -> Option<String> {
        if let (UpdateStatus::Error, Some(last)) = (self.update_status, self.history.first()) {
            return last.error.clone();
        }
        if self.runtime_status != RuntimeStatus::Error {
            return None;
        }
        if let Some(server) = &self.server {
            return server.fault.clone();
        }
        let unwell = self.unwell.clone().filter(|_| self.culprit.is_none());
        unwell.or_else(|| self.telling_pod().map(PodView::error))
    }

    /// Returns the pod that shows what is wrong, or else the newest one.
    pub fn telling_pod(&self) -> Option<&PodView> {
        self.culprit.as_ref().or(self.pod.as_ref())
    }
}

impl PodView {
    fn error(&self) -> String {
        if self.errors.is_empty() {
            return format!("Pod {} in error state: {}", self.name, self.status);
        }
        self.errors.join("; ")
    }
}

/// What a resource is defined to be. Two are equal if they are the very same.
#[derive(Clone, Debug)]
pub struct Definition(pub Arc<Manifest>);

impl PartialEq for Definition {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// What was built of an image of a resource.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageView {
    /// Which image.
    pub id: TargetId,
    /// What was built last, unless it is stale.
    pub built: Option<BuiltImage>,
    /// Whether the update that runs builds it.
    pub is_building: bool,
}

/// A local port that leads to a pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ForwardView {
    /// Where it can be opened.
    pub url: String,
    /// What is shown in place of the URL; may be empty.
    pub name: String,
    /// The pod that it leads to; `None` while there is none.
    pub pod: Option<String>,
    /// The port in the pod.
    pub container_port: u16,
    /// Whether a connection is known to have a living pod at its other end.
    pub is_healthy: bool,
    /// What is wrong with it.
    pub error: Option<String>,
}

/// Why an update that is due does not start.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HoldView {
    /// A word that scripts know, such as `waiting-for-dep`.
    pub reason: &'static str,
    /// What it waits for; may be empty.
    pub on: Vec<String>,
}

/// One update.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BuildView {
    /// Where its lines are.
    pub span: SpanId,
    /// Why it started, such as `Initial Build` or `Changed Files`.
    pub reason: String,
    /// When it started.
    pub started: Timestamp,
    /// When it ended; `None` while it runs.
    pub finished: Option<Timestamp>,
    /// Why it failed.
    pub error: Option<String>,
    /// Whether the last lines of its log may explain the error.
    pub explained_by_log: bool,
    /// The number of the process of its command.
    pub pid: Option<u32>,
    /// How that ended, if not well.
    #[serde(skip)]
    pub exit: Option<ServerEnd>,
}

/// The server of a local resource.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ServerView {
    /// Where its lines are.
    pub span: SpanId,
    /// Which one of the session it is, from 1 on.
    pub number: u64,
    /// What runs.
    #[serde(skip)]
    pub command: Command,
    /// How it is doing; `None` before it was heard of.
    #[serde(skip)]
    pub status: Option<ServerStatus>,
    /// When it was started.
    pub began: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// The number of its process while it runs.
    pub pid: Option<u32>,
    /// Whether its probe says that it is ready, or it has none.
    pub ready: bool,
    /// What is wrong with it: how it ended, or what its probe found last.
    pub fault: Option<String>,
}

/// A Compose service.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ServiceView {
    /// Where the lines of its containers are.
    pub span: SpanId,
    /// Where its published ports can be opened, as far as no declared link leads there; each with what is shown in place of
    /// the URL.
    pub links: Vec<(String, String)>,
    /// Its newest container.
    #[serde(skip)]
    pub container: Option<ServiceContainer>,
    /// What its health check says; empty if it has none.
    pub health: &'static str,
}

/// The newest pod of a resource.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PodView {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The STATUS column of `kubectl get pods`.
    pub status: String,
    /// How many of its containers are ready.
    pub ready_containers: usize,
    /// How many containers it has.
    pub containers: usize,
    /// How often its containers were restarted, together.
    pub restarts: u32,
    /// When the API server created it, to the second.
    pub created: Timestamp,
    /// What its containers say is wrong.
    pub errors: Vec<String>,
    /// What keeps it from being ready, in Kubernetes' words: the reason, and what is said about it.
    pub trouble: Option<String>,
}
