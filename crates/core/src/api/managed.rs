//! Who set which field, `metadata.managedFields`, and what server-side apply makes of it.
//!
//! Lists are one value: who sets an item sets the list. Objects that only show what the engine does are not tracked until a
//! client writes to them; what they have then is the engine's.
//!
//! Rule: Kubernetes' "Server-Side Apply", "Field management" and "Conflicts".

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{ApiError, Kind, Part, Write};

/// The manager of what was there before anybody was noted.
pub(super) const ENGINE: &str = "tilt";

/// The names on the way to a field.
type Path = Vec<String>;

/// What one manager has set in one way.
#[derive(Clone, Debug, PartialEq)]
struct Entry {
    manager: String,
    operation: &'static str,
    subresource: &'static str,
    time: Value,
    fields: BTreeSet<Path>,
}

impl Entry {
    fn is_by(&self, manager: &str, operation: &str, part: Part) -> bool {
        self.manager == manager && self.operation == operation && self.subresource == subresource(part)
    }
}

fn subresource(part: Part) -> &'static str {
    match part {
        Part::Main => "",
        Part::Status => "status",
    }
}

/// Returns the entries of an object after a write that is no apply.
pub(super) fn after_write(old: Option<&Value>, new: &Map<String, Value>, how: Write<'_>) -> Value {
    let before = old.map(leaves_of).unwrap_or_default();
    let after = leaves(new);
    let is_new = |path: &&Path| before.get(*path) != after.get(*path);
    let changed: BTreeSet<Path> = after.keys().filter(is_new).cloned().collect();
    let removed: BTreeSet<Path> = before
        .keys()
        .filter(|path| !after.contains_key(*path))
        .cloned()
        .collect();
    let mut entries = old.map(entries).unwrap_or_default();
    if changed.is_empty() && removed.is_empty() {
        return old.map_or(Value::Null, |old| old["metadata"]["managedFields"].clone());
    }
    for entry in &mut entries {
        entry
            .fields
            .retain(|path| !changed.contains(path) && !removed.contains(path));
    }
    match entries
        .iter_mut()
        .find(|entry| entry.is_by(how.manager, "Update", how.part))
    {
        Some(own) => {
            own.fields.extend(changed);
            own.time = how.now.to_text().into();
        }
        None => entries.push(Entry {
            manager: how.manager.to_owned(),
            operation: "Update",
            subresource: subresource(how.part),
            time: how.now.to_text().into(),
            fields: changed,
        }),
    }
    written(entries)
}

/// Returns what an object is after an apply: with the fields of `config`, and without those that its manager applied before
/// and nobody else has set.
///
/// # Errors
/// Another manager has set one of the fields to another value, and the fields are not to be taken over.
pub(super) fn applied(
    kind: &Kind,
    old: Option<&Value>,
    config: &Value,
    how: Write<'_>,
) -> Result<Value, ApiError> {
    if !config["metadata"]["managedFields"].is_null() {
        return Err(ApiError::bad_request("metadata.managedFields must be nil"));
    }
    let of_part = |path: &Path| match how.part {
        Part::Main => !kind.has_status || path[0] != "status",
        Part::Status => path[0] == "status",
    };
    let wanted: BTreeMap<Path, &Value> = leaves_of(config)
        .into_iter()
        .filter(|(path, _)| of_part(path))
        .collect();
    let mut entries = old.map(entries).unwrap_or_default();
    let before = old.map(leaves_of).unwrap_or_default();
    let differs = |path: &Path| before.get(path) != wanted.get(path);
    let is_own = |entry: &Entry| entry.is_by(how.manager, "Apply", how.part);
    let mut conflicts = Vec::new();
    for entry in entries.iter_mut().filter(|entry| !is_own(entry)) {
        let lost: Vec<Path> = entry
            .fields
            .iter()
            .filter(|path| wanted.contains_key(*path) && differs(path))
            .cloned()
            .collect();
        for path in lost {
            entry.fields.remove(&path);
            conflicts.push((printed(entry), format!(".{}", path.join("."))));
        }
    }
    if !conflicts.is_empty() && !how.force {
        return Err(ApiError::apply_conflict(&conflicts));
    }
    let mut merged = old.cloned().unwrap_or_else(|| json!({}));
    for (path, value) in &wanted {
        set(&mut merged, path, (*value).clone());
    }
    let own: BTreeSet<Path> = wanted.keys().cloned().collect();
    let earlier = entries.iter().position(is_own).map(|at| entries.remove(at));
    for path in earlier.iter().flat_map(|entry| &entry.fields) {
        if !own.contains(path) && !entries.iter().any(|entry| entry.fields.contains(path)) {
            remove(&mut merged, path);
        }
    }
    // One who applies the same again changes nothing, the time neither.
    let time = match earlier {
        Some(earlier) if earlier.fields == own && !own.iter().any(differs) => earlier.time,
        _ => how.now.to_text().into(),
    };
    entries.push(Entry {
        manager: how.manager.to_owned(),
        operation: "Apply",
        subresource: subresource(how.part),
        time,
        fields: own,
    });
    merged["metadata"]["managedFields"] = written(entries);
    Ok(merged)
}

