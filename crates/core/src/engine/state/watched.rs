//! What of the cluster is wanted watched, by whom, and how many want each thing.

use std::collections::BTreeMap;

use crate::engine::effect::{ClusterWatch, WatchedKind};
use crate::model::{ManifestName, ObjectUid};

/// What is wanted by whom, and by all.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    pub(crate) shares: BTreeMap<ManifestName, Share>,
    namespaces: Counts<String>,
    kinds: Counts<WatchedKind>,
    uids: Counts<ObjectUid>,
    pub(crate) wanted: ClusterWatch,
    /// What was last asked of the edge.
    pub(crate) asked: ClusterWatch,
}

/// What one resource wants watched.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) namespaces: Vec<String>,
    pub(crate) kinds: Vec<WatchedKind>,
    pub(crate) uids: Vec<ObjectUid>,
}

/// How many want each thing.
#[derive(Debug)]
struct Counts<T>(BTreeMap<T, usize>);

impl<T> Default for Counts<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: Ord + Clone> Counts<T> {
    /// Returns whether it is the first one.
    fn add(&mut self, thing: &T) -> bool {
        if let Some(count) = self.0.get_mut(thing) {
            *count += 1;
            return false;
        }
        self.0.insert(thing.clone(), 1);
        true
    }

    /// Returns whether it was the last one.
    fn remove(&mut self, thing: &T) -> bool {
        let Some(count) = self.0.get_mut(thing) else {
            return false;
        };
        *count -= 1;
        let was_last = *count == 0;
        if was_last {
            self.0.remove(thing);
        }
        was_last
    }
}

impl Watched {
    /// Returns whether a kind is watched in a namespace.
    pub(crate) fn watches(&self, kind: &WatchedKind) -> bool {
        self.asked.kinds.contains(kind)
    }

    /// Forgets what was asked: nobody could do it.
    pub(crate) fn forget_asked(&mut self) {
        self.asked = ClusterWatch::default();
    }

    pub(crate) fn set(&mut self, name: &ManifestName, share: Share) {
        if self.shares.get(name).is_some_and(|known| *known == share) {
            return;
        }
        for namespace in &share.namespaces {
            if self.namespaces.add(namespace) {
                self.wanted.namespaces.insert(namespace.clone());
            }
        }
        for kind in &share.kinds {
            if self.kinds.add(kind) {
                self.wanted.kinds.insert(kind.clone());
            }
        }
        for uid in &share.uids {
            if self.uids.add(uid) {
                self.wanted.uids.insert(uid.clone());
            }
        }
        if let Some(old) = self.shares.insert(name.clone(), share) {
            self.take_away(&old);
        }
    }

    pub(crate) fn remove(&mut self, name: &ManifestName) {
        if let Some(old) = self.shares.remove(name) {
            self.take_away(&old);
        }
    }

    pub(crate) fn take_away(&mut self, share: &Share) {
        for namespace in &share.namespaces {
            if self.namespaces.remove(namespace) {
                self.wanted.namespaces.remove(namespace);
            }
        }
        for kind in &share.kinds {
            if self.kinds.remove(kind) {
                self.wanted.kinds.remove(kind);
            }
        }
        for uid in &share.uids {
            if self.uids.remove(uid) {
                self.wanted.uids.remove(uid);
            }
        }
    }
}
