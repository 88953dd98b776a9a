//! What the engine knows of a pod.

use super::{ObjectUid, PodTrouble, Timestamp};

/// A pod as last seen, with the owners that were found for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// Its UID.
    pub uid: ObjectUid,
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The node that it runs on; empty before it is scheduled.
    pub node: String,
    /// When the API server created it, to the second.
    pub created: Timestamp,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// Its phase.
    pub phase: PodPhase,
    /// Which of its containers run again once they have ended.
    pub restarts: RestartPolicy,
    /// The STATUS column of `kubectl get pods`, such as `Running` or `CrashLoopBackOff`.
    pub status: String,
    /// Why it was given up as a whole, where that is said of a failed one, such as `Evicted`.
    pub given_up: Option<PodTrouble>,
    /// What its containers say is wrong, one message each.
    pub errors: Vec<String>,
    /// Conditions, as the API server lists them.
    pub conditions: Vec<PodCondition>,
    /// Init containers, in order.
    pub init_containers: Vec<Container>,
    /// Containers, in order.
    pub containers: Vec<Container>,
    /// Labels, sorted by key.
    pub labels: Vec<(String, String)>,
    /// Its owners from the nearest to the farthest, as far as they could be read.
    pub owners: Vec<Owner>,
}

impl Pod {
    /// Returns the value of a label.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels
            .iter()
            .find(|(k, _)| k == key)
            .map(|(_, v)| v.as_str())
    }

    /// Returns the ports that its containers document.
    pub fn documented_ports(&self) -> Vec<u16> {
        let containers = self.containers.iter();
        containers
            .flat_map(|container| container.ports.iter().copied())
            .collect()
    }

    /// Returns the one of these that ports of this machine lead to: it runs, is rather not being deleted, and is the newest.
    ///
    /// Rule: `docs/rules/runtime.md`, "Port-forwards".
    pub fn to_forward_to<'a>(pods: impl Iterator<Item = &'a Self>) -> Option<&'a Self> {
        pods.filter(|pod| pod.phase == PodPhase::Running || pod.deleting)
            .max_by_key(|pod| (!pod.deleting, pod.created, &pod.name))
    }

    /// Returns whether it takes requests.
    pub fn is_ready(&self) -> bool {
        let is_ready = |condition: &PodCondition| condition.kind == "Ready" && condition.status == "True";
        !self.deleting && self.conditions.iter().any(is_ready)
    }

    /// Returns whether all its containers are ready, and nothing else keeps it from taking requests.
    pub fn serves(&self) -> bool {
        let is_kept = |condition: &PodCondition| condition.kind == "Ready" && condition.status != "True";
        self.phase == PodPhase::Running
            && !self.containers.is_empty()
            && self.containers.iter().all(|container| container.ready)
            && !self.conditions.iter().any(is_kept)
    }

    /// Returns all containers, init containers first, each with whether it is one.
    pub fn all_containers(&self) -> impl Iterator<Item = (bool, &Container)> {
        self.init_containers
            .iter()
            .map(|c| (true, c))
            .chain(self.containers.iter().map(|c| (false, c)))
    }
}

/// An object that owns a pod, directly or through others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Its UID.
    pub uid: ObjectUid,
    /// Its apiVersion, such as `apps/v1`.
    pub api_version: String,
    /// Its kind, such as `ReplicaSet`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// When it was created; `None` if it could not be read.
    pub created: Option<Timestamp>,
}

/// Where a pod is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodPhase {
    /// Not yet running.
    Pending,
    /// At least one container runs or restarts.
    Running,
    /// All containers ended well.
    Succeeded,
    /// All containers ended, one of them badly.
    Failed,
    /// The node does not answer.
    Unknown,
}

/// Which containers of a pod run again once they have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum RestartPolicy {
    /// All.
    #[default]
    Always,
    /// Those that ended badly.
    OnFailure,
    /// None.
    Never,
}

/// A condition of a pod, such as `Ready`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodCondition {
    /// Its type: `PodScheduled`, `Initialized`, `Ready`, ...
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// Why, in a word.
    pub reason: String,
    /// Why, in a sentence.
    pub message: String,
    /// When it last changed.
    pub last_transition: Option<Timestamp>,
}

/// Containers whose logs are not read, by name: the side-cars of service meshes.
pub const IGNORED_CONTAINERS: [&str; 4] = ["istio-init", "istio-proxy", "linkerd-proxy", "linkerd-init"];

/// A container of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Its name in the pod.
    pub name: String,
    /// The runtime's id without its scheme; empty until it was created. A restart gives a new one.
    pub id: String,
    /// The image that it was to be made from, as the pod's specification writes it.
    pub image: String,
    /// Whether it passed its readiness probe.
    pub ready: bool,
    /// Whether it has a readiness probe; without one it is ready as soon as it runs.
    pub has_probe: bool,
    /// How often it was restarted.
    pub restarts: u32,
    /// What it is doing.
    pub state: ContainerState,
    /// When its present run began, to the second; `None` while it does not run.
    pub started: Option<Timestamp>,
    /// How the run before this one ended, if there was one.
    pub last_exit: Option<ContainerExit>,
    /// The ports that the pod's specification documents for it.
    pub ports: Vec<u16>,
}

/// How a run of a container ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerExit {
    /// The runtime's id of that run, without its scheme.
    pub id: String,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Why, in a word, such as `OOMKilled`.
    pub reason: String,
    /// Why, in a sentence; mostly empty.
    pub message: String,
    /// Its exit code.
    pub exit_code: i32,
}

/// What a container is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContainerState {
    /// Nothing is known yet.
    Unknown,
    /// Not started, for a reason such as `ImagePullBackOff`.
    Waiting {
        /// Why, in a word.
        reason: String,
        /// Why, in a sentence.
        message: String,
    },
    /// Running.
    Running,
    /// Ended.
    Terminated {
        /// Why, in a word.
        reason: String,
        /// Its exit code.
        exit_code: i32,
    },
}

impl ContainerState {
    /// Returns whether it is an error: a bad exit, or waiting for one of the reasons that Tilt counts as errors.
    pub fn is_error(&self) -> bool {
        const ERRORS: [&str; 6] = [
            "CrashLoopBackOff",
            "ErrImagePull",
            "ImagePullBackOff",
            "RunContainerError",
            "StartError",
            "Error",
        ];
        match self {
            Self::Waiting { reason, .. } => ERRORS.contains(&reason.as_str()),
            Self::Terminated { exit_code, .. } => *exit_code != 0,
            Self::Running | Self::Unknown => false,
        }
    }
}
