//! Services of Docker Compose: they have been read, and are not deployed yet.

use super::Deploy;
use crate::engine::ci::Runtime;
use crate::engine::effect::{Forward, LogStream, WatchedTarget};
use crate::engine::health::Judgement;
use crate::engine::row::Row;
use crate::engine::schedule::Hold;
use crate::engine::state::State;
use crate::model::{ComposeTarget, DeployTarget, RuntimeStatus};

impl Deploy for ComposeTarget {
    fn hold(&self, _: &State, _: &Row) -> Option<Hold> {
        None
    }

    fn does_the_same(&self, other: &DeployTarget) -> bool {
        matches!(other, DeployTarget::Compose(other) if self == &**other)
    }

    /// Its files are the Tiltfile's.
    fn watched(&self) -> Option<WatchedTarget> {
        None
    }

    fn judge(&self, _: &State, _: &Row) -> Judgement {
        Judgement::plain(RuntimeStatus::Pending)
    }

    fn logs(&self, _: &State, _: &Row) -> Vec<LogStream> {
        Vec::new()
    }

    fn forwards(&self, _: &State, _: &Row) -> Vec<Forward> {
        Vec::new()
    }

    fn runtime<'a>(&self, _: &'a State, _: &'a Row) -> Option<Runtime<'a>> {
        None
    }
}
