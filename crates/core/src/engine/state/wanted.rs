//! A set of long-lived things that is asked of the edge as a whole: put together from what each resource wants of it, so that only
//! those are looked at of which something changed.

use std::collections::{BTreeMap, BTreeSet};

use imbl::OrdMap;

use crate::model::ManifestName;

/// Who wants something: a resource, or, all together, the objects that users made.
pub(crate) type Wisher = Option<ManifestName>;

/// What is wanted, by whom, and what was last asked for.
#[derive(Debug)]
pub(crate) struct Wanted<K: Ord, V> {
    /// Which things each wants.
    wishes: BTreeMap<Wisher, BTreeSet<K>>,
    /// Who wants each thing, and how.
    wishers: BTreeMap<K, BTreeMap<Wisher, V>>,
    /// What is wanted by anybody.
    all: OrdMap<K, V>,
    asked: OrdMap<K, V>,
    stale: Stale,
}

/// Whose wishes may be others by now.
#[derive(Debug, Default)]
struct Stale {
    all: bool,
    of: BTreeSet<Wisher>,
}

impl<K: Ord, V> Default for Wanted<K, V> {
    fn default() -> Self {
        Self {
            wishes: BTreeMap::new(),
            wishers: BTreeMap::new(),
            all: OrdMap::new(),
            asked: OrdMap::new(),
            stale: Stale::default(),
        }
    }
}

impl<K: Ord + Clone, V: Clone + PartialEq> Wanted<K, V> {
    /// Notes that a resource may want something else.
    pub(crate) fn touch(&mut self, name: &ManifestName) {
        self.stale.of.insert(Some(name.clone()));
    }

    /// Notes that what objects want may be something else.
    pub(crate) fn touch_objects(&mut self) {
        self.stale.of.insert(None);
    }

    /// Notes that everybody may want something else.
    pub(crate) fn touch_all(&mut self) {
        self.stale.all = true;
    }

    /// Notes that what was asked for was not done.
    pub(crate) fn forget_asked(&mut self) {
        self.asked.clear();
        self.touch_objects();
    }

    /// Asks those anew who may want something else; `rows` are the resources that there are. Returns what to ask for, if that is
    /// something else than was.
    pub(crate) fn renew<'a, T: IntoIterator<Item = (K, V)>>(
        &mut self,
        rows: impl Iterator<Item = &'a ManifestName>,
        wanted_by: impl Fn(&Wisher) -> T,
    ) -> Option<OrdMap<K, V>> {
        for wisher in self.take_stale(rows) {
            self.set(&wisher, wanted_by(&wisher));
        }
        self.ask()
    }

    /// Returns whose wishes are to be told anew by [`Self::set`]; `rows` are the resources that there are.
    fn take_stale<'a>(&mut self, rows: impl Iterator<Item = &'a ManifestName>) -> BTreeSet<Wisher> {
        let Stale { all, mut of } = std::mem::take(&mut self.stale);
        if all {
            of.extend(rows.cloned().map(Some));
            of.extend(self.wishes.keys().cloned());
            of.insert(None);
        }
        of
    }

    /// Sets what somebody wants.
    fn set(&mut self, wisher: &Wisher, things: impl IntoIterator<Item = (K, V)>) {
        let mut gone = self.wishes.remove(wisher).unwrap_or_default();
        let mut kept = BTreeSet::new();
        for (key, value) in things {
            gone.remove(&key);
            kept.insert(key.clone());
            self.wishers
                .entry(key.clone())
                .or_default()
                .insert(wisher.clone(), value);
            self.update(&key);
        }
        for key in gone {
            if let Some(wishers) = self.wishers.get_mut(&key) {
                wishers.remove(wisher);
            }
            self.update(&key);
        }
        if !kept.is_empty() {
            self.wishes.insert(wisher.clone(), kept);
        }
    }

    /// Finds out anew how a thing is wanted: as the last who wants it says.
    fn update(&mut self, key: &K) {
        let wishers = self.wishers.get(key);
        match wishers.and_then(|wishers| wishers.last_key_value()) {
            Some((_, value)) if self.all.get(key) == Some(value) => {}
            Some((_, value)) => drop(self.all.insert(key.clone(), value.clone())),
            None => {
                self.wishers.remove(key);
                self.all.remove(key);
            }
        }
    }

    /// Returns what to ask for, if that is something else than was.
    fn ask(&mut self) -> Option<OrdMap<K, V>> {
        if self.asked == self.all {
            return None;
        }
        self.asked = self.all.clone();
        Some(self.all.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(asked: Option<OrdMap<&'static str, u32>>) -> Option<Vec<(&'static str, u32)>> {
        asked.map(|all| all.into_iter().collect())
    }

    #[test]
    fn a_thing_is_asked_for_while_anybody_wants_it() {
        let (a, b) = (Some("a".into()), Some("b".into()));
        let mut wanted = Wanted::default();
        wanted.set(&a, [("x", 1), ("y", 1)]);
        wanted.set(&b, [("y", 2)]);
        assert_eq!(shown(wanted.ask()), Some(vec![("x", 1), ("y", 2)]));
        wanted.set(&b, [("y", 2)]);
        assert_eq!(shown(wanted.ask()), None, "it is asked for already");
        wanted.set(&b, []);
        assert_eq!(shown(wanted.ask()), Some(vec![("x", 1), ("y", 1)]));
        wanted.set(&a, []);
        assert_eq!(shown(wanted.ask()), Some(vec![]));
    }

    #[test]
    fn those_are_looked_at_who_may_want_something_else() {
        let (a, b) = (ManifestName::from("a"), ManifestName::from("b"));
        let mut wanted: Wanted<&str, u32> = Wanted::default();
        wanted.set(&Some(b.clone()), [("x", 1)]);
        wanted.touch(&a);
        let stale =
            |wanted: &mut Wanted<&'static str, u32>| Vec::from_iter(wanted.take_stale([&a].into_iter()));
        assert_eq!(stale(&mut wanted), [Some(a.clone())]);
        assert_eq!(stale(&mut wanted), []);
        wanted.touch_all();
        let all = [None, Some(a.clone()), Some(b.clone())];
        assert_eq!(stale(&mut wanted), all, "also who is gone");
    }
}
