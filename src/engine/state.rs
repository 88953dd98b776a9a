//! The truth about a session: what is defined, what runs, what is pending, what was seen.
//!
//! Plain data with small questions about it. Who changes it: `handle` and the files it names. Log text is not here.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Instant;

use super::config::EngineConfig;
use super::effect::{ClusterWatch, Forward, LogStream, ObjectId, Server, WatchSet};
use super::event::{AppliedObject, ClusterStatus, ForwardId, ForwardPart};
use super::not_yet::Gap;
use super::prune::Pruning;
use super::reason::Reasons;
use super::schedule::Hold;
use super::serve::RowServer;
use super::unclaimed::Unclaimed;
use crate::k8s::Entity;
use crate::model::{
    BuildId, BuiltImage, CiSettings, DeleteId, Ignore, ImageTarget, K8sTarget, LoadId, LocalPath, Manifest,
    ManifestName, ObjectUid, Pod, PodReadiness, SpanId, TargetId, Timestamp, TriggerReason, UpdateSettings,
};
use crate::view::RuntimeStatus;

/// A moment in the order of events: the number of the event that was handled then.
///
/// Changes and builds are ordered by it and not by a clock, so that two of them never fall on the same moment by
/// chance. What a build's own event brought is before the build.
pub(crate) type Seq = u64;

/// All that the engine knows.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) config: EngineConfig,
    /// When the event at hand came.
    pub(crate) now: Instant,
    /// Its number.
    pub(crate) seq: Seq,
    pub(crate) tiltfile: Tiltfile,
    pub(crate) cluster: ClusterStatus,
    /// One per resource.
    pub(crate) rows: BTreeMap<ManifestName, Row>,
    /// Their names in definition order.
    pub(crate) order: Vec<ManifestName>,
    /// Why updates that are due do not start.
    pub(crate) holds: BTreeMap<ManifestName, Hold>,
    /// Images that a deploy target uses directly.
    pub(crate) deployed_images: BTreeSet<TargetId>,
    pub(crate) update_settings: UpdateSettings,
    pub(crate) ci_settings: CiSettings,
    pub(crate) pruning: Pruning,
    /// Updates that have not answered yet, also those of resources that are gone.
    pub(crate) builds: BTreeMap<BuildId, Running>,
    pub(crate) last_build: u64,
    /// Resources whose update a user asked for, the first one first.
    pub(crate) queue: VecDeque<ManifestName>,
    /// Deletions that have not answered yet.
    pub(crate) deletions: BTreeMap<DeleteId, Deletion>,
    pub(crate) last_delete: u64,
    pub(crate) last_serve: u64,
    /// Pods of the watched namespaces, whoever they belong to: most are seen before they are claimed.
    pub(crate) pods: BTreeMap<ObjectUid, SeenPod>,
    /// Which resources deployed an object.
    pub(crate) claims: BTreeMap<ObjectUid, BTreeSet<ManifestName>>,
    /// Resources that claim pods by labels.
    pub(crate) selecting: BTreeSet<ManifestName>,
    pub(crate) streams: Streams,
    pub(crate) events: SeenEvents,
    /// What was said of a resource that this version does not do.
    pub(crate) told: BTreeSet<(ManifestName, Gap)>,
    /// The objects of which it was said that this version does not run them.
    pub(crate) told_objects: BTreeSet<String>,
    /// What was last asked of the edge.
    pub(crate) asked: Asked,
    /// What has to be looked at again before the event at hand is done with.
    pub(crate) dirty: Dirty,
    /// How `ci` ends, and since when that is clear.
    pub(crate) verdict: Option<(super::ExitOutcome, Instant)>,
    /// Whether `Exit` was said. Nothing follows it.
    pub(crate) exited: bool,
}

/// A deletion that has not answered yet.
#[derive(Debug)]
pub(crate) struct Deletion {
    /// Whose it was.
    pub(crate) manifest: ManifestName,
    /// What goes away.
    pub(crate) objects: Vec<ObjectId>,
    /// Whether a command of the user's does it.
    pub(crate) by_command: bool,
}

/// The Tiltfile itself.
#[derive(Debug, Default)]
pub(crate) struct Tiltfile {
    pub(crate) loading: Option<Loading>,
    pub(crate) last_load: u64,
    /// Whether any load has ended.
    pub(crate) loaded: bool,
    /// Why the last one failed.
    pub(crate) error: Option<String>,
    pub(crate) config_files: Vec<LocalPath>,
    pub(crate) watch_ignores: Vec<Ignore>,
    /// Changes that no load has seen.
    pub(crate) pending: BTreeSet<LocalPath>,
    /// Who asked for a load that has not begun.
    pub(crate) triggers: BTreeSet<TriggerReason>,
    pub(crate) args: Vec<String>,
    /// Whether no load has begun with these arguments.
    pub(crate) args_changed: bool,
    /// Whether the next good load says anew which resources run: an earlier one that should have failed.
    pub(crate) sets_enabled: bool,
}

