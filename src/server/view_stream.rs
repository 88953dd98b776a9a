//! What the web page shows: the whole at first, then what changed.
//!
//! Rule: `docs/rules/api.md`, "The stream of the view" and "The view".

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::shared::Shared;
use crate::api::{Kind, Selection};
use crate::logs::{SpanFaults, last_segments, odd_bytes};
use crate::view::log_list;

/// How much text of the log the whole view has, in bytes.
///
/// Rule: `docs/rules/logs.md`, "Size in the view".
pub(super) const LOG_BYTES: usize = 2_000_000;

/// The shortest time between two changes that are sent.
const PACE: Duration = Duration::from_millis(200);

/// The kinds that the page shows, and where each stands in a view.
const SHOWN: [(&str, &str); 3] = [
    ("UIResource", "uiResources"),
    ("UIButton", "uiButtons"),
    ("Cluster", "clusters"),
];

/// What a view has of the log, and of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Log {
    /// Its lines, as Tilt's page takes them.
    Whole,
    /// Where it ends and how many warnings and errors there are: the page reads the lines that it shows by itself. Of objects there
    /// is what it reads.
    Paged,
}

/// What the page of this program does not read of a status.
const UNREAD_STATUS: [&str; 2] = ["conditions", "pendingBuildSince"];
/// The one annotation that it reads.
const READ_ANNOTATION: &str = "tilt.dev/uibutton-type";

impl Log {
    /// Returns an object as it is sent: all of a thousand resources would be some megabytes, of which the page reads less than half.
    fn object(self, object: &Value) -> Value {
        match self {
            Self::Whole => object.clone(),
            Self::Paged => json!({
                "metadata": {
                    "name": object["metadata"]["name"],
                    // A click on a button is an update of it, which must name the version.
                    "resourceVersion": object["metadata"]["resourceVersion"],
                    "labels": object["metadata"]["labels"],
                    "annotations": some(&object["metadata"]["annotations"], |key| key == READ_ANNOTATION),
                },
                "spec": object["spec"],
                "status": some(&object["status"], |key| !UNREAD_STATUS.contains(&key)),
            }),
        }
    }
}

