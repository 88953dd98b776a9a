//! What is known of the Tiltfile itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use super::cycle::Cycle;
use crate::engine::moment::Seq;
use crate::history::ProjectFiles;
use crate::model::{Ignore, LoadId, LocalPath, ShownSettings, SourcePlace, TriggerReason};

/// The Tiltfile itself.
#[derive(Debug, Default)]
pub(crate) struct Tiltfile {
    pub(crate) loading: Option<Loading>,
    pub(crate) last_load: u64,
    /// When the last load began.
    pub(crate) started: Option<Instant>,
    /// When it ended.
    pub(crate) finished: Option<Instant>,
    /// Whether any load has ended.
    pub(crate) loaded: bool,
    /// Why the last one failed.
    pub(crate) error: Option<String>,
    /// Where its fault is written, if that is known.
    pub(crate) error_place: Option<SourcePlace>,
    /// What the last good load says of files.
    pub(crate) shown_settings: Arc<ShownSettings>,
    pub(crate) files: Arc<ProjectFiles>,
    pub(crate) config_files: Vec<LocalPath>,
    pub(crate) watch_ignores: Vec<Ignore>,
    /// Changes that no load has seen, each with the latest load that had read all when it came.
    pub(crate) pending: BTreeMap<LocalPath, LoadId>,
    /// When the first of them was noticed.
    pub(crate) noticed: Option<Instant>,
    /// When the last load began: it has read what changed before.
    pub(crate) read_at: Seq,
    /// What the last load that ended has read.
    pub(crate) read: BTreeSet<LocalPath>,
    /// Which load that was.
    pub(crate) read_by: Option<LoadId>,
    /// Whether it writes what it reads.
    pub(crate) cycle: Cycle,
    /// Who asked for a load that has not begun.
    pub(crate) triggers: BTreeSet<TriggerReason>,
    pub(crate) args: Vec<String>,
    /// Whether no load has begun with these arguments.
    pub(crate) args_changed: bool,
    /// Whether users registered other extensions than those of the last load.
    pub(crate) extensions_changed: bool,
    /// Whether the next good load says anew which resources run: an earlier one that should have failed.
    pub(crate) sets_enabled: bool,
}

/// A load that has not answered yet.
#[derive(Debug)]
pub(crate) struct Loading {
    pub(crate) load: LoadId,
    /// The changes that led to it.
    pub(crate) files: BTreeSet<LocalPath>,
    /// Whether its result says anew which resources run.
    pub(crate) sets_enabled: bool,
}
