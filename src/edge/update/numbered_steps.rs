//! The numbered steps of an update: headers while it runs, a summary at its end.
//!
//! Rule: `docs/rules/logs.md`, "Text of an update".

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::clock;
use crate::logs::LogWriter;

/// What stands before the lines of a step.
pub(in crate::edge) const INDENT: &str = "     ";

/// The steps of an update, or those of one of several things that it does at once.
pub(super) struct Steps {
    log: LogWriter,
    has_colour: bool,
    total: usize,
    /// How many came before these.
    before: usize,
    /// By number: what it was, and how long it took.
    done: BTreeMap<usize, (String, Duration)>,
    current: Option<(String, Instant)>,
    began: Instant,
}

impl Steps {
    pub(in crate::edge) fn new(log: LogWriter, total: usize, has_colour: bool) -> Self {
        Self {
            log,
            has_colour,
            total,
            before: 0,
            done: BTreeMap::new(),
            current: None,
            began: clock::now(),
        }
    }

    /// Returns a part of these steps that is told elsewhere: the ones after the next `skipped`.
    pub(in crate::edge) fn part(&self, log: LogWriter, skipped: usize) -> Self {
        Self {
            before: self.before + self.done.len() + skipped,
            ..Self::new(log, self.total, self.has_colour)
        }
    }

    /// Takes in the steps of a part.
    pub(in crate::edge) fn add(&mut self, part: Self) {
        self.done.extend(part.done);
    }

    pub(in crate::edge) fn begin(&mut self, name: &str) {
        let number = self.blue(&format!("STEP {}/{}", self.number(), self.total));
        self.log.info(&format!("{number} — {name}"));
        self.current = Some((name.to_owned(), clock::now()));
    }

    pub(in crate::edge) fn end(&mut self) {
        if let Some((name, began)) = self.current.take() {
            let took = clock::now().duration_since(began);
            self.done.insert(self.number(), (name, took));
            self.log.info("");
        }
    }

    pub(in crate::edge) fn finish(self) {
        let mut text = String::new();
        for (number, (name, took)) in &self.done {
            text.push_str(&format!("Step {number} - {:.2}s ({name})\n", took.as_secs_f64()));
        }
        let total = clock::now().duration_since(self.began).as_secs_f64();
        text.push_str(&format!("DONE IN: {} \n", self.blue(&format!("{total:.2}s"))));
        self.log.indented(INDENT).info(&text);
        self.log.info("");
    }

    /// Rule: `docs/rules/logs.md`, "Prefixes".
    fn blue(&self, text: &str) -> String {
        match self.has_colour {
            true => format!("\x1b[34m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }

    fn number(&self) -> usize {
        self.before + self.done.len() + 1
    }
}
