//! Pages of the log: the lines that are wanted before or after a position, with some lines around them.
//!
//! The log is gone through in chunks, a file of the disk or what is in memory. Lines of a file are sieved before they are read:
//! nearly all of them are told from those that may be wanted by their bytes. A search gives back what it has found when its time
//! is up, and where to go on.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use regex::Regex;

use super::disk::SegmentFile;
use super::{Level, LogFilter, LogSource, LogStore, Segment, codec, visible};
use crate::clock;

/// How many lines are looked at for the pieces of a line, and for each line of context.
const NEAR: usize = 64;
/// How often it is looked whether the time is up.
const ROUND: usize = 2048;

/// What a reader wants to see.
#[derive(Clone, Debug, Default)]
pub struct LogQuery {
    /// Of which resource, level and source.
    pub filter: LogFilter,
    /// What their text has.
    pub term: Option<Regex>,
    /// How many lines of the same source are shown before and after each.
    pub context: usize,
}

/// A piece that was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The piece.
    pub segment: Arc<Segment>,
    /// Whether it is shown only because of a line beside it.
    pub is_context: bool,
    /// Whether lines of the same resources are left out before it.
    pub after_gap: bool,
}

/// Some of what is wanted, in order.
#[derive(Clone, Debug, Default)]
pub struct LogPage {
    /// The pieces.
    pub found: Vec<Found>,
    /// The part of the log that was gone through: from this position
    pub from: u64,
    /// up to before this one.
    pub to: u64,
    /// Whether there is more to go through.
    pub more: bool,
    /// The first position that is still there.
    pub first: u64,
}

/// How far a search goes.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How many pieces are wanted; about.
    pub limit: usize,
    /// How long it may take; about.
    pub patience: Duration,
}

impl LogQuery {
    /// Returns whether all lines are wanted.
    pub fn is_all(&self) -> bool {
        self.term.is_none() && self.filter == LogFilter::default()
    }

    /// Returns whether lines are left out within a resource.
    fn leaves_out(&self) -> bool {
        self.term.is_some() || self.filter.level.is_some() || self.filter.source != LogSource::All
    }

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

/// Where a chunk comes from.
enum Source {
    /// Of a file, what is before the window in memory.
    File {
        file: SegmentFile,
        end: u64,
    },
    Memory {
        first: u64,
        segments: Vec<Arc<Segment>>,
    },
}

impl Source {
    fn first(&self) -> u64 {
        match self {
            Self::File { file, .. } => file.first,
            Self::Memory { first, .. } => *first,
        }
    }

