//! What was shown of the engine's state, and what has to be written since.
//!
//! Only rows that are others than last time are looked at: a thousand that are idle cost nothing. Only what is made of something
//! else is written: what a client wrote meanwhile, and the engine has not heard of yet, stays.
//!
//! The object `Session` has a part for each resource, and many may wait for one that runs alone, then for the next one: that costs
//! more the more there are. So whoever shows asks for that by itself, as often as it is worth ([`Shown::rest`]).

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use imbl::ordmap::DiffItem;
use serde_json::{Value, json};

use super::objects::{
    Made, RESOURCE, SessionFacts, of_resource, of_session, owner_reference, targets_of, whole_session,
};
use super::{Kind, Store, button_hash, secrets};
use crate::model::{ApiKind, ManifestName, Timestamp};
use crate::view::{ObjectView, ObjectViews, ResourceView, View};

/// Remembers what was shown.
#[derive(Debug, Default)]
pub struct Shown {
    session: Vec<Print>,
    /// The rows of the view, in its order, and what was made of each.
    views: imbl::Vector<Arc<ResourceView>>,
    rows: BTreeMap<ManifestName, Row>,
    /// How many rows show an object that several may show.
    shared: BTreeMap<(&'static str, String), usize>,
    objects: ObjectViews,
    whole: Vec<Print>,
    is_whole_stale: bool,
    /// Whether all rows are to be looked at.
    begins_again: bool,
    /// Rows that only wait for others than what was shown, and their places.
    late: BTreeMap<ManifestName, usize>,
}

/// A resource that was shown.
#[derive(Debug, Default)]
struct Row {
    made: Vec<Print>,
    /// What the session's own object says of it.
    targets: Vec<Value>,
}

/// An object that was shown, and what it was like.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Print {
    kind: &'static str,
    name: String,
    hash: u64,
}

/// What has to be written to the store.
#[derive(Debug, Default)]
pub struct News(Vec<New>);

