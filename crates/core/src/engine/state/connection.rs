//! How far a session is with its cluster.

use std::time::Instant;

use crate::model::Backoff;

/// How far a session is with its cluster.
#[derive(Debug, Default)]
pub(crate) enum Connection {
    /// Nothing has needed one.
    #[default]
    Unneeded,
    /// It is being made.
    Asked(Wish),
    /// It could not be made, and is tried again then.
    Again(Wish, Instant),
    /// It was made, or never will be.
    Settled,
}

/// What connecting has to know, and how long to wait if it fails.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) has_default_registry: bool,
    pub(crate) pauses: Backoff,
}
