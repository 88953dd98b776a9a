//! What a watch has to tell, while the engine is busy: a queue in which the newer state of a pod or a workload replaces the
//! older.

use std::collections::{HashMap, VecDeque};

use crate::engine::Event;
use crate::model::ObjectUid;

/// Events in the order in which they are sent.
#[derive(Default)]
pub(super) struct Outbox {
    queue: VecDeque<Event>,
    /// How many were taken out.
    taken: usize,
    /// Where the state of a pod or a workload stands in the queue, counted from the first event ever.
    states: HashMap<ObjectUid, usize>,
}

impl Outbox {
    pub(in crate::edge::kube) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Adds an event. The state of a pod or a workload takes the place of an older one that was not sent yet.
    pub(in crate::edge::kube) fn push(&mut self, event: Event) {
        if let Some(uid) = whose_state(&event) {
            let next = self.taken + self.queue.len();
            let at = *self.states.entry(uid.clone()).or_insert(next);
            if at < next {
                self.queue[at - self.taken] = event;
                return;
            }
        }
        self.queue.push_back(event);
    }

    /// Takes the next event out.
    pub(super) fn pop(&mut self) -> Option<Event> {
        let event = self.queue.pop_front()?;
        self.taken += 1;
        if let Some(uid) = whose_state(&event) {
            self.states.remove(uid);
        }
        Some(event)
    }
}

fn whose_state(event: &Event) -> Option<&ObjectUid> {
    match event {
        Event::PodSeen(pod) => Some(&pod.uid),
        Event::WorkloadSeen(workload) => Some(&workload.uid),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::k8s::convert;
    use serde_json::json;

    fn seen(uid: &str, name: &str) -> Event {
        let pod = json!({"metadata": {"uid": uid, "name": name}});
        Event::PodSeen(Box::new(convert::pod(
            &serde_json::from_value(pod).expect("a pod"),
            Vec::new(),
        )))
    }

    #[test]
    fn a_newer_state_replaces_one_that_was_not_sent() {
        let mut outbox = Outbox::default();
        for event in [seen("a", "1"), seen("b", "1"), seen("a", "2")] {
            outbox.push(event);
        }
        assert_eq!(outbox.pop(), Some(seen("a", "2")));
        outbox.push(seen("a", "3"));
        outbox.push(Event::PodGone(ObjectUid::from("a")));
        outbox.push(seen("b", "2"));
        let rest: Vec<Event> = std::iter::from_fn(|| outbox.pop()).collect();
        assert_eq!(
            rest,
            [
                seen("b", "2"),
                seen("a", "3"),
                Event::PodGone(ObjectUid::from("a"))
            ]
        );
        assert!(outbox.is_empty());
    }
}
