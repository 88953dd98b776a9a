//! The changes of objects that are remembered, so that a watch can go on where it was.
//!
//! Objects are large and there may be thousands of them. So of those changes that every watch has long seen unless it is stuck only
//! as much is kept as one needs that goes on there: of an object that changed again nothing but its last change.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde_json::{Value, json};

use super::Kind;

/// How many changes are remembered.
const HISTORY: usize = 4096;

/// How many of them are kept as they are.
const RECENT: usize = 256;

/// A change of an object.
#[derive(Clone, Debug)]
pub struct Change {
    /// Its number.
    pub version: u64,
    /// The kind of the object.
    pub kind: &'static Kind,
    /// What happened to it.
    pub change: ChangeKind,
    /// The object after the change; one that was deleted as it was.
    pub object: Arc<Value>,
    /// The object before the change; of one some hundred changes ago only what selectors look at.
    pub before: Option<Arc<Value>>,
    /// Whether the object only shows what the engine does.
    pub is_engines: bool,
}

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It is another one now.
    Modified,
    /// It is gone.
    Deleted,
}

impl ChangeKind {
    /// Returns the word of a watch.
    pub fn word(self) -> &'static str {
        match self {
            Self::Added => "ADDED",
            Self::Modified => "MODIFIED",
            Self::Deleted => "DELETED",
        }
    }
}

/// The last changes, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Each with its version; `None` for one after which the same object changed again.
    kept: VecDeque<(u64, Option<Change>)>,
    /// The version of the last change of each object.
    last: BTreeMap<(&'static str, String), u64>,
}

impl Changes {
    /// Returns the version of the oldest change that is remembered.
    pub(super) fn first(&self) -> Option<u64> {
        self.kept.front().map(|(version, _)| *version)
    }

    /// Returns what changed after a version.
    pub(super) fn since(&self, version: u64) -> impl Iterator<Item = &Change> {
        let first = self.kept.partition_point(|(known, _)| *known <= version);
        self.kept.range(first..).filter_map(|(_, change)| change.as_ref())
    }

    /// Adds a change.
    pub(super) fn add(&mut self, mut change: Change) {
        let key = key(&change);
        let before = self.last.get(&key).and_then(|version| self.place_of(*version));
        if let Some(before) = before.filter(|_| change.change == ChangeKind::Modified) {
            // The session's own object has a part for each resource, so of it not even the latest changes are kept.
            if change.kind.name == "Session" {
                change.before = self.forget(before).or(change.before);
            } else if self.is_old(before) {
                self.forget(before);
            }
        }
        if self.kept.len() == HISTORY
            && let Some((version, Some(oldest))) = self.kept.pop_front()
        {
            let key = self::key(&oldest);
            if self.last.get(&key) == Some(&version) {
                self.last.remove(&key);
            }
        }
        match change.change {
            ChangeKind::Deleted => self.last.remove(&key),
            ChangeKind::Added | ChangeKind::Modified => self.last.insert(key, change.version),
        };
        self.kept.push_back((change.version, Some(change)));
        if let Some(place) = self.kept.len().checked_sub(RECENT + 1) {
            self.grow_old(place);
        }
    }

    fn place_of(&self, version: u64) -> Option<usize> {
        self.kept.binary_search_by_key(&version, |(known, _)| *known).ok()
    }

    fn is_old(&self, place: usize) -> bool {
        place + RECENT < self.kept.len()
    }

    /// Keeps of a change that is old from now on what is still needed.
    fn grow_old(&mut self, place: usize) {
        let Some((version, Some(change))) = self.kept.get_mut(place) else {
            return;
        };
        if self.last.get(&key(change)).is_some_and(|last| *last > *version) {
            self.forget(place);
        } else {
            let before = change.before.take();
            change.before = before.map(|before| Arc::new(what_is_selected_by(&before)));
        }
    }

    /// Forgets a change after which the object changed again, unless selectors see something else since. Returns what it was before.
    fn forget(&mut self, place: usize) -> Option<Arc<Value>> {
        let says_nothing = |change: &mut Change| {
            let before = change
                .before
                .as_deref()
                .map(|before| &before["metadata"]["labels"]);
            change.change == ChangeKind::Modified && before == Some(&change.object["metadata"]["labels"])
        };
        self.kept[place].1.take_if(says_nothing)?.before
    }
}

fn key(change: &Change) -> (&'static str, String) {
    let name = change.object["metadata"]["name"].as_str().unwrap_or_default();
    (change.kind.plural, name.to_owned())
}

/// Returns what of an object decides whether it is selected.
fn what_is_selected_by(object: &Value) -> Value {
    let metadata = &object["metadata"];
    json!({"metadata": {"name": metadata["name"], "labels": metadata["labels"]}})
}
