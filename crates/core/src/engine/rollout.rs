//! What is printed about the newest pod of a resource: that it is there, and how far it has come.
//!
//! Rule: `docs/rules/runtime.md`, "Rollout lines".

use std::time::Duration;

use super::effect::Effect;
use super::state::{Printed, RolloutLine, State};
use crate::model::{LogEvent, Progress};
use crate::model::{ManifestName, Pod, PodCondition, SpanId, Timestamp, format_go_duration};

/// The conditions that are shown, by the API's name and by ours.
const SHOWN: [(&str, &str); 3] = [
    ("PodScheduled", "Scheduled"),
    ("Initialized", "Initialized"),
    ("Ready", "Ready"),
];

/// Returns what is new about the newest pod of a resource, as one piece of text per line.
pub(super) fn refresh(state: &mut State, name: &ManifestName) -> Vec<Effect> {
    let Some(row) = state.rows.get(name) else {
        return Vec::new();
    };
    let Some(pod) = state.newest_pod(row) else {
        return Vec::new();
    };
    let lines = lines(pod);
    let before = row
        .runtime
        .rollout
        .as_ref()
        .filter(|printed| printed.pod == pod.uid);
    if before.is_some_and(|printed| printed.lines == lines) {
        return Vec::new();
    }
    let span = SpanId::new(format!("monitor:{name}:{}", pod.name));
    let log = |text: String| LogEvent::line(span.clone(), name.clone(), text);
    let mut effects = Vec::new();
    let is_new = state.is_from_this_session(pod.created);
    match before {
        Some(_) => {}
        None if is_new => effects.push(Effect::Log(log(format!(
            "\nTracking new pod rollout ({}):",
            pod.name
        )))),
        None => effects.push(Effect::Log(log(format!(
            "\nAttaching to existing pod ({}). Only new logs will be streamed.",
            pod.name
        )))),
    }
    if before.is_some() || is_new {
        effects.extend(lines.iter().enumerate().map(|(at, line)| {
            let reached_before = before.is_some_and(|printed| printed.lines[at].reached);
            let progress = Progress {
                id: line.id.to_owned(),
                must_print: line.reached && !reached_before,
            };
            Effect::Log(LogEvent {
                progress: Some(progress),
                ..log(line.text.clone())
            })
        }));
    }
    let printed = Printed {
        pod: pod.uid.clone(),
        lines,
    };
    if let Some(row) = state.rows.get_mut(name) {
        row.runtime.rollout = Some(printed);
    }
    effects
}

fn lines(pod: &Pod) -> Vec<RolloutLine> {
    let mut since = Some(pod.created);
    SHOWN
        .iter()
        .map(|(kind, id)| {
            let condition = pod.conditions.iter().find(|condition| condition.kind == *kind);
            let at = condition.and_then(|condition| condition.last_transition);
            let line = line(id, condition, took(since, at));
            since = at.or(since);
            line
        })
        .collect()
}

fn line(id: &'static str, condition: Option<&PodCondition>, took: String) -> RolloutLine {
    let Some(condition) = condition else {
        return pending(id);
    };
    if condition.status == "True" {
        return RolloutLine {
            id,
            text: format!("     ┊ {id:<16}- {took}"),
            reached: true,
        };
    }
    if id == "Ready" && condition.reason == "PodCompleted" {
        return RolloutLine {
            id,
            text: format!("     ┊ {:<16}- {took}", "Completed"),
            reached: true,
        };
    }
    if condition.status.is_empty() || condition.reason.is_empty() || condition.message.is_empty() {
        return pending(id);
    }
    let not = format!("Not {id}");
    let text = format!("     ┃ {not:<16}- ({}): {}", condition.reason, condition.message);
    RolloutLine {
        id,
        text,
        reached: false,
    }
}

fn pending(id: &'static str) -> RolloutLine {
    RolloutLine {
        id,
        text: format!("     ┊ {id:<16}- (…) Pending"),
        reached: false,
    }
}

/// Returns the time between two moments as shown: to the millisecond, `<1s` where the API's whole seconds tell nothing.
fn took(from: Option<Timestamp>, to: Option<Timestamp>) -> String {
    let took = from.zip(to).map_or(Duration::ZERO, |(from, to)| to.since(from));
    match took.as_millis() {
        0 => "<1s".to_owned(),
        millis => format_go_duration(Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))),
    }
}
