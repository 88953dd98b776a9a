//! One resource of a session: what is defined, what was built and deployed of it, and what is still to come.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use super::cycles::Cycle;
use super::effect::{Forward, ForwardId};
use super::event::{AppliedObject, ForwardPart, ServerEnd};
use super::live_update::state::Live;
use super::moment::Moment;
use super::object_id::ObjectId;
use super::reason::Reasons;
use super::serve::RowServer;
use super::services::RowService;
use super::state::Seq;
use crate::history::DefinitionChange;
use crate::k8s::Entity;
use crate::model::RuntimeStatus;
use crate::model::{
    BuildId, BuiltImage, ClusterEvent, ImageTarget, K8sTarget, LocalPath, Manifest, ManifestName, ObjectUid,
    Pod, PodReadiness, PodTrouble, ServiceId, SpanId, TargetId, TriggerReason,
};

/// How many ended updates are remembered.
const HISTORY: usize = 2;

/// One resource.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) enabled: bool,
    /// Since when it is switched on, or off.
    pub(crate) switched: Instant,
    /// Its place in the definition order.
    pub(crate) position: usize,
    pub(crate) targets: BTreeMap<TargetId, TargetState>,
    /// Set when its definition changed and no update has taken that in.
    pub(crate) changed_definition: Option<Seq>,
    /// The files that changed it.
    pub(crate) config_edits: BTreeSet<LocalPath>,
    /// What they changed of it.
    pub(crate) definition_changes: Vec<DefinitionChange>,
    /// Who asked for an update that has not started.
    pub(crate) triggers: BTreeSet<TriggerReason>,
    /// Its place among those that users asked for, while anybody has.
    pub(crate) asked: Option<u64>,
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
    /// Whether it writes what it reads.
    pub(crate) cycle: Cycle,
    /// The update that is to be tried again.
    pub(crate) retry: Option<super::retry::Retry>,
    /// What is known of its containers that are changed in place.
    pub(crate) live: Live,
    /// The resources that define kinds of its objects.
    pub(crate) definers: BTreeSet<ManifestName>,
    /// What is known of it as a Compose service.
    pub(crate) service: RowService,
}

/// What is known of one target of a resource.
#[derive(Debug, Default)]
pub(crate) struct TargetState {
    /// Files that changed and that no update has taken in, with the latest change of each.
    pub(crate) files: BTreeMap<LocalPath, Edit>,
    /// When the last update began that read its files: it has taken in what changed before.
    pub(crate) read_at: Seq,
    /// Images below it that another resource has built since.
    pub(crate) dependencies: BTreeMap<TargetId, Seq>,
    /// What was built last, unless it is known to be stale.
    pub(crate) result: Option<BuiltImage>,
    /// When the build began that gave it. Of an image that is never built: when the resource was last deployed.
    pub(crate) built_from: Seq,
    /// Files that changed since the image that is deployed was begun to be built, with the latest change of each. Only
    /// where containers are changed in place.
    pub(crate) since_build: BTreeMap<LocalPath, Seq>,
    /// Those of them that were reported only after a build had begun that has read them.
    pub(crate) read_late: BTreeMap<LocalPath, Seq>,
}

/// The latest change of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Edit {
    /// When it was heard of.
    pub(crate) heard: Seq,
    /// The latest moment before it: what began later has read it.
    pub(crate) after: Moment,
    /// When the first change of it was noticed that no update has taken in, if that is known.
    pub(crate) seen: Option<Instant>,
}

/// What a resource has in the cluster.
#[derive(Debug, Default)]
pub(crate) struct Deployed {
    /// When a deploy last ended well.
    pub(crate) at: Option<Instant>,
    /// The objects of that deploy: they own the pods.
    pub(crate) objects: Vec<AppliedObject>,
    /// Those of them that somebody else has deleted since.
    pub(crate) gone: BTreeSet<ObjectUid>,
    /// Those of `gone` that were told.
    pub(crate) told_gone: BTreeSet<ObjectUid>,
    /// What takes it away again, where a command deployed it or tried to.
    pub(crate) delete_command: Option<DeleteCommand>,
    /// Everything that it may have left there, also by deploys that failed.
    pub(crate) owned: BTreeMap<ObjectId, AppliedObject>,
    /// The service of which it may have containers.
    pub(crate) service: Option<ServiceId>,
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
    /// The pod that somebody else's deploy has put in the place of those of the last deploy.
    pub(crate) replaced_by: Option<ObjectUid>,
    /// Where its ports led when its pods were last looked at.
    pub(crate) forwards: Vec<Forward>,
    pub(crate) status: RuntimeStatus,
    /// How it comes to that status.
    pub(crate) health: super::health::Health,
    /// The kinds of workloads that make pods for what it deployed, and where.
    pub(crate) borrowed_kinds: BTreeSet<(crate::model::WorkloadKind, String)>,
    /// What keeps its pods from being ready, if that is grave.
    pub(crate) grave: Option<super::stuck::GraveTrouble>,
    /// When it was last seen to be well.
    pub(crate) last_ready: Option<Instant>,
    /// When it was first seen to be well.
    pub(crate) first_ready: Option<Instant>,
    /// Why the cluster makes no pods of it, as far as it has said.
    pub(crate) pods_refused: Option<String>,
    /// What the cluster last warned of about a pod of it.
    pub(crate) pod_warnings: BTreeMap<ObjectUid, PodTrouble>,
    /// What was last printed about its newest pod.
    pub(crate) rollout: Option<super::rollout::Printed>,
}

