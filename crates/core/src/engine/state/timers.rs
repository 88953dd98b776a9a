//! Moments at which things are to be looked at, of which only those are touched whose time has come.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// At most one moment for each key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Timers<K> {
    at: BTreeMap<K, Instant>,
    by_time: BTreeSet<(Instant, K)>,
}

impl<K> Default for Timers<K> {
    fn default() -> Self {
        Self {
            at: BTreeMap::new(),
            by_time: BTreeSet::new(),
        }
    }
}

impl<K: Ord + Clone> Timers<K> {
    /// Sets the moment of a key, or takes it away.
    pub(crate) fn set(&mut self, key: &K, at: Option<Instant>) {
        let before = self.at.get(key).copied();
        if before == at {
            return;
        }
        if let Some(before) = before {
            self.by_time.remove(&(before, key.clone()));
            self.at.remove(key);
        }
        if let Some(at) = at {
            self.by_time.insert((at, key.clone()));
            self.at.insert(key.clone(), at);
        }
    }

    /// Returns the earliest moment.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Returns the keys whose moment has come, the earliest first.
    pub(crate) fn due(&self, now: Instant) -> impl Iterator<Item = &K> {
        self.by_time
            .iter()
            .take_while(move |(at, _)| *at <= now)
            .map(|(_, key)| key)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_key_is_due_at_the_moment_that_it_was_given_last() {
        #[allow(clippy::disallowed_methods, reason = "a point to add durations to")]
        let start = Instant::now();
        let at = |secs| start + Duration::from_secs(secs);
        let mut timers = Timers::default();
        timers.set(&"early", Some(at(1)));
        timers.set(&"late", Some(at(3)));
        timers.set(&"early", Some(at(4)));
        timers.set(&"gone", Some(at(2)));
        timers.set(&"gone", None);
        assert_eq!(timers.next(), Some(at(3)));
        assert_eq!(timers.due(at(3)).collect::<Vec<_>>(), [&"late"]);
        assert_eq!(timers.due(at(4)).collect::<Vec<_>>(), [&"late", &"early"]);
        timers.set(&"late", None);
        assert_eq!(timers.due(at(9)).collect::<Vec<_>>(), [&"early"]);
    }
}