/// Returns whether a field is the server's own.
fn is_servers(path: &[String]) -> bool {
    match path {
        [one] => one == "kind" || one == "apiVersion",
        [first, second, ..] if first == "metadata" => !matches!(
            second.as_str(),
            "labels" | "annotations" | "ownerReferences" | "finalizers"
        ),
        _ => false,
    }
}

fn leaves_of(object: &Value) -> BTreeMap<Path, &Value> {
    object.as_object().map(leaves).unwrap_or_default()
}

/// Returns all fields that hold something else than fields, with what they hold.
fn leaves(object: &Map<String, Value>) -> BTreeMap<Path, &Value> {
    fn add<'a>(fields: &'a Map<String, Value>, at: &mut Path, found: &mut BTreeMap<Path, &'a Value>) {
        for (name, value) in fields {
            at.push(name.clone());
            match value {
                Value::Null => {}
                Value::Object(inner) if !inner.is_empty() => add(inner, at, found),
                // An empty object that is required is written by the server.
                Value::Object(_) if at.len() == 1 => {}
                _ if is_servers(at) => {}
                value => {
                    found.insert(at.clone(), value);
                }
            }
            at.pop();
        }
    }
    let mut found = BTreeMap::new();
    add(object, &mut Path::new(), &mut found);
    found
}

fn set(object: &mut Value, path: &[String], value: Value) {
    let mut at = object;
    for name in path {
        if !at.is_object() {
            *at = json!({});
        }
        at = &mut at[name.as_str()];
    }
    *at = value;
}

/// Removes a field, and what held nothing else.
fn remove(object: &mut Value, path: &[String]) {
    let (Some((name, rest)), Some(fields)) = (path.split_first(), object.as_object_mut()) else {
        return;
    };
    if rest.is_empty() {
        fields.remove(name);
        return;
    }
    let Some(inner) = fields.get_mut(name) else { return };
    remove(inner, rest);
    if inner.as_object().is_some_and(Map::is_empty) {
        fields.remove(name);
    }
}

/// Reads the entries of an object. Of one that has none all is the engine's.
fn entries(object: &Value) -> Vec<Entry> {
    let Some(noted) = object["metadata"]["managedFields"].as_array() else {
        return vec![Entry {
            manager: ENGINE.to_owned(),
            operation: "Update",
            subresource: "",
            time: object["metadata"]["creationTimestamp"].clone(),
            fields: leaves_of(object).into_keys().collect(),
        }];
    };
    let read = noted.iter().map(|entry| Entry {
        manager: entry["manager"].as_str().unwrap_or_default().to_owned(),
        operation: if entry["operation"] == "Apply" {
            "Apply"
        } else {
            "Update"
        },
        subresource: if entry["subresource"] == "status" {
            "status"
        } else {
            ""
        },
        time: entry["time"].clone(),
        fields: paths(&entry["fieldsV1"]),
    });
    read.collect()
}