impl Default for Runtime {
    fn default() -> Self {
        Self {
            pods: BTreeSet::new(),
            gone: BTreeMap::new(),
            newest: None,
            replaced_by: None,
            forwards: Vec::new(),
            status: RuntimeStatus::Pending,
            health: super::health::Health::default(),
            borrowed_kinds: BTreeSet::new(),
            grave: None,
            last_ready: None,
            first_ready: None,
            pods_refused: None,
            pod_warnings: BTreeMap::new(),
            rollout: None,
        }
    }
}

impl Runtime {
    /// Returns what keeps a pod of the resource from being ready, as far as it or the cluster says.
    pub(crate) fn trouble_of(&self, pod: &Pod) -> Option<PodTrouble> {
        PodTrouble::of_warned(pod, self.pod_warnings.get(&pod.uid))
    }

    /// Notes what the cluster reports about a pod: a warning, or that it has come further since.
    pub(super) fn note_of_pod(&mut self, pod: &ObjectUid, event: &ClusterEvent) {
        if event.kind == "Normal" {
            self.pod_warnings.remove(pod);
        } else {
            self.pod_warnings.retain(|known, _| self.pods.contains(known));
            let trouble = PodTrouble::new(&event.reason, event.message.trim().to_owned());
            self.pod_warnings.insert(pod.clone(), trouble);
        }
    }
}

/// A command that takes away what another one deployed, and how long that may take.
pub(crate) type DeleteCommand = (crate::model::Command, std::time::Duration);

/// An update that ended.
#[derive(Debug)]
pub(crate) struct BuildRecord {
    pub(crate) span: SpanId,
    pub(crate) reason: String,
    pub(crate) started: Instant,
    pub(crate) finished: Instant,
    pub(crate) error: Option<String>,
    pub(crate) explained_by_log: bool,
    /// The process of its command.
    pub(crate) pid: Option<u32>,
    /// How that ended, if not well.
    pub(crate) exit: Option<ServerEnd>,
}

impl Row {
    pub(crate) fn new(manifest: Manifest, enabled: bool, position: usize, now: Instant) -> Self {
        Self {
            targets: manifest
                .target_ids()
                .map(|id| (id.clone(), TargetState::default()))
                .collect(),
            manifest: Arc::new(manifest),
            enabled,
            switched: now,
            position,
            changed_definition: None,
            config_edits: BTreeSet::new(),
            definition_changes: Vec::new(),
            triggers: BTreeSet::new(),
            asked: None,
            building: None,
            started_first: false,
            started_at: None,
            history: VecDeque::new(),
            deployed: Deployed::default(),
            runtime: Runtime::default(),
            server: None,
            forward_errors: BTreeMap::new(),
            cycle: Cycle::default(),
            retry: None,
            live: Live::default(),
            definers: BTreeSet::new(),
            service: RowService::default(),
        }
    }

    /// Returns whether an update of it counts among those of which only so many run at a time. One that has nothing to build
    /// and only starts containers costs little.
    pub(crate) fn takes_slot(&self) -> bool {
        self.compose().is_none() || !self.images().is_empty()
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

    /// Writes down an update that ended.
    pub(crate) fn remember(&mut self, record: BuildRecord) {
        self.history.push_front(record);
        self.history.truncate(HISTORY);
    }

    pub(crate) fn target(&self, id: &TargetId) -> Option<&TargetState> {
        self.targets.get(id)
    }

    /// Returns whether it has changes that no update has taken in.
    pub(crate) fn has_changes(&self) -> bool {
        self.changed_definition.is_some() || self.targets.values().any(TargetState::is_dirty)
    }

    /// Notes that users asked for an update. One that waits already keeps its place.
    pub(crate) fn ask(&mut self, by: impl IntoIterator<Item = TriggerReason>, place: u64) {
        self.triggers.extend(by);
        if !self.triggers.is_empty() {
            self.asked.get_or_insert(place);
        }
    }

    /// Takes who asked for an update, which starts now.
    pub(crate) fn take_asked(&mut self) -> BTreeSet<TriggerReason> {
        self.asked = None;
        std::mem::take(&mut self.triggers)
    }

    /// Returns whether its first update is still to come and starts by itself.
    pub(crate) fn awaits_first(&self) -> bool {
        !self.started_first && self.manifest.trigger_mode.auto_init()
    }

    /// Returns whether an update is due: it may run once nothing holds it.
    ///
    /// Rule: `docs/rules/updates.md`, "Candidates".
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

    /// Forgets what an update took in that began then.
    pub(crate) fn consume_until(&mut self, began: Seq) {
        self.read_at = began.max(self.read_at);
        self.files.retain(|_, edit| edit.after >= began);
        self.dependencies.retain(|_, changed| *changed > began);
    }

    /// Forgets what was heard of before an update began that had to do with it but did not read it.
    pub(crate) fn settle_until(&mut self, began: Seq) {
        self.files.retain(|_, edit| edit.heard > began);
        self.dependencies.retain(|_, changed| *changed > began);
    }
}
