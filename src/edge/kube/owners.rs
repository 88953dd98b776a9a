//! Who owns an object, and who owns that: chains of owners by UID, looked up once.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use tokio::sync::{OnceCell, Semaphore};

use super::connect::Cluster;
use super::error::RequestError;
use crate::k8s::convert::{owner, timestamp};
use crate::model::{ObjectUid, Owner, Timestamp};

/// How many objects are remembered. Beyond that all are forgotten, which costs look-ups and nothing else.
const MAX_KNOWN: usize = 10_000;
/// How many look-ups run at a time.
const PARALLEL: usize = 16;
/// How many owners a chain can have; a longer one is a circle.
const MAX_CHAIN: usize = 32;
/// Pauses before a look-up that failed is tried again.
const RETRIES: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(2)];

/// The owners of objects in a cluster. Cheap to clone.
#[derive(Clone)]
pub(super) struct Owners {
    inner: Arc<Inner>,
}

struct Inner {
    cluster: Cluster,
    known: Mutex<HashMap<ObjectUid, Arc<OnceCell<Known>>>>,
    slots: Semaphore,
}

/// What is remembered of an object.
#[derive(Clone, Debug, Default)]
struct Known {
    created: Option<Timestamp>,
    owners: Vec<OwnerReference>,
}

impl Owners {
    pub(super) fn new(cluster: Cluster) -> Self {
        Self {
            inner: Arc::new(Inner {
                cluster,
                known: Mutex::default(),
                slots: Semaphore::new(PARALLEL),
            }),
        }
    }

    /// Remembers an object that was seen.
    pub(super) fn learn(&self, metadata: &ObjectMeta) {
        if let Some(uid) = &metadata.uid {
            let cell = OnceCell::new_with(Some(known(metadata)));
            self.insert(ObjectUid::new(uid), Arc::new(cell));
        }
    }

    /// Returns the chain from these references on, nearest first, if nothing has to be looked up for it. What is in
    /// `stops` need not be looked up.
    pub(super) fn known_chain(
        &self,
        references: &[OwnerReference],
        stops: &BTreeSet<ObjectUid>,
    ) -> Option<Vec<Owner>> {
        let mut walk = Walk::new(references);
        while let Some(uid) = walk.next_unknown() {
            let cell = self.cell(&uid);
            match cell.get() {
                Some(known) => walk.enter(known),
                None if stops.contains(&uid) => walk.enter(&Known::default()),
                None => return None,
            }
        }
        Some(walk.chain)
    }

    /// Returns the chain from these references on, nearest first, as far as it can be looked up.
    pub(super) async fn chain(
        &self,
        namespace: &str,
        references: &[OwnerReference],
        stops: &BTreeSet<ObjectUid>,
    ) -> Vec<Owner> {
        let mut walk = Walk::new(references);
        while let Some(uid) = walk.next_unknown() {
            let cell = self.cell(&uid);
            if cell.get().is_none() && stops.contains(&uid) {
                walk.enter(&Known::default());
                continue;
            }
            // One look-up at a time for an object; whoever else needs it waits for the same.
            let reference = walk.current.clone();
            let known = cell.get_or_try_init(|| self.look_up(namespace, &reference)).await;
            walk.enter(known.unwrap_or(&Known::default()));
        }
        walk.chain
    }

    /// What cannot be read, or is gone, has no owners. Only a failure that may pass is an error.
    async fn look_up(&self, namespace: &str, reference: &OwnerReference) -> Result<Known, RequestError> {
        let mut pauses = RETRIES.iter();
        loop {
            let answer = self.ask(namespace, reference).await;
            match answer {
                Ok(metadata) => return Ok(metadata.as_ref().map(known).unwrap_or_default()),
                Err(RequestError::NoMatch { .. }) => return Ok(Known::default()),
                Err(error)
                    if error
                        .status()
                        .is_some_and(|status| (400..500).contains(&status.code)) =>
                {
                    return Ok(Known::default());
                }
                Err(error) => match pauses.next() {
                    Some(pause) => tokio::time::sleep(*pause).await,
                    None => return Err(error),
                },
            }
        }
    }

