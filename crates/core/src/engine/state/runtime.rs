//! How what a resource deployed is doing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use crate::engine::effect::Forward;
use crate::model::{ClusterEvent, ObjectUid, Pod, PodTrouble, RuntimeStatus, WorkloadKind};

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
    pub(crate) health: Health,
    /// The kinds of workloads that make pods for what it deployed, and where.
    pub(crate) borrowed_kinds: BTreeSet<(WorkloadKind, String)>,
    /// What keeps its pods from being ready, if that is grave.
    pub(crate) grave: Option<GraveTrouble>,
    /// When it was last seen to be well.
    pub(crate) last_ready: Option<Instant>,
    /// When it was first seen to be well.
    pub(crate) first_ready: Option<Instant>,
    /// Why the cluster makes no pods of it, as far as it has said.
    pub(crate) pods_refused: Option<String>,
    /// What the cluster last warned of about a pod of it.
    pub(crate) pod_warnings: BTreeMap<ObjectUid, PodTrouble>,
    /// What was last printed about its newest pod.
    pub(crate) rollout: Option<Printed>,
}

/// How a resource comes to its status.
#[derive(Clone, Debug, Default)]
pub(crate) struct Health {
    /// Whether all of it has ended well, so that nothing more is to come.
    pub(crate) is_done: bool,
    /// Whether what is wrong stays wrong, however long one waits.
    pub(crate) is_final: bool,
    /// The pod that shows what is wrong.
    pub(crate) culprit: Option<ObjectUid>,
    /// What is wrong, in a line, where a workload tells more than its pods.
    pub(crate) why: Option<String>,
    /// Until when it may still become well though it fails again and again.
    pub(crate) tolerated_until: Option<Instant>,
    /// When it has to be looked at again though nothing happens.
    pub(crate) look_again: Option<Instant>,
    /// From when on its health is proven: its containers have run for long enough.
    pub(crate) proven_at: Option<Instant>,
}

/// A grave reason why a pod is not ready, and since when it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GraveTrouble {
    pub(crate) reason: String,
    pub(crate) since: Instant,
}

/// What was last printed about a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Printed {
    pub(crate) pod: ObjectUid,
    pub(crate) lines: Vec<RolloutLine>,
}

/// One condition as shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RolloutLine {
    pub(crate) id: &'static str,
    pub(crate) text: String,
    /// Whether the pod has come this far.
    pub(crate) reached: bool,
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
            health: Health::default(),
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
    pub(crate) fn note_of_pod(&mut self, pod: &ObjectUid, event: &ClusterEvent) {
        if event.kind == "Normal" {
            self.pod_warnings.remove(pod);
        } else {
            self.pod_warnings.retain(|known, _| self.pods.contains(known));
            let trouble = PodTrouble::new(&event.reason, event.message.trim().to_owned());
            self.pod_warnings.insert(pod.clone(), trouble);
        }
    }

    /// Notes that it is well.
    pub(crate) fn note_ready(&mut self, now: Instant) {
        self.last_ready = Some(now);
        self.first_ready.get_or_insert(now);
    }
}
