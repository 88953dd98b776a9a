//! Servers of local resources: when each is started anew, and how it is doing.
//!
//! A server is started after each update that ended well, and lives until the next one, or until its resource is gone
//! or disabled. One that ended stays ended. The edge is told which servers are wanted; it stops the others, and starts
//! a new one of a resource once the one before it has ended.
//!
//! Rule: `docs/rules/local.md`, "Servers".

use super::effect::{Asker, Effect, Server};
use super::event::ServerStatus;
use super::objects;
use super::state::{RowServer, State};
use crate::model::{ManifestName, ServeId, SpanId};

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
    let mut servers = std::mem::take(&mut state.asked.servers);
    let asked = servers.renew(state.rows.keys(), |wisher| {
        let row = wisher.as_ref().and_then(|name| state.rows.get(name));
        let row = row.filter(|row| row.enabled);
        let of_row = row
            .and_then(|row| row.server.as_ref())
            .map(|server| &server.server);
        let of_objects = objects::servers(state).filter(|_| wisher.is_none());
        let wanted = of_row.into_iter().chain(of_objects);
        wanted
            .map(|server| (server.serve, server.clone()))
            .collect::<Vec<_>>()
    });
    state.asked.servers = servers;
    asked.map(Effect::Serve)
}
