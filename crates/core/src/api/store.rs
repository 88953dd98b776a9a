//! The objects of a session and the history of their changes.
//!
//! There is one counter of versions. Each change gets the next number and is remembered for a while, so that a watch can go
//! on where it was. An object that is written as it was is not a change.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::changes::{Change, ChangeKind, Changes};
use super::decode::decode;
use super::validate::{check_name, validate};
use super::{ApiError, Kind, Part, PatchType, Reason, Selection, Write, managed, patch};
use crate::model::Timestamp;

/// The objects, by kind and name.
#[derive(Debug, Default)]
pub struct Store {
    version: u64,
    objects: BTreeMap<&'static str, BTreeMap<String, Arc<Value>>>,
    /// Which of them only show what the engine does.
    engines: BTreeSet<(&'static str, String)>,
    changes: Changes,
    last_uid: u64,
}

impl Store {
    /// Returns the number of the last change.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Returns an object.
    pub fn get(&self, kind: &'static Kind, name: &str) -> Option<&Arc<Value>> {
        self.objects.get(kind.plural)?.get(name)
    }

    /// Returns an object, or that there is none.
    ///
    /// # Errors
    /// There is no such object.
    pub fn find(&self, kind: &'static Kind, name: &str) -> Result<&Arc<Value>, ApiError> {
        self.get(kind, name)
            .ok_or_else(|| ApiError::not_found(kind, name))
    }

    /// Returns the selected objects of a kind, by the order that they have and their names.
    pub fn list(&self, kind: &'static Kind, selection: &Selection) -> Vec<Arc<Value>> {
        let all = self
            .objects
            .get(kind.plural)
            .into_iter()
            .flat_map(BTreeMap::values);
        let mut objects: Vec<_> = all.filter(|object| selection.matches(object)).cloned().collect();
        objects.sort_by_key(|object| object["status"]["order"].as_i64().unwrap_or_default());
        objects
    }

    /// Returns the changes of a kind after a version.
    ///
    /// # Errors
    /// Some of them are no longer remembered.
    pub fn changes_since(&self, kind: &'static Kind, version: u64) -> Result<Vec<Change>, ApiError> {
        let first = self.changes.first().unwrap_or(self.version + 1);
        if version + 1 < first {
            return Err(ApiError::new(
                Reason::Expired,
                format!("too old resource version: {version} ({first})"),
            ));
        }
        let of_kind = |change: &&Change| change.kind == kind;
        Ok(self.changes.since(version).filter(of_kind).cloned().collect())
    }

    /// Creates an object.
    ///
    /// # Errors
    /// One that breaks the rules, or that is there already.
    pub fn create(
        &mut self,
        kind: &'static Kind,
        body: Value,
        how: Write<'_>,
    ) -> Result<Arc<Value>, ApiError> {
        let mut object = decode(kind, body, how.strict)?;
        note_managers(&mut object, Value::Null);
        if !how.manager.is_empty() {
            let managers = managed::after_write(None, &object, how);
            note_managers(&mut object, managers);
        }
        self.add(kind, object, how)
    }

    fn add(
        &mut self,
        kind: &'static Kind,
        mut object: Map<String, Value>,
        how: Write<'_>,
    ) -> Result<Arc<Value>, ApiError> {
        let mut metadata = metadata_of(&object);
        if !metadata.contains_key("name")
            && let Some(prefix) = metadata.get("generateName").and_then(Value::as_str)
        {
            let name = format!("{prefix}{:05x}", self.version & 0xf_ffff);
            metadata.insert("name".to_owned(), name.into());
        }
        let name = text_of(&metadata, "name");
        check_name(kind, &name)?;
        if self.get(kind, &name).is_some() {
            return Err(ApiError::already_exists(kind, &name));
        }
        validate(kind, &name, &object)?;
        self.last_uid += 1;
        metadata.insert("uid".to_owned(), uid(self.last_uid, how.now).into());
        metadata.insert("creationTimestamp".to_owned(), how.now.to_text().into());
        object.insert("metadata".to_owned(), metadata.into());
        Ok(self.put(kind, name, object, how))
    }

