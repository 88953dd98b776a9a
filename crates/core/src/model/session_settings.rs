//! Settings of a whole session that are not about updates or `tilt ci`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Command, LocalPath};

/// Settings of a whole session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionSettings {
    /// Switches, by name: all that the original knows, also those that no longer change anything.
    pub features: BTreeMap<&'static str, bool>,
    /// The team's name; empty when there is none.
    pub team: String,
    /// A command that is run from time to time.
    pub telemetry: Telemetry,
    /// When unused images and containers are removed.
    pub docker_prune: DockerPrune,
    /// Whether the user allows statistics; `None` when nothing is said.
    pub analytics: Option<bool>,
    /// Whether newer versions are looked for.
    pub check_updates: bool,
    /// Whether values of Secrets are hidden in the log.
    pub scrub_secrets: bool,
    /// Ignores of every file watch: directory and patterns of each call.
    pub watch_ignores: Vec<(LocalPath, Vec<String>)>,
}

/// What the page is told of the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownSettings {
    /// Switches, by name.
    pub features: BTreeMap<&'static str, bool>,
    /// Whether newer versions are looked for.
    pub check_updates: bool,
}

impl Default for ShownSettings {
    fn default() -> Self {
        SessionSettings::default().shown()
    }
}

impl SessionSettings {
    /// Returns what the page is told.
    pub fn shown(&self) -> ShownSettings {
        ShownSettings {
            features: self.features.clone(),
            check_updates: self.check_updates,
        }
    }
}

/// A command that is run from time to time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Telemetry {
    /// The command; empty for none.
    pub command: Command,
    /// The directory of the file that set it.
    pub workdir: Option<LocalPath>,
    /// How often it runs: 60 s.
    pub period: Duration,
}

/// When unused images and containers are removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DockerPrune {
    /// Whether they are at all.
    pub enabled: bool,
    /// How old they must be: 6 h.
    pub max_age: Duration,
    /// After how many builds; 0 for a time of its own.
    pub num_builds: i64,
    /// How often otherwise: 1 h.
    pub interval: Duration,
    /// How many of each image are kept: 2.
    pub keep_recent: i64,
}

impl Default for DockerPrune {
    fn default() -> Self {
        Self {
            enabled: true,
            max_age: Duration::from_secs(6 * 3600),
            num_builds: 0,
            interval: Duration::from_secs(3600),
            keep_recent: 2,
        }
    }
}

/// Switches that still change something, and what they are by default.
pub const FEATURES: &[(&str, bool)] = &[("cluster_refresh", false), ("snapshots", true)];

/// Switches that no longer change anything.
pub const OBSOLETE_FEATURES: &[(&str, bool)] = &[
    ("bulk_disable_resources", false),
    ("disable_resources", true),
    ("events", true),
    ("facets", true),
    ("labels", true),
    ("live_update_v2", true),
    ("multiple_containers_per_pod", true),
    ("offline_snapshot_creation", true),
    ("update_history", false),
];

impl Default for SessionSettings {
    fn default() -> Self {
        Self {
            features: FEATURES.iter().chain(OBSOLETE_FEATURES).copied().collect(),
            team: String::new(),
            telemetry: Telemetry {
                command: Command::default(),
                workdir: None,
                period: Duration::from_secs(60),
            },
            docker_prune: DockerPrune::default(),
            analytics: None,
            check_updates: true,
            scrub_secrets: true,
            watch_ignores: Vec::new(),
        }
    }
}
