//! The updates that have not answered yet, also those of resources that are gone, and what of them decides when others start.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::time::Instant;

use super::deployed::{DeleteCommand, Remains};
use super::lists::Lists;
use crate::engine::moment::Seq;
use crate::model::{BuildId, ManifestName, SpanId, TargetId};

/// An update that has not answered yet.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) manifest: ManifestName,
    pub(crate) span: SpanId,
    pub(crate) reason: String,
    pub(crate) started: Instant,
    pub(crate) started_seq: Seq,
    /// The images that it builds, each with whether it pushes it.
    pub(crate) images: BTreeMap<TargetId, bool>,
    pub(crate) deploy: TargetId,
    /// Whether no other update may run beside it.
    pub(crate) runs_alone: bool,
    /// Whether it counts among those of which only so many run at a time.
    pub(crate) takes_slot: bool,
    /// Whether it makes everything anew.
    pub(crate) force: bool,
    /// Whether the definition changed since: what it builds is not what is wanted now.
    pub(crate) outdated: bool,
    /// The number of the process of its command, while that runs.
    pub(crate) pid: Option<u32>,
    /// What takes away what it deploys, if it deploys by a command.
    pub(crate) delete_command: Option<DeleteCommand>,
    /// What the resource had in the cluster, if it is gone from the Tiltfile, or off.
    pub(crate) orphaned: Option<Remains>,
}

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
    pub(crate) fn insert(&mut self, id: BuildId, build: Running) {
        self.changed.insert(id);
        self.in_slots += usize::from(build.takes_slot);
        if build.runs_alone {
            self.alone.insert(id);
        }
        self.by_manifest.add(&build.manifest, &id);
        self.running.insert(id, build);
    }

    pub(crate) fn remove(&mut self, id: BuildId) -> Option<Running> {
        let build = self.running.remove(&id)?;
        self.changed.insert(id);
        self.in_slots -= usize::from(build.takes_slot);
        self.alone.remove(&id);
        self.by_manifest.remove(&build.manifest, &id);
        Some(build)
    }

    /// Returns an update to note what becomes of it.
    pub(crate) fn get_mut(&mut self, id: BuildId) -> Option<&mut Running> {
        self.running.get_mut(&id)
    }

    /// Returns the updates of a resource.
    pub(crate) fn of(&self, name: &ManifestName) -> impl Iterator<Item = BuildId> {
        self.by_manifest.of(name).copied()
    }

    /// Returns an update beside which no other may run.
    pub(crate) fn alone(&self) -> Option<&Running> {
        self.running.get(self.alone.first()?)
    }

    /// Returns how many count among those of which only so many run at a time.
    pub(crate) fn in_slots(&self) -> usize {
        self.in_slots
    }

    /// Returns which began or ended since this was last asked.
    pub(crate) fn take_changed(&mut self) -> BTreeSet<BuildId> {
        std::mem::take(&mut self.changed)
    }
}
