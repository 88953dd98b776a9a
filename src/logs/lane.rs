//! Lines that wait for their turn: what is done at once is told one after the other.
//!
//! What waits is kept in memory as long as it is little, and then in a file beside the log, which has no name and is gone
//! with the lane. Where there is no such file, or no room for it, what memory cannot hold is counted where it is missing.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::spill::Spill;
use super::{Level, LogEvent, LogStore};

/// How much waits in memory before the rest goes to disk, and how much may where there is no disk.
const MEMORY_BYTES: usize = 1 << 20;
const MEMORY_ONLY_BYTES: usize = 8 << 20;

/// Where a writer's lines go.
#[derive(Clone)]
pub(super) enum Sink {
    Store(LogStore),
    Lane(LaneSender),
}

impl Sink {
    pub(super) fn append(&self, event: LogEvent) {
        match self {
            Self::Store(store) => store.append(event),
            Self::Lane(lane) => lane.send(event),
        }
    }

    /// Returns a directory on the log's disk, if it has one.
    pub(super) fn dir(&self) -> Option<PathBuf> {
        match self {
            Self::Store(store) => store.dir(),
            Self::Lane(lane) => lane.dir(),
        }
    }
}

/// What a writer of its own writes, until it is told in the log. Made by [`LogWriter::lane`](super::LogWriter::lane).
pub struct Lane {
    waiting: Arc<Waiting>,
    log: Sink,
}

/// The end of a lane that is written to; it has ended when the last one is dropped.
pub(super) struct LaneSender(Arc<Waiting>);

struct Waiting {
    lines: Mutex<Lines>,
    news: Notify,
}

struct Lines {
    /// The first ones.
    memory: VecDeque<LogEvent>,
    bytes: usize,
    limit: usize,
    /// Those after them, once there were any. Whoever comes while there are stands behind them.
    disk: Option<Spill>,
    /// Where there is room for them.
    dir: Option<PathBuf>,
    /// How many there is no room for, after all of these, and whose they are.
    n_lost: usize,
    lost_of: Option<LogEvent>,
    n_writers: usize,
    /// Whether nobody wants to hear it any more.
    is_let_go: bool,
}

/// Returns a lane of a log, and what writes to it.
pub(super) fn lane(log: Sink) -> (LaneSender, Lane) {
    let dir = log.dir();
    let lines = Lines {
        memory: VecDeque::new(),
        bytes: 0,
        limit: if dir.is_some() {
            MEMORY_BYTES
        } else {
            MEMORY_ONLY_BYTES
        },
        disk: None,
        dir,
        n_lost: 0,
        lost_of: None,
        n_writers: 1,
        is_let_go: false,
    };
    let waiting = Arc::new(Waiting {
        lines: Mutex::new(lines),
        news: Notify::new(),
    });
    let sender = LaneSender(Arc::clone(&waiting));
    (sender, Lane { waiting, log })
}

impl Lane {
    /// Tells the next piece as soon as there is one. Returns whether there was one; else nobody writes any more.
    pub async fn tell_next(&mut self) -> bool {
        loop {
            let news = self.waiting.news.notified();
            {
                let mut lines = self.waiting.lock();
                if let Some(event) = lines.take_next() {
                    drop(lines);
                    self.log.append(event);
                    return true;
                }
                if lines.n_writers == 0 {
                    return false;
                }
            }
            news.await;
        }
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        let mut lines = self.waiting.lock();
        lines.is_let_go = true;
        (lines.memory, lines.disk) = (VecDeque::new(), None);
    }
}

impl LaneSender {
    pub(super) fn send(&self, event: LogEvent) {
        self.0.lock().push(event);
        self.0.news.notify_one();
    }

    /// Returns where what waits may be kept.
    pub(super) fn dir(&self) -> Option<PathBuf> {
        self.0.lock().dir.clone()
    }
}

impl Clone for LaneSender {
    fn clone(&self) -> Self {
        self.0.lock().n_writers += 1;
        Self(Arc::clone(&self.0))
    }
}

