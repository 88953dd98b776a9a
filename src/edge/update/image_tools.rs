//! What images are made with, whatever an update deploys.

use std::sync::Arc;

use super::image_slots::ImageSlots;
use crate::edge::docker::{ClusterFacts, Docker};
use crate::edge::live_update::ImageContents;
use crate::edge::local::CommandVariables;
use crate::logs::LogStore;

/// What an update works with, whatever it deploys.
#[derive(Clone)]
pub struct ImageTools {
    /// The Docker engine; there is one whenever a plan has images.
    pub docker: Option<Arc<Docker>>,
    /// What of the cluster matters to images.
    pub facts: Arc<ClusterFacts>,
    /// The platform to build for; `None` is the engine's own.
    pub platform: Option<String>,
    /// How many images all updates build together.
    pub image_slots: ImageSlots,
    /// What images were made of.
    pub image_contents: ImageContents,
    /// What commands find in their environment.
    pub commands: Arc<CommandVariables>,
    /// Where lines go.
    pub log: LogStore,
    /// Whether lines may have colour.
    pub has_colour: bool,
}

impl ImageTools {
    pub(super) fn docker(&self) -> Result<Arc<Docker>, String> {
        let docker = self.docker.clone();
        docker.ok_or_else(|| "there is no Docker engine to build images with".to_owned())
    }
}
