//! When and how `tilt ci` ends. A pure question about the state, asked after each event.
//!
//! Rule: `docs/rules/sessions.md`, "ci".

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::cluster_events::needs_cluster;
use super::config::Mode;
use super::effect::{CiFailure, ExitOutcome};
use super::event::ClusterStatus;
use super::row::Row;
use super::state::State;
use super::{deploy, never_started};
use crate::model::{ManifestName, format_go_duration};

/// What the Tiltfile's own target is called.
const TILTFILE: &str = "tiltfile";

/// One thing that has to go well: an update, or what it deployed.
struct Target<'a> {
    resource: &'a str,
    part: &'static str,
    /// Whether it has to end, and not only to be ready.
    is_job: bool,
    state: TargetState<'a>,
}

/// What a resource deployed, as far as a run waits for it.
pub(super) struct Runtime<'a> {
    /// What it is called behind the resource's name.
    pub(super) part: &'static str,
    /// Whether it has to end, and not only to be ready.
    pub(super) is_job: bool,
    /// How it is doing.
    pub(super) state: TargetState<'a>,
}

/// How a target is doing.
pub(super) enum TargetState<'a> {
    /// Not to run by itself, or not at all.
    Idle,
    Waiting(Cow<'a, str>),
    /// Running; `since` is when it was last ready, or else when it was deployed.
    Active {
        ready: bool,
        since: Option<Instant>,
    },
    /// Ready, but so new that this says little.
    Unproven {
        until: Instant,
    },
    Done,
    Failed {
        error: String,
        grace: Grace,
    },
}

/// Whether a fault of a pod is final.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Grace {
    None,
    Tolerated { until: Instant },
    Exceeded,
}

/// Returns how the session ends, if it is clear.
pub(super) fn verdict(state: &State) -> Option<ExitOutcome> {
    let Mode::Ci { timeout_override, .. } = state.config.mode else {
        return None;
    };
    if let ClusterStatus::Failed(why) = &state.cluster
        && state.rows.values().any(needs_cluster)
    {
        let why = why.lines().next().unwrap_or_default();
        return Some(failed(format!("cluster connection failed: {why}"), Vec::new()));
    }
    let targets = targets(state);
    if let Some((resource, message)) = first_failure(&targets) {
        return Some(failed(message, vec![resource]));
    }
    if let Some((resource, message)) = never_started::wait_in_vain(state) {
        return Some(failed(message, vec![resource]));
    }
    if targets.len() > 1 && targets.iter().all(Target::is_fine) {
        return Some(ExitOutcome::Succeeded);
    }
    if let Some((resource, message)) = readiness_timeout(state, &targets) {
        return Some(failed(message, vec![resource]));
    }
    let timeout = timeout(state, timeout_override)?;
    let is_over = state.now.saturating_duration_since(state.config.started_at) >= timeout;
    is_over.then(|| {
        let unfinished = targets.iter().filter(|target| !target.is_fine());
        let names: BTreeSet<&str> = unfinished.map(|target| target.resource).collect();
        let message = format!(
            "Timeout after {}: {}",
            format_go_duration(timeout),
            summary(&targets)
        );
        failed(message, names.into_iter().collect())
    })
}

fn failed(message: String, resources: Vec<&str>) -> ExitOutcome {
    ExitOutcome::Failed(CiFailure {
        message,
        resources: resources.into_iter().map(name_of).collect(),
    })
}

fn name_of(resource: &str) -> ManifestName {
    match resource {
        TILTFILE => ManifestName::tiltfile(),
        resource => ManifestName::from(resource),
    }
}

/// Returns when the answer may change though nothing happens.
pub(super) fn next_deadline(state: &State) -> Option<Instant> {
    let Mode::Ci { timeout_override, .. } = state.config.mode else {
        return None;
    };
    let global = timeout(state, timeout_override).map(|timeout| state.config.started_at + timeout);
    let targets = targets(state);
    let of_targets = targets.iter().filter_map(|target| match target.state {
        TargetState::Active {
            ready: false,
            since: Some(since),
        } if !target.is_job => Some(since + readiness_limit(state)?),
        TargetState::Unproven { until } => Some(until),
        TargetState::Failed {
            grace: Grace::Tolerated { until },
            ..
        } => Some(until),
        _ => None,
    });
    of_targets
        .chain(global)
        .filter(|deadline| *deadline > state.now)
        .min()
}

/// Returns how long what is deployed may take to be ready; `None` for as long as it takes.
fn readiness_limit(state: &State) -> Option<Duration> {
    Some(state.ci_settings.readiness_timeout).filter(|limit| !limit.is_zero())
}

fn timeout(state: &State, typed: Option<Duration>) -> Option<Duration> {
    typed
        .or(state.ci_settings.timeout)
        .filter(|timeout| !timeout.is_zero())
}