fn paths(tree: &Value) -> BTreeSet<Path> {
    fn add(tree: &Value, at: &mut Path, found: &mut BTreeSet<Path>) {
        for (name, inner) in tree.as_object().into_iter().flatten() {
            let Some(name) = name.strip_prefix("f:") else {
                continue;
            };
            at.push(name.to_owned());
            match inner.as_object().is_some_and(|inner| !inner.is_empty()) {
                true => add(inner, at, found),
                false => {
                    found.insert(at.clone());
                }
            }
            at.pop();
        }
    }
    let mut found = BTreeSet::new();
    add(tree, &mut Path::new(), &mut found);
    found
}

fn written(entries: Vec<Entry>) -> Value {
    let kept = entries.into_iter().filter(|entry| !entry.fields.is_empty());
    let written = kept.map(|entry| {
        let mut tree = json!({});
        for path in &entry.fields {
            let names: Path = path.iter().map(|name| format!("f:{name}")).collect();
            set(&mut tree, &names, json!({}));
        }
        let mut written = json!({
            "manager": entry.manager,
            "operation": entry.operation,
            "apiVersion": Kind::api_version(),
            "time": entry.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": tree,
        });
        if !entry.subresource.is_empty() {
            written["subresource"] = entry.subresource.into();
        }
        written
    });
    written.collect()
}