    fn load(&self) -> Chunk {
        let (file, end) = match self {
            Self::File { file, end } => (file, *end),
            Self::Memory { segments, .. } => return Chunk::Memory(segments.clone()),
        };
        // One that is gone is as one that is empty.
        let bytes = std::fs::read(&file.path).unwrap_or_default();
        let mut lines = Vec::with_capacity(bytes.len() / 96);
        let mut start = 0;
        for newline in memchr::memchr_iter(b'\n', &bytes) {
            if position_of(&bytes[start..newline]).is_some_and(|position| position < end) {
                lines.push((start, newline));
            }
            start = newline + 1;
        }
        Chunk::Disk { bytes, lines }
    }
}

/// Reads the position at the beginning of a line on disk.
fn position_of(line: &[u8]) -> Option<u64> {
    let digits = line.strip_prefix(br#"{"p":"#)?;
    let end = digits.iter().position(|byte| !byte.is_ascii_digit())?;
    std::str::from_utf8(&digits[..end]).ok()?.parse().ok()
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

enum Chunk {
    Memory(Vec<Arc<Segment>>),
    Disk {
        bytes: Vec<u8>,
        lines: Vec<(usize, usize)>,
    },
}

impl Chunk {
    fn len(&self) -> usize {
        match self {
            Self::Memory(segments) => segments.len(),
            Self::Disk { lines, .. } => lines.len(),
        }
    }

    fn raw(&self, at: usize) -> Option<&[u8]> {
        match self {
            Self::Memory(_) => None,
            Self::Disk { bytes, lines } => lines.get(at).map(|(from, to)| &bytes[*from..*to]),
        }
    }

    fn segment(&self, at: usize) -> Option<Arc<Segment>> {
        match self {
            Self::Memory(segments) => segments.get(at).cloned(),
            Self::Disk { .. } => {
                let line = std::str::from_utf8(self.raw(at)?).ok()?;
                codec::decode(line).map(Arc::new)
            }
        }
    }

    fn position(&self, at: usize) -> u64 {
        match self {
            Self::Memory(segments) => segments.get(at).map_or(0, |segment| segment.position),
            Self::Disk { .. } => self.raw(at).and_then(position_of).unwrap_or_default(),
        }
    }

    /// Returns the place of the first line at or after a position.
    fn place_of(&self, position: u64) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            if self.position(middle) < position {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

/// Tells by their bytes lines that cannot be wanted.
struct Sieve {
    resources: Vec<Vec<u8>>,
    level: Option<Vec<u8>>,
    term: Option<regex::bytes::Regex>,
}

/// What is known of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Of another resource.
    Foreign,
    /// Of a resource that is wanted, but not wanted itself.
    Skipped,
    Wanted,
}

impl Sieve {
    fn new(query: &LogQuery) -> Self {
        let named = |name: &crate::model::ManifestName| {
            let name = serde_json::to_string(name.as_str()).unwrap_or_default();
            format!("\"m\":{name}").into_bytes()
        };
        let level = query.filter.level.filter(|level| *level >= Level::Warn);
        Self {
            resources: query.filter.resources.iter().map(named).collect(),
            level: level.map(|level| format!("\"l\":{},", level as u8).into_bytes()),
            term: query.term.as_ref().and_then(|term| {
                let mut same = regex::bytes::RegexBuilder::new(term.as_str());
                same.case_insensitive(true).build().ok()
            }),
        }
    }

    /// Returns what the bytes of a line tell, if they tell it.
    fn verdict(&self, raw: &[u8]) -> Option<Verdict> {
        let has = |needle: &[u8]| memchr::memmem::find(raw, needle).is_some();
        if !self.resources.is_empty() && !self.resources.iter().any(|name| has(name)) {
            return Some(Verdict::Foreign);
        }
        // What has flags (it begins an update, or goes on) is looked at itself.
        if has(b"\"f\":") {
            return None;
        }
        if self.level.as_ref().is_some_and(|level| !has(level)) {
            return Some(Verdict::Skipped);
        }
        let term = self.term.as_ref()?;
        let text = memchr::memmem::find(raw, b"\"x\":\"").map(|at| &raw[at + 5..])?;
        let text = text.strip_suffix(b"\\n\"}")?;
        if memchr::memchr(b'\\', text).is_some() {
            return None;
        }
        (!term.is_match(text)).then_some(Verdict::Skipped)
    }
}

/// A chunk that is gone through.
struct Search<'a> {
    query: &'a LogQuery,
    sieve: &'a Sieve,
    chunk: &'a Chunk,
    verdicts: Vec<Option<Verdict>>,
}

impl<'a> Search<'a> {
    fn new(query: &'a LogQuery, sieve: &'a Sieve, chunk: &'a Chunk) -> Self {
        Self {
            query,
            sieve,
            chunk,
            verdicts: vec![None; chunk.len()],
        }
    }

    /// Goes down from a place until enough is found; returns the lowest place that was looked at.
    fn down(&mut self, top: usize, left: &mut usize, deadline: Instant) -> usize {
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
    fn up(&mut self, bottom: usize, left: &mut usize, deadline: Instant) -> usize {
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

    fn judge(&mut self, at: usize) -> Verdict {
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
        let resources = LogFilter {
            resources: self.query.filter.resources.clone(),
            ..LogFilter::default()
        };
        if !self.query.filter.resources.is_empty() && !resources.matches(&segment) {
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
    fn found(&self, bottom: usize, top: usize) -> (Vec<Found>, bool) {
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
