//! Updates, and loads of the Tiltfile, that lead to each other through files: each of them reads what another one of them writes.
//!
//! Who wrote a file is not known, only what ran whenever it changed; see `engine::state::cycle`.

use std::collections::{BTreeMap, BTreeSet};

use super::{CircleView, View};
use crate::model::ManifestName;

/// What seems to lead to what.
pub(super) struct Loops<'a> {
    view: &'a View,
    /// By what is led to; most resources are not there.
    led_by: BTreeMap<ManifestName, &'a BTreeSet<ManifestName>>,
}

impl<'a> Loops<'a> {
    pub(super) fn of(view: &'a View) -> Self {
        let rows = view.resources.iter().map(|row| (&row.name, &row.led_by));
        let rows = rows.filter(|(_, led_by)| !led_by.is_empty());
        let mut led_by: BTreeMap<_, _> = rows.map(|(name, led_by)| (name.clone(), led_by)).collect();
        led_by.insert(ManifestName::tiltfile(), &view.tiltfile.led_by);
        Self { view, led_by }
    }

    /// Returns these names, and those that go round with any of them.
    pub(super) fn with(&self, names: &BTreeSet<ManifestName>) -> BTreeSet<ManifestName> {
        let around = names.iter().flat_map(|name| self.around(name));
        names.iter().chain(around).cloned().collect()
    }

    /// Returns the circle that a resource, or the Tiltfile, is part of, if one is seen now.
    pub(super) fn circle(&self, name: &ManifestName) -> Option<&'a CircleView> {
        let of_another = || {
            self.around(name)
                .into_iter()
                .find_map(|other| self.own_circle(other))
        };
        self.own_circle(name).or_else(of_another)
    }

    fn own_circle(&self, name: &ManifestName) -> Option<&'a CircleView> {
        if *name == ManifestName::tiltfile() {
            return self.view.tiltfile.circle.as_ref();
        }
        let row = self.view.resources.iter().find(|row| row.name == *name);
        row?.circle.as_ref()
    }

    /// Returns what goes round with this one: it leads to it, step by step, and is led to by it.
    fn around(&self, name: &ManifestName) -> Vec<&'a ManifestName> {
        let before = self.behind(name).into_iter();
        let others = before.filter(|other| *other != name && self.behind(other).contains(name));
        others.collect()
    }

    /// Returns all that leads to this one, step by step.
    fn behind(&self, name: &ManifestName) -> BTreeSet<&'a ManifestName> {
        let before = |name| self.led_by.get(name).into_iter().copied().flatten();
        let mut open: Vec<&'a ManifestName> = before(name).collect();
        let mut found = BTreeSet::new();
        while let Some(next) = open.pop() {
            if found.insert(next) {
                open.extend(before(next));
            }
        }
        found
    }
}
