//! The local resources of a made-up outside: servers that start, become ready and end.

use tilt::engine::{Event, Server, ServerEnd, ServerStatus};
use tilt::model::{ManifestName, ServeId};

use crate::rules::Verdict;
use crate::world::{Brain, World};

impl<B: Brain> World<B> {
    /// Lets a server do what comes next; one that runs well may end.
    pub(crate) fn move_a_server(&mut self) -> Verdict {
        let running: Vec<ServeId> = self.servers.iter().map(|server| server.serve).collect();
        let Some(serve) = self.rng.pick(&running) else {
            return Ok(());
        };
        if self.has_ended(serve) {
            return Ok(());
        }
        if self.rng.percent(25) {
            return self.tell_server(
                serve,
                ServerStatus::Exited {
                    pid: 7,
                    how: ServerEnd::Code(1),
                },
            );
        }
        self.move_server(serve)
    }

    /// Returns a server that has not come to rest.
    pub(crate) fn unsettled_server(&self) -> Option<ServeId> {
        let is_settled = |server: &&Server| {
            matches!(
                self.told.get(&server.serve),
                Some(ServerStatus::Running { ready: true, .. } | ServerStatus::Exited { .. })
            )
        };
        let unsettled = self.servers.iter().find(|server| !is_settled(server));
        unsettled.map(|server| server.serve)
    }

    /// Starts a server, or makes one that runs ready.
    pub(crate) fn move_server(&mut self, serve: ServeId) -> Verdict {
        let has_probe = |server: &Server| server.serve == serve && server.probe.is_some();
        let ready = self.told.contains_key(&serve) || !self.servers.iter().any(has_probe);
        let fault = None;
        self.tell_server(serve, ServerStatus::Running { pid: 7, ready, fault })
    }

    fn tell_server(&mut self, serve: ServeId, status: ServerStatus) -> Verdict {
        self.told.insert(serve, status.clone());
        self.send(Event::ServerChanged { serve, status })
    }

    fn has_ended(&self, serve: ServeId) -> bool {
        matches!(self.told.get(&serve), Some(ServerStatus::Exited { .. }))
    }

    /// Returns the server of a resource, if one is wanted, and what was last told of it.
    pub(crate) fn server_of(&self, name: &ManifestName) -> Option<(&Server, Option<&ServerStatus>)> {
        let server = self
            .servers
            .iter()
            .find(|server| server.asker.name() == name.as_str())?;
        Some((server, self.told.get(&server.serve)))
    }
}
