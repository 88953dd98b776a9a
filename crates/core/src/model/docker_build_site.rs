//! Where the parts of a `docker_build()` call were written, so that a fault of the build can be shown there.

use super::LocalPath;
use crate::diag::Place;

/// Where the parts of a `docker_build()` call were written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DockerBuildSite {
    /// Where the Dockerfile's text stands.
    pub text: DockerfileText,
    /// The argument `target`, else the call.
    pub target: Place,
    /// The dockerignore file, if it exists: its patterns are the last of the context's ignores.
    pub dockerignore: Option<LocalPath>,
}

/// Where the text of a Dockerfile stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DockerfileText {
    /// In the Dockerfile.
    File,
    /// In a Tiltfile, line by line; this is its first line.
    Literal(Place),
    /// Nowhere: this argument of the call makes it.
    Computed(Place),
}