fn targets(state: &State) -> Vec<Target<'_>> {
    let mut targets = vec![tiltfile_target(state)];
    for (name, row) in &state.rows {
        let resource = name.as_str();
        let runtime = match row.enabled {
            true => deploy::of(row).runtime(state, row),
            false => Some(Runtime {
                part: "runtime",
                is_job: false,
                state: TargetState::Idle,
            }),
        };
        targets.extend(runtime.map(|runtime| Target {
            resource,
            part: runtime.part,
            is_job: runtime.is_job,
            state: runtime.state,
        }));
        if !row.only_serves() {
            targets.push(Target {
                resource,
                part: "update",
                is_job: true,
                state: update_state(state, row),
            });
        }
    }
    targets
}

fn tiltfile_target(state: &State) -> Target<'_> {
    let tiltfile = &state.tiltfile;
    let target = if tiltfile.loading.is_some() {
        TargetState::Active {
            ready: false,
            since: None,
        }
    } else if !tiltfile.pending.is_empty() {
        TargetState::Waiting("config-changed".into())
    } else if let Some(error) = &tiltfile.error {
        TargetState::Failed {
            error: error.clone(),
            grace: Grace::None,
        }
    } else if tiltfile.loaded {
        TargetState::Done
    } else {
        TargetState::Waiting("initial-build".into())
    };
    Target {
        resource: TILTFILE,
        part: "update",
        is_job: true,
        state: target,
    }
}

fn update_state<'a>(state: &'a State, row: &'a Row) -> TargetState<'a> {
    if !row.enabled {
        return TargetState::Idle;
    }
    if row.building.is_some() {
        return TargetState::Active {
            ready: false,
            since: None,
        };
    }
    if !row.live.rounds.is_empty() {
        return TargetState::Active {
            ready: false,
            since: None,
        };
    }
    if row.is_due() || row.live.is_behind() {
        let hold = state.holds.get(&row.manifest.name);
        return TargetState::Waiting(hold.map_or("unknown", |hold| hold.reason()).into());
    }
    match row.history.front().map(|last| &last.error) {
        Some(Some(error)) => TargetState::Failed {
            error: error.clone(),
            grace: Grace::None,
        },
        Some(None) => TargetState::Done,
        None => TargetState::Idle,
    }
}

impl Target<'_> {
    fn name(&self) -> String {
        format!("{}:{}", self.resource, self.part)
    }

    /// Returns whether it is as it should be at the end.
    fn is_fine(&self) -> bool {
        match self.state {
            TargetState::Idle | TargetState::Done => true,
            TargetState::Active { ready, .. } => ready && !self.is_job,
            TargetState::Unproven { .. } | TargetState::Waiting(_) | TargetState::Failed { .. } => false,
        }
    }
}

fn first_failure<'a>(targets: &[Target<'a>]) -> Option<(&'a str, String)> {
    let final_fault = |target: &Target<'a>| match &target.state {
        TargetState::Failed {
            error,
            grace: Grace::None,
        } => Some((target.name(), target.resource, error.clone())),
        TargetState::Failed {
            error,
            grace: Grace::Exceeded,
        } => Some((
            target.name(),
            target.resource,
            format!("exceeded grace period: {error}"),
        )),
        _ => None,
    };
    targets
        .iter()
        .filter_map(final_fault)
        .min()
        .map(|(_, resource, message)| (resource, message))
}

fn readiness_timeout<'a>(state: &State, targets: &[Target<'a>]) -> Option<(&'a str, String)> {
    let limit = readiness_limit(state)?;
    let is_late = |target: &&Target<'a>| match target.state {
        TargetState::Active {
            ready: false,
            since: Some(since),
        } if !target.is_job => state.now.saturating_duration_since(since) >= limit,
        _ => false,
    };
    let late = targets.iter().filter(is_late);
    let (name, resource) = late.map(|target| (target.name(), target.resource)).min()?;
    let message = format!(
        "Readiness timeout after {}: target {name} not ready",
        format_go_duration(limit)
    );
    Some((resource, message))
}

/// Returns what the session still waits for: `2 resources waiting (a:update b,c:update d), 1 resources not ready (e)`.
fn summary(targets: &[Target]) -> String {
    let (mut waiting, mut not_ready, mut retrying) = (Vec::new(), Vec::new(), Vec::new());
    for target in targets.iter().filter(|target| !target.is_fine()) {
        match &target.state {
            TargetState::Waiting(reason) => waiting.push(format!("{} {reason}", target.name())),
            TargetState::Failed { .. } => retrying.push(target.name()),
            _ => not_ready.push(target.name()),
        }
    }
    let categories = [
        (waiting, "waiting"),
        (not_ready, "not ready"),
        (retrying, "retrying"),
    ];
    let parts: Vec<String> = categories
        .into_iter()
        .filter(|(names, _)| !names.is_empty())
        .map(|(mut names, what)| {
            names.sort();
            format!("{} resources {what} ({})", names.len(), names.join(","))
        })
        .collect();
    parts.join(", ")
}