#[derive(Debug)]
enum New {
    /// An object that only the engine writes.
    Engines(&'static str, Value),
    /// An object of a user's own, and who owns it.
    Users(Arc<ObjectView>),
    /// Only its status.
    Status(Arc<ObjectView>),
    /// One that is gone.
    Gone(&'static str, String),
}

impl Shown {
    /// Returns what differs from what was shown last.
    pub fn news(&mut self, view: &View, facts: &SessionFacts) -> News {
        let mut news = News::default();
        news.compare(&mut self.session, of_session(view, facts));
        self.is_whole_stale |= !news.is_empty();
        let before = std::mem::replace(&mut self.views, view.resources.clone());
        let mut changed = changed_places(&before, &view.resources);
        self.is_whole_stale |= !changed.is_empty();
        if std::mem::take(&mut self.begins_again) {
            changed = (0..before.len().max(view.resources.len())).collect();
        } else {
            changed.retain(|place| !self.is_late(*place, before.get(*place), view.resources.get(*place)));
        }
        // Whoever has another place, or is gone, had this one.
        let leaving = changed.iter().filter_map(|place| before.get(*place));
        let mut left: BTreeMap<ManifestName, Row> = leaving
            .filter_map(|view| self.rows.remove_entry(&view.name))
            .collect();
        for place in changed {
            let Some(resource) = view.resources.get(place) else {
                continue;
            };
            let row = left.remove(&resource.name).unwrap_or_default();
            self.make(&mut news, row, place, resource);
        }
        for (name, mut gone) in left {
            self.late.remove(&name);
            let made = gone.made.clone();
            news.compare(&mut gone.made, Vec::new());
            self.count(&made, &[]);
        }
        // An image of several resources is shown once: while one of them has it, it stays.
        let is_shared = |kind: &&'static str, name: &String| self.shared.contains_key(&(*kind, name.clone()));
        news.0
            .retain(|new| !matches!(new, New::Gone(kind, name) if is_shared(kind, name)));
        if !self.objects.ptr_eq(&view.objects) {
            news.compare_objects(&self.objects, &view.objects);
            self.objects = view.objects.clone();
        }
        news
    }

    /// Makes the next news tell all of the engine's own objects again: it is written otherwise from now on.
    pub fn begin_again(&mut self) {
        self.begins_again = true;
        let rows = self.rows.values_mut().flat_map(|row| &mut row.made);
        for print in self.session.iter_mut().chain(rows).chain(&mut self.whole) {
            print.hash = !print.hash;
        }
        self.is_whole_stale = true;
    }

    /// Returns whether a row is one that is shown later; if so, it is kept in mind.
    fn is_late(
        &mut self,
        place: usize,
        before: Option<&Arc<ResourceView>>,
        now: Option<&Arc<ResourceView>>,
    ) -> bool {
        let same = before.zip(now).filter(|(before, now)| {
            let is_known = before.name == now.name && self.rows.contains_key(&now.name);
            is_known && now.differs_only_in_whom_it_waits_for(before)
        });
        if let Some((_, now)) = same {
            self.late.insert(now.name.clone(), place);
        }
        same.is_some()
    }

    /// Makes what shows a resource.
    fn make(&mut self, news: &mut News, mut row: Row, place: usize, resource: &ResourceView) {
        self.late.remove(&resource.name);
        let made = row.made.clone();
        news.compare(&mut row.made, of_resource(place + 2, resource));
        row.targets = targets_of(resource);
        self.count(&made, &row.made);
        self.rows.insert(resource.name.clone(), row);
    }

    /// Returns whether the rest may differ from what was shown last.
    pub fn is_rest_stale(&self) -> bool {
        self.is_whole_stale
    }

    /// Returns what differs of the rest: the session's own object, and for whom resources wait. The view is that of the last news.
    pub fn rest(&mut self, view: &View, facts: &SessionFacts) -> News {
        self.is_whole_stale = false;
        let mut news = News::default();
        for (name, place) in std::mem::take(&mut self.late) {
            let Some(resource) = view.resources.get(place) else {
                continue;
            };
            let row = self.rows.remove(&name).unwrap_or_default();
            self.make(&mut news, row, place, resource);
        }
        let targets = self.rows.values().flat_map(|row| &row.targets);
        news.compare(&mut self.whole, vec![whole_session(view, facts, targets)]);
        news
    }

    /// Counts who shows an object.
    fn count(&mut self, before: &[Print], now: &[Print]) {
        for print in now {
            *self.shared.entry((print.kind, print.name.clone())).or_default() += 1;
        }
        for print in before {
            let key = (print.kind, print.name.clone());
            if let Some(count) = self.shared.get_mut(&key) {
                *count -= 1;
                if *count == 0 {
                    self.shared.remove(&key);
                }
            }
        }
    }
}

/// Returns the places at which two lists of rows differ, also those that only one of them has. What both share is passed over.
fn changed_places<T>(before: &imbl::Vector<Arc<T>>, now: &imbl::Vector<Arc<T>>) -> Vec<usize> {
    let mut changed = Vec::new();
    let (mut old, mut new) = (before.leaves(), now.leaves());
    let (mut old_leaf, mut new_leaf): (&[_], &[_]) = (&[], &[]);
    let mut place = 0;
    loop {
        if old_leaf.is_empty() {
            old_leaf = old.next().unwrap_or_default();
        }
        if new_leaf.is_empty() {
            new_leaf = new.next().unwrap_or_default();
        }
        let both = old_leaf.len().min(new_leaf.len());
        if both == 0 {
            break;
        }
        if !std::ptr::eq(old_leaf.as_ptr(), new_leaf.as_ptr()) {
            let pairs = old_leaf[..both].iter().zip(&new_leaf[..both]).zip(place..);
            let others = pairs.filter(|((old, new), _)| !Arc::ptr_eq(old, new));
            changed.extend(others.map(|(_, place)| place));
        }
        place += both;
        (old_leaf, new_leaf) = (&old_leaf[both..], &new_leaf[both..]);
    }
    changed.extend(place..before.len().max(now.len()));
    changed
}

impl News {
    /// Replaces secrets in what shows the engine's state. What users wrote themselves stays.
    ///
    /// `hidden` returns a text with secrets replaced; `None` if it holds none.
    pub fn hide_secrets(&mut self, hidden: &dyn Fn(&str) -> Option<String>) {
        for new in &mut self.0 {
            match new {
                New::Engines(kind, object) => secrets::hide(kind, object, hidden),
                New::Users(view) | New::Status(view) => {
                    if let Some(status) = &mut Arc::make_mut(view).status {
                        secrets::hide_in_status(status, hidden);
                    }
                }
                New::Gone(..) => {}
            }
        }
    }

    /// Returns whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes it.
    pub fn write(self, store: &mut Store, now: Timestamp) {
        for new in self.0 {
            match new {
                New::Engines(kind, object) => {
                    if let Some(kind) = Kind::named(kind) {
                        let object = button_hash::marked(kind, object);
                        store.show(kind, with_transitions(store, kind, object, now), now);
                    }
                }
                New::Users(view) => {
                    let Some(kind) = Kind::named(view.kind.name()) else {
                        continue;
                    };
                    let mut object = whole(&view);
                    if view.is_declared || view.written.is_none() {
                        object = button_hash::marked(kind, object);
                    }
                    match view.written {
                        Some(_) => store.show_users(kind, object, now),
                        None => store.show(kind, object, now),
                    }
                }
                New::Status(view) => {
                    if let (Some(kind), Some(status)) = (Kind::named(view.kind.name()), &view.status) {
                        store.show_status(kind, &view.name, status.clone(), now);
                    }
                }
                New::Gone(kind, name) => {
                    if let Some(kind) = Kind::named(kind) {
                        store.hide(kind, &name);
                    }
                }
            }
        }
    }

    fn compare(&mut self, before: &mut Vec<Print>, made: Vec<Made>) {
        let mut gone = std::mem::take(before);
        for (kind, object) in made {
            let print = Print {
                kind,
                name: object["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
                hash: hash(&object),
            };
            let known = gone
                .iter()
                .position(|known| known.kind == kind && known.name == print.name)
                .map(|at| gone.swap_remove(at));
            if known.is_none_or(|known| known.hash != print.hash) {
                self.0.push(New::Engines(kind, object));
            }
            before.push(print);
        }
        let gone = gone.into_iter().map(|print| New::Gone(print.kind, print.name));
        self.0.extend(gone);
    }

    fn compare_objects(&mut self, before: &ObjectViews, now: &ObjectViews) {
        let mut gone = Vec::new();
        for difference in before.diff(now) {
            let (old, view) = match difference {
                DiffItem::Add(_, view) => (None, view),
                DiffItem::Update { old, new } => (Some(old.1), new.1),
                DiffItem::Remove(key, view) => {
                    if view.is_declared || view.written.is_none() {
                        gone.push(New::Gone(key.0.name(), key.1.clone()));
                    }
                    continue;
                }
            };
            // What users write is written only where this program changed it: they may have written something since.
            let is_ours = match (old, view.written) {
                (_, None) => true,
                (None, Some(written)) => written > 0,
                (Some(old), written) => old.written != written,
            };
            self.0.push(match is_ours {
                true => New::Users(Arc::clone(view)),
                false => New::Status(Arc::clone(view)),
            });
        }
        self.0.extend(gone);
    }
}

/// Says of each condition of an object since when it is so: since now if it was not so before.
fn with_transitions(store: &Store, kind: &'static Kind, mut object: Value, now: Timestamp) -> Value {
    let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let Some(Value::Array(conditions)) = object.pointer_mut("/status/conditions") else {
        return object;
    };
    let old = store.get(kind, &name).map(|old| &old["status"]["conditions"]);
    let old = old.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    for condition in conditions
        .iter_mut()
        .filter(|one| one["lastTransitionTime"].is_null())
    {
        let is_same = |old: &&Value| old["type"] == condition["type"] && old["status"] == condition["status"];
        let since = old
            .iter()
            .find(is_same)
            .map(|old| old["lastTransitionTime"].clone());
        condition["lastTransitionTime"] = since.unwrap_or_else(|| now.to_micro_text().into());
    }
    object
}

/// Returns an object as it is written.
fn whole(view: &ObjectView) -> Value {
    let mut metadata = json!({"name": view.name});
    for (field, values) in [
        ("labels", &view.object.labels),
        ("annotations", &view.object.annotations),
    ] {
        if !values.is_empty() {
            metadata[field] = json!(values);
        }
    }
    // What a Tiltfile registers belongs to it unless it says otherwise.
    if view.is_declared && metadata["annotations"][RESOURCE].is_null() {
        metadata["annotations"][RESOURCE] = ManifestName::TILTFILE.into();
    }
    let owner = match &view.owner {
        Some((kind, name)) => Some((kind.name(), name.as_str())),
        None => view.is_declared.then_some(("Tiltfile", ManifestName::TILTFILE)),
    };
    if let Some((kind, name)) = owner {
        metadata["ownerReferences"] = json!([owner_reference(kind, name)]);
    }
    let mut object = match view.kind {
        ApiKind::ConfigMap => Value::Object(view.object.spec.clone()),
        _ => json!({"spec": view.object.spec}),
    };
    object["metadata"] = metadata;
    if let Some(status) = &view.status {
        object["status"] = status.clone();
    }
    object
}

fn hash(object: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    object.to_string().hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_places_that_differ_are_looked_at() {
        let rows: imbl::Vector<Arc<usize>> = (0..200).map(Arc::new).collect();
        let mut other = rows.clone();
        other[3] = Arc::new(3);
        other[150] = Arc::new(150);
        assert_eq!(changed_places(&rows, &rows.clone()), [0; 0]);
        assert_eq!(changed_places(&rows, &other), [3, 150]);
        other.truncate(198);
        assert_eq!(changed_places(&rows, &other), [3, 150, 198, 199]);
        assert_eq!(changed_places(&other, &rows), [3, 150, 198, 199]);
    }
}
