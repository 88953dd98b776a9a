//! Services of Docker Compose: their containers are what is deployed.
//!
//! Rule: `docs/rules/compose.md`, "State". What differs: health counts, a container must have run for a moment before a run
//! of `ci` is a success, and while a service is being replaced the end of the old container is no failure.

use std::time::{Duration, Instant};

use super::{Deploy, Grace, Judgement, Runtime, TargetState};
use crate::engine::config::Mode;
use crate::engine::effect::{ContainerLog, Forward, LogStream, WatchedTarget};
use crate::engine::gc;
use crate::engine::services;
use crate::engine::services::{STEADY, log_span};
use crate::engine::state::{Health as RowHealth, Hold, Row, SeenContainer, State};
use crate::model::{
    ComposeTarget, DeployTarget, Health, ManifestName, RuntimeStatus, ServiceContainer, ServiceState,
    TargetId,
};

/// How long a container that no health check speaks for must have run before a run of `ci` is a success: what cannot do
/// its work often ends within a second.
const PROOF: Duration = Duration::from_millis(1_500);
/// How long a container may end badly and be started again before a run of `ci` fails for it: what it needs may be coming up.
const PATIENCE: Duration = Duration::from_secs(20);

impl Deploy for ComposeTarget {
    fn hold(&self, state: &State, _: &Row) -> Option<Hold> {
        let is_removed = gc::is_being_removed(state, &self.service_id());
        is_removed.then(|| Hold::WaitingForDeletion(vec![self.id.to_string()]))
    }

    fn images(&self) -> &[TargetId] {
        &self.images
    }

    /// What it waits for, which files say it, and what is shown does not matter.
    fn does_the_same(&self, other: &DeployTarget) -> bool {
        fn project(target: &ComposeTarget) -> impl PartialEq + '_ {
            let project = &target.project;
            (&project.name, &project.directory, &project.profiles, project.wait)
        }
        let DeployTarget::Compose(other) = other else {
            return false;
        };
        let (old, new) = (&self.service, &other.service);
        (&self.id, &self.images) == (&other.id, &other.images)
            && project(self) == project(other)
            && (&old.name, &old.image, &old.config_hash) == (&new.name, &new.image, &new.config_hash)
            && old.texts == new.texts
            && old.run_definition() == new.run_definition()
    }

    /// Its files are the Tiltfile's.
    fn watched(&self) -> Option<WatchedTarget> {
        None
    }

    fn lacks(&self, state: &State, name: &ManifestName) -> bool {
        let Some(dependency) = state.rows.get(name) else {
            return false;
        };
        let mut needed = self
            .service
            .depends_on
            .iter()
            .filter(|needed| needed.resource == *name)
            .peekable();
        if needed.peek().is_none() {
            return dependency.runtime.last_ready.is_none();
        }
        needed.any(|needed| {
            let is_given_up = !needed.required && dependency.runtime.status == RuntimeStatus::Error;
            !is_given_up && !services::has_reached(dependency, needed.condition)
        })
    }

    fn judge(&self, state: &State, row: &Row) -> Judgement {
        if row.deployed.at.is_none() {
            return Judgement::plain(RuntimeStatus::Pending);
        }
        let seen: Vec<&SeenContainer> = state.services.of(&self.service_id()).collect();
        let found: Vec<Found> = seen.iter().map(|seen| look(state, seen)).collect();
        let (status, health) = match found.is_empty() {
            true => without_containers(row),
            false => sum_up(found),
        };
        // What ends now is being replaced, or started again.
        if row.changes_service() && status != RuntimeStatus::Ok {
            return Judgement::plain(RuntimeStatus::Pending);
        }
        Judgement {
            health,
            ..Judgement::plain(status)
        }
    }

    fn logs(&self, state: &State, row: &Row) -> Vec<LogStream> {
        if row.deployed.at.is_none() && row.building.is_none() {
            return Vec::new();
        }
        let name = &row.manifest.name;
        let containers: Vec<&ServiceContainer> = state
            .services
            .of(&self.service_id())
            .map(|seen| &seen.container)
            .collect();
        let log = |container: &&ServiceContainer| {
            Some(LogStream::Container(ContainerLog {
                manifest: name.clone(),
                span: log_span(name),
                container: container.id.clone(),
                name: container.name.clone(),
                run: container.started?,
                prefixed: containers.len() > 1,
                has_tty: container.has_tty,
                since: (container.created < state.config.started).then_some(state.config.started),
                terminated: !matches!(container.state, ServiceState::Running | ServiceState::Paused),
            }))
        };
        containers.iter().filter_map(log).collect()
    }

    /// Compose publishes its ports itself.
    fn forwards(&self, _: &State, _: &Row) -> Vec<Forward> {
        Vec::new()
    }

    fn runtime<'a>(&self, state: &'a State, row: &'a Row) -> Option<Runtime<'a>> {
        Some(Runtime {
            part: "runtime",
            is_job: false,
            state: runtime_state(self, state, row),
        })
    }
}