/// A load that has not answered yet.
#[derive(Debug)]
pub(crate) struct Loading {
    pub(crate) load: LoadId,
    /// The changes that led to it.
    pub(crate) files: BTreeSet<LocalPath>,
    /// Whether its result says anew which resources run.
    pub(crate) sets_enabled: bool,
}

/// One resource.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) manifest: Manifest,
    pub(crate) enabled: bool,
    /// Its place in the definition order.
    pub(crate) position: usize,
    pub(crate) targets: BTreeMap<TargetId, TargetState>,
    /// Set when its definition changed and no update has taken that in.
    pub(crate) changed_definition: Option<Seq>,
    /// The files that changed it.
    pub(crate) config_edits: BTreeSet<LocalPath>,
    /// Who asked for an update that has not started. It is in the queue while anybody has.
    pub(crate) triggers: BTreeSet<TriggerReason>,
    pub(crate) building: Option<BuildId>,
    /// Whether an update ever started.
    pub(crate) started_first: bool,
    /// When the first update started.
    pub(crate) started_at: Option<Instant>,
    /// The last two updates, the later one first.
    pub(crate) history: VecDeque<BuildRecord>,
    pub(crate) deployed: Deployed,
    pub(crate) runtime: Runtime,
    /// What serves, for a local resource.
    pub(crate) server: Option<RowServer>,
    /// What is wrong with its port-forwards.
    pub(crate) forward_errors: BTreeMap<(ForwardId, ForwardPart), String>,
    /// The update that is to be tried again.
    pub(crate) retry: Option<super::retry::Retry>,
    /// The resources that define kinds of its objects.
    pub(crate) definers: BTreeSet<ManifestName>,
}

/// What is known of one target of a resource.
#[derive(Debug, Default)]
pub(crate) struct TargetState {
    /// Files that changed and that no update has taken in, with the latest change of each.
    pub(crate) files: BTreeMap<LocalPath, Seq>,
    /// Images below it that another resource has built since.
    pub(crate) dependencies: BTreeMap<TargetId, Seq>,
    /// What was built last, unless it is known to be stale.
    pub(crate) result: Option<BuiltImage>,
}

/// What a resource has in the cluster.
#[derive(Debug, Default)]
pub(crate) struct Deployed {
    /// When a deploy last ended well.
    pub(crate) at: Option<Instant>,
    /// Whether a Job of it was complete then.
    pub(crate) job_complete: bool,
    /// The objects of that deploy: they own the pods.
    pub(crate) objects: Vec<AppliedObject>,
    /// What takes it away again, where a command deployed it or tried to.
    pub(crate) delete_command: Option<DeleteCommand>,
    /// Everything that it may have left there, also by deploys that failed.
    pub(crate) owned: BTreeMap<ObjectId, AppliedObject>,
}

/// How what a resource deployed is doing.
#[derive(Debug)]
pub(crate) struct Runtime {
    /// The pods that belong to it.
    pub(crate) pods: BTreeSet<ObjectUid>,
    /// Completed pods that were deleted since; kept as long as there is no other.
    pub(crate) gone: BTreeMap<ObjectUid, Pod>,
    /// The newest pod that counts.
    pub(crate) newest: Option<ObjectUid>,
    pub(crate) status: RuntimeStatus,
    /// When it was last seen to be well.
    pub(crate) last_ready: Option<Instant>,
    /// When it was first seen to be well.
    pub(crate) first_ready: Option<Instant>,
    /// Why the cluster makes no pods of it, as far as it has said.
    pub(crate) pods_refused: Option<String>,
    /// What was last printed about its newest pod.
    pub(crate) rollout: Option<super::rollout::Printed>,
}

impl Default for Runtime {
    fn default() -> Self {
        Self {
            pods: BTreeSet::new(),
            gone: BTreeMap::new(),
            newest: None,
            status: RuntimeStatus::Pending,
            last_ready: None,
            first_ready: None,
            pods_refused: None,
            rollout: None,
        }
    }
}

/// An update that has not answered yet.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) manifest: ManifestName,
    pub(crate) span: SpanId,
    pub(crate) reason: String,
    pub(crate) started: Instant,
    pub(crate) started_seq: Seq,
    /// The images that it builds, each with whether it pushes it.
    pub(crate) images: BTreeMap<TargetId, bool>,
    pub(crate) deploy: TargetId,
    /// Whether no other update may run beside it.
    pub(crate) runs_alone: bool,
    /// Whether it makes everything anew.
    pub(crate) force: bool,
    /// Whether the definition changed since: what it builds is not what is wanted now.
    pub(crate) outdated: bool,
    /// What takes away what it deploys, if it deploys by a command.
    pub(crate) delete_command: Option<DeleteCommand>,
    /// What the resource had in the cluster, if it is gone from the Tiltfile, or off.
    pub(crate) orphaned: Option<Remains>,
}

