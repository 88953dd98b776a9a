//! The store behind all output: a window in memory, everything on disk.
//!
//! An append goes to the window under a short lock; a thread of its own writes the window's new segments to disk, and
//! a segment leaves the window only once it is written. So an append waits only where the disk is megabytes behind.
//! `disk` knows the files, `scrub` the secrets, `reader` pages through both.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;

use etcetera::base_strategy::{BaseStrategy, Xdg};
use tokio::sync::watch;

use super::disk::{SegmentFile, SessionFiles};
use super::scrub::Scrubber;
use super::{Level, LogEvent, LogReader, Segment};
use crate::edge::clock;
use crate::model::{ManifestName, SpanId, Timestamp};

/// How much room the log may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLimits {
    /// For all sessions together, on disk.
    pub disk_bytes: u64,
    /// For one file on disk.
    pub file_bytes: u64,
    /// For the window in memory.
    pub memory_bytes: usize,
}

impl Default for LogLimits {
    fn default() -> Self {
        Self {
            disk_bytes: 1 << 30,
            file_bytes: 4 << 20,
            memory_bytes: 4 << 20,
        }
    }
}

/// How far the disk may fall behind, as a multiple of the window, before an append waits for it.
const BACKLOG_WINDOWS: usize = 3;
/// The window of a log that is kept in memory only.
const MEMORY_ONLY_BYTES: usize = 32 << 20;
/// How many segments are written to disk at once.
const WRITE_BATCH: usize = 4096;

/// A shared handle to the log of a session. The log is closed when `close` is called or the last handle is dropped.
#[derive(Clone)]
pub struct LogStore {
    handle: Arc<Handle>,
}

/// What all handles share; readers share less, so that they do not keep the log open.
struct Handle {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

pub(super) struct Shared {
    state: Mutex<State>,
    /// Tells the writer that there is something to write, or that the log is closed.
    work: Condvar,
    /// Tells whoever waits in `append` that the disk has caught up.
    room: Condvar,
    /// Tells readers that there is something to read, or that the log is closed.
    pub(super) news: watch::Sender<u64>,
}

pub(super) struct State {
    window: VecDeque<Arc<Segment>>,
    window_bytes: usize,
    window_limit: usize,
    /// The position of the next segment.
    pub(super) next: u64,
    /// Segments before this position are on disk. Counts only while `disk` is `Works`.
    written: u64,
    disk: Disk,
    /// What readers can page back to.
    pub(super) files: Arc<Vec<SegmentFile>>,
    /// From which position on files are still to be scrubbed again.
    scrub_files: Option<u64>,
    pub(super) closed: bool,
    spans: HashMap<Source, OpenLine>,
    scrubber: Arc<Scrubber>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Disk {
    /// The log is kept in memory only.
    None,
    Works,
    Failed,
}

type Source = (Option<SpanId>, Option<ManifestName>);

/// The last line of a source while it is incomplete.
struct OpenLine {
    level: Level,
    /// Text that may be the start of a secret.
    held: String,
    /// Whether a part of the line is in the log already.
    begun: bool,
    /// What the first segment of the held text is to say of itself.
    starts_update: bool,
}

impl LogStore {
    /// Returns a log that is kept in memory only, for tests and commands that print little.
    pub fn in_memory() -> Self {
        Self::in_memory_with(MEMORY_ONLY_BYTES)
    }

    /// Returns a log of which about this many bytes are kept, in memory only.
    pub fn in_memory_with(memory_bytes: usize) -> Self {
        Self::new(Shared::new(memory_bytes, Disk::None), None)
    }

    /// Returns the directory that the logs of all sessions of a user share: `tilt/logs` in the XDG state directory.
    ///
    /// `None` if the user has no home.
    pub fn user_dir() -> Option<PathBuf> {
        let xdg = Xdg::new().ok()?;
        Some(xdg.state_dir()?.join("tilt").join("logs"))
    }

    /// Opens the log of a new session below a directory that all sessions share, such as `~/.local/state/tilt/logs`.
    ///
    /// # Errors
    ///
    /// When its files cannot be created.
    pub fn open(dir: &Path) -> io::Result<Self> {
        Self::open_with(dir, LogLimits::default())
    }

    /// As `open`, with other limits.
    ///
    /// # Errors
    ///
    /// When its files cannot be created.
    pub fn open_with(dir: &Path, limits: LogLimits) -> io::Result<Self> {
        let files = SessionFiles::create(dir, limits)?;
        let shared = Shared::new(limits.memory_bytes, Disk::Works);
        let writer = std::thread::Builder::new().name("log-writer".to_owned());
        let writer = writer.spawn({
            let shared = Arc::clone(&shared);
            move || shared.write_to_disk(files)
        })?;
        Ok(Self::new(shared, Some(writer)))
    }

    fn new(shared: Arc<Shared>, writer: Option<JoinHandle<()>>) -> Self {
        let writer = Mutex::new(writer);
        Self {
            handle: Arc::new(Handle { shared, writer }),
        }
    }

