//! Why a pod is not ready, in Kubernetes' words.

use std::fmt;

/// What keeps a pod from being ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodTrouble {
    /// Why, in a word of Kubernetes', such as `Unschedulable` or `CrashLoopBackOff`.
    pub reason: String,
    /// Why, in a sentence; may be empty.
    pub message: String,
}

/// Reasons that seldom go away by themselves.
const GRAVE: [&str; 15] = [
    "ContainerCannotRun",
    "CrashLoopBackOff",
    "CreateContainerConfigError",
    "CreateContainerError",
    "DeadlineExceeded",
    "ErrImageNeverPull",
    "ErrImagePull",
    "Evicted",
    "ImageInspectError",
    "ImagePullBackOff",
    "InvalidImageName",
    "OOMKilled",
    "RunContainerError",
    "StartError",
    "Unschedulable",
];

impl PodTrouble {
    /// Returns trouble with a reason and a message.
    pub fn new(reason: &str, message: String) -> Self {
        Self {
            reason: reason.to_owned(),
            message,
        }
    }

    /// Returns whether it seldom goes away by itself.
    pub fn is_grave(&self) -> bool {
        GRAVE.contains(&self.reason.as_str())
    }
}

impl fmt::Display for PodTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.reason.as_str(), self.message.as_str()) {
            (reason, "") => f.write_str(reason),
            (reason, message) => write!(f, "{reason}: {message}"),
        }
    }
}