    async fn ask(
        &self,
        namespace: &str,
        reference: &OwnerReference,
    ) -> Result<Option<ObjectMeta>, RequestError> {
        let _slot = self.inner.slots.acquire().await;
        let cluster = &self.inner.cluster;
        let object = cluster
            .object(
                &reference.api_version,
                &reference.kind,
                Some(namespace),
                &reference.name,
            )
            .await?;
        let found = object.get_metadata().await?;
        let metadata = found.and_then(|mut object| serde_json::from_value(object["metadata"].take()).ok());
        // Another object of that name may have taken its place.
        Ok(metadata.filter(|metadata: &ObjectMeta| metadata.uid.as_ref() == Some(&reference.uid)))
    }

    fn cell(&self, uid: &ObjectUid) -> Arc<OnceCell<Known>> {
        let known = self.inner.known.lock().expect("no panic while owners are held");
        let found = known.get(uid).cloned();
        drop(known);
        found.unwrap_or_else(|| self.insert(uid.clone(), Arc::default()))
    }

    fn insert(&self, uid: ObjectUid, cell: Arc<OnceCell<Known>>) -> Arc<OnceCell<Known>> {
        let mut known = self.inner.known.lock().expect("no panic while owners are held");
        if known.len() >= MAX_KNOWN {
            known.clear();
        }
        known.insert(uid, cell.clone());
        cell
    }
}

fn known(metadata: &ObjectMeta) -> Known {
    Known {
        created: timestamp(metadata.creation_timestamp.as_ref()),
        owners: metadata.owner_references.clone().unwrap_or_default(),
    }
}

/// A walk up the owners, all of one distance before those of the next.
struct Walk {
    chain: Vec<Owner>,
    open: VecDeque<OwnerReference>,
    seen: HashSet<String>,
    current: OwnerReference,
}

impl Walk {
    fn new(references: &[OwnerReference]) -> Self {
        Self {
            chain: Vec::new(),
            open: references.iter().cloned().collect(),
            seen: HashSet::new(),
            current: OwnerReference::default(),
        }
    }

    /// Returns the next owner, of which more has to be known.
    fn next_unknown(&mut self) -> Option<ObjectUid> {
        loop {
            let reference = self.open.pop_front()?;
            if self.chain.len() < MAX_CHAIN && self.seen.insert(reference.uid.clone()) {
                self.current = reference;
                return Some(ObjectUid::new(&self.current.uid));
            }
        }
    }

    fn enter(&mut self, known: &Known) {
        self.chain.push(Owner {
            created: known.created,
            ..owner(&self.current)
        });
        self.open.extend(known.owners.iter().cloned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(uid: &str) -> OwnerReference {
        OwnerReference {
            uid: uid.to_owned(),
            ..OwnerReference::default()
        }
    }

    fn owners_of(uids: &[&str]) -> Known {
        Known {
            created: Some(Timestamp::from_secs(1)),
            owners: uids.iter().map(|uid| reference(uid)).collect(),
        }
    }

    #[test]
    fn a_walk_goes_up_by_distance_and_ends_in_a_circle() {
        let mut walk = Walk::new(&[reference("a"), reference("b")]);
        let known = HashMap::from([
            ("a", owners_of(&["c"])),
            ("b", owners_of(&["c", "d"])),
            ("c", owners_of(&["a"])),
            ("d", owners_of(&[])),
        ]);
        while let Some(uid) = walk.next_unknown() {
            walk.enter(&known[uid.as_str()]);
        }
        let chain: Vec<&str> = walk.chain.iter().map(|owner| owner.uid.as_str()).collect();
        assert_eq!(chain, ["a", "b", "c", "d"]);
    }
}
