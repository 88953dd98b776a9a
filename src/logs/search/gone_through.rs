//! Goes through a chunk, up or down: finds what is wanted, and says what of the chunk is shown, with the lines around.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Instant;

use super::chunk::{Chunk, Piece};
use super::query::{Found, LogQuery};
use super::sieve::Sieve;
use crate::clock;
use crate::logs::visible;

/// How many lines are looked at for the pieces of a line, and for each line of context.
const NEAR: usize = 64;
/// How many lines are gone through before it is looked whether the time is up.
const ROUND: usize = 2048;

/// A chunk that is gone through.
pub(super) struct Search<'a> {
    query: &'a LogQuery,
    sieve: &'a Sieve,
    chunk: &'a Chunk,
}

/// What was gone through of a chunk.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Hits {
    /// The lines that are wanted, in order, those around it for the sake of context too.
    wanted: Vec<usize>,
    /// How many of them were asked for.
    pub(super) count: usize,
    /// The first place that was looked at, and the one after the last.
    pub(super) range: Range<usize>,
}

impl<'a> Search<'a> {
    pub(super) fn new(query: &'a LogQuery, sieve: &'a Sieve, chunk: &'a Chunk) -> Self {
        Self { query, sieve, chunk }
    }

    /// Goes down from a place until enough is found.
    pub(super) fn down(&self, top: usize, limit: usize, deadline: Instant) -> Hits {
        let (mut bottom, mut parts) = (top, Vec::new());
        let mut count = 0;
        while bottom > 0 && count < limit && (bottom == top || clock::now() < deadline) {
            let from = bottom.saturating_sub(ROUND);
            let mut wanted = self.wanted(from..bottom);
            let excess = wanted.len().saturating_sub(limit - count);
            wanted.drain(..excess);
            count += wanted.len();
            bottom = if count == limit { wanted[0] } else { from };
            parts.push(wanted);
        }
        // Room for the lines before the lowest one.
        let margin = bottom.saturating_sub(self.margin())..bottom;
        parts.push(self.wanted(margin.clone()));
        Hits {
            wanted: parts.into_iter().rev().flatten().collect(),
            count,
            range: margin.start..top,
        }
    }

    /// Goes up from a place until enough is found.
    pub(super) fn up(&self, bottom: usize, limit: usize, deadline: Instant) -> Hits {
        let (mut top, mut all, end) = (bottom, Vec::new(), self.chunk.len());
        while top < end && all.len() < limit && (top == bottom || clock::now() < deadline) {
            let to = (top + ROUND).min(end);
            let mut wanted = self.wanted(top..to);
            wanted.truncate(limit - all.len());
            all.extend(wanted);
            top = match all.last() {
                Some(last) if all.len() == limit => last + 1,
                _ => to,
            };
        }
        let count = all.len();
        let margin = top..(top + self.margin()).min(end);
        all.extend(self.wanted(margin.clone()));
        Hits {
            wanted: all,
            count,
            range: bottom..margin.end,
        }
    }

    /// Goes through all of it.
    pub(super) fn all(&self) -> Hits {
        let range = 0..self.chunk.len();
        let wanted = self.wanted(range.clone());
        Hits {
            count: wanted.len(),
            wanted,
            range,
        }
    }

    fn margin(&self) -> usize {
        if self.query.leaves_out() {
            self.query.context * NEAR
        } else {
            0
        }
    }

    /// Returns the places of the lines that are wanted, in order.
    fn wanted(&self, range: Range<usize>) -> Vec<usize> {
        let mut buffer = Vec::new();
        match self.chunk {
            Chunk::Memory(_) => range.filter(|at| self.is_wanted(*at, &mut buffer)).collect(),
            Chunk::Disk(lines) => {
                let mut wanted = Vec::new();
                self.sieve.sift(lines, range, |at| {
                    if self.is_wanted(at, &mut buffer) {
                        wanted.push(at);
                    }
                });
                wanted
            }
        }
    }

