//! The updates that have not answered yet, also those of resources that are gone, and what of them decides when others start.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;

use super::lists::Lists;
use super::state::Running;
use crate::model::{BuildId, ManifestName};

/// The running updates by their ids. Reading is as of a map.
#[derive(Debug, Default)]
pub(crate) struct Builds {
    running: BTreeMap<BuildId, Running>,
    by_manifest: Lists<ManifestName, BuildId>,
    /// Those beside which no other may run.
    alone: BTreeSet<BuildId>,
    /// How many count among those of which only so many run at a time.
    in_slots: usize,
    /// Those that began or ended since this was last asked.
    changed: BTreeSet<BuildId>,
}

impl Deref for Builds {
    type Target = BTreeMap<BuildId, Running>;

    fn deref(&self) -> &Self::Target {
        &self.running
    }
}

impl Builds {
    pub(super) fn insert(&mut self, id: BuildId, build: Running) {
        self.changed.insert(id);
        self.in_slots += usize::from(build.takes_slot);
        if build.runs_alone {
            self.alone.insert(id);
        }
        self.by_manifest.add(&build.manifest, &id);
        self.running.insert(id, build);
    }

    pub(super) fn remove(&mut self, id: BuildId) -> Option<Running> {
        let build = self.running.remove(&id)?;
        self.changed.insert(id);
        self.in_slots -= usize::from(build.takes_slot);
        self.alone.remove(&id);
        self.by_manifest.remove(&build.manifest, &id);
        Some(build)
    }

    /// Returns an update to note what becomes of it.
    pub(super) fn get_mut(&mut self, id: BuildId) -> Option<&mut Running> {
        self.running.get_mut(&id)
    }

    /// Returns the updates of a resource.
    pub(super) fn of(&self, name: &ManifestName) -> impl Iterator<Item = BuildId> {
        self.by_manifest.of(name).copied()
    }

    /// Returns an update beside which no other may run.
    pub(super) fn alone(&self) -> Option<&Running> {
        self.running.get(self.alone.first()?)
    }

    /// Returns how many count among those of which only so many run at a time.
    pub(super) fn in_slots(&self) -> usize {
        self.in_slots
    }

    /// Returns which began or ended since this was last asked.
    pub(super) fn take_changed(&mut self) -> BTreeSet<BuildId> {
        std::mem::take(&mut self.changed)
    }
}
