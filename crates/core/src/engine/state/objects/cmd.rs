//! What a command does that a user made.

use serde_json::Value;

use crate::engine::effect::Server;
use crate::engine::event::ServerStatus;
use crate::engine::moment::Seq;
use crate::model::Timestamp;

/// What a command does.
#[derive(Debug, Default)]
pub(crate) struct CmdState {
    /// What it was when it was last started, or found to wait.
    pub(crate) exec: Option<Exec>,
    /// The last click that started it.
    pub(crate) started: Seq,
    /// The last click or change that restarted it.
    pub(crate) restarted: Seq,
    pub(crate) run: Option<Run>,
}

/// The fields of a command whose change runs it again.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Exec {
    pub(crate) args: Vec<String>,
    pub(crate) dir: String,
    pub(crate) env: Vec<String>,
    pub(crate) probe: Value,
}

/// One run.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) server: Server,
    pub(crate) status: Option<ServerStatus>,
    pub(crate) began: Timestamp,
    pub(crate) ended: Option<Timestamp>,
}
