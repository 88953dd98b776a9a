//! What became of updates, in words for people. `lines` says how lines look.

mod lines;

use super::{
    Cause, Facts, FileCause, ResourceHistory, Result, Rule, Stage, StageKind, UpdateKind, UpdateRecord, Wait,
};
use crate::model::{LocalPath, Timestamp};
use lines::{bar_line, duration, size};

pub(super) use lines::tell;

/// How many files, or changes, are named.
const NAMED: usize = 5;

/// How a text looks.
#[derive(Clone, Debug)]
pub struct Look {
    /// The time at which it is read.
    pub now: Timestamp,
    /// Paths below it are shown as seen from there.
    pub cwd: LocalPath,
    /// Whether it goes to a terminal that shows colours.
    pub has_colour: bool,
}

/// Returns what is known of the last updates of a resource.
pub fn why(history: &ResourceHistory, last: usize, look: &Look) -> String {
    let mut out = String::new();
    if let Some((now, before)) = history.waiting.split_last() {
        out.push_str(&waiting(history, now, before, look));
    }
    for record in history.updates.iter().take(last.max(1)) {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&update(record, look));
    }
    if out.is_empty() {
        out = format!("{} was not updated in this session.\n", history.resource);
    }
    out
}

fn waiting(history: &ResourceHistory, now: &Wait, before: &[Wait], look: &Look) -> String {
    let mut out = String::new();
    let since = duration(look.now.since(now.from));
    let title = format!("{} waits, for {since} now", history.resource);
    out.push_str(&look.bold(&title));
    out.push('\n');
    let on = names(&now.on);
    tell(&mut out, "for", &format!("{}{on}", now.reason.words()));
    tell(&mut out, "until", &now.reason.end(&now.on));
    for wait in before {
        let took = duration(wait.until.unwrap_or(look.now).since(wait.from));
        tell(
            &mut out,
            "before",
            &format!("{took}: {}{}", wait.reason.words(), names(&wait.on)),
        );
    }
    out
}

/// Returns what is known of one update.
fn update(record: &UpdateRecord, look: &Look) -> String {
    let mut out = String::new();
    out.push_str(&title(record, look));
    for cause in &record.causes {
        for line in cause_lines(cause, look) {
            tell(&mut out, "because", &line);
        }
    }
    let whole = record.ended.unwrap_or(look.now).since(record.wanted);
    let mut first = true;
    let mut row = |label: &str, done: &str, from: Timestamp, until: Option<Timestamp>| {
        let took = until.unwrap_or(look.now).since(from);
        let label = if std::mem::take(&mut first) || label == "waited" {
            label
        } else {
            ""
        };
        out.push_str(&bar_line(label, done, took, whole));
    };
    let batch = |stage: &&Stage| stage.kind == StageKind::Batch;
    for stage in record.stages.iter().filter(batch) {
        row("time", "changes gathered", stage.from, stage.until);
    }
    for wait in &record.waits {
        row(
            "waited",
            &format!("{}{}", wait.reason.words(), names(&wait.on)),
            wait.from,
            wait.until,
        );
    }
    for stage in record.stages.iter().filter(|stage| !batch(stage)) {
        row("time", &stage_words(stage), stage.from, stage.until);
        for part in &stage.parts {
            row("", &format!("  {}", stage_words(part)), part.from, part.until);
        }
    }
    if let Some(reason) = why_not_well(record) {
        tell(&mut out, "error", &reason);
    }
    for hint in shorter(record, look) {
        tell(&mut out, "hint", &hint);
    }
    out
}

fn title(record: &UpdateRecord, look: &Look) -> String {
    let what = match record.kind {
        UpdateKind::Full => "update",
        UpdateKind::Sync => "live update",
        UpdateKind::Load => "load",
    };
    let took = duration(record.ended.unwrap_or(look.now).since(record.wanted));
    let (word, colour) = match record.outcome.result {
        Result::Ok => (format!("ok after {took}"), 32),
        Result::Failed => (format!("failed after {took}"), 31),
        Result::Running => (format!("runs for {took} now"), 33),
        Result::RollingOut => (format!("not ready after {took}"), 33),
        Result::Canceled => (format!("canceled after {took}"), 33),
        Result::Replaced => (format!("replaced after {took}, before it was ready"), 33),
    };
    let ago = record.ended.map_or(String::new(), |ended| {
        format!(", {} ago", duration(look.now.since(ended)))
    });
    let name = look.bold(&format!("{}: {what} {}", record.resource, record.number));
    format!("{name}, {}{ago}\n", look.colour(colour, &word))
}

fn cause_lines(cause: &Cause, look: &Look) -> Vec<String> {
    match cause {
        Cause::First => vec!["it is the first one of this session".to_owned()],
        Cause::Files { files } => {
            let mut lines: Vec<String> = files
                .iter()
                .take(NAMED)
                .map(|file| format!("{} changed: {}", look.path(&file.path), rule_words(file, look)))
                .collect();
            lines.extend(more(files.len(), "files"));
            lines
        }
        Cause::Asked { by } => vec![format!("it was asked for: {}", by.as_str())],
        Cause::Definition { changes, files } => {
            let mut lines: Vec<String> = changes
                .iter()
                .take(NAMED)
                .map(|change| match &change.place {
                    Some(place) => format!("defined otherwise: {} ({})", change.what, look.path(place)),
                    None => format!("defined otherwise: {}", change.what),
                })
                .collect();
            lines.extend(more(changes.len(), "changes"));
            if changes.is_empty() {
                lines.push("it is defined otherwise".to_owned());
            }
            let files: Vec<String> = files.iter().take(NAMED).map(|file| look.path(file)).collect();
            if !files.is_empty() {
                lines.push(format!("the Tiltfile was read again for {}", files.join(", ")));
            }
            lines
        }
        Cause::Args => vec!["the Tiltfile got other arguments".to_owned()],
        Cause::Image { image, by: Some(by) } => vec![format!("image {image} was built by {by}")],
        Cause::Image { image, by: None } => vec![format!("image {image} was built by another resource")],
        Cause::FallBack { reason, message } => {
            vec![format!("no live update: {reason}: {message}")]
        }
        Cause::Retry => vec!["the update before could not reach something".to_owned()],
        Cause::Container { pod, container } => {
            vec![format!(
                "container {container} of pod {pod} may differ from the disk"
            )]
        }
    }
}

