//! What a watch has to tell, while the engine is busy: a queue in which a pod's newer state replaces the older.

use std::collections::{HashMap, VecDeque};

use crate::engine::Event;
use crate::model::ObjectUid;

/// Events in the order in which they are sent.
#[derive(Default)]
pub(super) struct Outbox {
    queue: VecDeque<Event>,
    /// How many were taken out.
    taken: usize,
    /// Where a pod's state stands in the queue, counted from the first event ever.
    pods: HashMap<ObjectUid, usize>,
}

impl Outbox {
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Adds an event. The state of a pod takes the place of an older one that was not sent yet.
    pub(super) fn push(&mut self, event: Event) {
        if let Event::PodSeen(pod) = &event {
            let next = self.taken + self.queue.len();
            let at = *self.pods.entry(pod.uid.clone()).or_insert(next);
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
        if let Event::PodSeen(pod) = &event {
            self.pods.remove(&pod.uid);
        }
        Some(event)
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
