//! What keeps a pod from being ready, found in what is known of it.

use super::{Container, ContainerState, Pod, PodPhase, PodTrouble};

/// Why a pod whose containers run is not ready.
const NOT_READY: &str = "NotReady";
/// Why a run of a container ended that never began: what ended it says more than its exit code.
const NEVER_BEGAN: [&str; 2] = ["ContainerCannotRun", "StartError"];

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
        // Its containers only tell how they were ended then.
        if let Some(why) = &pod.given_up {
            return Some(why.clone());
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
                Some(Self::new(NOT_READY, parts.join("; ")))
            }
            _ => None,
        }
    }

    /// Returns what keeps a pod from being ready, where the cluster last warned of `warned`: of a pod that says nothing
    /// itself that is the reason, and a probe says more than that a container is not ready.
    pub fn of_warned(pod: &Pod, warned: Option<&Self>) -> Option<Self> {
        match (Self::of(pod), warned) {
            (None, Some(warned)) if pod.phase == PodPhase::Pending => Some(warned.clone()),
            (Some(own), Some(warned)) if own.reason == NOT_READY && warned.reason == "Unhealthy" => Some(
                Self::new(&own.reason, format!("{}; {}", own.message, warned.message)),
            ),
            (own, _) => own,
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
        reason if NEVER_BEGAN.contains(&reason) && !exit.message.is_empty() => {
            format!("it could not be started: {}", exit.message.trim())
        }
        reason => format!("it exited with {} ({reason})", exit.exit_code),
    })
}
