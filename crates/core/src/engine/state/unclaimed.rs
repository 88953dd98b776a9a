//! Events of objects that are not known to be ours: they may turn out to be, once what was deployed is known.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::ClusterEvent;
use crate::model::ObjectUid;

/// How many are kept. In a namespace that others share most are never claimed.
const MAX: usize = 2_048;

/// Events that wait for an owner, oldest first. Of one event only its latest state is kept, so that one that repeats
/// for ever pushes no other out.
#[derive(Debug, Default)]
pub(crate) struct Unclaimed {
    events: BTreeMap<u64, ClusterEvent>,
    places: BTreeMap<ObjectUid, u64>,
    last: u64,
}

impl Unclaimed {
    /// Keeps an event; the oldest gives way.
    pub(crate) fn keep(&mut self, event: ClusterEvent) {
        self.last += 1;
        if let Some(before) = self.places.insert(event.uid.clone(), self.last) {
            self.events.remove(&before);
        }
        self.events.insert(self.last, event);
        if self.events.len() > MAX
            && let Some((_, oldest)) = self.events.pop_first()
        {
            self.places.remove(&oldest.uid);
        }
    }

    /// Takes out the events of these objects and of what they own, oldest first.
    pub(crate) fn take(&mut self, objects: &BTreeSet<ObjectUid>) -> Vec<ClusterEvent> {
        let is_theirs = |event: &ClusterEvent| event.owner_chain.iter().any(|uid| objects.contains(uid));
        let taken: Vec<ClusterEvent> = self
            .events
            .extract_if(.., |_, event| is_theirs(event))
            .map(|(_, event)| event)
            .collect();
        for event in &taken {
            self.places.remove(&event.uid);
        }
        taken
    }
}
