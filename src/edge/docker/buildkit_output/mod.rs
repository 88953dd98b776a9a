//! What is printed while BuildKit builds: its steps with their output, from the states that it streams.
//!
//! Pure: states and the time go in, lines come out.
//!
//! Rule: `docs/rules/images.md`, "Docker builds".

use crate::logs::odd_bytes;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use bollard::moby::buildkit::v1::{StatusResponse, Vertex, VertexLog, VertexStatus};

use super::output_line::{Line, human_size};
use crate::history::Facts;
use crate::model::format_go_duration;

/// A step must take longer than this to have its time shown.
const SHORT: Duration = Duration::from_millis(10);
/// The least time between two lines about the progress of a step.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(2);

/// The steps of one build, as far as they are printed.
#[derive(Default)]
pub(super) struct BuildKitOutput {
    steps: HashMap<String, Step>,
    /// Names of the steps that failed, in order, and why.
    failed: Vec<(String, String)>,
    /// The order in which steps were first heard of.
    order: Vec<String>,
}

#[derive(Default)]
struct Step {
    name: String,
    hidden: bool,
    started: bool,
    cached: bool,
    completed: bool,
    /// Whether it reads the build context.
    is_context: bool,
    failed: bool,
    /// The longest time that was printed.
    printed_duration: Duration,
    /// The beginning of a line whose end has not come yet.
    partial_line: String,
    /// Output of a hidden step, shown if it fails.
    held_back: Vec<Line>,
    transfers: HashMap<String, (i64, i64)>,
    last_progress: Option<Progress>,
}

/// What the last line about a transfer said.
struct Progress {
    at: Instant,
    current: i64,
    total: i64,
}

impl BuildKitOutput {
    /// Returns what a further state adds.
    pub(super) fn update(&mut self, now: Instant, state: &StatusResponse) -> Vec<Line> {
        let mut lines = Vec::new();
        for vertex in &state.vertexes {
            if !self.steps.contains_key(&vertex.digest) {
                self.order.push(vertex.digest.clone());
            }
            let step = self.steps.entry(vertex.digest.clone()).or_default();
            step.cached |= vertex.cached;
            step.completed |= vertex.completed.is_some();
            step.rename(&vertex.name);
            step.start(now, vertex, &mut lines);
        }
        // Output of a step comes before the news of its end.
        for log in &state.logs {
            if let Some(step) = self.steps.get_mut(&log.vertex) {
                step.log(log, &mut lines);
            }
        }
        for status in &state.statuses {
            if let Some(step) = self.steps.get_mut(&status.vertex) {
                step.transfer(now, status, &mut lines);
            }
        }
        for vertex in &state.vertexes {
            if let Some(step) = self.steps.get_mut(&vertex.digest) {
                if !vertex.error.is_empty() && !step.failed {
                    self.failed.push((step.name.clone(), vertex.error.clone()));
                }
                step.end(vertex, &mut lines);
            }
        }
        lines
    }

    /// Tells which steps were carried out, and which came from the cache. Only those of the Dockerfile count.
    pub(super) fn tell(&self, facts: &mut Facts) {
        if self.order.is_empty() {
            return;
        }
        let steps = || self.order.iter().filter_map(|digest| self.steps.get(digest));
        // A step that adds nothing of its own, such as `FROM`, is never built.
        let own = || {
            steps().filter(|step| {
                let is_numbered = step.name.starts_with('[') && !step.is_context && !step.hidden;
                is_numbered && (step.cached || step.completed) && !step.name.contains("] FROM ")
            })
        };
        let count = |is_cached: bool| own().filter(|step| step.cached == is_cached).count();
        let context: i64 = steps()
            .filter(|step| step.is_context)
            .map(|step| step.transferred().0)
            .sum();
        facts.steps_built = u32::try_from(count(false)).ok();
        facts.steps_cached = u32::try_from(count(true)).ok();
        facts.first_built_step = own().find(|step| !step.cached).map(|step| step.name.clone());
        facts.context_bytes = u64::try_from(context).ok();
    }

    /// Returns the name of the step that the build failed in, if it was one. Others may have been stopped for it.
    pub(super) fn failed_step(&self) -> Option<String> {
        // The last cause: what is before it may quote a command.
        let own = |(_, why): &&(String, String)| !why.trim_end().ends_with("context canceled");
        let failed = self.failed.iter().find(own).or_else(|| self.failed.first());
        failed.map(|(name, _)| name.clone())
    }
}

