//! The rows of a session, and which of them changed since somebody last asked.
//!
//! Whoever can change a row has taken it by [`Rows::get_mut`] or one of its siblings, so none can be forgotten. What else is
//! shown of a resource, such as why it waits, is noted by [`Rows::touch`]. By the same, the few rows that want something are
//! known without looking at all of them ([`Rows::index`]).

use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, IntoIter, Iter};
use std::ops::Deref;

use super::row::Row;
use crate::model::ManifestName;

/// One row per resource, by name. Reading is as of a map.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    rows: BTreeMap<ManifestName, Row>,
    touched: Touched,
    /// Those that may have changed since they were indexed.
    unindexed: Touched,
    /// Those whose next update is due.
    due: BTreeSet<ManifestName>,
    /// Those in whose containers a change is to be tried again.
    retrying: BTreeSet<ManifestName>,
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
        self.unindexed.rows.insert(name.clone());
        Some(row)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&ManifestName, &mut Row)> {
        (self.touched.all, self.unindexed.all) = (true, true);
        self.rows.iter_mut()
    }

    pub(crate) fn insert(&mut self, name: ManifestName, row: Row) {
        (self.touched.all, self.unindexed.all) = (true, true);
        self.rows.insert(name, row);
    }

    pub(crate) fn remove(&mut self, name: &ManifestName) -> Option<Row> {
        (self.touched.all, self.unindexed.all) = (true, true);
        self.rows.remove(name)
    }

    /// Notes that something that is shown of a resource, but is not in its row, may have changed.
    pub(crate) fn touch(&mut self, name: &ManifestName) {
        self.touched.rows.insert(name.clone());
    }

    /// Finds out anew what the rows want that may have changed.
    pub(crate) fn index(&mut self) {
        let Touched { all, rows } = std::mem::take(&mut self.unindexed);
        let names: Vec<ManifestName> = match all {
            true => {
                self.due.clear();
                self.retrying.clear();
                self.rows.keys().cloned().collect()
            }
            false => rows.into_iter().collect(),
        };
        for name in names {
            let row = self.rows.get(&name);
            note(&mut self.due, &name, row.is_some_and(Row::is_due));
            let retries = row.is_some_and(|row| row.live.next_retry().is_some());
            note(&mut self.retrying, &name, retries);
        }
    }

    /// Returns the rows whose next update is due, in the order of definition. They were indexed after the last change.
    pub(crate) fn due(&self) -> Vec<(&ManifestName, &Row)> {
        debug_assert!(self.unindexed == Touched::default(), "the index is old");
        let mut due: Vec<_> = self
            .due
            .iter()
            .filter_map(|name| self.rows.get_key_value(name))
            .collect();
        due.sort_by_key(|(_, row)| row.position);
        due
    }

    /// Returns the rows in whose containers a change is to be tried again. They were indexed after the last change.
    pub(crate) fn retrying(&self) -> impl Iterator<Item = (&ManifestName, &Row)> {
        debug_assert!(self.unindexed == Touched::default(), "the index is old");
        self.retrying
            .iter()
            .filter_map(|name| self.rows.get_key_value(name))
    }

    /// Returns what may have changed since this was last asked.
    pub(crate) fn take_touched(&mut self) -> Touched {
        std::mem::take(&mut self.touched)
    }
}

fn note(names: &mut BTreeSet<ManifestName>, name: &ManifestName, is_one: bool) {
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
