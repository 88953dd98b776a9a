//! The rows of a session, and which of them changed since somebody last asked.
//!
//! Whoever can change a row has taken it by [`Rows::get_mut`] or one of its siblings, so none can be forgotten. What else is
//! shown of a resource, such as why it waits, is noted by [`Rows::touch`].

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
        Some(row)
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut Row> {
        self.touched.all = true;
        self.rows.values_mut()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&ManifestName, &mut Row)> {
        self.touched.all = true;
        self.rows.iter_mut()
    }

    pub(crate) fn insert(&mut self, name: ManifestName, row: Row) {
        self.touched.all = true;
        self.rows.insert(name, row);
    }

    pub(crate) fn remove(&mut self, name: &ManifestName) -> Option<Row> {
        self.touched.all = true;
        self.rows.remove(name)
    }

    /// Notes that something that is shown of a resource, but is not in its row, may have changed.
    pub(crate) fn touch(&mut self, name: &ManifestName) {
        self.touched.rows.insert(name.clone());
    }

    /// Returns what may have changed since this was last asked.
    pub(crate) fn take_touched(&mut self) -> Touched {
        std::mem::take(&mut self.touched)
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
