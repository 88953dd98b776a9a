//! Pages of the log: the lines that are wanted before or after a position, with some lines around them.
//!
//! The log is gone through in chunks, a file of the disk or what is in memory, some of them at once. Lines of a file are sieved
//! before they are read: nearly all of them are told from those that may be wanted by their bytes, many at once. A search gives back
//! what it has found when its time is up, and where to go on.
//!
//! [`LogQuery`] (`query`) says what is wanted, and the two functions of [`LogStore`] find pages of it. `chunk` is where lines come from,
//! `sieve` tells by their bytes which may be wanted, `gone_through` goes through a chunk and says what of it is shown, `at_once` lets
//! several threads do so.

mod at_once;
mod chunk;
mod gone_through;
mod query;
mod sieve;
mod term;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::at_once::in_order;
use self::chunk::{Chunk, Source};
use self::gone_through::Search;
pub use self::query::{Bounds, Found, LogPage, LogQuery};
use self::sieve::Sieve;
pub use self::term::Term;
use super::{LogStore, Segment};
use crate::clock;

impl LogQuery {
    /// Returns what of a batch is wanted. Lines around are those of the batch.
    pub fn select(&self, batch: Vec<Arc<Segment>>) -> Vec<Found> {
        let (sieve, chunk) = (Sieve::new(self), Chunk::Memory(batch));
        let search = Search::new(self, &sieve, &chunk);
        search.found(&search.all()).0
    }
}

impl LogStore {
    /// Returns the last pieces before a position that are wanted.
    pub fn page_before(&self, query: &LogQuery, before: u64, bounds: Bounds) -> LogPage {
        let (mut sources, first, end) = self.chunks();
        let before = before.min(end);
        sources.retain(|source| source.first() < before);
        sources.reverse();
        let (deadline, sieve) = (clock::now() + bounds.patience, Sieve::new(query));
        let mut left = bounds.limit;
        let mut page = LogPage {
            from: before,
            to: before,
            first,
            ..LogPage::default()
        };
        let mut parts: Vec<Vec<Found>> = Vec::new();
        let look = |chunk: &Chunk, limit: usize| {
            let top = chunk.place_of(before);
            Search::new(query, &sieve, chunk).down(top, limit, deadline)
        };
        in_order(&sources, left, deadline, &look, |at, chunk, hits| {
            let (found, skipped_last) = Search::new(query, &sieve, chunk).found(hits);
            if let Some(part) = parts.last_mut()
                && let Some(oldest) = part.first_mut()
            {
                oldest.after_gap |= skipped_last;
            }
            if !found.is_empty() {
                parts.push(found);
            }
            page.from = match hits.range.start {
                0 => sources[at].first(),
                bottom => chunk.position(bottom),
            };
            left -= hits.count;
            (hits.range.start == 0).then_some(left)
        });
        page.more = page.from > first;
        page.found = parts.into_iter().rev().flatten().collect();
        page
    }

    /// Returns the first pieces from a position on that are wanted.
    pub fn page_from(&self, query: &LogQuery, from: u64, bounds: Bounds) -> LogPage {
        let (mut sources, first, end) = self.chunks();
        let from = from.clamp(first.min(end), end);
        let before = sources.partition_point(|source| source.first() <= from);
        sources.drain(..before.saturating_sub(1));
        let (deadline, sieve) = (clock::now() + bounds.patience, Sieve::new(query));
        let (mut left, mut skipped) = (bounds.limit, false);
        let mut page = LogPage {
            from,
            to: from,
            first,
            ..LogPage::default()
        };
        let look = |chunk: &Chunk, limit: usize| {
            let bottom = chunk.place_of(from);
            Search::new(query, &sieve, chunk).up(bottom, limit, deadline)
        };
        in_order(&sources, left, deadline, &look, |at, chunk, hits| {
            let (mut found, skipped_last) = Search::new(query, &sieve, chunk).found(hits);
            if let Some(oldest) = found.first_mut() {
                oldest.after_gap |= skipped;
                skipped = skipped_last;
            } else {
                skipped |= skipped_last;
            }
            page.found.extend(found);
            left -= hits.count;
            let is_whole = hits.range.end == chunk.len();
            page.to = if is_whole {
                sources.get(at + 1).map_or(end, Source::first)
            } else {
                chunk.position(hits.range.end)
            };
            is_whole.then_some(left)
        });
        page.more = page.to < end;
        page
    }

    /// Hands out the segments, the newest first, until the function has enough.
    pub fn newest_first(&self, mut take: impl FnMut(Arc<Segment>) -> bool) {
        let (chunks, ..) = self.chunks();
        for source in chunks.iter().rev() {
            let chunk = source.load();
            for at in (0..chunk.len()).rev() {
                if let Some(segment) = chunk.segment(at)
                    && !take(segment)
                {
                    return;
                }
            }
        }
    }

    /// Returns where the log is, oldest first, and its first position and that after its last.
    fn chunks(&self) -> (Vec<Source>, u64, u64) {
        let (files, window, start, end) = self.parts();
        let mut chunks: Vec<Source> = files
            .iter()
            .filter(|file| file.first < start)
            .map(|file| Source::File {
                file: file.clone(),
                end: start,
            })
            .collect();
        chunks.push(Source::Memory {
            first: start,
            segments: window,
        });
        let first = chunks.first().map_or(start, Source::first);
        (chunks, first, end)
    }
}
