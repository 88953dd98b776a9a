//! What is known of one target of a resource: what changed of it, and what was built.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::engine::moment::{Moment, Seq};
use crate::model::{BuiltImage, LocalPath, TargetId};

/// What is known of one target of a resource.
#[derive(Debug, Default)]
pub(crate) struct TargetState {
    /// Files that changed and that no update has taken in, with the latest change of each.
    pub(crate) files: BTreeMap<LocalPath, Edit>,
    /// When the last update began that read its files: it has taken in what changed before.
    pub(crate) read_at: Seq,
    /// Images below it that another resource has built since.
    pub(crate) dependencies: BTreeMap<TargetId, Seq>,
    /// What was built last, unless it is known to be stale.
    pub(crate) result: Option<BuiltImage>,
    /// When the build began that gave it. Of an image that is never built: when the resource was last deployed.
    pub(crate) built_from: Seq,
    /// Files that changed since the image that is deployed was begun to be built, with the latest change of each. Only
    /// where containers are changed in place.
    pub(crate) since_build: BTreeMap<LocalPath, Seq>,
    /// Those of them that were reported only after a build had begun that has read them.
    pub(crate) read_late: BTreeMap<LocalPath, Seq>,
}

/// The latest change of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Edit {
    /// When it was heard of.
    pub(crate) heard: Seq,
    /// The latest moment before it: what began later has read it.
    pub(crate) after: Moment,
    /// When the first change of it was noticed that no update has taken in, if that is known.
    pub(crate) seen: Option<Instant>,
}

impl TargetState {
    /// Returns whether something changed that no update has taken in.
    pub(crate) fn is_dirty(&self) -> bool {
        !self.files.is_empty() || !self.dependencies.is_empty()
    }

    /// Returns whether an update would use what was built before.
    pub(crate) fn is_reusable(&self) -> bool {
        self.result.is_some() && !self.is_dirty()
    }

    /// Forgets what an update took in that began then.
    pub(crate) fn consume_until(&mut self, began: Seq) {
        self.read_at = began.max(self.read_at);
        self.files.retain(|_, edit| edit.after >= began);
        self.dependencies.retain(|_, changed| *changed > began);
    }

    /// Forgets what was heard of before an update began that had to do with it but did not read it.
    pub(crate) fn settle_until(&mut self, began: Seq) {
        self.files.retain(|_, edit| edit.heard > began);
        self.dependencies.retain(|_, changed| *changed > began);
    }

    /// Notes files that what was built is not made of as they are now.
    pub(crate) fn note_lacking(&mut self, files: &[LocalPath], now: Seq) {
        for file in files {
            let edit = Edit {
                heard: now,
                after: now,
                seen: None,
            };
            self.files.entry(file.clone()).or_insert(edit);
            self.since_build.entry(file.clone()).or_insert(now);
        }
    }

    /// Forgets the changes that the deployed image has, and returns them.
    pub(crate) fn forget_built(&mut self) -> Vec<LocalPath> {
        let built_from = self.built_from;
        let read_late = std::mem::take(&mut self.read_late);
        let is_built =
            |file: &LocalPath, seq: &mut Seq| *seq <= built_from || read_late.get(file) == Some(seq);
        let built = self.since_build.extract_if(.., is_built);
        built.map(|(file, _)| file).collect()
    }
}
