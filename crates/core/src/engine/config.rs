//! What the engine is told once, before the first event.

use std::time::{Duration, Instant};

use crate::model::{LocalPath, Timestamp};

/// What the engine is told once.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Which command runs.
    pub mode: Mode,
    /// When the session began, on the wall clock. Pods and events from before are not news.
    pub started: Timestamp,
    /// The same moment on the clock that `handle` is given.
    pub started_at: Instant,
    /// The Tiltfile.
    pub tiltfile: LocalPath,
    /// The arguments of the Tiltfile.
    pub args: Vec<String>,
    /// The working directory: changed files are shown relative to it.
    pub cwd: LocalPath,
    /// Whether local ports are opened at all.
    pub forwards_ports: bool,
    /// Whether running containers are changed in place; else images are always built.
    pub updates_containers: bool,
    /// The namespace of objects that name none.
    pub default_namespace: String,
    /// Whether there is a cluster that is meant; without one connecting fails, and is not tried again.
    pub has_cluster: bool,
    /// The files that say which cluster is meant.
    pub kubeconfig: Vec<LocalPath>,
}

/// Which command runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Until the user stops it.
    Up,
    /// Once, without watching files.
    Ci {
        /// `--timeout`, which wins over the Tiltfile's; zero is no limit.
        timeout_override: Option<Duration>,
        /// `--fail-fast`: the first sign of trouble of a pod ends the run.
        fail_fast: bool,
    },
}
