//! What is asked of an engine that is to build an image.

use crate::model::DockerBuild;

/// What to build.
#[derive(Clone, Debug, PartialEq)]
pub struct BuildRequest {
    /// What was declared. Its platform is the engine's own where there is none.
    pub build: DockerBuild,
    /// The text of the Dockerfile, with the images that were built before in the place of those that it names.
    pub dockerfile: String,
}