impl Drop for LaneSender {
    fn drop(&mut self) {
        self.0.lock().n_writers -= 1;
        self.0.news.notify_one();
    }
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines {
    fn push(&mut self, event: LogEvent) {
        if self.is_let_go {
            return;
        }
        let is_behind = self.disk.as_ref().is_some_and(|disk| !disk.is_empty());
        if self.n_lost == 0 && !is_behind && self.bytes + weight(&event) <= self.limit {
            self.bytes += weight(&event);
            self.memory.push_back(event);
            return;
        }
        if self.n_lost > 0 || self.spill(&event).is_err() {
            self.n_lost += event.text.lines().count();
            self.lost_of.get_or_insert(event);
        }
    }

    fn spill(&mut self, event: &LogEvent) -> io::Result<()> {
        let disk = match &mut self.disk {
            Some(disk) => disk,
            None => {
                let dir = self.dir.as_ref().ok_or(io::ErrorKind::StorageFull)?;
                self.disk.insert(Spill::create(dir)?)
            }
        };
        disk.push(event)
    }

    fn take_next(&mut self) -> Option<LogEvent> {
        if let Some(event) = self.memory.pop_front() {
            self.bytes -= weight(&event);
            return Some(event);
        }
        if let Some(disk) = self.disk.as_mut().filter(|disk| !disk.is_empty()) {
            match disk.take_next() {
                Ok(event) => return Some(event),
                Err(_) => {
                    self.n_lost += disk.give_up();
                    self.lost_of.get_or_insert_with(|| LogEvent::global(""));
                }
            }
        }
        let n_lost = std::mem::take(&mut self.n_lost);
        let lost = self.lost_of.take()?;
        Some(LogEvent {
            text: format!(
                "{n_lost} lines are missing here: there was no room for them while they waited to be shown\n"
            ),
            level: Level::Warn,
            progress: None,
            starts_update: false,
            ..lost
        })
    }
}

/// Returns about how many bytes of memory an event takes.
fn weight(event: &LogEvent) -> usize {
    size_of::<LogEvent>() + event.text.len() + event.progress.as_ref().map_or(0, |progress| progress.id.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::{LogStore, LogWriter};
    use crate::model::{ManifestName, SpanId};

    fn writer(store: &LogStore) -> LogWriter {
        LogWriter::new(store.clone(), SpanId::from("build:1"), ManifestName::from("web"))
    }

    #[tokio::test]
    async fn lines_of_a_lane_are_in_the_log_once_they_are_told() {
        let store = LogStore::in_memory();
        let log = writer(&store);
        let (first, mut first_lane) = log.lane();
        let (second, mut second_lane) = log.lane();
        second.indented("  ").warn("second");
        first.warn("first\nof two");
        drop((first, second));
        assert!(store.reader().try_next_batch().is_empty());
        while first_lane.tell_next().await {}
        while second_lane.tell_next().await {}
        let segments = store.reader().try_next_batch();
        let shown: Vec<(&str, bool)> = segments
            .iter()
            .map(|segment| (segment.text.as_str(), segment.anchor))
            .collect();
        assert_eq!(
            shown,
            [("first\n", true), ("of two\n", false), ("  second\n", true)]
        );
    }

    /// Returns what the lane still holds in memory after this many lines of about 100 bytes, and all lines once they are
    /// told.
    async fn told(store: &LogStore, n_lines: usize) -> (usize, Vec<String>) {
        let (log, mut lane) = writer(store).lane();
        for number in 0..n_lines {
            match number % 3 {
                0 => log.info(&format!("{number:0100}")),
                1 => log.progress("layer", true, &format!("{number:0100}")),
                _ => log.raw(Level::Warn, format!("{number:0100}\n")),
            }
        }
        let held = lane.waiting.lock().bytes;
        let mut reader = store.reader();
        let mut lines = Vec::new();
        let mut take = || {
            let batch = reader.try_next_batch();
            lines.extend(batch.iter().map(|segment| segment.text.trim_end().to_owned()));
        };
        // Some come while others are told.
        for number in n_lines..n_lines + 10 {
            assert!(lane.tell_next().await);
            take();
            log.info(&format!("{number:0100}"));
        }
        drop(log);
        while lane.tell_next().await {
            take();
        }
        (held, lines)
    }

    #[tokio::test]
    async fn many_lines_wait_on_disk_in_their_order() {
        let dir = tempfile::tempdir().expect("a scratch folder");
        let store = LogStore::open(dir.path()).expect("a log");
        const LINES: usize = 40_000;
        let (held, lines) = told(&store, LINES).await;
        assert!(held <= MEMORY_BYTES, "{held} bytes are in memory");
        let expected: Vec<String> = (0..LINES + 10).map(|number| format!("{number:0100}")).collect();
        assert!(lines == expected, "{} lines", lines.len());
        store.close();
    }

    #[tokio::test]
    async fn what_no_room_is_for_is_counted_where_it_is_missing() {
        const LINES: usize = 100_000;
        let (held, lines) = told(&LogStore::in_memory(), LINES).await;
        assert!(held <= MEMORY_ONLY_BYTES, "{held} bytes are in memory");
        let missing: Vec<usize> = lines
            .iter()
            .filter_map(|line| line.split_once(" lines are missing here")?.0.parse().ok())
            .collect();
        let n_kept = lines.len() - missing.len();
        assert_eq!(missing.len(), 1, "{missing:?}");
        assert_eq!(n_kept + missing[0], LINES + 10);
    }
}