    /// Appends a piece of output, with secrets replaced. Once the log is closed, nothing is appended any more.
    ///
    /// An end of an incomplete line that could be the start of a secret is held back until the line goes on.
    pub fn append(&self, event: LogEvent) {
        self.handle.shared.append(event, clock::timestamp());
    }

    /// Sets the secrets, each with what stands in for it, that are replaced from now on; see also `scrub_since`.
    ///
    /// A value of several lines is replaced as a whole where it comes in one piece, and line by line elsewhere.
    pub fn set_secrets(&self, secrets: &[(String, String)]) {
        let scrubber = Arc::new(Scrubber::new(secrets));
        self.handle.shared.lock().scrubber = scrubber;
    }

    /// Replaces secrets also in what is in the log already, from a position on.
    ///
    /// What readers have read by then stays with them, and of a value that came in two pieces nothing is replaced.
    ///
    /// Rule: `reference/engine.md` 3.7.
    pub fn scrub_since(&self, position: u64) {
        let shared = &self.handle.shared;
        let mut state = shared.lock();
        state.scrub_window(position);
        state.scrub_files = Some(state.scrub_files.map_or(position, |other| other.min(position)));
        shared.work.notify_one();
    }

    /// Returns a reader that begins with the first line that is still there.
    pub fn reader(&self) -> LogReader {
        LogReader::new(Arc::clone(&self.handle.shared), 0)
    }

    /// Returns a reader that begins at this position.
    pub fn reader_from(&self, position: u64) -> LogReader {
        LogReader::new(Arc::clone(&self.handle.shared), position)
    }

    /// Returns the position that the next segment will have.
    pub fn end(&self) -> u64 {
        self.handle.shared.lock().next
    }

    /// Ends the log: what is held back is appended, all is written to disk, and readers end after the last line.
    pub fn close(&self) {
        self.handle.close();
    }
}

impl Default for LogStore {
    fn default() -> Self {
        Self::in_memory()
    }
}

impl Handle {
    fn close(&self) {
        self.shared.close(clock::timestamp());
        let writer = self.writer.lock().expect("taking a handle does not panic").take();
        if let Some(writer) = writer {
            // A panic of the writer was reported by its own thread.
            let _ = writer.join();
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn new(memory_bytes: usize, disk: Disk) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                window: VecDeque::new(),
                window_bytes: 0,
                window_limit: memory_bytes,
                next: 0,
                written: 0,
                disk,
                files: Arc::default(),
                scrub_files: None,
                closed: false,
                spans: HashMap::new(),
                scrubber: Arc::default(),
            }),
            work: Condvar::new(),
            room: Condvar::new(),
            news: watch::Sender::new(0),
        })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while the log is held")
    }

    fn append(&self, event: LogEvent, time: Timestamp) {
        let mut state = self.lock();
        while state.is_behind() {
            state = self.room.wait(state).expect("no panic while the log is held");
        }
        if !state.closed {
            state.append(event, time);
            self.announce(&state);
        }
    }

    fn close(&self, time: Timestamp) {
        let mut state = self.lock();
        if !state.closed {
            state.append_held(time);
            state.closed = true;
        }
        self.announce(&state);
        self.room.notify_all();
    }

    fn announce(&self, state: &State) {
        self.news.send_replace(state.next);
        self.work.notify_one();
    }

    /// Writes new segments to disk until the log is closed. The body of the writer's thread.
    fn write_to_disk(&self, mut files: SessionFiles) {
        loop {
            let mut state = self.lock();
            while state.is_idle() && !state.closed {
                state = self.work.wait(state).expect("no panic while the log is held");
            }
            if state.is_idle() {
                return;
            }
            let batch = state.copy_window(state.written, WRITE_BATCH, usize::MAX);
            let scrub_from = state.scrub_files.take();
            let scrubber = Arc::clone(&state.scrubber);
            drop(state);
            let outcome = files.write(&batch).and_then(|()| match scrub_from {
                Some(position) => files.scrub(position, &scrubber),
                None => Ok(()),
            });
            let mut state = self.lock();
            state.files = Arc::new(files.files().to_vec());
            match outcome {
                Ok(()) => state.written += batch.len() as u64,
                Err(err) => state.disk_failed(&err),
            }
            state.shrink_window();
            self.announce(&state);
            self.room.notify_all();
            if state.disk == Disk::Failed {
                return;
            }
        }
    }
}

impl State {
    /// Returns the position of the oldest segment in memory.
    pub(super) fn window_start(&self) -> u64 {
        self.next - self.window.len() as u64
    }

    /// Returns the segments in memory from this position on, as many as fit the limits but at least one.
    pub(super) fn copy_window(&self, from: u64, max_segments: usize, max_bytes: usize) -> Vec<Arc<Segment>> {
        let skip = usize::try_from(from - self.window_start()).unwrap_or(usize::MAX);
        let mut bytes = 0;
        self.window
            .iter()
            .skip(skip)
            .take(max_segments)
            .take_while(|segment| {
                let fits = bytes < max_bytes;
                bytes += segment.text.len();
                fits
            })
            .cloned()
            .collect()
    }

