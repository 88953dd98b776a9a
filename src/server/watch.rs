//! Watches: changes of objects as they happen, one JSON document after the other.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::response::Response;
use serde_json::{Value, json};

use super::api_call::{Options, refusal, stream_body};
use super::shared::Shared;
use crate::api::{ApiError, Change, ChangeKind, Kind, Selection, table};
use crate::clock;

/// How long a watch stays open when the client does not say.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// How often a client that wants to know is told how far it has seen all.
const BOOKMARKS: Duration = Duration::from_secs(60);

/// What tells a client that it has seen all that there was when its watch began.
const INITIAL_END: &str = "k8s.io/initial-events-end";

/// Follows a kind from the version that was asked for, or from what there is now.
pub(super) fn watch(
    shared: Arc<Shared>,
    kind: &'static Kind,
    selection: Selection,
    options: &Options,
    as_table: bool,
) -> Response {
    let versions = shared.versions();
    let mut watcher = Watcher {
        kind,
        selection,
        as_table,
        seen: 0,
        waiting: VecDeque::new(),
    };
    match options.resource_version.as_str() {
        _ if options.send_initial_events == "true" => {
            watcher.begin_with_all(&shared);
            if options.wants_bookmarks() {
                let bookmark = watcher.bookmark(&json!({INITIAL_END: "true"}));
                watcher.waiting.push_back(bookmark);
            }
        }
        "" | "0" if options.send_initial_events == "false" => watcher.seen = shared.store().version(),
        "" | "0" => watcher.begin_with_all(&shared),
        version => match version.parse() {
            Ok(version) => watcher.seen = version,
            Err(_) => {
                let error = ApiError::bad_request(format!("invalid resource version {version:?}"));
                return refusal(&error);
            }
        },
    }
    let end = tokio::time::Instant::now() + options.timeout_seconds.map_or(LONGEST, Duration::from_secs);
    let bookmarks = options.wants_bookmarks();
    let start = (shared, versions, watcher, false);
    stream_body(futures::stream::unfold(
        start,
        move |(shared, mut versions, mut watcher, is_over)| async move {
            if is_over {
                return None;
            }
            loop {
                if let Some(line) = watcher.waiting.pop_front() {
                    return Some((line, (shared, versions, watcher, false)));
                }
                if let Err(error) = watcher.take_changes(&shared) {
                    let line = line("ERROR", &error.to_status());
                    return Some((line, (shared, versions, watcher, true)));
                }
                if !watcher.waiting.is_empty() {
                    continue;
                }
                tokio::select! {
                    changed = versions.changed() => changed.ok()?,
                    () = tokio::time::sleep_until(end) => return None,
                    () = tokio::time::sleep(BOOKMARKS), if bookmarks => {
                        let bookmark = watcher.bookmark(&json!({}));
                        watcher.waiting.push_back(bookmark);
                    }
                }
            }
        },
    ))
}

/// Where a watch is.
struct Watcher {
    kind: &'static Kind,
    selection: Selection,
    as_table: bool,
    /// The last version that was looked at.
    seen: u64,
    /// Lines that are to be sent.
    waiting: VecDeque<Bytes>,
}

impl Watcher {
    fn begin_with_all(&mut self, shared: &Shared) {
        let store = shared.store();
        self.seen = store.version();
        for object in store.list(self.kind, &self.selection) {
            self.waiting.push_back(self.told("ADDED", &object));
        }
    }

    fn take_changes(&mut self, shared: &Shared) -> Result<(), ApiError> {
        let (version, changes) = {
            let store = shared.store();
            (store.version(), store.changes_since(self.kind, self.seen)?)
        };
        self.seen = self.seen.max(version);
        for change in changes {
            if let Some(word) = self.word(&change) {
                self.waiting.push_back(self.told(word, &change.object));
            }
        }
        Ok(())
    }

    /// Returns what a change is for somebody who sees only what is selected.
    fn word(&self, change: &Change) -> Option<&'static str> {
        let before = change
            .before
            .as_ref()
            .is_some_and(|object| self.selection.matches(object));
        let now = change.change != ChangeKind::Deleted && self.selection.matches(&change.object);
        match (before, now) {
            (false, true) => Some("ADDED"),
            (true, true) => Some("MODIFIED"),
            (true, false) => Some("DELETED"),
            (false, false) => None,
        }
    }

    /// Returns what says up to which version all has been told.
    fn bookmark(&self, annotations: &Value) -> Bytes {
        if self.as_table {
            return line("BOOKMARK", &table(self.kind, self.seen, &[], clock::timestamp()));
        }
        let metadata = json!({
            "resourceVersion": self.seen.to_string(),
            "creationTimestamp": null,
            "annotations": annotations,
        });
        let object = json!({"kind": self.kind.name, "apiVersion": Kind::api_version(), "metadata": metadata});
        line("BOOKMARK", &object)
    }

    fn told(&self, word: &str, object: &Arc<Value>) -> Bytes {
        if self.as_table {
            let version = object["metadata"]["resourceVersion"]
                .as_str()
                .and_then(|text| text.parse().ok());
            let objects = std::slice::from_ref(object);
            let table = table(
                self.kind,
                version.unwrap_or_default(),
                objects,
                clock::timestamp(),
            );
            return line(word, &table);
        }
        line(word, object)
    }
}

fn line(word: &str, object: &Value) -> Bytes {
    // Without a copy of the object: there may be many, each for several watches.
    Bytes::from(format!("{{\"type\":\"{word}\",\"object\":{object}}}\n"))
}
