//! What the resources say about the end of a run of `ci`, as `ci` keeps it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::timers::Timers;
use crate::model::ManifestName;

/// What the resources say about the end of a run. It is kept: of each only what changed is asked for anew.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) rows: BTreeMap<ManifestName, Vec<Judged>>,
    /// How many targets they have.
    pub(crate) targets: usize,
    /// The targets that are not as they should be at the end.
    pub(crate) unfinished: usize,
    /// The targets that have failed for good, and whose they are.
    pub(crate) failed: BTreeMap<String, ManifestName>,
    /// Those that are not ready in time.
    pub(crate) late: BTreeMap<String, ManifestName>,
    /// When what is said of one changes though nothing happens.
    pub(crate) deadlines: Timers<ManifestName>,
    /// Resources that are deployed to the cluster, or about to be.
    pub(crate) in_cluster: BTreeSet<ManifestName>,
    /// Resources that nothing starts.
    pub(crate) idle: BTreeSet<ManifestName>,
    /// Those under way whose commands may start others.
    pub(crate) starters: BTreeSet<ManifestName>,
}

/// What is said of a target.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Judged {
    pub(crate) name: String,
    pub(crate) is_fine: bool,
    pub(crate) has_failed: bool,
    pub(crate) is_late: bool,
    pub(crate) until: Option<Instant>,
}