    fn is_wanted(&self, at: usize, buffer: &mut Vec<u8>) -> bool {
        let Some(piece) = self.chunk.piece(at) else {
            return false;
        };
        let filter = &self.query.filter;
        if !filter.takes_resource_of(&piece.facts) || !filter.takes(&piece.facts) {
            return false;
        }
        let Some(term) = &self.query.term else {
            return true;
        };
        if piece.facts.starts_update {
            return true;
        }
        let told = if piece.continues {
            None
        } else {
            piece.text.has(term, buffer)
        };
        told.unwrap_or_else(|| {
            let line = self.line(at, &piece);
            let shown = visible(line.trim_end_matches('\n'));
            term.is_in(&without_colours(&shown))
        })
    }

    /// Returns whether one of these lines is of a resource that is wanted.
    fn has_own(&self, mut range: Range<usize>) -> bool {
        let told = match self.chunk {
            Chunk::Disk(lines) => self.sieve.has_own(lines, range.clone()),
            Chunk::Memory(_) => None,
        };
        told.unwrap_or_else(|| {
            range.any(|at| {
                let piece = self.chunk.piece(at);
                piece.is_some_and(|piece| self.query.filter.takes_resource_of(&piece.facts))
            })
        })
    }

    /// Returns the whole line that a piece is of, as far as its other pieces are near.
    fn line<'p>(&'p self, at: usize, piece: &'p Piece<'_>) -> Cow<'p, str> {
        let mut text = piece.text.read().unwrap_or_default();
        let facts = &piece.facts;
        let same = |near: usize| {
            let other = self.chunk.piece(near)?;
            let is_same = other.facts.span == facts.span && other.facts.manifest == facts.manifest;
            is_same.then_some(other)
        };
        if piece.continues {
            for other in (at.saturating_sub(NEAR)..at).rev().filter_map(same) {
                text.to_mut()
                    .insert_str(0, &other.text.read().unwrap_or_default());
                if !other.continues {
                    break;
                }
            }
        }
        if !piece.text.ends_line() {
            for other in (at + 1..(at + NEAR).min(self.chunk.len())).filter_map(same) {
                if !other.continues {
                    break;
                }
                text.to_mut().push_str(&other.text.read().unwrap_or_default());
                if other.text.ends_line() {
                    break;
                }
            }
        }
        text
    }

    /// Returns what is shown of what was gone through, and whether lines at the end of it are left out.
    pub(super) fn found(&self, hits: &Hits) -> (Vec<Found>, bool) {
        // Whether a line is shown only because of one beside it.
        let mut shown: BTreeMap<usize, bool> = hits.wanted.iter().map(|at| (*at, false)).collect();
        if self.query.context > 0 && self.query.leaves_out() {
            for at in &hits.wanted {
                self.add_context(*at, &hits.range, &mut shown);
            }
        }
        let (mut found, mut next) = (Vec::new(), hits.range.start);
        for (at, is_context) in shown {
            let Some(segment) = self.chunk.segment(at) else {
                continue;
            };
            found.push(Found {
                segment,
                is_context,
                after_gap: self.has_own(next..at),
            });
            next = at + 1;
        }
        (found, self.has_own(next..hits.range.end))
    }

    /// Marks the lines of the same source around a line.
    fn add_context(&self, at: usize, range: &Range<usize>, shown: &mut BTreeMap<usize, bool>) {
        let Some(piece) = self.chunk.piece(at).filter(|piece| !piece.facts.starts_update) else {
            return;
        };
        let reach = NEAR * self.query.context;
        let filter = &self.query.filter;
        let is_same = |near: &usize| {
            let other = self.chunk.piece(*near);
            other.is_some_and(|other| {
                filter.takes_resource_of(&other.facts) && other.facts.span == piece.facts.span
            })
        };
        let before = at.saturating_sub(reach).max(range.start)..at;
        let after = at + 1..(at + 1 + reach).min(range.end);
        let before = before.rev().filter(is_same).take(self.query.context);
        for near in before.chain(after.filter(is_same).take(self.query.context)) {
            shown.entry(near).or_insert(true);
        }
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
