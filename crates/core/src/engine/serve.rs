//! Servers of local resources: when each is started anew, and how it is doing.
//!
//! A server is started after each update that ended well, and lives until the next one, or until its resource is gone
//! or disabled. One that ended stays ended. The edge is told which servers are wanted; it stops the others, and starts
//! a new one of a resource once the one before it has ended.
//!
//! Rule: `docs/rules/local.md`, "Servers".

use std::time::{Duration, Instant};

use super::effect::{Asker, Effect, Server};
use super::event::{ServerEnd, ServerStatus};
use super::objects;
use super::row::Row;
use super::state::State;
use crate::model::{DeployTarget, LocalTarget, ManifestName, ServeId, SpanId};

/// The server of a row.
#[derive(Debug)]
pub(crate) struct RowServer {
    /// What was asked for when it started; a new definition matters from the next update on.
    pub(crate) server: Server,
    /// What was last heard of it; `None` until it has started.
    pub(crate) status: Option<ServerStatus>,
    /// Which one of the session it is, from 1 on.
    pub(crate) number: u64,
    /// When it was asked for.
    pub(crate) began: Instant,
    /// When it was first heard to run.
    runs_since: Option<Instant>,
    /// When it was heard to have ended.
    pub(crate) ended: Option<Instant>,
}

impl RowServer {
    /// Returns whether its process is over.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(
            self.status,
            Some(ServerStatus::Exited { .. } | ServerStatus::NotStarted(_))
        )
    }

    /// Returns from when on it has run for so long; `None` for one that a probe speaks for.
    pub(crate) fn proven_at(&self, lived: Duration) -> Option<Instant> {
        let since = self.runs_since.filter(|_| self.server.probe.is_none())?;
        Some(since + lived)
    }

    /// Returns what is wrong with it, in a line: how it ended, or what its probe found.
    pub(crate) fn fault(&self) -> Option<String> {
        match self.status.as_ref()? {
            ServerStatus::Running { fault, .. } => {
                fault.as_ref().map(|fault| format!("readiness probe: {fault}"))
            }
            ServerStatus::Exited { how, .. } => {
                let but = if *how == ServerEnd::Code(0) {
                    ", but a server is to run on"
                } else {
                    ""
                };
                Some(format!("its server exited: {how}{but}"))
            }
            ServerStatus::NotStarted(why) => Some(why.clone()),
        }
    }
}

/// Asks for a new server of a resource whose update ended well; the one before it is stopped.
pub(super) fn restart(state: &mut State, name: &ManifestName) {
    let (serve, number) = (ServeId(state.last_serve + 1), state.servers_started + 1);
    let Some(row) = state.rows.get_mut(name) else {
        return;
    };
    let had_one = row.server.take().is_some();
    if let Some(local) = row.local().filter(|local| !local.serve_cmd.is_empty()) {
        let server = Server {
            serve,
            asker: Asker::Resource(name.clone()),
            manifest: Some(name.clone()),
            span: SpanId::new(format!("localserve:{number}")),
            command: local.serve_cmd.clone(),
            probe: local.readiness_probe.clone(),
        };
        row.server = Some(RowServer {
            server,
            number,
            status: None,
            began: state.now,
            runs_since: None,
            ended: None,
        });
        (state.last_serve, state.servers_started) = (serve.0, number);
    } else if !had_one {
        return;
    }
    state.asked.servers.touch(name);
}

/// Takes in what a server does. One that is no longer wanted has nothing to say.
pub(super) fn on_changed(state: &mut State, serve: ServeId, status: ServerStatus) {
    let now = state.now;
    let Some(name) = state.rows.served_by(serve).cloned() else {
        return objects::on_command_changed(state, serve, status);
    };
    let Some(row) = state.rows.get_mut(&name) else {
        return;
    };
    if let ServerStatus::Running { ready: true, .. } = status {
        row.runtime.note_ready(now);
    }
    if let Some(server) = &mut row.server {
        server.runs_since.get_or_insert(now);
        if !matches!(status, ServerStatus::Running { .. }) {
            server.ended = Some(now);
        }
        server.status = Some(status);
    }
    state.dirty.rows.insert(name);
}

/// Returns all servers that are wanted, if those are others than before.
pub(super) fn serve(state: &mut State) -> Option<Effect> {
    for wisher in state.asked.servers.take_stale(state.rows.keys()) {
        let wanted: Vec<(ServeId, Server)> = {
            let row = wisher.as_ref().and_then(|name| state.rows.get(name));
            let row = row.filter(|row| row.enabled);
            let of_row = row
                .and_then(|row| row.server.as_ref())
                .map(|server| &server.server);
            let of_objects = objects::servers(state).filter(|_| wisher.is_none());
            let servers = of_row.into_iter().chain(of_objects);
            servers.map(|server| (server.serve, server.clone())).collect()
        };
        state.asked.servers.set(&wisher, wanted);
    }
    state.asked.servers.ask().map(Effect::Serve)
}

impl Row {
    /// Returns the commands of a local resource.
    pub(crate) fn local(&self) -> Option<&LocalTarget> {
        match &self.manifest.deploy {
            DeployTarget::Local(local) => Some(local),
            DeployTarget::K8s(_) | DeployTarget::Compose(_) => None,
        }
    }

    /// Returns whether it is a local resource that has nothing to do but serve.
    pub(crate) fn only_serves(&self) -> bool {
        self.local().is_some_and(|local| local.update_cmd.is_none())
    }

    /// Returns whether no other update may run beside one of this resource.
    pub(crate) fn runs_alone(&self) -> bool {
        self.local().is_some_and(|local| !local.allow_parallel)
    }
}