fn runtime_state<'a>(target: &ComposeTarget, state: &State, row: &'a Row) -> TargetState<'a> {
    if !row.started_first && !row.manifest.trigger_mode.auto_init() {
        return TargetState::Idle;
    }
    let health = &row.runtime.health;
    let since = row.runtime.last_ready.max(row.deployed.at);
    let newest = state
        .services
        .of(&target.service_id())
        .map(|seen| &seen.container);
    let newest = newest.max_by_key(|container| (container.created, &container.name));
    match row.runtime.status {
        RuntimeStatus::Ok if health.is_done => TargetState::Done,
        RuntimeStatus::Ok => match health.proven_at.filter(|at| *at > state.now) {
            Some(until) => TargetState::Unproven { until },
            None => TargetState::Active { ready: true, since },
        },
        RuntimeStatus::Error => TargetState::Failed {
            error: format!(
                "{}: {}",
                row.manifest.name,
                health.why.as_deref().unwrap_or("unknown error")
            ),
            grace: grace(state, health),
        },
        RuntimeStatus::Pending | RuntimeStatus::None | RuntimeStatus::NotApplicable => match newest {
            Some(container) if container.state == ServiceState::Running => {
                TargetState::Active { ready: false, since }
            }
            Some(container) => TargetState::Waiting(container.state.as_str().into()),
            None => TargetState::Waiting("waiting-for-container".into()),
        },
    }
}

/// A container that its restart policy starts again may come up yet.
fn grace(state: &State, health: &RowHealth) -> Grace {
    let fails_fast =
        state.ci_settings.fail_fast || matches!(state.config.mode, Mode::Ci { fail_fast: true, .. });
    match health.tolerated_until.filter(|_| !fails_fast) {
        Some(until) if state.now < until => Grace::Tolerated { until },
        _ => Grace::None,
    }
}

/// What one container comes to.
enum Found {
    Well {
        is_done: bool,
        proven_at: Option<Instant>,
    },
    Coming {
        look_again: Option<Instant>,
    },
    Failed {
        why: String,
        tolerated_until: Option<Instant>,
    },
}

fn look(state: &State, seen: &SeenContainer) -> Found {
    let container = &seen.container;
    let name = &container.name;
    let started = container
        .started
        .map_or(state.now, |started| state.moment_of(started));
    let failed = |why: String| Found::Failed {
        why,
        tolerated_until: None,
    };
    match container.state {
        ServiceState::Running => match &container.health {
            Some(Health::Unhealthy(said)) => failed(unhealthy(name, said)),
            Some(Health::Starting) => Found::Coming { look_again: None },
            Some(Health::Healthy) => Found::Well {
                is_done: false,
                proven_at: None,
            },
            None if seen.crashing_since.is_some() && started + STEADY > state.now => Found::Coming {
                look_again: Some(started + STEADY),
            },
            None => Found::Well {
                is_done: false,
                proven_at: Some(started + PROOF),
            },
        },
        ServiceState::Exited if container.exit_code == 0 && container.error.is_empty() => Found::Well {
            is_done: true,
            proven_at: None,
        },
        ServiceState::Restarting if container.exit_code != 0 => Found::Failed {
            why: format!(
                "container {name} exited with {} and is started again",
                container.exit_code
            ),
            tolerated_until: seen.crashing_since.map(|since| since + PATIENCE),
        },
        ServiceState::Dead => failed(format!("container {name} is dead")),
        _ if !container.error.is_empty() => failed(format!("container {name}: {}", container.error)),
        ServiceState::Exited => failed(format!("container {name} exited with {}", container.exit_code)),
        ServiceState::Created | ServiceState::Paused | ServiceState::Restarting | ServiceState::Removing => {
            Found::Coming { look_again: None }
        }
    }
}

fn unhealthy(name: &str, said: &str) -> String {
    match said.lines().next().filter(|line| !line.is_empty()) {
        Some(line) => format!("container {name} is unhealthy: {line}"),
        None => format!("container {name} is unhealthy"),
    }
}

/// Returns how a service without containers is doing: somebody else removed them, unless it is not to have any.
fn without_containers(row: &Row) -> (RuntimeStatus, RowHealth) {
    if row.service.expected.is_empty() {
        let health = RowHealth {
            is_done: true,
            ..RowHealth::default()
        };
        return (RuntimeStatus::Ok, health);
    }
    let health = RowHealth {
        why: Some("its container was removed".to_owned()),
        ..RowHealth::default()
    };
    (RuntimeStatus::Error, health)
}

fn sum_up(found: Vec<Found>) -> (RuntimeStatus, RowHealth) {
    let (mut status, mut health) = (RuntimeStatus::Ok, RowHealth::default());
    health.is_done = true;
    for found in found {
        match found {
            Found::Well { is_done, proven_at } => {
                health.is_done &= is_done;
                health.proven_at = health.proven_at.max(proven_at);
            }
            Found::Coming { look_again } => {
                health.look_again = health.look_again.into_iter().chain(look_again).min();
                if status == RuntimeStatus::Ok {
                    status = RuntimeStatus::Pending;
                }
            }
            Found::Failed { why, tolerated_until } => {
                // The first that fails for good is the one to tell of.
                if status != RuntimeStatus::Error || health.tolerated_until.is_some() {
                    (health.why, health.tolerated_until) = (Some(why), tolerated_until);
                }
                status = RuntimeStatus::Error;
            }
        }
    }
    health.is_done &= status == RuntimeStatus::Ok;
    (status, health)
}
