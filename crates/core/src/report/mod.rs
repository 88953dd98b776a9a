//! What a run of `tilt ci` came to, for those who were not there: CI systems, people who read of it later, scripts.
//!
//! [`CiReport`] is all that is told, as plain values; `junit`, `markdown` and `github` write it in the forms that others read.

mod github;
mod junit;
mod markdown;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::engine::ExitOutcome;
use crate::history::{StageKind, UpdateRecord};
use crate::model::{ManifestName, SourcePlace, Timestamp};
use crate::view::{ReportRow, UpdateStatus, View, headline, history_of};

pub use github::annotations;
pub use junit::junit;
pub use markdown::markdown;

/// What a run of `tilt ci` came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CiReport {
    /// The version of this form; fields may be added within one.
    pub version: u32,
    /// How the run ended.
    pub result: RunResult,
    /// What was told last, if it did not end well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When it began, as in `2026-01-31T12:00:00.000000Z`.
    pub started: String,
    /// How many seconds it took.
    pub seconds: f64,
    /// The Tiltfile.
    pub tiltfile: String,
    /// What became of each resource, the Tiltfile first.
    pub resources: Vec<ResourceReport>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RunResult {
    /// All is well.
    Succeeded,
    /// Not all is well, or not in time.
    Failed,
    /// Somebody stopped it.
    Interrupted,
}

/// What became of one resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceReport {
    /// Its name.
    pub name: String,
    /// How it did.
    pub result: ResourceResult,
    /// From the start of its first update until it was ready, or to the end of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Why it is not well, in a line: Kubernetes' own reason where there is one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The last lines of what is not well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub last_lines: Vec<String>,
    /// Where it is written, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<SourcePlace>,
    /// Its updates, the last one first.
    #[serde(default)]
    pub updates: Vec<UpdateRecord>,
}

/// How a resource did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ResourceResult {
    /// It is well.
    Ok,
    /// It, or its last update, failed.
    Failed,
    /// It was not ready when the run ended.
    Pending,
    /// It does not start by itself.
    Skipped,
    /// It is switched off.
    Disabled,
}

/// What a report is made of, beside the last view.
#[derive(Clone, Debug)]
pub struct RunFacts<'a> {
    /// How the run ended.
    pub outcome: &'a ExitOutcome,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// The Tiltfile.
    pub tiltfile: String,
    /// What became of each resource.
    pub rows: &'a [ReportRow],
    /// The last lines of those that are not well.
    pub last_lines: BTreeMap<ManifestName, Vec<String>>,
}

/// Returns what a run came to.
pub fn ci_report(view: &View, facts: RunFacts<'_>) -> CiReport {
    let (result, message) = match facts.outcome {
        ExitOutcome::Succeeded => (RunResult::Succeeded, None),
        ExitOutcome::Failed(failure) => (RunResult::Failed, Some(failure.message.clone())),
        ExitOutcome::Interrupted | ExitOutcome::Stopped => {
            (RunResult::Interrupted, Some("it was interrupted".to_owned()))
        }
    };
    let mut lines = facts.last_lines;
    let mut resources = vec![tiltfile(view, &mut lines)];
    for row in facts.rows {
        let shown = view.resources.iter().find(|shown| shown.name == row.resource);
        resources.push(ResourceReport {
            name: row.resource.to_string(),
            result: match row.result {
                "ok" => ResourceResult::Ok,
                "failed" => ResourceResult::Failed,
                "skipped" => ResourceResult::Skipped,
                "disabled" => ResourceResult::Disabled,
                _ => ResourceResult::Pending,
            },
            seconds: row.took.map(|took| took.as_secs_f64()),
            reason: row.reason.clone(),
            last_lines: lines.remove(&row.resource).unwrap_or_default(),
            place: shown.and_then(|shown| shown.place.clone()),
            updates: history_of(view, &row.resource).map_or_else(Vec::new, |history| history.updates),
        });
    }
    CiReport {
        version: 1,
        result,
        message,
        started: facts.started.to_micro_text(),
        seconds: facts.ended.since(facts.started).as_secs_f64(),
        tiltfile: facts.tiltfile,
        resources,
    }
}

/// Returns what is told of a run that could not begin, such as one for a context that is not there.
pub fn not_begun(why: &str, tiltfile: String, started: Timestamp, ended: Timestamp) -> CiReport {
    CiReport {
        version: 1,
        result: RunResult::Failed,
        message: Some(why.to_owned()),
        started: started.to_micro_text(),
        seconds: ended.since(started).as_secs_f64(),
        tiltfile,
        resources: Vec::new(),
    }
}