/// What a resource that is gone, or off, leaves in the cluster.
#[derive(Debug)]
pub(crate) struct Remains {
    pub(crate) deployed: Deployed,
    /// Why it is deleted, as shown.
    pub(crate) reason: &'static str,
}

/// A command that takes away what another one deployed, and how long that may take.
pub(crate) type DeleteCommand = (crate::model::Command, std::time::Duration);

/// An update that ended.
#[derive(Debug)]
pub(crate) struct BuildRecord {
    pub(crate) span: SpanId,
    pub(crate) reason: String,
    pub(crate) duration: std::time::Duration,
    pub(crate) error: Option<String>,
    pub(crate) explained_by_log: bool,
}

/// A pod, and whose it is.
#[derive(Debug)]
pub(crate) struct SeenPod {
    pub(crate) pod: Pod,
    pub(crate) claimed_by: BTreeSet<ManifestName>,
}

/// The container logs that are read.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    pub(crate) wanted: BTreeMap<StreamKey, Stream>,
    /// Runs whose log was read to its end.
    pub(crate) ended: BTreeSet<StreamKey>,
}

/// One run of one container, for one resource.
pub(crate) type StreamKey = (ManifestName, ObjectUid, String);

/// A container log that is read.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) log: LogStream,
    /// Set when its container is no longer listed: the rest of its log is still read, until then.
    pub(crate) until: Option<Instant>,
}

/// Events of the cluster, as far as they must be remembered.
#[derive(Debug, Default)]
pub(crate) struct SeenEvents {
    /// How often each that was shown had occurred, and when last.
    pub(crate) shown: BTreeMap<ObjectUid, (u32, Timestamp)>,
    /// The same, oldest first.
    pub(crate) by_age: VecDeque<ObjectUid>,
    /// Events of objects that are not known to be ours.
    pub(crate) unclaimed: Unclaimed,
}

/// The long-lived things that were last asked of the edge.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub(crate) files: Option<WatchSet>,
    pub(crate) cluster: ClusterWatch,
    pub(crate) streams: Vec<LogStream>,
    pub(crate) servers: Vec<Server>,
    pub(crate) forwards: Vec<Forward>,
}

/// What has to be looked at again.
#[derive(Debug, Default)]
pub(crate) struct Dirty {
    /// Resources whose pods or objects changed.
    pub(crate) rows: BTreeSet<ManifestName>,
    pub(crate) files: bool,
    pub(crate) cluster: bool,
    pub(crate) streams: bool,
    pub(crate) servers: bool,
    pub(crate) forwards: bool,
}

impl State {
    pub(crate) fn new(config: EngineConfig) -> Self {
        Self {
            now: config.started_at,
            tiltfile: Tiltfile {
                args: config.args.clone(),
                ..Tiltfile::default()
            },
            config,
            seq: 0,
            cluster: ClusterStatus::Connecting,
            rows: BTreeMap::new(),
            order: Vec::new(),
            holds: BTreeMap::new(),
            deployed_images: BTreeSet::new(),
            update_settings: UpdateSettings::default(),
            ci_settings: CiSettings::default(),
            pruning: Pruning::default(),
            builds: BTreeMap::new(),
            last_build: 0,
            queue: VecDeque::new(),
            deletions: BTreeMap::new(),
            last_delete: 0,
            last_serve: 0,
            pods: BTreeMap::new(),
            claims: BTreeMap::new(),
            selecting: BTreeSet::new(),
            streams: Streams::default(),
            events: SeenEvents::default(),
            told: BTreeSet::new(),
            told_objects: BTreeSet::new(),
            asked: Asked::default(),
            dirty: Dirty::default(),
            verdict: None,
            exited: false,
        }
    }

    /// Returns the resources in definition order.
    pub(crate) fn rows_in_order(&self) -> impl Iterator<Item = (&ManifestName, &Row)> {
        self.order.iter().filter_map(|name| self.rows.get_key_value(name))
    }

    /// Returns whether something from that time is from this session. Clusters tell times in whole seconds, so the
    /// second in which the session began counts.
    pub(crate) fn is_from_this_session(&self, time: Timestamp) -> bool {
        time >= self.config.started.floor_to_second()
    }

    /// Returns the newest pod of a resource that counts.
    pub(crate) fn newest_pod<'a>(&'a self, row: &'a Row) -> Option<&'a Pod> {
        let uid = row.runtime.newest.as_ref()?;
        let live = self.pods.get(uid).map(|seen| &seen.pod);
        live.or_else(|| row.runtime.gone.get(uid))
    }

