//! When `ci` is content with what a resource deployed to a cluster, and what it says where it is not.
//!
//! Rule: `docs/rules/sessions.md`, "ci".

use crate::engine::config::Mode;
use crate::engine::deploy::{Grace, TargetState};
use crate::engine::state::{Health, Row, State};
use crate::model::{Pod, PodPhase, PodReadiness, PodTrouble, RuntimeStatus};

/// Returns the state of what a resource deployed; `None` if there is nothing to look at.
pub(super) fn runtime_state<'a>(state: &'a State, row: &'a Row) -> Option<TargetState<'a>> {
    if !row.started_first && !row.manifest.trigger_mode.auto_init() {
        return Some(TargetState::Idle);
    }
    let (pod, health) = (state.telling_pod(row), &row.runtime.health);
    let since = row.runtime.last_ready.max(row.deployed.at);
    Some(match row.runtime.status {
        RuntimeStatus::Ok if row.readiness() == PodReadiness::Ignore && pod.is_none() => return None,
        RuntimeStatus::Ok if health.is_done => TargetState::Done,
        RuntimeStatus::Ok => match health.proven_at.filter(|at| *at > state.now) {
            Some(until) => TargetState::Unproven { until },
            None => TargetState::Active { ready: true, since },
        },
        RuntimeStatus::Error => TargetState::Failed {
            error: runtime_failure(pod, health),
            grace: if health.is_final {
                Grace::None
            } else {
                grace(state, row)
            },
        },
        RuntimeStatus::Pending | RuntimeStatus::None | RuntimeStatus::NotApplicable => match pod {
            Some(pod) if let Some(error) = grave_trouble(state, pod) => TargetState::Failed {
                error,
                grace: grace(state, row),
            },
            Some(pod) if pod.phase == PodPhase::Running => TargetState::Active { ready: false, since },
            Some(pod) if pod.status.is_empty() => TargetState::Waiting("unknown".into()),
            Some(pod) => TargetState::Waiting(pod.status.as_str().into()),
            None => TargetState::Waiting("waiting-for-pod".into()),
        },
    })
}

/// Returns what ends a run: what a pod reports, or the words of the workload.
fn runtime_failure(pod: Option<&Pod>, health: &Health) -> String {
    match &health.why {
        Some(why) if health.culprit.is_none() => why.clone(),
        _ => pod_failure(pod),
    }
}

/// Returns what is wrong with a pod that may still come up, where a run ends at the first such reason.
fn grave_trouble(state: &State, pod: &Pod) -> Option<String> {
    let is_asked_for =
        state.ci_settings.fail_fast || matches!(state.config.mode, Mode::Ci { fail_fast: true, .. });
    let trouble = PodTrouble::of(pod).filter(|trouble| is_asked_for && trouble.is_grave())?;
    Some(format!("Pod {} in error state: {trouble}", pod.name))
}

fn pod_failure(pod: Option<&Pod>) -> String {
    let Some(pod) = pod else {
        return "unknown error".to_owned();
    };
    if pod.phase == PodPhase::Failed {
        let errors: Vec<&str> = pod
            .errors
            .iter()
            .map(|error| error.trim())
            .filter(|e| !e.is_empty())
            .collect();
        return if errors.is_empty() {
            format!("Pod {:?} failed", pod.name)
        } else {
            errors.join("; ")
        };
    }
    let mut faulty = pod
        .all_containers()
        .filter(|(_, container)| container.state.is_error());
    faulty.next().map_or_else(
        || "unknown error".to_owned(),
        |(_, container)| {
            format!(
                "Pod {} in error state due to container {}: {}",
                pod.name, container.name, pod.status
            )
        },
    )
}

fn grace(state: &State, row: &Row) -> Grace {
    let period = state.ci_settings.k8s_grace_period;
    match row.deployed.at {
        Some(at) if !period.is_zero() && state.now < at + period => Grace::Tolerated { until: at + period },
        Some(_) if !period.is_zero() => Grace::Exceeded,
        _ => Grace::None,
    }
}
