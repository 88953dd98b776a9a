//! An update that failed for something that passes.

use std::time::Instant;

use crate::model::Backoff;

/// An update that is to be tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Retry {
    /// When; an edit before that, or a user who asks for it, starts it at once.
    pub(crate) at: Instant,
    /// How long it is waited the next time.
    pub(crate) pauses: Backoff,
    /// How many times in a row its program was killed.
    pub(crate) kills: u32,
    /// Why the update that failed was started.
    pub(crate) reason: String,
    /// Whether it was to make everything anew.
    pub(crate) force: bool,
}
