//! When and how `tilt ci` ends: a question about the state, asked after each event. What the resources say about it is kept, and asked
//! for anew only of those that changed.
//!
//! Rule: `docs/rules/sessions.md`, "ci".

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::config::Mode;
use super::deploy::{Grace, Runtime, TargetState};
use super::effect::{CiFailure, ExitOutcome};
use super::event::ClusterStatus;
use super::state::rows::note;
use super::state::{Judged, Progress, Row, State};
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

/// Takes in what changed. Only a run of `ci` asks.
pub(super) fn refresh(state: &mut State) {
    let touched = state.rows.take_unjudged();
    if !matches!(state.config.mode, Mode::Ci { .. }) {
        return;
    }
    let mut progress = std::mem::take(&mut state.progress);
    let mut names = touched.rows;
    if touched.all {
        names.extend(state.rows.keys().chain(progress.rows.keys()).cloned());
    }
    names.extend(progress.deadlines.due(state.now).cloned());
    for name in names {
        progress.look_at(state, &name);
    }
    #[cfg(debug_assertions)]
    assert_eq!(progress, Progress::of(state));
    state.progress = progress;
}

impl Progress {
    /// Returns what all resources say.
    #[cfg(debug_assertions)]
    fn of(state: &State) -> Self {
        let mut progress = Self::default();
        for name in state.rows.keys() {
            progress.look_at(state, name);
        }
        progress
    }

    fn look_at(&mut self, state: &State, name: &ManifestName) {
        for judged in self.rows.remove(name).into_iter().flatten() {
            self.targets -= 1;
            self.unfinished -= usize::from(!judged.is_fine);
            self.failed.remove(&judged.name);
            self.late.remove(&judged.name);
        }
        let row = state.rows.get(name);
        let targets = row.map(|row| targets_of(state, row)).unwrap_or_default();
        let judged: Vec<Judged> = targets.iter().map(|target| target.judge(state)).collect();
        for judged in &judged {
            self.targets += 1;
            self.unfinished += usize::from(!judged.is_fine);
            if judged.has_failed {
                self.failed.insert(judged.name.clone(), name.clone());
            }
            if judged.is_late {
                self.late.insert(judged.name.clone(), name.clone());
            }
        }
        let until = judged.iter().filter_map(|judged| judged.until).min();
        self.deadlines.set(name, until);
        note(&mut self.in_cluster, name, row.is_some_and(Row::needs_cluster));
        note(&mut self.idle, name, row.is_some_and(never_started::is_idle));
        let starts_others = row.is_some_and(|row| never_started::may_start_others(state, row));
        note(&mut self.starters, name, starts_others);
        if row.is_some() {
            self.rows.insert(name.clone(), judged);
        }
    }
}

/// Returns how the session ends, if it is clear.
pub(super) fn verdict(state: &State) -> Option<ExitOutcome> {
    let Mode::Ci { timeout_override, .. } = state.config.mode else {
        return None;
    };
    let progress = &state.progress;
    if let ClusterStatus::Failed(why) = &state.cluster
        && !progress.in_cluster.is_empty()
    {
        let why = why.lines().next().unwrap_or_default();
        return Some(failed(format!("cluster connection failed: {why}"), Vec::new()));
    }
    let tiltfile = tiltfile_target(state);
    if let Some((resource, message)) = first_failure(state, &tiltfile) {
        return Some(failed(message, vec![resource]));
    }
    if progress.starters.is_empty()
        && let Some((resource, message)) = never_started::wait_in_vain(state, &progress.idle)
    {
        return Some(failed(message, vec![resource]));
    }
    if progress.targets > 0 && progress.unfinished == 0 && tiltfile.is_fine() {
        return Some(ExitOutcome::Succeeded);
    }
    if let Some((name, resource)) = progress.late.first_key_value() {
        let limit = format_go_duration(state.ci_settings.readiness_timeout);
        let message = format!("Readiness timeout after {limit}: target {name} not ready");
        return Some(failed(message, vec![resource.as_str()]));
    }
    let timeout = timeout(state, timeout_override)?;
    let is_over = state.now.saturating_duration_since(state.config.started_at) >= timeout;
    is_over.then(|| {
        let targets = targets(state);
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
    let of_targets = state.progress.deadlines.next().into_iter();
    of_targets
        .chain(global)
        .filter(|deadline| *deadline > state.now)
        .min()
}

fn timeout(state: &State, typed: Option<Duration>) -> Option<Duration> {
    typed
        .or(state.ci_settings.timeout)
        .filter(|timeout| !timeout.is_zero())
}

fn targets(state: &State) -> Vec<Target<'_>> {
    let rows = state.rows.values().flat_map(|row| targets_of(state, row));
    std::iter::once(tiltfile_target(state)).chain(rows).collect()
}

/// Returns what has to go well of a resource.
fn targets_of<'a>(state: &'a State, row: &'a Row) -> Vec<Target<'a>> {
    let resource = row.manifest.name.as_str();
    let runtime = match row.enabled {
        true => deploy::of(row).runtime(state, row),
        false => Some(Runtime {
            part: "runtime",
            is_job: false,
            state: TargetState::Idle,
        }),
    };
    let runtime = runtime.map(|runtime| Target {
        resource,
        part: runtime.part,
        is_job: runtime.is_job,
        state: runtime.state,
    });
    let update = (!row.only_serves()).then(|| Target {
        resource,
        part: "update",
        is_job: true,
        state: update_state(state, row),
    });
    runtime.into_iter().chain(update).collect()
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

    /// Returns what is wrong with it, if that ends the run.
    fn failure(&self) -> Option<String> {
        match &self.state {
            TargetState::Failed {
                error,
                grace: Grace::None,
            } => Some(error.clone()),
            TargetState::Failed {
                error,
                grace: Grace::Exceeded,
            } => Some(format!("exceeded grace period: {error}")),
            _ => None,
        }
    }

    /// Returns until when it has to be ready, if it is not.
    fn ready_by(&self, state: &State) -> Option<Instant> {
        match self.state {
            TargetState::Active {
                ready: false,
                since: Some(since),
            } if !self.is_job => Some(since + state.readiness_limit()?),
            _ => None,
        }
    }

    fn judge(&self, state: &State) -> Judged {
        let ready_by = self.ready_by(state);
        let until = match self.state {
            TargetState::Unproven { until } => Some(until),
            TargetState::Failed {
                grace: Grace::Tolerated { until },
                ..
            } => Some(until),
            _ => ready_by,
        };
        Judged {
            name: self.name(),
            is_fine: self.is_fine(),
            has_failed: self.failure().is_some(),
            is_late: ready_by.is_some_and(|limit| limit <= state.now),
            until: until.filter(|until| *until > state.now),
        }
    }
}

/// Returns what has failed for good, the first one by name.
fn first_failure<'a>(state: &'a State, tiltfile: &Target<'a>) -> Option<(&'a str, String)> {
    let of_row = |(name, resource): (&String, &ManifestName)| {
        let row = state.rows.get(resource)?;
        let mut targets = targets_of(state, row).into_iter();
        let target = targets.find(|target| target.name() == *name)?;
        Some((target.name(), target.resource, target.failure()?))
    };
    let of_tiltfile = tiltfile
        .failure()
        .map(|failure| (tiltfile.name(), tiltfile.resource, failure));
    let first = state.progress.failed.first_key_value().and_then(of_row);
    let (_, resource, message) = first.into_iter().chain(of_tiltfile).min()?;
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
