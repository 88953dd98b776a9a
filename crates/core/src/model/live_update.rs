//! Changing a running container in place.

use super::LocalPath;

/// What to do in a running container when files change, instead of building its image anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveUpdate {
    /// The directory that triggers, and the paths of the result, are relative to.
    pub base: LocalPath,
    /// Whether all synced files are copied as soon as a container starts.
    pub initial_sync: bool,
    /// Files and directories whose change leads to a full build.
    pub stop_paths: Vec<LocalPath>,
    /// What is copied where.
    pub syncs: Vec<Sync>,
    /// What is run then, in order.
    pub execs: Vec<Exec>,
    /// Whether the container is restarted at the end.
    pub restart: bool,
    /// The name of the container, where it is not found by its image.
    pub container: Option<String>,
}

/// A file or directory that is copied into a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sync {
    /// Here.
    pub source: LocalPath,
    /// There: an absolute path.
    pub destination: String,
}

/// A command that is run in a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exec {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Paths relative to the base, as written: it is run only if one of them changed. None means always.
    pub triggers: Vec<String>,
    /// Whether the command itself is not logged.
    pub echo_off: bool,
}
