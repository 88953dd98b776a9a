//! What is asked of a session about its updates: what became of them, what a file is to it, and what came of an edit.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};

use super::json_text::json_text;
use super::settle::{caught_up, settled};
use super::shared::{Shared, State};
use super::view_stream::text_of;
use crate::diag::nearest;
use crate::history::FileAnswer;
use crate::logs::last_segments;
use crate::model::{LocalPath, ManifestName, Timestamp};
use crate::view::{AwaitAnswer, View, awaited, history, history_of, last_edited, report, unsettled};

/// How much of the end of the log is looked through for lines, in bytes.
const LOG_BYTES: usize = 2_000_000;

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/api/history", get(all))
        .route("/api/history/{name}", get(one))
        .route("/api/why", get(file))
        .route("/api/await", post(wait))
}

/// What became of the updates of all resources.
async fn all(axum::extract::State(shared): State) -> Response {
    let view = shared.handle.view.borrow().clone();
    told(&shared, &history(&view, shared.now()))
}

/// What became of the updates of one resource.
async fn one(axum::extract::State(shared): State, Path(name): Path<String>) -> Response {
    let view = shared.handle.view.borrow().clone();
    match history_of(&view, &ManifestName::from(name.as_str())) {
        Some(history) => told(&shared, &history),
        None => no_resource(&view, &name),
    }
}

#[derive(Debug, Deserialize)]
struct AboutFile {
    file: String,
}

/// What a file is to the project.
async fn file(axum::extract::State(shared): State, Query(asked): Query<AboutFile>) -> Response {
    let view = shared.handle.view.borrow().clone();
    told(&shared, &about_file(&view, &LocalPath::new(asked.file)))
}

fn about_file(view: &View, file: &LocalPath) -> FileAnswer {
    let is_enabled = |name: &ManifestName| {
        let row = view.resources.iter().find(|row| row.name == *name);
        row.is_some_and(|row| row.enabled)
    };
    let read = |file: &LocalPath| std::fs::read_to_string(file.as_path()).ok();
    view.files.explain(file, is_enabled, &read)
}

/// What is waited for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct AwaitRequest {
    /// Resources; none for all.
    pub resources: Vec<String>,
    /// What belongs to this file.
    pub file: Option<String>,
    /// What the last edit led to.
    pub since_edit: bool,
    /// How many lines of each resource are wanted.
    pub lines: usize,
    /// How long to wait at most, in milliseconds.
    pub timeout_millis: Option<u64>,
}

/// Answers once all that was asked for has settled, for the disk as it is now.
async fn wait(axum::extract::State(shared): State, Json(asked): Json<AwaitRequest>) -> Response {
    let Some(view) = caught_up(&shared).await else {
        return gone();
    };
    let mut names: BTreeSet<ManifestName> = asked.resources.iter().map(|name| name.as_str().into()).collect();
    if let Some(unknown) = names.iter().find(|name| history_of(&view, name).is_none()) {
        return no_resource(&view, unknown.as_str());
    }
    if let Some(file) = &asked.file {
        let answer = about_file(&view, &LocalPath::new(file));
        if answer.reloads {
            names.insert(ManifestName::tiltfile());
        }
        names.extend(answer.uses.iter().map(|used| used.resource.as_str().into()));
        if names.is_empty() {
            return told(
                &shared,
                &AwaitAnswer {
                    ok: true,
                    resources: Vec::new(),
                },
            );
        }
    }
    let limit = asked.timeout_millis.map_or(Duration::MAX, Duration::from_millis);
    let view = match tokio::time::timeout(limit, settled(&shared, &names)).await {
        Ok(Some(view)) => view,
        Ok(None) => return gone(),
        Err(_) => {
            let view = shared.handle.view.borrow().clone();
            let text = not_settled(&view, &names, shared.now());
            let text = shared.log.without_secrets(&text);
            return (StatusCode::REQUEST_TIMEOUT, text).into_response();
        }
    };
    if asked.since_edit {
        names = last_edited(&view);
        if names.is_empty() {
            return told(
                &shared,
                &AwaitAnswer {
                    ok: true,
                    resources: Vec::new(),
                },
            );
        }
    }
    let mut answer = awaited(&view, &names, shared.now());
    add_lines(&shared, &mut answer, asked.lines);
    told(&shared, &answer)
}

/// Returns which of the resources that were asked for have not settled, and why.
fn not_settled(view: &View, names: &BTreeSet<ManifestName>, now: Timestamp) -> String {
    let rows = report(view, now);
    let told = unsettled(view, names).map(|name| {
        let row = rows.iter().find(|row| row.resource == name);
        match row.map(|row| row.reason.as_str()).unwrap_or_default() {
            "" => name.to_string(),
            reason => format!("{name}: {reason}"),
        }
    });
    let told: Vec<String> = told.collect();
    format!("not settled in time: {}", told.join("; "))
}

/// Adds the lines that were logged since each update was wanted.
fn add_lines(shared: &Shared, answer: &mut AwaitAnswer, n: usize) {
    if n == 0 {
        return;
    }
    let log = last_segments(&shared.log, LOG_BYTES);
    for resource in &mut answer.resources {
        let Some(since) = resource.update.as_ref().map(|update| update.wanted) else {
            continue;
        };
        let name = ManifestName::from(resource.name.as_str());
        let mut text = String::new();
        let is_of = |segment: &&Arc<crate::logs::Segment>| {
            segment.time >= since && segment.manifest.as_ref() == Some(&name)
        };
        log.iter()
            .filter(is_of)
            .for_each(|segment| text.push_str(&segment.text));
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        let omitted = lines.len().saturating_sub(n);
        resource.omitted_lines = omitted as u64;
        resource.lines = lines.into_iter().skip(omitted).map(str::to_owned).collect();
    }
}

fn no_resource(view: &View, name: &str) -> Response {
    let known = view.resources.iter().map(|row| row.name.as_str());
    let hint = nearest(name, known).map(|near| format!("\nhint: did you mean {near:?}?"));
    let text = format!("no resource found with name {name:?}{}", hint.unwrap_or_default());
    (StatusCode::NOT_FOUND, text).into_response()
}

fn gone() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, "the session is ending").into_response()
}

/// Answers with a value as JSON, with secrets hidden.
fn told(shared: &Shared, value: &impl Serialize) -> Response {
    let mut value = serde_json::to_value(value).unwrap_or_default();
    shared.log.secret_hider().hide_in(&mut value);
    json_text(text_of(&value))
}