impl Step {
    fn rename(&mut self, name: &str) {
        let loads_context = name.starts_with("[internal] load") && name.contains("build context");
        self.is_context = loads_context;
        self.hidden = name.starts_with("[internal]") && !loads_context;
        self.name = if loads_context {
            "[background] read source files".to_owned()
        } else {
            name.trim().to_owned()
        };
    }

    fn start(&mut self, now: Instant, vertex: &Vertex, lines: &mut Vec<Line>) {
        if self.started || vertex.started.is_none() {
            return;
        }
        self.started = true;
        self.last_progress = Some(Progress {
            at: now,
            current: 0,
            total: 0,
        });
        if !self.hidden {
            let cached = if vertex.cached { " [cached]" } else { "" };
            lines.push(self.line(format!("{}{cached}", self.name), false));
        }
    }

    fn log(&mut self, log: &VertexLog, lines: &mut Vec<Line>) {
        self.partial_line.push_str(&odd_bytes::decode(&log.msg));
        let Some(end) = self.partial_line.rfind('\n') else {
            return;
        };
        let rest = self.partial_line.split_off(end + 1);
        let whole = std::mem::replace(&mut self.partial_line, rest);
        for line in whole.lines() {
            self.output(line, lines);
        }
    }

    fn output(&mut self, line: &str, lines: &mut Vec<Line>) {
        let line = plain(format!("  → {line}"));
        if self.hidden && !self.failed {
            self.held_back.push(line);
        } else {
            lines.push(line);
        }
    }

    fn transfer(&mut self, now: Instant, status: &VertexStatus, lines: &mut Vec<Line>) {
        self.transfers
            .insert(status.id.clone(), (status.current, status.total));
        let (current, total) = self.transferred();
        let Some(last) = &mut self.last_progress else {
            return;
        };
        let long_ago = now.saturating_duration_since(last.at) > PROGRESS_INTERVAL;
        let moved = current - last.current;
        let enough = if total > 0 {
            moved * 100 >= total
        } else {
            moved * 20 >= current && current > 0
        };
        if self.hidden || !(total != last.total || (long_ago && enough)) {
            return;
        }
        *last = Progress {
            at: now,
            current,
            total,
        };
        lines.push(self.line(format!("{}{}", self.name, self.amount()), false));
    }

    fn end(&mut self, vertex: &Vertex, lines: &mut Vec<Line>) {
        let ended = !vertex.error.is_empty() || vertex.completed.is_some();
        if ended && !self.partial_line.is_empty() {
            let line = std::mem::take(&mut self.partial_line);
            self.output(&line, lines);
        }
        if !vertex.error.is_empty() {
            self.fail(lines);
            return;
        }
        let duration = duration(vertex);
        if self.hidden || !self.started || duration <= SHORT || duration <= self.printed_duration {
            return;
        }
        self.printed_duration = duration;
        let shown = format_go_duration(Duration::from_millis(duration.as_millis() as u64));
        lines.push(self.line(format!("{}{} [done: {shown}]", self.name, self.amount()), true));
    }

    fn fail(&mut self, lines: &mut Vec<Line>) {
        if !self.failed {
            self.failed = true;
            lines.push(plain(format!("\nERROR IN: {}", self.name)));
            lines.append(&mut self.held_back);
        }
    }

    fn transferred(&self) -> (i64, i64) {
        let sum = |pick: fn(&(i64, i64)) -> i64| self.transfers.values().map(pick).sum();
        (sum(|t| t.0), sum(|t| t.1))
    }

    /// ` 1.2MB / 3MB`, ` 76B` where the total is not known, nothing where nothing is transferred.
    fn amount(&self) -> String {
        match self.transferred() {
            (0, 0) => String::new(),
            (current, 0) => format!(" {}", human_size(current)),
            (current, total) => format!(" {} / {}", human_size(current), human_size(total)),
        }
    }

    fn line(&self, text: String, must_print: bool) -> Line {
        Line {
            text,
            progress_id: Some(progress_id(&self.name)),
            must_print,
        }
    }
}

fn plain(text: String) -> Line {
    Line {
        text,
        progress_id: None,
        must_print: false,
    }
}

/// Returns the `[2/3]` of a step's name, or all of a name without it.
fn progress_id(name: &str) -> String {
    match name.find(']') {
        Some(end) if name.starts_with('[') => name[..=end].to_owned(),
        _ => name.to_owned(),
    }
}

fn duration(vertex: &Vertex) -> Duration {
    let (Some(started), Some(completed)) = (&vertex.started, &vertex.completed) else {
        return Duration::ZERO;
    };
    let nanos = i128::from(completed.seconds - started.seconds) * 1_000_000_000
        + i128::from(completed.nanos - started.nanos);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
}

#[cfg(test)]
mod tests;