    /// Returns whether there is nothing to do for the disk.
    fn is_idle(&self) -> bool {
        self.written == self.next && self.scrub_files.is_none()
    }

    fn scrub_window(&mut self, from: u64) {
        let scrubber = Arc::clone(&self.scrubber);
        for segment in self.window.iter_mut().rev() {
            if segment.position < from {
                break;
            }
            if let Some(text) = scrubber.scrubbed(&segment.text) {
                self.window_bytes -= segment.weight();
                Arc::make_mut(segment).text = text;
                self.window_bytes += segment.weight();
            }
        }
    }

    fn is_behind(&self) -> bool {
        let backlog = self.window_limit * BACKLOG_WINDOWS;
        self.disk == Disk::Works && !self.closed && self.window_bytes > backlog
    }

    fn append(&mut self, event: LogEvent, time: Timestamp) {
        let source = source_of(&event);
        let mut line = self.open_line(source.clone(), &event, time);
        let mut raw = std::mem::take(&mut line.held);
        raw.push_str(&event.text);
        let mut text = String::with_capacity(raw.len());
        Arc::clone(&self.scrubber).scrub(&mut raw, &mut text);
        line.held = raw;
        let line = self.push_lines(&source, line, &text, event.progress.as_ref(), time);
        if line.begun || !line.held.is_empty() {
            self.spans.insert(source, line);
        }
    }

    /// Returns the incomplete line that the event continues; one of another level is ended first.
    fn open_line(&mut self, source: Source, event: &LogEvent, time: Timestamp) -> OpenLine {
        match self.spans.remove(&source) {
            Some(line) if line.level == event.level => OpenLine {
                starts_update: line.starts_update || event.starts_update,
                ..line
            },
            other => {
                if let Some(line) = other {
                    self.push_held(&source, line, time);
                }
                OpenLine {
                    level: event.level,
                    held: String::new(),
                    begun: false,
                    starts_update: event.starts_update,
                }
            }
        }
    }

    /// Adds text to the window, one segment per line; returns what is known of the line that is then incomplete.
    fn push_lines(
        &mut self,
        source: &Source,
        mut line: OpenLine,
        text: &str,
        progress: Option<&super::Progress>,
        time: Timestamp,
    ) -> OpenLine {
        let mut anchor = line.level >= Level::Warn;
        for part in text.split_inclusive('\n') {
            self.push(Segment {
                position: self.next,
                time,
                span: source.0.clone(),
                manifest: source.1.clone(),
                level: line.level,
                text: part.to_owned(),
                continues: line.begun,
                anchor: anchor && !line.begun,
                starts_update: std::mem::take(&mut line.starts_update),
                progress: progress.cloned(),
            });
            anchor = false;
            line.begun = !part.ends_with('\n');
        }
        line
    }

    /// Adds what was held of a line: nothing more of it will come.
    fn push_held(&mut self, source: &Source, mut line: OpenLine, time: Timestamp) {
        let mut text = String::new();
        Arc::clone(&self.scrubber).scrub_end(&mut line.held, &mut text);
        self.push_lines(source, line, &text, None, time);
    }

    fn append_held(&mut self, time: Timestamp) {
        for (source, line) in std::mem::take(&mut self.spans) {
            self.push_held(&source, line, time);
        }
    }

    fn push(&mut self, segment: Segment) {
        self.next += 1;
        self.window_bytes += segment.weight();
        self.window.push_back(Arc::new(segment));
        self.shrink_window();
    }

    /// Drops the oldest segments from memory; one that the disk is still to get stays.
    fn shrink_window(&mut self) {
        let kept_from = match self.disk {
            Disk::Works => self.written,
            Disk::None | Disk::Failed => self.next,
        };
        while self.window_bytes > self.window_limit
            && let Some(oldest) = self.window.pop_front_if(|oldest| oldest.position < kept_from)
        {
            self.window_bytes -= oldest.weight();
        }
    }

    fn disk_failed(&mut self, err: &io::Error) {
        self.disk = Disk::Failed;
        self.push(Segment {
            position: self.next,
            time: clock::timestamp(),
            span: None,
            manifest: None,
            level: Level::Warn,
            text: format!("cannot write the log to disk, old lines will be lost: {err}\n"),
            continues: false,
            anchor: true,
            starts_update: false,
            progress: None,
        });
    }
}

/// Returns whose line an event is part of. A line of a resource but of no span gets a span of its own.
///
/// Rule: `reference/engine.md` 9.1, `unknown:<resource>`.
fn source_of(event: &LogEvent) -> Source {
    let unknown = || {
        let manifest = event.manifest.as_ref()?;
        Some(SpanId::new(format!("unknown:{manifest}")))
    };
    (event.span.clone().or_else(unknown), event.manifest.clone())
}
