//! What is known of the owners of objects, by UID: bounded, and the least recently used is forgotten first.

use std::collections::HashMap;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use tokio::sync::OnceCell;

use crate::edge::kube::connection::OwnedMetadata;
use crate::k8s::convert::timestamp;
use crate::model::{ObjectUid, Timestamp};

/// How many objects a generation holds. There are two, so at most twice as many are remembered.
const GENERATION: usize = 8_192;
/// How many owners of one object are remembered. Nobody has more but by mistake.
const MAX_OWNERS: usize = 16;

/// What is remembered of an object. One that is gone, or cannot be read, has no owners.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    pub(in crate::edge::kube) created: Option<Timestamp>,
    pub(in crate::edge::kube) owners: Vec<OwnerReference>,
}

impl From<OwnedMetadata> for Known {
    fn from(metadata: OwnedMetadata) -> Self {
        let mut owners = metadata.owner_references;
        owners.truncate(MAX_OWNERS);
        Self {
            created: timestamp(metadata.creation_timestamp.as_ref()),
            owners,
        }
    }
}

/// A place for what is known of one object. Who finds it empty looks up, and others wait for that.
pub(super) type Cell = Arc<OnceCell<Known>>;

/// The places of many objects.
#[derive(Default)]
pub(super) struct OwnerCache {
    young: HashMap<ObjectUid, Cell>,
    old: HashMap<ObjectUid, Cell>,
}

impl OwnerCache {
    /// Remembers an object.
    pub(in crate::edge::kube) fn learn(&mut self, uid: ObjectUid, known: Known) {
        self.insert(uid, Arc::new(OnceCell::new_with(Some(known))));
    }

    /// Returns an object's place, which may be empty.
    pub(super) fn cell(&mut self, uid: &ObjectUid) -> Cell {
        if let Some(cell) = self.young.get(uid) {
            return cell.clone();
        }
        let cell = self.old.remove(uid).unwrap_or_default();
        self.insert(uid.clone(), cell.clone());
        cell
    }

    fn insert(&mut self, uid: ObjectUid, cell: Cell) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(uid, cell);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_many_objects_come_only_the_last_ones_are_remembered() {
        let mut cache = OwnerCache::default();
        let uid = |n: usize| ObjectUid::new(n.to_string());
        for n in 0..5 * GENERATION {
            cache.learn(uid(n), Known::default());
            // One that is asked for again and again stays.
            assert!(cache.cell(&uid(0)).get().is_some(), "after {n}");
        }
        assert!(cache.young.len() + cache.old.len() <= 2 * GENERATION);
        assert!(cache.cell(&uid(5 * GENERATION - 1)).get().is_some());
        assert!(cache.cell(&uid(1)).get().is_none());
    }
}
