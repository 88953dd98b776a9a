//! A session as a file: what it showed last, and the end of its log, in the form that Tilt's web page shows.
//!
//! Rule: `reference/cli-and-ui.md` 6 and 13.1.

use std::collections::HashMap;
use std::sync::Arc;

use k8s_openapi::jiff;
use serde_json::{Map, Value, json};

use super::{BuildView, ResourceView, RuntimeStatus, TiltfileView, UpdateStatus, View};
use crate::engine::Hold;
use crate::model::{COMPATIBLE_VERSION, LocalPath, ManifestName, SpanId, Timestamp};
use crate::model::{Level, Segment};

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
    let began = Beginnings::of(log);
    let started = log.first().map_or(facts.created, |first| first.time);
    let mut resources = vec![tiltfile(&view.tiltfile, &began)];
    for (at, shown) in view.resources.iter().enumerate() {
        resources.push(resource(at + 2, shown));
    }
    let session = json!({
        "metadata": {"name": "Tiltfile"},
        "spec": {},
        "status": {
            "runningTiltBuild": {"version": COMPATIBLE_VERSION},
            "versionSettings": {"checkUpdates": true},
            "tiltStartTime": time(started),
            "tiltfileKey": facts.tiltfile.to_string(),
        },
    });
    json!({
        "view": {
            "uiSession": session,
            "uiResources": resources,
            "uiButtons": [],
            "logList": log_list(log),
            "tiltStartTime": time(started),
            "isComplete": true,
        },
        "createdAt": time(facts.created),
    })
}

/// When each source said something first: a build begins with a line.
struct Beginnings<'a>(HashMap<&'a SpanId, Timestamp>);

impl<'a> Beginnings<'a> {
    fn of(log: &'a [Arc<Segment>]) -> Self {
        let mut times = HashMap::new();
        for segment in log {
            if let Some(span) = &segment.span {
                times.entry(span).or_insert(segment.time);
            }
        }
        Self(times)
    }

    fn load(&self, tiltfile: &TiltfileView) -> Option<Value> {
        let span = tiltfile.span.as_ref()?;
        let mut shown = json!({"spanID": span.as_str()});
        if let Some(began) = self.0.get(span) {
            shown["startTime"] = time(*began).into();
            shown["finishTime"] = time(*began).into();
        }
        if let Some(error) = &tiltfile.error {
            shown["error"] = error.as_str().into();
        }
        Some(shown)
    }
}

fn build(build: &BuildView) -> Value {
    let mut shown = json!({"spanID": build.span.as_str(), "startTime": time(build.started)});
    if let Some(finished) = build.finished {
        shown["finishTime"] = time(finished).into();
    }
    if let Some(error) = &build.error {
        shown["error"] = error.as_str().into();
    }
    shown
}

fn tiltfile(tiltfile: &TiltfileView, began: &Beginnings) -> Value {
    let runtime = RuntimeStatus::NotApplicable;
    let history: Vec<Value> = began.load(tiltfile).into_iter().collect();
    json!({
        "metadata": {"name": ManifestName::TILTFILE},
        "spec": {},
        "status": {
            "order": 1,
            "updateStatus": tiltfile.update_status.as_str(),
            "runtimeStatus": runtime.as_str(),
            "buildHistory": history,
            "conditions": conditions(true, tiltfile.update_status, runtime),
        },
    })
}