/// Returns some fields of an object; nothing where it is none.
fn some(object: &Value, is_wanted: impl Fn(&str) -> bool) -> Value {
    let Some(fields) = object.as_object() else {
        return Value::Null;
    };
    let wanted = fields.iter().filter(|(key, _)| is_wanted(key));
    wanted.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Returns the whole view.
pub(super) fn whole(shared: &Shared, log: Log) -> Value {
    begin(shared, log).0
}

/// Returns the whole view, and what a page has that was sent it: what changes in between is in the first change.
fn begin(shared: &Shared, log: Log) -> (Value, Sent) {
    let mut view = json!({
        "tiltStartTime": shared.facts.started.to_micro_text(),
        "isComplete": true,
    });
    let faults = shared.log.all_faults();
    let end = match log {
        Log::Whole => {
            let log = last_segments(&shared.log, LOG_BYTES);
            let end = log.last().map_or(0, |last| last.position + 1);
            view["logList"] = log_list(&log, (0, i64::try_from(end).unwrap_or(i64::MAX)));
            end
        }
        Log::Paged => {
            let end = shared.log.end();
            view["logEnd"] = end.into();
            view["logFaults"] = log_faults(&faults);
            end
        }
    };
    let (session, objects) = {
        let store = shared.store();
        (session(&store), SHOWN.map(|(kind, _)| objects(&store, kind)))
    };
    if let Some(session) = &session {
        view["uiSession"] = (**session).clone();
    }
    for ((_, field), objects) in SHOWN.iter().zip(&objects) {
        if !objects.is_empty() {
            view[*field] = objects.values().map(|object| log.object(object)).collect();
        }
    }
    if let Some(Value::Array(resources)) = view.get_mut("uiResources") {
        resources.sort_by_key(|resource| resource["status"]["order"].as_i64().unwrap_or_default());
    }
    let sent = Sent {
        session,
        objects,
        log: end,
        faults,
    };
    (view, sent)
}

fn session(store: &crate::api::Store) -> Option<Arc<Value>> {
    store.get(Kind::named("UISession")?, "Tiltfile").cloned()
}

fn objects(store: &crate::api::Store, kind: &str) -> BTreeMap<String, Arc<Value>> {
    let objects = Kind::named(kind).map(|kind| store.list(kind, &Selection::default()));
    let named = |object: Arc<Value>| {
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        (name, object)
    };
    objects.into_iter().flatten().map(named).collect()
}

/// Returns a view as it is sent: bytes of programs that are no UTF-8 become what JSON can hold.
pub(super) fn text_of(view: &Value) -> String {
    let bytes = odd_bytes::restore(view.to_string().into_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What a page has been sent.
struct Sent {
    session: Option<Arc<Value>>,
    objects: [BTreeMap<String, Arc<Value>>; 3],
    log: u64,
    faults: Vec<SpanFaults>,
}

/// Sends the view to a page until it or the session goes away.
pub(super) async fn serve(shared: Arc<Shared>, mut socket: WebSocket, log: Log) {
    let mut versions = shared.versions();
    versions.mark_unchanged();
    let (view, mut sent) = begin(&shared, log);
    if socket.send(Message::Text(text_of(&view).into())).await.is_err() {
        return;
    }
    drop(view);
    let mut lines = shared.log.reader_from(sent.log);
    let mut last = Instant::now() - PACE;
    loop {
        let batch = tokio::select! {
            changed = versions.changed() => {
                if changed.is_err() {
                    return;
                }
                Vec::new()
            }
            batch = lines.next_batch() => match batch {
                Some(batch) => batch,
                None => return,
            },
            message = socket.recv() => match message {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                // What a page says is not for us.
                Some(Ok(_)) => continue,
            },
        };
        // The first change after a pause is sent at once, the others are gathered.
        tokio::time::sleep_until(last + PACE).await;
        last = Instant::now();
        versions.mark_unchanged();
        let Some(delta) = delta(&shared, &mut sent, batch, &mut lines, log) else {
            continue;
        };
        if socket.send(Message::Text(text_of(&delta).into())).await.is_err() {
            return;
        }
    }
}

/// Returns what changed since the page was last sent something.
fn delta(
    shared: &Shared,
    sent: &mut Sent,
    mut batch: Vec<Arc<crate::logs::Segment>>,
    lines: &mut crate::logs::LogReader,
    log: Log,
) -> Option<Value> {
    let mut delta = json!({"tiltStartTime": shared.facts.started.to_micro_text()});
    let mut is_news = false;
    {
        let store = shared.store();
        let session = session(&store);
        if session != sent.session {
            if let Some(session) = &session {
                delta["uiSession"] = (**session).clone();
                is_news = true;
            }
            sent.session = session;
        }
        for (at, (kind, field)) in SHOWN.into_iter().enumerate() {
            let now = objects(&store, kind);
            let changed = changed(&sent.objects[at], &now, shared, log);
            if !changed.is_empty() {
                delta[field] = changed.into();
                is_news = true;
            }
            sent.objects[at] = now;
        }
    }
    batch.extend(lines.try_next_batch());
    if let Some(last) = batch.last() {
        let end = last.position + 1;
        let number = |position: u64| i64::try_from(position).unwrap_or(i64::MAX);
        match log {
            Log::Whole => delta["logList"] = log_list(&batch, (number(sent.log), number(end))),
            Log::Paged => delta["logEnd"] = end.into(),
        }
        sent.log = end;
        is_news = true;
    }
    if log == Log::Paged {
        let faults = shared.log.all_faults();
        if faults != sent.faults {
            delta["logFaults"] = log_faults(&faults);
            sent.faults = faults;
        }
    }
    is_news.then_some(delta)
}

fn log_faults(faults: &[SpanFaults]) -> Value {
    faults
        .iter()
        .map(|of| {
            json!({
                "spanId": of.span.as_str(),
                "manifestName": of.manifest.as_ref().map_or("", |manifest| manifest.as_str()),
                "errors": of.faults.errors,
                "warnings": of.faults.warnings,
            })
        })
        .collect()
}

fn changed(
    before: &BTreeMap<String, Arc<Value>>,
    now: &BTreeMap<String, Arc<Value>>,
    shared: &Shared,
    log: Log,
) -> Vec<Value> {
    let is_new = |(name, object): &(&String, &Arc<Value>)| {
        before.get(*name).is_none_or(|old| !Arc::ptr_eq(old, object))
    };
    let news = now
        .iter()
        .filter(is_new)
        .map(|(name, object)| (name, log.object(object)));
    let gone = before.keys().filter(|name| !now.contains_key(*name)).map(|name| {
        let metadata = json!({"name": name, "deletionTimestamp": shared.now().to_text()});
        (name, json!({"metadata": metadata}))
    });
    let changed: BTreeMap<&String, Value> = news.chain(gone).collect();
    changed.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_object_the_page_of_this_program_is_sent_what_it_reads() {
        let button = json!({
            "apiVersion": "tilt.dev/v1alpha1",
            "kind": "UIButton",
            "metadata": {
                "name": "stop",
                "uid": "1",
                "resourceVersion": "2",
                "annotations": {READ_ANNOTATION: "StopBuild", "uibuttonspec-hash": "3"},
            },
            "spec": {"text": "Stop Build"},
            "status": {"lastClickedAt": null, "conditions": []},
        });
        assert_eq!(Log::Whole.object(&button), button);
        assert_eq!(
            Log::Paged.object(&button),
            json!({
                "metadata": {
                    "name": "stop",
                    "resourceVersion": "2",
                    "labels": null,
                    "annotations": {READ_ANNOTATION: "StopBuild"},
                },
                "spec": {"text": "Stop Build"},
                "status": {"lastClickedAt": null},
            })
        );
    }
}
