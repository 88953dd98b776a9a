//! Settings that a Tiltfile or the command line gives for a whole session.

use std::time::Duration;

/// How updates run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateSettings {
    /// How many resources are updated at once: 3, at least 1.
    pub max_parallel_updates: usize,
    /// Time allowed for applying one object: 30 s, at least 1 s.
    pub k8s_upsert_timeout: Duration,
    /// Images for which the warning about an unused image is not wanted.
    pub suppress_unused_image_warnings: Vec<String>,
    /// Whether the Tiltfile asks for server-side apply by name. It is used in any case.
    pub server_side_apply: bool,
}

impl Default for UpdateSettings {
    fn default() -> Self {
        Self {
            max_parallel_updates: 3,
            k8s_upsert_timeout: Duration::from_secs(30),
            suppress_unused_image_warnings: Vec::new(),
            server_side_apply: false,
        }
    }
}

/// When `tilt ci` gives up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CiSettings {
    /// Time for the whole run; `None` is no limit. Default 30 min.
    pub timeout: Option<Duration>,
    /// Time a server may be up but not ready: 5 min.
    pub readiness_timeout: Duration,
    /// Time after a deploy in which an error of a pod is not yet final; zero is none.
    pub k8s_grace_period: Duration,
    /// Whether the first sign of trouble of a pod ends the run, also where it may recover.
    pub fail_fast: bool,
}

impl Default for CiSettings {
    fn default() -> Self {
        Self {
            timeout: Some(Duration::from_secs(30 * 60)),
            readiness_timeout: Duration::from_secs(5 * 60),
            k8s_grace_period: Duration::ZERO,
            fail_fast: false,
        }
    }
}
