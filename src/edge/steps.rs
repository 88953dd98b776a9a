//! The numbered steps of an update: headers while it runs, a summary at its end.
//!
//! Rule: `reference/engine.md` 9.6.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::clock;
use crate::logs::LogWriter;

/// What stands before the lines of a step.
pub(super) const INDENT: &str = "     ";

/// The steps of an update, or those of one of several things that it does at once.
pub(super) struct Steps {
    log: LogWriter,
    total: usize,
    /// How many came before these.
    before: usize,
    /// By number: what it was, and how long it took.
    done: BTreeMap<usize, (String, Duration)>,
    current: Option<(String, Instant)>,
    began: Instant,
}

impl Steps {
    pub(super) fn new(log: LogWriter, total: usize) -> Self {
        Self {
            log,
            total,
            before: 0,
            done: BTreeMap::new(),
            current: None,
            began: clock::now(),
        }
    }

    /// Returns a part of these steps that is told elsewhere: the ones after the next `skipped`.
    pub(super) fn part(&self, log: LogWriter, skipped: usize) -> Self {
        Self {
            before: self.before + self.done.len() + skipped,
            ..Self::new(log, self.total)
        }
    }

    /// Takes in the steps of a part.
    pub(super) fn add(&mut self, part: Self) {
        self.done.extend(part.done);
    }

    pub(super) fn begin(&mut self, name: &str) {
        let number = self.number();
        self.log.info(&format!("STEP {number}/{} — {name}", self.total));
        self.current = Some((name.to_owned(), clock::now()));
    }

    pub(super) fn end(&mut self) {
        if let Some((name, began)) = self.current.take() {
            let took = clock::now().duration_since(began);
            self.done.insert(self.number(), (name, took));
            self.log.info("");
        }
    }

    pub(super) fn finish(self) {
        let mut text = String::new();
        for (number, (name, took)) in &self.done {
            text.push_str(&format!("Step {number} - {:.2}s ({name})\n", took.as_secs_f64()));
        }
        let total = clock::now().duration_since(self.began).as_secs_f64();
        text.push_str(&format!("DONE IN: {total:.2}s \n"));
        self.log.indented(INDENT).info(&text);
        self.log.info("");
    }

    fn number(&self) -> usize {
        self.before + self.done.len() + 1
    }
}