    /// Replaces an object, or its status.
    ///
    /// # Errors
    /// One that is not there, that breaks the rules, or that was changed since.
    pub fn update(
        &mut self,
        kind: &'static Kind,
        name: &str,
        body: Value,
        how: Write<'_>,
    ) -> Result<Arc<Value>, ApiError> {
        let old = Arc::clone(self.find(kind, name)?);
        let object = decode(kind, body, how.strict)?;
        let metadata = metadata_of(&object);
        check_means(&metadata.clone().into(), name)?;
        let version = text_of(&metadata, "resourceVersion");
        if version != old["metadata"]["resourceVersion"] {
            if !version.is_empty() && version.parse::<u64>().is_err() {
                return Err(ApiError::new(
                    Reason::InternalError,
                    format!("invalid resource version {version:?}: it is no number"),
                ));
            }
            return Err(ApiError::modified(kind, name));
        }
        self.replace(kind, name, &old, object, how, None)
    }

    /// Changes an object, or its status, by a patch; an apply patch also creates it.
    ///
    /// # Errors
    /// As for [`Store::update`], and a patch that does not fit.
    pub fn patch(
        &mut self,
        kind: &'static Kind,
        name: &str,
        (patch_type, patch): (PatchType, Value),
        how: Write<'_>,
    ) -> Result<Arc<Value>, ApiError> {
        if patch_type == PatchType::Apply {
            return self.apply(kind, name, &patch, how);
        }
        let old = Arc::clone(self.find(kind, name)?);
        let mut patched = (*old).clone();
        patch::apply(patch_type, &mut patched, patch)?;
        let given = patched["metadata"]["resourceVersion"].clone();
        if given != old["metadata"]["resourceVersion"] {
            return Err(ApiError::modified(kind, name));
        }
        check_means(&patched["metadata"], name)?;
        let object = decode(kind, patched, how.strict)?;
        self.replace(kind, name, &old, object, how, None)
    }

    fn apply(
        &mut self,
        kind: &'static Kind,
        name: &str,
        config: &Value,
        how: Write<'_>,
    ) -> Result<Arc<Value>, ApiError> {
        if how.manager.is_empty() {
            return Err(ApiError::new(
                Reason::Invalid,
                "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch",
            ));
        }
        let old = self.get(kind, name).cloned();
        if old.is_none() && how.part == Part::Status {
            return Err(ApiError::not_found(kind, name));
        }
        let version = &config["metadata"]["resourceVersion"];
        let is_stale = |old: &Arc<Value>| *version != old["metadata"]["resourceVersion"];
        if !version.is_null() && old.as_ref().is_none_or(is_stale) {
            return Err(ApiError::modified(kind, name));
        }
        // What is wrong with the configuration itself is told before what it would lead to.
        decode(kind, config.clone(), how.strict)?;
        let mut applied = managed::applied(kind, old.as_deref(), config, how)?;
        let managers = applied["metadata"]["managedFields"].take();
        let Some(old) = old else {
            applied["metadata"]["name"] = name.into();
            let mut object = decode(kind, applied, how.strict)?;
            note_managers(&mut object, managers);
            return self.add(kind, object, how);
        };
        let object = decode(kind, applied, how.strict)?;
        self.replace(kind, name, &old, object, how, Some(managers))
    }

    /// Deletes an object.
    ///
    /// # Errors
    /// There is no such object, or it is not the one that is meant.
    pub fn delete(
        &mut self,
        kind: &'static Kind,
        name: &str,
        uid: Option<&str>,
        dry_run: bool,
    ) -> Result<Arc<Value>, ApiError> {
        let object = Arc::clone(self.find(kind, name)?);
        if uid.is_some_and(|uid| object["metadata"]["uid"] != uid) {
            return Err(ApiError::modified(kind, name));
        }
        if dry_run {
            return Ok(object);
        }
        if let Some(objects) = self.objects.get_mut(kind.plural) {
            objects.remove(name);
        }
        self.version += 1;
        let mut last = (*object).clone();
        last["metadata"]["resourceVersion"] = self.version.to_string().into();
        let last = Arc::new(last);
        self.note(kind, ChangeKind::Deleted, Arc::clone(&last), Some(object));
        Ok(last)
    }

    /// Writes an object that only shows what the engine does, status and all. What is as it was is no change.
    pub fn show(&mut self, kind: &'static Kind, object: Value, now: Timestamp) {
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        self.engines.insert((kind.plural, name));
        self.show_users(kind, object, now);
    }

