//! The rows of a session, and which of them changed since somebody last asked.
//!
//! Whoever can change a row has taken it by [`Rows::get_mut`] or one of its siblings, so none can be forgotten. What else is
//! shown of a resource, such as why it waits, is noted by [`Rows::touch`]. By the same, the few rows that want something are
//! known without looking at all of them ([`Rows::index`]).

use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, IntoIter, Iter};
use std::ops::Deref;
use std::sync::Arc;

use super::lists::Lists;
use super::row::Row;
use crate::model::{Manifest, ManifestName, ServeId, TargetId};

/// One row per resource, by name. Reading is as of a map.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    rows: BTreeMap<ManifestName, Row>,
    touched: Touched,
    /// Those that wait for others, for the same reason, since somebody last asked.
    waiting_for_others: BTreeSet<ManifestName>,
    /// Those that may have changed since a run of `ci` looked at them.
    unjudged: Touched,
    /// Those that may have changed since they were indexed.
    unindexed: Touched,
    /// Those that may have changed since their next updates were thought about.
    unscheduled: Touched,
    /// Those in whose containers a change is to be tried again.
    retrying: BTreeSet<ManifestName>,
    /// What `by_target` and `by_server` say of each.
    parts: BTreeMap<ManifestName, Parts>,
    /// Which have a target.
    by_target: Lists<TargetId, ManifestName>,
    /// Which has a server.
    by_server: BTreeMap<ServeId, ManifestName>,
}

/// What of a row it can be found by.
#[derive(Debug)]
struct Parts {
    manifest: Arc<Manifest>,
    server: Option<ServeId>,
}

impl Parts {
    fn of(row: &Row) -> Self {
        Self {
            manifest: Arc::clone(&row.manifest),
            server: row.server.as_ref().map(|of_row| of_row.server.serve),
        }
    }

    /// Returns what is another one for other parts.
    fn id(&self) -> (*const Manifest, Option<ServeId>) {
        (Arc::as_ptr(&self.manifest), self.server)
    }
}

/// Rows that may have changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Touched {
    /// Whether the rows themselves are others now.
    pub(crate) all: bool,
    /// Those that may have changed.
    pub(crate) rows: BTreeSet<ManifestName>,
}

impl Deref for Rows {
    type Target = BTreeMap<ManifestName, Row>;

    fn deref(&self) -> &Self::Target {
        &self.rows
    }
}

impl Rows {
    pub(crate) fn get_mut(&mut self, name: &ManifestName) -> Option<&mut Row> {
        let row = self.rows.get_mut(name)?;
        self.touched.rows.insert(name.clone());
        self.unjudged.rows.insert(name.clone());
        self.unindexed.rows.insert(name.clone());
        Some(row)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&ManifestName, &mut Row)> {
        self.touch_all();
        self.rows.iter_mut()
    }

    pub(crate) fn insert(&mut self, name: ManifestName, row: Row) {
        self.touch_all();
        self.rows.insert(name, row);
    }

    pub(crate) fn remove(&mut self, name: &ManifestName) -> Option<Row> {
        self.touch_all();
        self.rows.remove(name)
    }

    /// Notes that something that is shown of a resource, but is not in its row, may have changed.
    pub(crate) fn touch(&mut self, name: &ManifestName) {
        self.touched.rows.insert(name.clone());
        self.unjudged.rows.insert(name.clone());
    }

    /// Notes that a resource that waits now waits for others, for the same reason as before.
    pub(crate) fn touch_names(&mut self, name: &ManifestName) {
        self.waiting_for_others.insert(name.clone());
    }

    fn touch_all(&mut self) {
        for touched in [&mut self.touched, &mut self.unjudged, &mut self.unindexed] {
            touched.all = true;
        }
    }

    /// Finds out anew what the rows want that may have changed.
    pub(crate) fn index(&mut self) {
        let Touched { all, rows } = std::mem::take(&mut self.unindexed);
        self.unscheduled.all |= all;
        self.unscheduled.rows.extend(rows.iter().cloned());
        let names: BTreeSet<ManifestName> = match all {
            true => self.rows.keys().chain(self.parts.keys()).cloned().collect(),
            false => rows,
        };
        for name in names {
            self.index_parts(&name);
            let row = self.rows.get(&name);
            let retries = row.is_some_and(|row| row.live.next_retry().is_some());
            note(&mut self.retrying, &name, retries);
        }
    }

    /// Notes anew which targets and which server a row has, if those are others than when that was noted.
    fn index_parts(&mut self, name: &ManifestName) {
        let now = self.rows.get(name).map(Parts::of);
        let before = self.parts.get(name);
        if now.as_ref().map(Parts::id) == before.map(Parts::id) {
            return;
        }
        if let Some(before) = before {
            before.server.map(|server| self.by_server.remove(&server));
            for target in before.manifest.target_ids() {
                self.by_target.remove(target, name);
            }
        }
        if let Some(now) = &now {
            now.server
                .map(|server| self.by_server.insert(server, name.clone()));
            for target in now.manifest.target_ids() {
                self.by_target.add(target, name);
            }
        }
        match now {
            Some(now) => self.parts.insert(name.clone(), now),
            None => self.parts.remove(name),
        };
    }

    /// Returns the name of the row that had this server before the event at hand.
    pub(crate) fn served_by(&self, server: ServeId) -> Option<&ManifestName> {
        self.by_server.get(&server)
    }

    /// Returns the names of the rows that had a target before the event at hand.
    pub(crate) fn with_target(&self, target: &TargetId) -> Vec<ManifestName> {
        self.by_target.of(target).cloned().collect()
    }

    /// Returns the rows in whose containers a change is to be tried again. They were indexed after the last change.
    pub(crate) fn retrying(&self) -> impl Iterator<Item = (&ManifestName, &Row)> {
        debug_assert!(self.unindexed == Touched::default(), "the index is old");
        self.retrying
            .iter()
            .filter_map(|name| self.rows.get_key_value(name))
    }

    /// Returns what may have changed since the next updates were thought about. They were indexed after the last change.
    pub(crate) fn take_unscheduled(&mut self) -> Touched {
        debug_assert!(self.unindexed == Touched::default(), "the index is old");
        std::mem::take(&mut self.unscheduled)
    }

    /// Returns what may have changed since a run of `ci` looked at it.
    pub(crate) fn take_unjudged(&mut self) -> Touched {
        std::mem::take(&mut self.unjudged)
    }

    /// Returns those that wait for others, for the same reason, since this was last asked.
    pub(crate) fn take_waiting_for_others(&mut self) -> BTreeSet<ManifestName> {
        std::mem::take(&mut self.waiting_for_others)
    }

    /// Returns what may have changed since this was last asked.
    pub(crate) fn take_touched(&mut self) -> Touched {
        std::mem::take(&mut self.touched)
    }
}

/// Notes whether a name is one of these.
pub(crate) fn note(names: &mut BTreeSet<ManifestName>, name: &ManifestName, is_one: bool) {
    if !is_one {
        names.remove(name);
    } else if !names.contains(name) {
        names.insert(name.clone());
    }
}

impl<'a> IntoIterator for &'a Rows {
    type Item = (&'a ManifestName, &'a Row);
    type IntoIter = Iter<'a, ManifestName, Row>;

    fn into_iter(self) -> Self::IntoIter {
        self.rows.iter()
    }
}

impl IntoIterator for Rows {
    type Item = (ManifestName, Row);
    type IntoIter = IntoIter<ManifestName, Row>;

    fn into_iter(self) -> Self::IntoIter {
        self.rows.into_iter()
    }
}