fn more(all: usize, what: &str) -> Option<String> {
    let more = all.checked_sub(NAMED).filter(|more| *more > 0)?;
    Some(format!("{more} more {what}"))
}

fn rule_words(file: &FileCause, look: &Look) -> String {
    rule(&file.rule, &file.target, look)
}

/// Returns what makes a file of a target matter.
pub(super) fn rule(rule: &Rule, target: &str, look: &Look) -> String {
    match rule {
        Rule::Context { path } => format!("{target} is built from {}", look.path(path)),
        Rule::Dependency { path } => format!("{target} depends on {}", look.path(path)),
        Rule::Sync { source, destination } => format!("sync {} to {destination}", look.path(source)),
        Rule::StopPath { path } => format!("stop path {}", look.path(path)),
        Rule::BaseImage { image, path } => {
            format!("base image {image} is built from {}", look.path(path))
        }
        Rule::Config => "the Tiltfile reads it".to_owned(),
    }
}

fn stage_words(stage: &Stage) -> String {
    let name = match stage.kind {
        StageKind::Batch => "changes gathered",
        StageKind::Prepare => "prepare",
        StageKind::Delete => "delete, as asked",
        StageKind::Images => "images",
        StageKind::Build => "build",
        StageKind::Push => "push",
        StageKind::Apply => "apply",
        StageKind::Command => "command",
        StageKind::Sync => "sync",
        StageKind::Load => "evaluate",
        StageKind::Rollout => "until ready",
    };
    let facts = facts_words(&stage.facts);
    let mut words = name.to_owned();
    for more in [stage.name.lines().next().unwrap_or_default(), &facts] {
        if !more.is_empty() {
            words.push(' ');
            words.push_str(more);
        }
    }
    words
}

fn facts_words(facts: &Facts) -> String {
    let mut words = Vec::new();
    if let (Some(built), Some(cached)) = (facts.steps_built, facts.steps_cached) {
        words.push(format!("{} steps, {cached} cached", built + cached));
    }
    words.extend(
        facts
            .context_bytes
            .filter(|bytes| *bytes > 0)
            .map(|n| format!("{} sent", size(n))),
    );
    words.extend(facts.pushed_bytes.map(|n| format!("{} sent", size(n))));
    words.extend(facts.not_pushed.clone());
    let objects = [
        (facts.created.len(), "created"),
        (facts.changed.len(), "changed"),
        (facts.unchanged.len(), "unchanged"),
    ];
    let objects = objects.into_iter().filter(|(n, _)| *n > 0);
    words.extend(objects.map(|(n, what)| format!("{n} {what}")));
    words.extend(
        facts
            .files
            .map(|n| format!("{n} {}", if n == 1 { "file" } else { "files" })),
    );
    words.extend(facts.bytes.map(size));
    match words.is_empty() {
        true => String::new(),
        false => format!("({})", words.join(", ")),
    }
}

fn why_not_well(record: &UpdateRecord) -> Option<String> {
    let (reason, message) = (&record.outcome.reason, &record.outcome.message);
    match (reason, message) {
        (Some(reason), Some(message)) => Some(format!("{reason}: {message}")),
        (Some(one), None) | (None, Some(one)) => Some(one.clone()),
        (None, None) => None,
    }
}

/// Returns what would have made an update shorter.
fn shorter(record: &UpdateRecord, look: &Look) -> Vec<String> {
    let builds = record.stages.iter().flat_map(|stage| &stage.parts);
    let builds = builds.filter(|part| part.kind == StageKind::Build);
    let files: Vec<String> = record
        .causes
        .iter()
        .filter_map(|cause| match cause {
            Cause::Files { files } => Some(files.iter().take(3).map(|file| look.path(&file.path))),
            _ => None,
        })
        .flatten()
        .collect();
    let because = match files.is_empty() {
        true => String::new(),
        false => format!(", since this changed: {}", files.join(", ")),
    };
    builds
        .filter_map(|part| {
            let step = part.facts.first_built_step.as_ref()?;
            (part.facts.steps_cached? > 0)
                .then(|| format!("{}: not cached from step {step} on{because}", part.name))
        })
        .collect()
}

fn names(on: &[String]) -> String {
    match on {
        [] => String::new(),
        on => format!(": {}", on.join(", ")),
    }
}

impl Look {
    /// Returns a path, or the place in a file, as shown.
    pub(crate) fn path(&self, path: &str) -> String {
        let base = self.cwd.to_string();
        let below = path.strip_prefix(&base).and_then(|rest| rest.strip_prefix('/'));
        match below {
            Some("") | None if path == base => ".".to_owned(),
            Some(below) => below.to_owned(),
            None => path.to_owned(),
        }
    }

    pub(crate) fn bold(&self, text: &str) -> String {
        self.colour(1, text)
    }

    pub(crate) fn colour(&self, code: u8, text: &str) -> String {
        match self.has_colour {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
