//! The server of a local resource.

use std::time::{Duration, Instant};

use crate::engine::effect::Server;
use crate::engine::event::{ServerEnd, ServerStatus};

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
    pub(crate) runs_since: Option<Instant>,
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