fn resource(order: usize, resource: &ResourceView) -> Value {
    let labels: Map<String, Value> = resource
        .labels
        .iter()
        .map(|label| (label.clone(), label.as_str().into()))
        .collect();
    let specs: Vec<Value> = resource
        .targets
        .iter()
        .map(|id| json!({"id": id, "type": id.split(':').next().unwrap_or_default()}))
        .collect();
    let history: Vec<Value> = resource.history.iter().map(build).collect();
    let links: Vec<Value> = resource
        .forwards
        .iter()
        .map(|forward| json!({"url": forward.url, "name": forward.name}))
        .collect();
    let mut status = json!({
        "order": order,
        "updateStatus": resource.update_status.as_str(),
        "runtimeStatus": resource.runtime_status.as_str(),
        "triggerMode": resource.trigger_mode as u8,
        "queued": resource.queued,
        "hasPendingChanges": resource.has_pending_changes,
        "buildHistory": history,
        "endpointLinks": links,
        "specs": specs,
        "conditions": conditions(resource.enabled, resource.update_status, resource.runtime_status),
        "disableStatus": {
            "state": if resource.enabled { "Enabled" } else { "Disabled" },
            "enabledCount": i32::from(resource.enabled),
            "disabledCount": i32::from(!resource.enabled),
            "sources": [{"configMap": {"name": format!("{}-disable", resource.name), "key": "isDisabled"}}],
        },
    });
    add_details(&mut status, resource);
    json!({"metadata": {"name": resource.name.as_str(), "labels": labels}, "spec": {}, "status": status})
}

/// Adds what only some resources have.
fn add_details(status: &mut Value, resource: &ResourceView) {
    if let Some(build) = &resource.building {
        let build = self::build(build);
        status["currentBuild"] = json!({"spanID": build["spanID"], "startTime": build["startTime"]});
    }
    // Of what goes into running containers it is not said that it waits.
    let hold = resource.hold.as_ref();
    if let Some(hold) = hold.filter(|hold| hold.reason != Hold::Reconciling.reason()) {
        let on: Vec<Value> = hold.on.iter().map(|name| json!({"name": name})).collect();
        status["waiting"] = json!({"reason": hold.reason, "on": on});
    }
    if let Some(pod) = &resource.pod {
        status["k8sResourceInfo"] = json!({
            "podName": pod.name,
            "podStatus": pod.status,
            "podStatusMessage": pod.errors.join("; "),
            "allContainersReady": pod.ready_containers == pod.containers,
            "podRestarts": pod.restarts,
            "spanID": format!("pod:{}:{}", resource.name, pod.name),
        });
    }
    if let Some(pid) = resource.server.as_ref().and_then(|server| server.pid) {
        status["localResourceInfo"] = json!({"pid": pid});
    }
}

/// Rule: `reference/cli-and-ui.md` 7.4, "Condition rules".
fn conditions(enabled: bool, update: UpdateStatus, runtime: RuntimeStatus) -> Value {
    let is_updated = matches!(update, UpdateStatus::Ok | UpdateStatus::NotApplicable);
    let is_ready = runtime == RuntimeStatus::Ok || (runtime == RuntimeStatus::NotApplicable && is_updated);
    let of_update = match update {
        _ if !enabled => "Disabled",
        UpdateStatus::Error => "UpdateError",
        UpdateStatus::Pending | UpdateStatus::InProgress => "UpdatePending",
        _ => "Unknown",
    };
    let of_runtime = match runtime {
        RuntimeStatus::Error if enabled => "RuntimeError",
        RuntimeStatus::Pending if enabled && is_updated => "RuntimePending",
        _ => of_update,
    };
    let condition = |kind: &str, holds: bool, reason: &str| {
        if holds {
            json!({"type": kind, "status": "True"})
        } else {
            json!({"type": kind, "status": "False", "reason": reason})
        }
    };
    json!([
        condition("UpToDate", is_updated, of_update),
        condition("Ready", is_ready, of_runtime)
    ])
}

fn log_list(log: &[Arc<Segment>]) -> Value {
    let mut spans = Map::new();
    for segment in log {
        let manifest = segment.manifest.as_ref().map_or("", |manifest| manifest.as_str());
        let span = segment.span.as_ref().map_or("", |span| span.as_str());
        if !spans.contains_key(span) {
            spans.insert(span.to_owned(), json!({"manifestName": manifest}));
        }
    }
    let segments: Vec<Value> = log.iter().map(|segment| log_segment(segment)).collect();
    json!({"spans": spans, "segments": segments, "fromCheckpoint": 0, "toCheckpoint": log.len()})
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
        "time": time(segment.time),
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

/// Returns a time as `2026-01-31T12:00:00.000000Z`.
fn time(time: Timestamp) -> String {
    let time = jiff::Timestamp::from_microsecond(time.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}
