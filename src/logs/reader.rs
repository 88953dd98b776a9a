//! Pages through the log by position: from memory where the lines are still there, else from disk.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::sync::Arc;

use super::codec;
use super::disk::SegmentFile;
use super::place::Place;
use super::shared::Shared;
use super::{Level, Segment};
use crate::clock;

/// How much one batch holds at most; at least one segment.
const BATCH_SEGMENTS: usize = 4096;
const BATCH_BYTES: usize = 256 * 1024;

/// Reads the log in batches, each line once, however slowly.
///
/// If lines were lost to a limit or a fault of the disk, a line in their place says how many.
pub struct LogReader {
    shared: Arc<Shared>,
    /// Before the next segment to return.
    next: Place,
    /// Where reading from disk stopped, to go on from there.
    page: Option<Page>,
}

/// A file that is being read.
struct Page {
    first: u64,
    edition: u32,
    /// `None` if the file is gone: then it counts as empty.
    lines: Option<BufReader<File>>,
    /// A segment that was read but not yet due.
    ahead: Option<Segment>,
}

impl LogReader {
    pub(super) fn new(shared: Arc<Shared>, next: Place) -> Self {
        Self {
            shared,
            next,
            page: None,
        }
    }

    /// Returns the position of the segment that is read next.
    pub fn position(&self) -> u64 {
        self.next.position
    }

    /// Returns the next segments, in order, once there are any; `None` after the last line of a closed log.
    pub async fn next_batch(&mut self) -> Option<Vec<Arc<Segment>>> {
        let mut news = self.shared.news.subscribe();
        loop {
            // Read first: what is announced meanwhile is seen by `changed`.
            let batch = self.try_next_batch();
            if !batch.is_empty() {
                return Some(batch);
            }
            if self.is_done() {
                return None;
            }
            // The sender lives in `shared`, which we hold.
            news.changed().await.ok()?;
        }
    }

    /// Returns the next segments that are there, in order; none if all were read.
    pub fn try_next_batch(&mut self) -> Vec<Arc<Segment>> {
        let state = self.shared.lock();
        let start = state.window_place();
        let files = if self.shared.hangs(&state) {
            Arc::default()
        } else {
            Arc::clone(&state.files)
        };
        if self.next.position >= start.position {
            let from = self.next.position.min(state.next);
            let batch = state.copy_window(from, BATCH_SEGMENTS, BATCH_BYTES);
            drop(state);
            if let Some(last) = batch.last() {
                self.next = Place::after(last);
            }
            return batch;
        }
        drop(state);
        self.read_from_disk(start, &files)
    }

    fn is_done(&self) -> bool {
        let state = self.shared.lock();
        state.closed && self.next.position >= state.next
    }

    /// Returns segments before `start`, the oldest in memory.
    fn read_from_disk(&mut self, start: Place, files: &[SegmentFile]) -> Vec<Arc<Segment>> {
        // A file that was written anew is opened anew.
        self.page = self.page.take().filter(|page| {
            let is_current = |file: &SegmentFile| (file.first, file.edition) == (page.first, page.edition);
            files.iter().any(is_current)
        });
        let mut batch = Vec::new();
        let mut bytes = 0;
        while self.next.position < start.position && batch.len() < BATCH_SEGMENTS && bytes < BATCH_BYTES {
            let Some(segment) = self.read_segment(start.position, files) else {
                self.skip_lost(start, &mut batch);
                break;
            };
            if segment.position > self.next.position {
                self.skip_lost(Place::before(&segment), &mut batch);
            }
            self.next = Place::after(&segment);
            bytes += segment.text.len();
            batch.push(Arc::new(segment));
        }
        batch
    }

    /// Returns the next segment before `start` that a file holds.
    fn read_segment(&mut self, start: u64, files: &[SegmentFile]) -> Option<Segment> {
        let holds = files.partition_point(|file| file.first <= self.next.position);
        let mut file = files.get(holds.saturating_sub(1))?;
        loop {
            let page = match self.page.take() {
                Some(page) if page.first >= file.first => page,
                _ => Page::open(file),
            };
            let page = self.page.insert(page);
            if let Some(segment) = page.read(self.next.position) {
                if segment.position < start {
                    return Some(segment);
                }
                page.ahead = Some(segment);
                return None;
            }
            let ended = page.first;
            file = files.iter().find(|file| file.first > ended)?;
        }
    }

    /// Moves on to `to` and says what was left out.
    fn skip_lost(&mut self, to: Place, batch: &mut Vec<Arc<Segment>>) {
        // Of a line whose beginning was read, some of the rest may be lost.
        let lost = self.next.lines_until(to).max(1);
        let lines = if lost == 1 { "line is" } else { "lines are" };
        let fault = self.shared.lock().fault.clone();
        let why = fault.map_or_else(String::new, |fault| format!(": {fault}"));
        batch.push(Arc::new(Segment {
            position: self.next.position,
            pieces: self.next.pieces,
            time: clock::timestamp(),
            span: None,
            manifest: None,
            level: Level::Warn,
            text: format!("{lost} {lines} no longer in the log{why}\n"),
            continues: false,
            anchor: true,
            starts_update: false,
            progress: None,
        }));
        self.next = to;
    }
}

impl Page {
    fn open(file: &SegmentFile) -> Self {
        Self {
            first: file.first,
            edition: file.edition,
            lines: File::open(&file.path).ok().map(BufReader::new),
            ahead: None,
        }
    }

    /// Returns the first segment at or after a position.
    fn read(&mut self, position: u64) -> Option<Segment> {
        let mut line = String::new();
        loop {
            let segment = match self.ahead.take() {
                Some(segment) => Some(segment),
                None => {
                    line.clear();
                    if self.lines.as_mut()?.read_line(&mut line).unwrap_or(0) == 0 {
                        return None;
                    }
                    codec::decode(&line)
                }
            };
            if let Some(segment) = segment.filter(|segment| segment.position >= position) {
                return Some(segment);
            }
        }
    }
}
