//! What keeps a pod from being ready, in Kubernetes' words.

use std::fmt;

use super::{Container, ContainerState, Pod, PodPhase};

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
    /// Returns what keeps a pod from being ready: that it cannot be scheduled, or what its first faulty container says.
    pub fn of(pod: &Pod) -> Option<Self> {
        let unscheduled = pod
            .conditions
            .iter()
            .find(|condition| condition.kind == "PodScheduled" && condition.status == "False");
        if let Some(condition) = unscheduled {
            return Some(Self::new(&condition.reason, condition.message.clone()));
        }
        let mut containers = pod.all_containers().map(|(_, container)| container);
        if let Some(trouble) = containers.find_map(of_container) {
            return Some(trouble);
        }
        match pod.phase {
            PodPhase::Failed => Some(Self::new(&pod.status, String::new())),
            PodPhase::Running => {
                let unready = pod.containers.iter().find(|container| !container.ready)?;
                let message = format!("container {} is not ready", unready.name);
                let parts: Vec<String> = [message].into_iter().chain(last_exit(unready)).collect();
                Some(Self::new("NotReady", parts.join("; ")))
            }
            _ => None,
        }
    }

    fn new(reason: &str, message: String) -> Self {
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

fn of_container(container: &Container) -> Option<PodTrouble> {
    match &container.state {
        ContainerState::Waiting { reason, .. }
            if matches!(&**reason, "" | "ContainerCreating" | "PodInitializing") =>
        {
            None
        }
        ContainerState::Waiting { reason, message } => {
            let said = Some(message.clone()).filter(|message| !message.is_empty());
            let parts: Vec<String> = said.into_iter().chain(last_exit(container)).collect();
            Some(PodTrouble::new(reason, parts.join("; ")))
        }
        ContainerState::Terminated { exit_code: 0, .. } => None,
        ContainerState::Terminated { reason, exit_code } => {
            let message = format!("container {} exited with {exit_code}", container.name);
            Some(PodTrouble::new(reason, message))
        }
        ContainerState::Running | ContainerState::Unknown => None,
    }
}

/// Returns how the run of a container before this one ended: `it exited with 137 (OOMKilled)`.
fn last_exit(container: &Container) -> Option<String> {
    let exit = container.last_exit.as_ref()?;
    Some(match exit.reason.as_str() {
        "" => format!("it exited with {}", exit.exit_code),
        reason => format!("it exited with {} ({reason})", exit.exit_code),
    })
}
