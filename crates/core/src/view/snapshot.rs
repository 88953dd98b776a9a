//! A session as a file: what it showed last, and the end of its log, in the form that Tilt's web page shows.
//!
//! Rule: `docs/rules/api.md`, "The view".

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{View, ui_resource, ui_session, ui_tiltfile};
use crate::model::{Level, LocalPath, Segment, Timestamp};

/// What a snapshot tells of its session beside what it showed.
#[derive(Clone, Debug)]
pub struct SnapshotFacts {
    /// When it was made.
    pub created: Timestamp,
    /// The session's Tiltfile.
    pub tiltfile: LocalPath,
}

/// Returns a snapshot.
pub fn snapshot(view: &View, log: &[Arc<Segment>], facts: &SnapshotFacts) -> Value {
    let started = log.first().map_or(facts.created, |first| first.time);
    let mut resources = vec![ui_tiltfile(&view.tiltfile)];
    for (at, shown) in view.resources.iter().enumerate() {
        resources.push(ui_resource(at + 2, shown));
    }
    json!({
        "view": {
            "uiSession": ui_session(started, &facts.tiltfile, &view.tiltfile.settings),
            "uiResources": resources,
            "uiButtons": [],
            "logList": log_list(log, (0, i64::try_from(log.len()).unwrap_or(i64::MAX))),
            "tiltStartTime": started.to_micro_text(),
            "isComplete": true,
        },
        "createdAt": facts.created.to_micro_text(),
    })
}

/// Returns a part of the log, from one checkpoint to another, as the page takes it.
pub fn log_list(log: &[Arc<Segment>], (from, to): (i64, i64)) -> Value {
    let mut spans = Map::new();
    for segment in log {
        let manifest = segment.manifest.as_ref().map_or("", |manifest| manifest.as_str());
        let span = segment.span.as_ref().map_or("", |span| span.as_str());
        if !spans.contains_key(span) {
            spans.insert(span.to_owned(), json!({"manifestName": manifest}));
        }
    }
    let segments: Vec<Value> = log.iter().map(|segment| log_segment(segment)).collect();
    json!({"spans": spans, "segments": segments, "fromCheckpoint": from, "toCheckpoint": to})
}

fn log_segment(segment: &Segment) -> Value {
    let level = match segment.level {
        Level::Debug => "DEBUG",
        Level::Verbose => "VERBOSE",
        Level::Info => "INFO",
        Level::Warn => "WARN",
        Level::Error => "ERROR",
    };
    let mut fields = Map::new();
    if segment.starts_update {
        fields.insert("buildEvent".to_owned(), "init".into());
    }
    if let Some(progress) = &segment.progress {
        fields.insert("progressID".to_owned(), progress.id.as_str().into());
        if progress.must_print {
            fields.insert("progressMustPrint".to_owned(), "1".into());
        }
    }
    let mut shown = json!({
        "spanId": segment.span.as_ref().map_or("", |span| span.as_str()),
        "time": segment.time.to_micro_text(),
        "text": segment.text,
        "level": level,
    });
    if segment.anchor {
        shown["anchor"] = true.into();
    }
    if !fields.is_empty() {
        shown["fields"] = fields.into();
    }
    shown
}
