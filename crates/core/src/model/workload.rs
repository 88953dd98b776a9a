//! What the engine knows of a workload: an object whose controller makes pods.

use std::fmt;
use std::time::Duration;

use super::{ObjectUid, Timestamp};

/// A kind of Kubernetes' own whose objects make pods, and say how they are doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WorkloadKind {
    /// `apps/v1` Deployment.
    Deployment,
    /// `apps/v1` StatefulSet.
    StatefulSet,
    /// `apps/v1` DaemonSet.
    DaemonSet,
    /// `apps/v1` ReplicaSet.
    ReplicaSet,
    /// `v1` ReplicationController.
    ReplicationController,
    /// `batch/v1` Job.
    Job,
}

/// A workload as last seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Its UID.
    pub uid: ObjectUid,
    /// Its kind.
    pub kind: WorkloadKind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// When the API server created it, to the second.
    pub created: Timestamp,
    /// The number of what it wants now: grows with each change of its `spec`.
    pub generation: i64,
    /// What owns it.
    pub owners: Vec<ObjectUid>,
    /// How long a pod of it must have been ready before it counts.
    pub min_ready: Duration,
    /// How far it has come.
    pub state: WorkloadState,
    /// What its controller says keeps it from having its pods, such as `FailedCreate: exceeded quota`.
    pub trouble: Option<String>,
}

/// How far a workload has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkloadState {
    /// It keeps pods running.
    Pods(PodCounts),
    /// It runs pods to their end.
    Job(JobState),
}

/// How many pods a workload wants, and has.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct PodCounts {
    /// How many of what it wants now it wants to be ready; `None` while its controller has not said.
    pub wanted: Option<u32>,
    /// Whether its controller says that all that are wanted are there and ready, and none of what was wanted before.
    pub is_rolled_out: bool,
}

/// What has become of a Job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobState {
    /// It goes on; so many pods of it should run now.
    Running {
        /// How many.
        wanted: u32,
    },
    /// It is not to run now.
    Suspended,
    /// It has the condition `Complete`.
    Complete,
    /// It has the condition `Failed`.
    Failed {
        /// Why, in a word, such as `BackoffLimitExceeded`.
        reason: String,
        /// Why, in a sentence.
        message: String,
    },
}

impl WorkloadKind {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Deployment,
        Self::StatefulSet,
        Self::DaemonSet,
        Self::ReplicaSet,
        Self::ReplicationController,
        Self::Job,
    ];

    /// Returns the kind that an object has, if it is one of these; whatever the version of its API.
    pub fn of(api_version: &str, kind: &str) -> Option<Self> {
        let group = |version: &str| version.split_once('/').map_or("", |(group, _)| group).to_owned();
        Self::ALL
            .into_iter()
            .find(|known| known.as_str() == kind && group(known.api_version()) == group(api_version))
    }

    /// Returns the apiVersion that it is watched in.
    pub fn api_version(self) -> &'static str {
        match self {
            Self::Deployment | Self::StatefulSet | Self::DaemonSet | Self::ReplicaSet => "apps/v1",
            Self::ReplicationController => "v1",
            Self::Job => "batch/v1",
        }
    }

    /// Returns its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
            Self::ReplicaSet => "ReplicaSet",
            Self::ReplicationController => "ReplicationController",
            Self::Job => "Job",
        }
    }
}

impl Workload {
    /// Returns whether it is a Job that is over, well or badly.
    pub fn is_over(&self) -> bool {
        matches!(
            self.state,
            WorkloadState::Job(JobState::Complete | JobState::Failed { .. })
        )
    }
}

impl fmt::Display for Workload {
    /// As in `Deployment/web`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.as_str(), self.name)
    }
}