/// Returns a manager as messages name it.
fn printed(entry: &Entry) -> String {
    let mut text = format!("{:?}", entry.manager);
    if !entry.subresource.is_empty() {
        text.push_str(&format!(" with subresource {:?}", entry.subresource));
    }
    if entry.operation == "Update" {
        text.push_str(&format!(" using {}", Kind::api_version()));
        if let Some(time) = entry.time.as_str() {
            text.push_str(&format!(" at {time}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::{PatchType, Store};
    use super::*;
    use crate::model::Timestamp;

    fn by(manager: &str) -> Write<'_> {
        Write {
            part: Part::Main,
            strict: true,
            dry_run: false,
            now: Timestamp::from_secs(1_800_000_000),
            manager,
            force: false,
        }
    }

    fn map() -> &'static Kind {
        Kind::named("ConfigMap").expect("a kind")
    }

    fn config(data: Value) -> Value {
        json!({"kind": "ConfigMap", "apiVersion": "tilt.dev/v1alpha1", "metadata": {"name": "m"}, "data": data})
    }

    fn apply(store: &mut Store, data: Value, how: Write<'_>) -> Result<Value, ApiError> {
        let applied = store.patch(map(), "m", (PatchType::Apply, config(data)), how)?;
        Ok(applied["data"].clone())
    }

    fn managers(store: &Store) -> Vec<String> {
        let object = store.get(map(), "m").expect("it is there");
        let entries = object["metadata"]["managedFields"]
            .as_array()
            .expect("it is tracked");
        let told = entries.iter().map(|entry| {
            let fields: Vec<String> = paths(&entry["fieldsV1"])
                .into_iter()
                .map(|path| path.join("."))
                .collect();
            let word = |field: &str| entry[field].as_str().unwrap_or_default().to_owned();
            format!("{} {} {}", word("manager"), word("operation"), fields.join(" "))
        });
        told.collect()
    }

    #[test]
    fn what_one_no_longer_applies_goes_unless_another_one_has_it() {
        let mut store = Store::default();
        apply(&mut store, json!({"a": "1", "b": "1"}), by("one")).expect("it is applied");
        apply(&mut store, json!({"b": "1", "c": "1"}), by("two")).expect("they agree");
        assert_eq!(
            managers(&store),
            ["one Apply data.a data.b", "two Apply data.b data.c"]
        );
        let left = apply(&mut store, json!({}), by("one")).expect("it is applied");
        assert_eq!(left, json!({"b": "1", "c": "1"}));
        assert_eq!(managers(&store), ["two Apply data.b data.c"]);
    }

    #[test]
    fn a_field_of_another_manager_is_a_conflict_until_it_is_taken_over() {
        let mut store = Store::default();
        store
            .create(map(), config(json!({"a": "1", "b": "1"})), by("kubectl"))
            .expect("it is created");
        let refused = apply(&mut store, json!({"a": "2"}), by("me")).expect_err("it is another's");
        assert_eq!(
            refused.message,
            "Apply failed with 1 conflict: conflict with \"kubectl\" using tilt.dev/v1alpha1 at 2027-01-15T08:00:00Z: .data.a"
        );
        let status = refused.to_status();
        assert_eq!(status["reason"], "Conflict");
        assert_eq!(status["details"]["causes"][0]["reason"], "FieldManagerConflict");
        assert_eq!(status["details"]["causes"][0]["field"], ".data.a");
        let refused =
            apply(&mut store, json!({"a": "2", "b": "2"}), by("me")).expect_err("they are another's");
        assert!(
            refused
                .message
                .starts_with("Apply failed with 2 conflicts: conflicts with \"kubectl\" using"),
            "{}",
            refused.message
        );
        assert!(
            refused.message.ends_with(":\n- .data.a\n- .data.b"),
            "{}",
            refused.message
        );
        let forced = Write {
            force: true,
            ..by("me")
        };
        assert_eq!(
            apply(&mut store, json!({"a": "2"}), forced).expect("it is forced"),
            json!({"a": "2", "b": "1"})
        );
        assert_eq!(managers(&store), ["kubectl Update data.b", "me Apply data.a"]);
    }

    #[test]
    fn who_writes_the_same_is_no_conflict_and_changes_nothing() {
        let mut store = Store::default();
        apply(&mut store, json!({"a": "1"}), by("one")).expect("it is applied");
        let version = store.version();
        let later = Write {
            now: Timestamp::from_secs(1_900_000_000),
            ..by("one")
        };
        apply(&mut store, json!({"a": "1"}), later).expect("it is applied");
        assert_eq!(store.version(), version);
    }

    #[test]
    fn what_the_engine_shows_is_the_engines_until_somebody_writes_it() {
        let mut store = Store::default();
        store.show(
            map(),
            json!({"metadata": {"name": "m"}, "data": {"a": "1"}}),
            Timestamp::from_secs(1),
        );
        assert!(store.get(map(), "m").expect("it is there")["metadata"]["managedFields"].is_null());
        let refused = apply(&mut store, json!({"a": "2"}), by("me")).expect_err("it is the engine's");
        assert!(
            refused.message.contains("conflict with \"tilt\""),
            "{}",
            refused.message
        );
        let patch = (PatchType::Merge, json!({"data": {"a": "2"}}));
        store
            .patch(map(), "m", patch, by("kubectl"))
            .expect("it is written");
        assert_eq!(managers(&store), ["kubectl Update data.a"]);
        let version = store.version();
        store.show(
            map(),
            json!({"metadata": {"name": "m"}, "data": {"a": "2"}}),
            Timestamp::from_secs(2),
        );
        assert_eq!(
            store.version(),
            version,
            "who set it is no reason to write it again"
        );
    }

    #[test]
    fn managers_cannot_be_written() {
        let mut store = Store::default();
        let mut body = config(json!({"a": "1"}));
        body["metadata"]["managedFields"] = json!([{"manager": "x"}]);
        store
            .create(map(), body.clone(), by("kubectl"))
            .expect("it is created");
        assert_eq!(managers(&store), ["kubectl Update data.a"]);
        let refused = store.patch(map(), "m", (PatchType::Apply, body), by("me"));
        assert_eq!(
            refused.expect_err("it has managers").message,
            "metadata.managedFields must be nil"
        );
    }
}
