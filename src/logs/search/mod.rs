//! Pages of the log: the lines that are wanted before or after a position, with some lines around them.
//!
//! The log is gone through in chunks, a file of the disk or what is in memory. Lines of a file are sieved before they are read:
//! nearly all of them are told from those that may be wanted by their bytes. A search gives back what it has found when its time
//! is up, and where to go on.
//!
//! [`LogQuery`] (`query`) says what is wanted, and the two functions of [`LogStore`] find pages of it. `chunk` is where lines come from,
//! `sieve` tells by their bytes which cannot be wanted, `gone_through` goes through a chunk and says what of it is shown.

mod chunk;
mod gone_through;
mod query;
mod sieve;

use std::sync::Arc;

use self::chunk::{Chunk, Source};
use self::gone_through::Search;
pub use self::query::{Bounds, Found, LogPage, LogQuery};
use self::sieve::Sieve;
use super::{LogStore, Segment};
use crate::clock;

impl LogQuery {
    /// Returns what of a batch is wanted. Lines around are those of the batch.
    pub fn select(&self, batch: Vec<Arc<Segment>>) -> Vec<Found> {
        let sieve = Sieve::new(self);
        let chunk = Chunk::Memory(batch);
        let mut search = Search::new(self, &sieve, &chunk);
        for at in 0..chunk.len() {
            search.judge(at);
        }
        search.found(0, chunk.len()).0
    }
}

impl LogStore {
    /// Returns the last pieces before a position that are wanted.
    pub fn page_before(&self, query: &LogQuery, before: u64, bounds: Bounds) -> LogPage {
        let (mut chunks, first, end) = self.chunks();
        let before = before.min(end);
        let deadline = clock::now() + bounds.patience;
        let (sieve, mut left) = (Sieve::new(query), bounds.limit);
        let mut page = LogPage {
            from: before,
            to: before,
            first,
            ..LogPage::default()
        };
        let mut parts: Vec<Vec<Found>> = Vec::new();
        while let Some(source) = chunks.pop() {
            if source.first() >= before {
                continue;
            }
            let chunk = source.load();
            let top = chunk.place_of(before);
            let mut search = Search::new(query, &sieve, &chunk);
            let bottom = search.down(top, &mut left, deadline);
            let (found, skipped_last) = search.found(bottom, top);
            if let Some(part) = parts.last_mut()
                && let Some(oldest) = part.first_mut()
            {
                oldest.after_gap |= skipped_last;
            }
            if !found.is_empty() {
                parts.push(found);
            }
            page.from = match bottom {
                0 => source.first(),
                bottom => chunk.position(bottom),
            };
            if bottom > 0 || left == 0 || clock::now() >= deadline {
                break;
            }
        }
        page.more = page.from > first;
        page.found = parts.into_iter().rev().flatten().collect();
        page
    }

    /// Returns the first pieces from a position on that are wanted.
    pub fn page_from(&self, query: &LogQuery, from: u64, bounds: Bounds) -> LogPage {
        let (chunks, first, end) = self.chunks();
        let from = from.clamp(first.min(end), end);
        let deadline = clock::now() + bounds.patience;
        let (sieve, mut left) = (Sieve::new(query), bounds.limit);
        let mut page = LogPage {
            from,
            to: from,
            first,
            ..LogPage::default()
        };
        let mut skipped = false;
        for (at, source) in chunks.iter().enumerate() {
            let next = chunks.get(at + 1).map_or(end, Source::first);
            if next <= from {
                continue;
            }
            let chunk = source.load();
            let bottom = chunk.place_of(from);
            let mut search = Search::new(query, &sieve, &chunk);
            let top = search.up(bottom, &mut left, deadline);
            let (mut found, skipped_last) = search.found(bottom, top);
            if let Some(oldest) = found.first_mut() {
                oldest.after_gap |= skipped;
                skipped = skipped_last;
            } else {
                skipped |= skipped_last;
            }
            page.found.extend(found);
            let is_whole = top == chunk.len();
            page.to = if is_whole { next } else { chunk.position(top) };
            if !is_whole || left == 0 || clock::now() >= deadline {
                break;
            }
        }
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
