//! The pods of the watched namespaces, whoever they belong to: most are seen before they are claimed.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::time::Instant;

use super::lists::Lists;
use crate::model::{ManifestName, ObjectUid, Pod};

/// A pod, and whose it is.
#[derive(Debug)]
pub(crate) struct SeenPod {
    pub(crate) pod: Pod,
    pub(crate) claimed_by: BTreeSet<ManifestName>,
    /// When it was seen first.
    pub(crate) first_seen: Instant,
    /// Since when it takes requests without a break, as far as that is known.
    pub(crate) serves_since: Option<Instant>,
}

/// The pods by their UIDs. Reading is as of a map.
#[derive(Debug, Default)]
pub(crate) struct KnownPods {
    pods: BTreeMap<ObjectUid, SeenPod>,
    /// Which pods an object is, or owns, be it through others.
    owned: Lists<ObjectUid, ObjectUid>,
}

impl Deref for KnownPods {
    type Target = BTreeMap<ObjectUid, SeenPod>;

    fn deref(&self) -> &Self::Target {
        &self.pods
    }
}

impl SeenPod {
    /// Returns what it is and what owns it.
    fn chain(&self) -> impl Iterator<Item = &ObjectUid> {
        let owners = self.pod.owners.iter().map(|owner| &owner.uid);
        owners.chain([&self.pod.uid])
    }
}

impl KnownPods {
    pub(crate) fn insert(&mut self, seen: SeenPod) {
        self.remove(&seen.pod.uid);
        for owner in seen.chain() {
            self.owned.add(owner, &seen.pod.uid);
        }
        self.pods.insert(seen.pod.uid.clone(), seen);
    }

    pub(crate) fn remove(&mut self, uid: &ObjectUid) -> Option<SeenPod> {
        let seen = self.pods.remove(uid)?;
        for owner in seen.chain() {
            self.owned.remove(owner, uid);
        }
        Some(seen)
    }

    /// Sets whose a pod is.
    pub(crate) fn set_claims(&mut self, uid: &ObjectUid, claimed_by: BTreeSet<ManifestName>) {
        if let Some(seen) = self.pods.get_mut(uid) {
            seen.claimed_by = claimed_by;
        }
    }

    /// Notes that a pod belongs to a resource, or does not.
    pub(crate) fn set_claim(&mut self, uid: &ObjectUid, name: &ManifestName, is_claimed: bool) {
        let Some(seen) = self.pods.get_mut(uid) else {
            return;
        };
        match is_claimed {
            true => seen.claimed_by.insert(name.clone()),
            false => seen.claimed_by.remove(name),
        };
    }

    /// Returns the pods that an object is, or owns.
    pub(crate) fn of_object(&self, object: &ObjectUid) -> impl Iterator<Item = &ObjectUid> {
        self.owned.of(object)
    }
}