    /// Writes an object of a user's own as the engine has it, its status too if it has one.
    pub fn show_users(&mut self, kind: &'static Kind, mut object: Value, now: Timestamp) {
        self.name_owner(&mut object);
        let how = Write {
            part: Part::Main,
            strict: false,
            dry_run: false,
            now,
            manager: "",
            force: false,
        };
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let old = self.get(kind, &name).cloned();
        date_conditions(&mut object, old.as_deref(), now);
        let Some(old) = old else {
            let _ = self.create(kind, object, how);
            return;
        };
        for field in ["uid", "creationTimestamp", "resourceVersion"] {
            object["metadata"][field] = old["metadata"][field].clone();
        }
        if kind.has_status && object.get("status").is_none() {
            object["status"] = old["status"].clone();
        }
        if let Ok(object) = decode(kind, object, false) {
            self.put_shown(kind, name, &old, object, how);
        }
    }

    /// Writes the status of an object of a user's own, if it is still there.
    pub fn show_status(&mut self, kind: &'static Kind, name: &str, status: Value, now: Timestamp) {
        let Some(old) = self.get(kind, name).cloned() else {
            return;
        };
        let how = Write {
            part: Part::Status,
            strict: false,
            dry_run: false,
            now,
            manager: "",
            force: false,
        };
        let mut object = (*old).clone();
        object["status"] = status;
        if let Ok(object) = decode(kind, object, false) {
            self.put_shown(kind, name.to_owned(), &old, object, how);
        }
    }

    /// Writes what the engine has made of an object. Who set which field is kept only where a client has written to it.
    fn put_shown(
        &mut self,
        kind: &'static Kind,
        name: String,
        old: &Arc<Value>,
        mut object: Map<String, Value>,
        how: Write<'_>,
    ) {
        if !old["metadata"]["managedFields"].is_null() {
            let how = Write {
                manager: managed::ENGINE,
                ..how
            };
            let managers = managed::after_write(Some(old), &object, how);
            note_managers(&mut object, managers);
        }
        self.put_if_changed(kind, name, old, object, how);
    }

    /// Takes away an object that the engine no longer has; one that a user made anew since stays.
    pub fn hide(&mut self, kind: &'static Kind, name: &str) {
        let is_engines = self.engines.remove(&(kind.plural, name.to_owned()));
        let is_owned = self
            .get(kind, name)
            .is_some_and(|object| !object["metadata"]["ownerReferences"].is_null());
        if is_engines || is_owned {
            let _ = self.delete(kind, name, None, false);
        }
    }

    /// Fills in the UID of the owner of an object, which only the store knows.
    fn name_owner(&self, object: &mut Value) {
        let Some(owner) = object.pointer_mut("/metadata/ownerReferences/0") else {
            return;
        };
        let kind = owner["kind"].as_str().and_then(Kind::named);
        let name = owner["name"].as_str().unwrap_or_default();
        if let Some(known) = kind.and_then(|kind| self.get(kind, name)) {
            owner["uid"] = known["metadata"]["uid"].clone();
        }
    }

    /// Returns all changes after a version that are remembered.
    pub fn all_changes_since(&self, version: u64) -> Vec<Change> {
        self.changes.since(version).cloned().collect()
    }

    fn replace(
        &mut self,
        kind: &'static Kind,
        name: &str,
        old: &Arc<Value>,
        mut object: Map<String, Value>,
        how: Write<'_>,
        managers: Option<Value>,
    ) -> Result<Arc<Value>, ApiError> {
        let kept = |object: &mut Map<String, Value>, field: &str| {
            match old.get(field) {
                Some(value) => object.insert(field.to_owned(), value.clone()),
                None => object.remove(field),
            };
        };
        match how.part {
            Part::Main => {
                if kind.has_status {
                    kept(&mut object, "status");
                }
                let mut metadata = metadata_of(&object);
                for field in ["name", "uid", "creationTimestamp"] {
                    metadata.insert(field.to_owned(), old["metadata"][field].clone());
                }
                object.insert("metadata".to_owned(), metadata.into());
            }
            Part::Status => {
                kept(&mut object, "metadata");
                kept(&mut object, "spec");
            }
        }
        validate(kind, name, &object)?;
        let managers = managers.unwrap_or_else(|| managed::after_write(Some(old), &object, how));
        note_managers(&mut object, managers);
        Ok(self.put_if_changed(kind, name.to_owned(), old, object, how))
    }

    fn put_if_changed(
        &mut self,
        kind: &'static Kind,
        name: String,
        old: &Arc<Value>,
        mut object: Map<String, Value>,
        how: Write<'_>,
    ) -> Arc<Value> {
        let mut metadata = metadata_of(&object);
        metadata.insert(
            "resourceVersion".to_owned(),
            old["metadata"]["resourceVersion"].clone(),
        );
        object.insert("metadata".to_owned(), metadata.into());
        if Value::Object(object.clone()) == **old {
            return Arc::clone(old);
        }
        self.put(kind, name, object, how)
    }