    /// Returns the span of the last load.
    pub(crate) fn tiltfile_span(&self) -> SpanId {
        SpanId::new(format!("tiltfile:(Tiltfile):{}", self.tiltfile.last_load))
    }
}

impl Row {
    pub(crate) fn new(manifest: Manifest, enabled: bool, position: usize) -> Self {
        Self {
            targets: manifest
                .target_ids()
                .map(|id| (id.clone(), TargetState::default()))
                .collect(),
            manifest,
            enabled,
            position,
            changed_definition: None,
            config_edits: BTreeSet::new(),
            triggers: BTreeSet::new(),
            building: None,
            started_first: false,
            started_at: None,
            history: VecDeque::new(),
            deployed: Deployed::default(),
            runtime: Runtime::default(),
            server: None,
            forward_errors: BTreeMap::new(),
            retry: None,
            definers: BTreeSet::new(),
        }
    }

    /// Returns what it deploys to Kubernetes, if anything.
    pub(crate) fn k8s(&self) -> Option<&K8sTarget> {
        self.manifest.deploy.k8s()
    }

    /// Returns the objects that it deploys.
    pub(crate) fn entities(&self) -> &[Entity] {
        self.k8s().map_or(&[], |k8s| &k8s.entities)
    }

    /// Returns what takes it away, if a command deploys it.
    pub(crate) fn delete_command(&self) -> Option<DeleteCommand> {
        let k8s = self.k8s()?;
        let custom = k8s.options.custom_deploy.as_ref()?;
        Some((custom.delete.clone(), k8s.upsert_timeout))
    }

    /// Returns when it counts as ready.
    pub(crate) fn readiness(&self) -> PodReadiness {
        self.k8s().map_or(PodReadiness::Ignore, |k8s| k8s.readiness)
    }

    pub(crate) fn images(&self) -> &[ImageTarget] {
        &self.manifest.images
    }

    pub(crate) fn target(&self, id: &TargetId) -> Option<&TargetState> {
        self.targets.get(id)
    }

    /// Returns whether it has changes that no update has taken in.
    pub(crate) fn has_changes(&self) -> bool {
        self.changed_definition.is_some() || self.targets.values().any(TargetState::is_dirty)
    }

    /// Returns whether its first update is still to come and starts by itself.
    pub(crate) fn awaits_first(&self) -> bool {
        !self.started_first && self.manifest.trigger_mode.auto_init()
    }

    /// Returns whether an update is due: it may run once nothing holds it.
    ///
    /// Rule: `reference/engine.md` 1.2.
    pub(crate) fn is_due(&self) -> bool {
        self.enabled
            && (self.awaits_first()
                || self.retry.is_some()
                || !self.triggers.is_empty()
                || self.starts_on_change())
    }

    /// Returns whether it has changes that start an update by themselves.
    pub(crate) fn starts_on_change(&self) -> bool {
        self.manifest.trigger_mode.auto_on_change() && self.has_changes()
    }

    /// Returns whether its next update makes everything anew, because a user asked for it.
    pub(crate) fn awaits_full_rebuild(&self) -> bool {
        self.retry.as_ref().is_some_and(|retry| retry.force)
            || Reasons::of(self).is_full_rebuild(self.manifest.trigger_mode.auto_on_change())
    }

    /// Returns whether its next update would use what was built before of a target.
    pub(crate) fn reuses(&self, id: &TargetId) -> bool {
        self.target(id).is_some_and(TargetState::is_reusable) && !self.awaits_full_rebuild()
    }
}

impl Dirty {
    /// Notes that all that is asked of the edge has to be looked at again.
    pub(crate) fn everything_asked(&mut self) {
        (self.files, self.cluster, self.streams) = (true, true, true);
        (self.servers, self.forwards) = (true, true);
    }
}

impl Deployed {
    /// Returns every object that it may have in the cluster.
    pub(crate) fn all(&self) -> impl Iterator<Item = &AppliedObject> {
        self.owned.values().chain(&self.objects)
    }
}

impl Runtime {
    /// Notes that it is well.
    pub(crate) fn note_ready(&mut self, now: Instant) {
        self.last_ready = Some(now);
        self.first_ready.get_or_insert(now);
    }
}

impl TargetState {
    /// Returns whether something changed that no update has taken in.
    pub(crate) fn is_dirty(&self) -> bool {
        !self.files.is_empty() || !self.dependencies.is_empty()
    }

    /// Returns whether an update would use what was built before.
    pub(crate) fn is_reusable(&self) -> bool {
        self.result.is_some() && !self.is_dirty()
    }

    /// Forgets changes up to the start of an update that took them in.
    pub(crate) fn consume_until(&mut self, seq: Seq) {
        self.files.retain(|_, changed| *changed > seq);
        self.dependencies.retain(|_, changed| *changed > seq);
    }
}
