//! Goes through a chunk, up or down: judges each line once, counts what is wanted, and says what of the chunk is shown, with the
//! lines around.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use super::chunk::Chunk;
use super::query::{Found, LogQuery};
use super::sieve::{Sieve, Verdict};
use crate::clock;
use crate::logs::{Segment, visible};

/// How many lines are looked at for the pieces of a line, and for each line of context.
const NEAR: usize = 64;
/// How often it is looked whether the time is up.
const ROUND: usize = 2048;

/// A chunk that is gone through.
pub(super) struct Search<'a> {
    query: &'a LogQuery,
    sieve: &'a Sieve,
    chunk: &'a Chunk,
    verdicts: Vec<Option<Verdict>>,
}

impl<'a> Search<'a> {
    pub(super) fn new(query: &'a LogQuery, sieve: &'a Sieve, chunk: &'a Chunk) -> Self {
        Self {
            query,
            sieve,
            chunk,
            verdicts: vec![None; chunk.len()],
        }
    }

    /// Goes down from a place until enough is found; returns the lowest place that was looked at.
    pub(super) fn down(&mut self, top: usize, left: &mut usize, deadline: Instant) -> usize {
        let mut at = top;
        while at > 0 && *left > 0 && (!at.is_multiple_of(ROUND) || clock::now() < deadline) {
            at -= 1;
            if self.judge(at) == Verdict::Wanted {
                *left -= 1;
            }
        }
        // Room for the lines before the lowest one.
        let bottom = at.saturating_sub(self.margin());
        for at in bottom..at {
            self.judge(at);
        }
        bottom
    }

    /// Goes up from a place until enough is found; returns the place after the last that was looked at.
    pub(super) fn up(&mut self, bottom: usize, left: &mut usize, deadline: Instant) -> usize {
        let mut at = bottom;
        while at < self.chunk.len() && *left > 0 && (at % ROUND != ROUND - 1 || clock::now() < deadline) {
            if self.judge(at) == Verdict::Wanted {
                *left -= 1;
            }
            at += 1;
        }
        let top = (at + self.margin()).min(self.chunk.len());
        for at in at..top {
            self.judge(at);
        }
        top
    }

    fn margin(&self) -> usize {
        if self.query.leaves_out() {
            self.query.context * NEAR
        } else {
            0
        }
    }

    pub(super) fn judge(&mut self, at: usize) -> Verdict {
        if let Some(known) = self.verdicts[at] {
            return known;
        }
        let told = self.chunk.raw(at).and_then(|raw| self.sieve.verdict(raw));
        let verdict = told.unwrap_or_else(|| self.look(at));
        self.verdicts[at] = Some(verdict);
        verdict
    }

    fn look(&self, at: usize) -> Verdict {
        let Some(segment) = self.chunk.segment(at) else {
            return Verdict::Foreign;
        };
        if !self.query.filter.matches_resource(&segment) {
            return Verdict::Foreign;
        }
        if !self.query.filter.matches(&segment) {
            return Verdict::Skipped;
        }
        let Some(term) = &self.query.term else {
            return Verdict::Wanted;
        };
        let line = self.line(at, &segment);
        let shown = visible(line.trim_end_matches('\n'));
        let has_term = segment.starts_update || term.is_match(&without_colours(&shown));
        if has_term {
            Verdict::Wanted
        } else {
            Verdict::Skipped
        }
    }

    /// Returns the whole line that a piece is of, as far as its other pieces are near.
    fn line(&self, at: usize, segment: &Arc<Segment>) -> String {
        let mut text = segment.text.clone();
        let is_same = |other: &Segment| other.span == segment.span && other.manifest == segment.manifest;
        if segment.continues {
            for near in (at.saturating_sub(NEAR)..at).rev() {
                let Some(other) = self.chunk.segment(near).filter(|other| is_same(other)) else {
                    continue;
                };
                text.insert_str(0, &other.text);
                if !other.continues {
                    break;
                }
            }
        }
        if !segment.ends_line() {
            for near in at + 1..(at + NEAR).min(self.chunk.len()) {
                let Some(other) = self.chunk.segment(near).filter(|other| is_same(other)) else {
                    continue;
                };
                if !other.continues {
                    break;
                }
                text.push_str(&other.text);
                if other.ends_line() {
                    break;
                }
            }
        }
        text
    }

    /// Returns what is shown of the lines from one place to another, and whether lines at the end of them are left out.
    pub(super) fn found(&self, bottom: usize, top: usize) -> (Vec<Found>, bool) {
        let mut shown: Vec<Option<bool>> = vec![None; top - bottom];
        for at in bottom..top {
            if self.verdicts[at] == Some(Verdict::Wanted) {
                shown[at - bottom] = Some(false);
            }
        }
        if self.query.context > 0 && self.query.leaves_out() {
            for at in bottom..top {
                if shown[at - bottom] == Some(false) {
                    self.add_context(at, bottom, &mut shown);
                }
            }
        }
        let (mut found, mut skipped) = (Vec::new(), false);
        for at in bottom..top {
            let how = shown[at - bottom];
            let segment = how.and_then(|_| self.chunk.segment(at));
            let (Some(is_context), Some(segment)) = (how, segment) else {
                skipped |= self.verdicts[at] == Some(Verdict::Skipped);
                continue;
            };
            found.push(Found {
                segment,
                is_context,
                after_gap: std::mem::take(&mut skipped),
            });
        }
        (found, skipped)
    }

    /// Marks the lines of the same source around a line.
    fn add_context(&self, at: usize, bottom: usize, shown: &mut [Option<bool>]) {
        let Some(segment) = self.chunk.segment(at).filter(|segment| !segment.starts_update) else {
            return;
        };
        let reach = NEAR * self.query.context;
        let (low, high) = (
            at.saturating_sub(reach).max(bottom),
            (at + 1 + reach).min(bottom + shown.len()),
        );
        let before = (low..at).rev();
        let after = at + 1..high;
        let mut mark = |places: &mut dyn Iterator<Item = usize>| {
            let mut left = self.query.context;
            for near in places {
                if self.verdicts[near] == Some(Verdict::Foreign) {
                    continue;
                }
                let is_same = self
                    .chunk
                    .segment(near)
                    .is_some_and(|other| other.span == segment.span);
                if !is_same {
                    continue;
                }
                let place = &mut shown[near - bottom];
                if place.is_none() {
                    *place = Some(true);
                }
                left -= 1;
                if left == 0 {
                    break;
                }
            }
        };
        mark(&mut before.into_iter());
        mark(&mut after.into_iter());
    }
}

/// Leaves out what is left of escape sequences in what is visible: colours.
fn without_colours(text: &str) -> Cow<'_, str> {
    let mut parts = text.split("\x1b[");
    let first = parts.next().unwrap_or_default();
    if first.len() == text.len() {
        return text.into();
    }
    let rest = parts.map(|part| part.split_once('m').map_or("", |(_, rest)| rest));
    std::iter::once(first).chain(rest).collect::<String>().into()
}
