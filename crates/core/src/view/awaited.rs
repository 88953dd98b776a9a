//! What came of edits, once a session has settled: the answer of `tilt await`.

use std::collections::BTreeSet;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::loops::Loops;
use super::{ReportRow, View, history_of, report};
use crate::history::{Cause, UpdateRecord};
use crate::model::{ManifestName, Timestamp, UpdateStatus};

/// How far apart changes of one edit may be: saving all files of an editor takes its time.
const ONE_EDIT: Duration = Duration::from_secs(2);

/// What came of edits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AwaitAnswer {
    /// Whether all that was asked for is well.
    pub ok: bool,
    /// What became of each resource.
    pub resources: Vec<AwaitedResource>,
}

/// What became of one resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AwaitedResource {
    /// Its name.
    pub name: String,
    /// `ok`, `failed`, `pending`, `skipped` or `disabled`.
    pub result: String,
    /// Why it is not well, in a line.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Its last update: what changed, and what that led to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update: Option<UpdateRecord>,
    /// The last lines that its log got since that update was wanted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
    /// How many lines before them are left out.
    #[serde(default)]
    pub omitted_lines: u64,
}

/// Returns what became of these resources, or of all where none are named, without lines of the log.
pub fn awaited(view: &View, names: &BTreeSet<ManifestName>, now: Timestamp) -> AwaitAnswer {
    let is_asked = |name: &ManifestName| names.is_empty() || names.contains(name);
    let rows = report(view, now);
    let rows = rows.into_iter().filter(|row| is_asked(&row.resource));
    let loops = Loops::of(view);
    let mut resources: Vec<AwaitedResource> = rows.map(|row| of_row(view, &loops, row)).collect();
    let is_broken = view.tiltfile.update_status == UpdateStatus::Error || view.tiltfile.circle.is_some();
    // A Tiltfile that cannot be read, or that is to be read again and again, is no verdict on what was asked: what runs is what it was before.
    if is_broken || is_asked(&ManifestName::tiltfile()) {
        resources.insert(0, of_tiltfile(view));
    }
    AwaitAnswer {
        ok: resources
            .iter()
            .all(|resource| !matches!(&*resource.result, "failed" | "pending")),
        resources,
    }
}

fn of_row(view: &View, loops: &Loops<'_>, row: ReportRow) -> AwaitedResource {
    let mut resources = view.resources.iter();
    let shown = resources.find(|shown| shown.name == row.resource && shown.enabled);
    let waits_for_user =
        shown.is_some_and(|shown| shown.has_pending_changes && !shown.trigger_mode.auto_on_change());
    let circle = shown.and_then(|shown| loops.circle(&shown.name));
    let stuck = shown.and_then(|shown| shown.stuck.clone());
    // How it did before is no verdict on changes that were not taken in.
    let (result, reason) = match (row.result, circle, stuck) {
        ("ok" | "failed", ..) if waits_for_user => {
            ("pending", "its changes wait until it is triggered".to_owned())
        }
        ("ok" | "failed", ..) if view.tiltfile.circle.is_some() => {
            ("pending", "the Tiltfile is read again and again".to_owned())
        }
        (_, Some(circle), _) => ("failed", circle.why.clone()),
        ("pending", None, Some(late)) => {
            let parts = [late, row.reason];
            let parts: Vec<&str> = parts
                .iter()
                .map(String::as_str)
                .filter(|part| !part.is_empty())
                .collect();
            ("failed", parts.join(": "))
        }
        (result, ..) => (result, row.reason),
    };
    AwaitedResource {
        update: last_update(view, &row.resource),
        name: row.resource.to_string(),
        result: result.to_owned(),
        reason,
        lines: Vec::new(),
        omitted_lines: 0,
    }
}

fn of_tiltfile(view: &View) -> AwaitedResource {
    let name = ManifestName::tiltfile();
    let error = view.tiltfile.error.as_deref().unwrap_or_default();
    let circle = view.tiltfile.circle.as_ref().map(|circle| circle.why.as_str());
    AwaitedResource {
        result: match view.tiltfile.update_status {
            UpdateStatus::Error => "failed",
            UpdateStatus::Ok if circle.is_some() => "failed",
            UpdateStatus::Ok => "ok",
            _ => "pending",
        }
        .to_owned(),
        reason: match headline(error) {
            "" => circle.unwrap_or_default().to_owned(),
            line => line.to_owned(),
        },
        update: last_update(view, &name),
        name: name.to_string(),
        lines: Vec::new(),
        omitted_lines: 0,
    }
}

/// Returns the line of a Tiltfile's error that says what is wrong; what led there may come before it.
pub(crate) fn headline(error: &str) -> &str {
    let first = error.lines().next().unwrap_or_default();
    let mut unindented = error.lines().skip(1).filter(|line| !line.starts_with(' '));
    match first.starts_with("Traceback (") {
        true => unindented.next().unwrap_or(first),
        false => first,
    }
}

fn last_update(view: &View, name: &ManifestName) -> Option<UpdateRecord> {
    history_of(view, name)?.updates.into_iter().next()
}

/// Returns the resources that the last edit led to, the Tiltfile among them.
pub fn last_edited(view: &View) -> BTreeSet<ManifestName> {
    let names = view.resources.iter().map(|row| row.name.clone());
    let names = names.chain([ManifestName::tiltfile()]);
    let mut edits: Vec<(Timestamp, ManifestName)> = Vec::new();
    let mut defined: Vec<(Timestamp, ManifestName)> = Vec::new();
    for name in names {
        for record in history_of(view, &name)
            .into_iter()
            .flat_map(|history| history.updates)
        {
            for cause in &record.causes {
                match cause {
                    Cause::Files { files } => {
                        let times = files.iter().map(|file| file.at.unwrap_or(record.wanted));
                        edits.extend(times.map(|at| (at, name.clone())));
                    }
                    Cause::Definition { .. } => defined.push((record.wanted, name.clone())),
                    _ => {}
                }
            }
        }
    }
    edits.sort();
    let mut first = match edits.last() {
        Some((at, _)) => *at,
        None => return BTreeSet::new(),
    };
    let mut names = BTreeSet::new();
    for (at, name) in edits.into_iter().rev() {
        if first.since(at) > ONE_EDIT {
            break;
        }
        first = at;
        names.insert(name);
    }
    if names.contains(&ManifestName::tiltfile()) {
        let since = defined.into_iter().filter(|(at, _)| *at >= first);
        names.extend(since.map(|(_, name)| name));
    }
    names
}