    fn put(
        &mut self,
        kind: &'static Kind,
        name: String,
        mut object: Map<String, Value>,
        how: Write<'_>,
    ) -> Arc<Value> {
        let mut metadata = metadata_of(&object);
        metadata.insert(
            "resourceVersion".to_owned(),
            (self.version + 1).to_string().into(),
        );
        object.insert("metadata".to_owned(), metadata.into());
        let object = Arc::new(fitted(Value::Object(object)));
        if how.dry_run {
            return object;
        }
        self.version += 1;
        let of_kind = self.objects.entry(kind.plural).or_default();
        let before = of_kind.insert(name, Arc::clone(&object));
        let change = if before.is_some() {
            ChangeKind::Modified
        } else {
            ChangeKind::Added
        };
        self.note(kind, change, Arc::clone(&object), before);
        object
    }

    fn note(
        &mut self,
        kind: &'static Kind,
        change: ChangeKind,
        object: Arc<Value>,
        before: Option<Arc<Value>>,
    ) {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let is_engines = self.engines.contains(&(kind.plural, name.to_owned()));
        self.changes.add(Change {
            version: self.version,
            kind,
            change,
            object,
            before,
            is_engines,
        });
    }
}

/// Returns a value that takes no more memory than it needs: thousands may be kept for long.
fn fitted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut exact = Map::with_capacity(fields.len());
            exact.extend(fields.into_iter().map(|(mut name, value)| {
                name.shrink_to_fit();
                (name, fitted(value))
            }));
            Value::Object(exact)
        }
        Value::Array(items) => {
            let mut items: Vec<Value> = items.into_iter().map(fitted).collect();
            items.shrink_to_fit();
            Value::Array(items)
        }
        Value::String(mut text) => {
            text.shrink_to_fit();
            Value::String(text)
        }
        other => other,
    }
}

/// Says of each condition that has no time since when it is so.
fn date_conditions(object: &mut Value, old: Option<&Value>, now: Timestamp) {
    let before = old.and_then(|old| old["status"]["conditions"].as_array());
    let Some(conditions) = object
        .pointer_mut("/status/conditions")
        .and_then(Value::as_array_mut)
    else {
        return;
    };
    for condition in conditions {
        if !condition["lastTransitionTime"].is_null() {
            continue;
        }
        let is_same = |old: &&Value| old["type"] == condition["type"] && old["status"] == condition["status"];
        let same = before.into_iter().flatten().find(is_same);
        condition["lastTransitionTime"] = match same {
            Some(same) => same["lastTransitionTime"].clone(),
            None => now.to_micro_text().into(),
        };
    }
}

/// Writes down who set which field; `Null` is that nobody is known.
fn note_managers(object: &mut Map<String, Value>, managers: Value) {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else {
        return;
    };
    match managers {
        Value::Null => metadata.remove("managedFields"),
        managers => metadata.insert("managedFields".to_owned(), managers),
    };
}

/// Checks that a body does not mean another object than its path.
fn check_means(metadata: &Value, name: &str) -> Result<(), ApiError> {
    match metadata["name"].as_str().unwrap_or_default() {
        "" => Ok(()),
        given if given == name => Ok(()),
        given => Err(ApiError::bad_request(format!(
            "the name of the object ({given}) does not match the name on the URL ({name})"
        ))),
    }
}

fn metadata_of(object: &Map<String, Value>) -> Map<String, Value> {
    object
        .get("metadata")
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default()
}

fn text_of(object: &Map<String, Value>, field: &str) -> String {
    object
        .get(field)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

/// Returns an identifier that no other object of any session has: the time, and a number.
fn uid(number: u64, now: Timestamp) -> String {
    let time = now.0.unsigned_abs();
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        (time >> 28) & 0xffff_ffff,
        (time >> 12) & 0xffff,
        time & 0xfff,
        (number >> 48) & 0xfff,
        number & 0xffff_ffff_ffff
    )
}

/// Returns a list of objects as the API sends it.
pub fn list_body(kind: &Kind, version: u64, items: &[Arc<Value>]) -> Value {
    let items: Vec<&Value> = items.iter().map(|item| &**item).collect();
    json!({
        "kind": format!("{}List", kind.name),
        "apiVersion": Kind::api_version(),
        "metadata": {"resourceVersion": version.to_string()},
        "items": items,
    })
}