impl CiReport {
    /// Returns what was told last, of a run that did not end well though no resource is to blame.
    fn blameless_failure(&self) -> Option<&str> {
        let is_blamed = |resource: &ResourceReport| {
            matches!(resource.result, ResourceResult::Failed | ResourceResult::Pending)
        };
        if self.result == RunResult::Succeeded || self.resources.iter().any(is_blamed) {
            return None;
        }
        Some(self.message.as_deref().unwrap_or("tilt ci failed"))
    }
}

fn tiltfile(view: &View, lines: &mut BTreeMap<ManifestName, Vec<String>>) -> ResourceReport {
    let (tiltfile, name) = (&view.tiltfile, ManifestName::tiltfile());
    let took = tiltfile.started.zip(tiltfile.finished);
    ResourceReport {
        result: match tiltfile.update_status {
            UpdateStatus::Error => ResourceResult::Failed,
            UpdateStatus::Ok => ResourceResult::Ok,
            _ => ResourceResult::Pending,
        },
        seconds: took.map(|(started, finished)| finished.since(started).as_secs_f64()),
        reason: tiltfile.error.as_deref().map_or("", headline).to_owned(),
        last_lines: match &tiltfile.error {
            Some(error) => error.lines().map(str::to_owned).collect(),
            None => lines.remove(&name).unwrap_or_default(),
        },
        place: tiltfile.error_place.clone(),
        updates: history_of(view, &name).map_or_else(Vec::new, |history| history.updates),
        name: name.to_string(),
    }
}

/// One thing that went well or not: a stage of the last update of a resource.
struct Case<'a> {
    resource: &'a ResourceReport,
    name: String,
    seconds: f64,
    verdict: Verdict<'a>,
}

enum Verdict<'a> {
    Passed,
    Skipped(&'static str),
    /// It failed: the reason in a word or a line, and all that is known.
    Failed(&'a str),
    /// It had not ended.
    Unfinished(&'a str),
}

/// Returns the cases of a resource: a stage each of its last update, the one that failed last.
fn cases(resource: &ResourceReport) -> Vec<Case<'_>> {
    let case = |name: String, seconds: f64, verdict| Case {
        resource,
        name,
        seconds,
        verdict,
    };
    let skipped = match resource.result {
        ResourceResult::Skipped => Some("it does not start by itself"),
        ResourceResult::Disabled => Some("it is switched off"),
        _ => None,
    };
    if let Some(why) = skipped {
        return vec![case("update".to_owned(), 0.0, Verdict::Skipped(why))];
    }
    let mut cases: Vec<Case> = Vec::new();
    if let Some(last) = resource.updates.first() {
        for stage in &last.stages {
            let parts = match stage.kind {
                StageKind::Images => &stage.parts[..],
                _ => std::slice::from_ref(stage),
            };
            for part in parts {
                let until = part.until.or(last.ended).unwrap_or(part.from);
                cases.push(case(
                    stage_name(part.kind, &part.name),
                    until.since(part.from).as_secs_f64(),
                    Verdict::Passed,
                ));
            }
        }
    }
    if cases.is_empty() {
        cases.push(case(
            "update".to_owned(),
            resource.seconds.unwrap_or_default(),
            Verdict::Passed,
        ));
    }
    if let Some(last) = cases.last_mut() {
        let reason = resource.reason.as_str();
        match resource.result {
            ResourceResult::Failed => last.verdict = Verdict::Failed(reason),
            ResourceResult::Pending => last.verdict = Verdict::Unfinished(reason),
            _ => {}
        }
    }
    cases
}

fn stage_name(kind: StageKind, name: &str) -> String {
    let kind = match kind {
        StageKind::Batch => "gather changes",
        StageKind::Prepare => "prepare",
        StageKind::Delete => "delete",
        StageKind::Images => "images",
        StageKind::Build => "build",
        StageKind::Push => "push",
        StageKind::Apply => "apply",
        StageKind::Command => "command",
        StageKind::Sync => "sync",
        StageKind::Load => "load",
        StageKind::Rollout => "ready",
    };
    match name.lines().next() {
        None | Some("") => kind.to_owned(),
        Some(name) => format!("{kind} {name}"),
    }
}

/// Returns a line without what only a terminal understands.
fn plain(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            // The rest of the sequence, up to its letter.
            if chars.next_if_eq(&'[').is_some() {
                for c in chars.by_ref() {
                    if c.is_ascii_alphabetic() {
                        break;
                    }
                }
            }
        } else if c == '\t' || !c.is_control() {
            plain.push(c);
        }
    }
    plain
}

#[cfg(test)]
mod tests;
