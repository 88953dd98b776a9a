//! Local resources: commands on this machine, and servers that keep running. When a server is started anew stands in
//! `serve`.

use std::time::Duration;

use super::{Deploy, Grace, Judgement, Runtime, TargetState};
use crate::engine::effect::{Forward, LogStream, WatchedTarget};
use crate::engine::event::ServerStatus;
use crate::engine::state::{Hold, Row, State};
use crate::model::{DeployTarget, LocalTarget, RuntimeStatus};

/// How long a server without a probe must have run before a run is a success: what cannot be started, or ends at once, has
/// ended by then.
const LIVED: Duration = Duration::from_secs(1);

impl Deploy for LocalTarget {
    fn hold(&self, _: &State, _: &Row) -> Option<Hold> {
        None
    }

    /// What is watched and what is shown does not matter.
    fn does_the_same(&self, other: &DeployTarget) -> bool {
        let commands = |target: &Self| Self {
            deps: None,
            watch_ignores: Vec::new(),
            links: Vec::new(),
            ..target.clone()
        };
        matches!(other, DeployTarget::Local(other) if commands(self) == commands(other))
    }

    fn watched(&self) -> Option<WatchedTarget> {
        Some(WatchedTarget {
            paths: self.deps.clone().unwrap_or_default(),
            ignores: self.watch_ignores.clone(),
        })
    }

    fn judge(&self, _: &State, row: &Row) -> Judgement {
        let status = match row.server.as_ref().map(|server| &server.status) {
            _ if self.serve_cmd.is_empty() => RuntimeStatus::NotApplicable,
            Some(Some(ServerStatus::Running { ready: true, .. })) => RuntimeStatus::Ok,
            Some(Some(ServerStatus::Exited { .. } | ServerStatus::NotStarted(_))) => RuntimeStatus::Error,
            _ => RuntimeStatus::Pending,
        };
        Judgement::plain(status)
    }

    /// What a command says is written where it runs.
    fn logs(&self, _: &State, _: &Row) -> Vec<LogStream> {
        Vec::new()
    }

    fn forwards(&self, _: &State, _: &Row) -> Vec<Forward> {
        Vec::new()
    }

    fn runtime<'a>(&self, state: &'a State, row: &'a Row) -> Option<Runtime<'a>> {
        (!self.serve_cmd.is_empty()).then(|| Runtime {
            part: "serve",
            is_job: false,
            state: server_state(state, row),
        })
    }
}

fn server_state<'a>(state: &State, row: &'a Row) -> TargetState<'a> {
    // What happened stands in the table, and below this line.
    let failed = |pid: u32| TargetState::Failed {
        error: format!("Process {pid} exited with non-zero status"),
        grace: Grace::None,
    };
    let server = row.server.as_ref();
    match server.and_then(|server| Some((server, server.status.as_ref()?))) {
        Some((_, ServerStatus::NotStarted(_))) => failed(0),
        Some((_, ServerStatus::Exited { pid, .. })) => failed(*pid),
        Some((server, ServerStatus::Running { ready, .. })) => match server.proven_at(LIVED) {
            Some(until) if *ready && until > state.now => TargetState::Unproven { until },
            _ => TargetState::Active {
                ready: *ready,
                since: row.runtime.last_ready.or(row.deployed.at),
            },
        },
        None if row.started_first || row.manifest.trigger_mode.auto_init() => {
            TargetState::Waiting("unknown".into())
        }
        None => TargetState::Idle,
    }
}
