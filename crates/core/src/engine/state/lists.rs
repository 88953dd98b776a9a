//! What is found under a key: several values under each, and no key without one.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;

/// Values under keys. Reading is as of a map.
#[derive(Debug)]
pub(crate) struct Lists<K, V>(BTreeMap<K, BTreeSet<V>>);

impl<K, V> Default for Lists<K, V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K, V> Deref for Lists<K, V> {
    type Target = BTreeMap<K, BTreeSet<V>>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<K: Ord + Clone, V: Ord + Clone> Lists<K, V> {
    /// Lists a value under a key.
    pub(crate) fn add(&mut self, key: &K, value: &V) {
        self.0.entry(key.clone()).or_default().insert(value.clone());
    }

    /// Lists a value under a key no longer.
    pub(crate) fn remove(&mut self, key: &K, value: &V) {
        if let Some(values) = self.0.get_mut(key) {
            values.remove(value);
            if values.is_empty() {
                self.0.remove(key);
            }
        }
    }

    /// Lists a value under all keys that are new, and no longer under those that are old alone.
    pub(crate) fn rekey(&mut self, value: &V, old: &BTreeSet<K>, new: &BTreeSet<K>) {
        old.difference(new).for_each(|key| self.remove(key, value));
        new.difference(old).for_each(|key| self.add(key, value));
    }

    /// Returns what is listed under a key.
    pub(crate) fn of(&self, key: &K) -> impl Iterator<Item = &V> + use<'_, K, V> {
        self.0.get(key).into_iter().flatten()
    }

    /// Lists nothing any more.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_there_as_long_as_something_is_listed_under_it() {
        let mut lists = Lists::default();
        lists.add(&1, &"a");
        lists.add(&1, &"b");
        lists.remove(&1, &"a");
        assert_eq!(lists.of(&1).collect::<Vec<_>>(), [&"b"]);
        lists.rekey(&"b", &[1].into(), &[2, 3].into());
        assert_eq!(lists.keys().collect::<Vec<_>>(), [&2, &3]);
        lists.rekey(&"b", &[2, 3].into(), &[3].into());
        assert_eq!(lists.keys().collect::<Vec<_>>(), [&3]);
    }
}
