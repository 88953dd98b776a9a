//! One resource of a session: what is defined, what was built and deployed of it, and what is still to come.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use super::cycle::Cycle;
use super::deployed::{DeleteCommand, Deployed};
use super::live::Live;
use super::reasons::Reasons;
use super::retry::Retry;
use super::runtime::Runtime;
use super::server::RowServer;
use super::services::RowService;
use super::target::TargetState;
use crate::engine::effect::ForwardId;
use crate::engine::event::{ForwardPart, ServerEnd};
use crate::engine::moment::Seq;
use crate::history::DefinitionChange;
use crate::k8s::Entity;
use crate::model::{
    BuildId, ComposeTarget, DeployTarget, ImageTarget, K8sTarget, LocalPath, LocalTarget, Manifest,
    ManifestName, PodReadiness, SpanId, TargetId, TriggerReason,
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
    pub(crate) retry: Option<Retry>,
    /// What is known of its containers that are changed in place.
    pub(crate) live: Live,
    /// The resources that define kinds of its objects.
    pub(crate) definers: BTreeSet<ManifestName>,
    /// What is known of it as a Compose service.
    pub(crate) service: RowService,
}

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

    /// Returns why an update of it is due.
    pub(crate) fn reasons(&self) -> Reasons {
        let any = |test: fn(&TargetState) -> bool| self.targets.values().any(test);
        Reasons {
            files: any(|target| !target.files.is_empty()),
            config: self.changed_definition.is_some(),
            init: self.awaits_first(),
            triggers: self.triggers.clone(),
            args: false,
            dependencies: any(|target| !target.dependencies.is_empty()),
        }
    }

    /// Returns whether its next update makes everything anew, because a user asked for it.
    pub(crate) fn awaits_full_rebuild(&self) -> bool {
        self.retry.as_ref().is_some_and(|retry| retry.force)
            || self
                .reasons()
                .is_full_rebuild(self.manifest.trigger_mode.auto_on_change())
    }

    /// Returns whether its next update would use what was built before of a target.
    pub(crate) fn reuses(&self, id: &TargetId) -> bool {
        self.target(id).is_some_and(TargetState::is_reusable) && !self.awaits_full_rebuild()
    }

    /// Returns the commands of a local resource.
    pub(crate) fn local(&self) -> Option<&LocalTarget> {
        match &self.manifest.deploy {
            DeployTarget::Local(local) => Some(local),
            DeployTarget::K8s(_) | DeployTarget::Compose(_) => None,
        }
    }

    /// Returns whether it is a local resource that has nothing to do but serve.
    pub(crate) fn only_serves(&self) -> bool {
        self.local().is_some_and(|local| local.update_cmd.is_none())
    }

    /// Returns whether no other update may run beside one of this resource.
    pub(crate) fn runs_alone(&self) -> bool {
        self.local().is_some_and(|local| !local.allow_parallel)
    }

    /// Returns the service that it stands for, if it does.
    pub(crate) fn compose(&self) -> Option<&ComposeTarget> {
        self.manifest.deploy.compose()
    }

    /// Returns whether its service is just being changed, so that what its containers do says nothing.
    pub(crate) fn changes_service(&self) -> bool {
        self.building.is_some() || !self.live.rounds.is_empty() || self.service.restarts > 0
    }

    /// Returns until when its update that is to be tried again waits.
    pub(crate) fn waits_until(&self, now: Instant) -> Option<Instant> {
        if self.starts_on_change() || !self.triggers.is_empty() {
            return None;
        }
        let retry = self.retry.as_ref()?;
        (retry.at > now).then_some(retry.at)
    }

    /// Returns whether it is deployed to the cluster, or about to be.
    pub(crate) fn needs_cluster(&self) -> bool {
        self.enabled && self.k8s().is_some() && (self.is_due() || self.started_first)
    }
}
