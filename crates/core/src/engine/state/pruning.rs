//! What is known of taking out of the Docker engine what nobody needs any more.

use std::time::Instant;

use crate::model::{DockerPrune, PruneId};

/// What is known of pruning.
#[derive(Debug, Default)]
pub(crate) struct Pruning {
    pub(crate) settings: DockerPrune,
    /// Whether any resource has an image that is built.
    pub(crate) has_images: bool,
    /// Updates that have ended.
    pub(crate) updates: u64,
    /// The one that has not answered yet.
    pub(crate) running: Option<PruneId>,
    pub(crate) last_id: u64,
    /// When it was last done, and how many updates had ended then.
    pub(crate) last: Option<(Instant, u64)>,
    /// Whether the engine turned out not to be able to.
    pub(crate) is_impossible: bool,
}
