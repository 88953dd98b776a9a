//! The store behind all output: a window in memory, everything on disk.
//!
//! An append goes to the window under a short lock; a thread of its own writes the window's new segments to disk, and
//! a segment leaves the window only once it is written. So an append waits only where the disk is megabytes behind, and
//! never for long: a disk that does not answer is as one that failed.
//! `state` is what the lock guards, `disk` knows the files, `scrub` the secrets, `reader` pages through both.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use etcetera::base_strategy::{BaseStrategy, Xdg};
use serde_json::Value;
use tokio::sync::watch;

use super::disk::{SegmentFile, SessionFiles};
use super::place::Place;
use super::state::{Disk, LogFaults, SpanFaults, State};
use super::{LogEvent, LogReader, Segment};
use crate::clock;
use crate::model::{SpanId, Timestamp};

/// How much room the log may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLimits {
    /// For all sessions together, on disk.
    pub disk_bytes: u64,
    /// For one file on disk.
    pub file_bytes: u64,
    /// For the window in memory.
    pub memory_bytes: usize,
    /// How long anybody waits for the disk.
    pub patience: Duration,
}

impl Default for LogLimits {
    fn default() -> Self {
        Self {
            disk_bytes: 1 << 30,
            file_bytes: 4 << 20,
            memory_bytes: 4 << 20,
            patience: Duration::from_secs(1),
        }
    }
}

/// The window of a log that is kept in memory only.
const MEMORY_ONLY_BYTES: usize = 32 << 20;
/// How long the disk rests after a failure; nothing tells when it works again.
const DISK_REST: Duration = Duration::from_secs(1);
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
    /// Where its files are.
    dir: Option<PathBuf>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

pub(super) struct Shared {
    state: Mutex<State>,
    /// How long anybody waits for the disk.
    patience: Duration,
    /// Tells the writer that there is something to write, or that the log is closed.
    work: Condvar,
    /// Tells whoever waits for the disk that it has caught up, and that the writer has ended.
    room: Condvar,
    /// Tells readers that there is something to read, or that the log is closed.
    pub(super) news: watch::Sender<u64>,
}

impl LogStore {
    /// Returns a log that is kept in memory only, for tests and commands that print little.
    pub fn in_memory() -> Self {
        Self::in_memory_with(MEMORY_ONLY_BYTES)
    }

    /// Returns a log of which about this many bytes are kept, in memory only.
    pub fn in_memory_with(memory_bytes: usize) -> Self {
        Self::new(Shared::new(memory_bytes, Disk::None, Duration::ZERO), None, None)
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
    /// When its files cannot be created, or the disk does not answer.
    pub fn open(dir: &Path) -> io::Result<Self> {
        let (limits, dir) = (LogLimits::default(), dir.to_owned());
        let (sender, opened) = std::sync::mpsc::channel();
        // A disk that hangs keeps the thread, not us.
        std::thread::Builder::new()
            .name("log-opener".to_owned())
            .spawn(move || {
                // Nobody may wait for it any more.
                let _ = sender.send(Self::open_with(&dir, limits));
            })?;
        opened.recv_timeout(limits.patience).unwrap_or_else(|_| {
            Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the disk does not answer",
            ))
        })
    }

    /// As `open`, with other limits.
    ///
    /// # Errors
    ///
    /// When its files cannot be created.
    pub fn open_with(dir: &Path, limits: LogLimits) -> io::Result<Self> {
        let files = SessionFiles::create(dir, limits)?;
        let shared = Shared::new(limits.memory_bytes, Disk::Works, limits.patience);
        let dir = files.dir().to_owned();
        let writer = std::thread::Builder::new().name("log-writer".to_owned());
        shared.lock().has_writer = true;
        let writer = writer.spawn({
            let shared = Arc::clone(&shared);
            move || shared.keep_writing(files)
        })?;
        Ok(Self::new(shared, Some(writer), Some(dir)))
    }

    fn new(shared: Arc<Shared>, writer: Option<JoinHandle<()>>, dir: Option<PathBuf>) -> Self {
        let writer = Mutex::new(writer);
        Self {
            handle: Arc::new(Handle { shared, writer, dir }),
        }
    }

    /// Lets the thread that writes to disk panic when it writes next.
    #[cfg(test)]
    pub(super) fn doom_writer(&self) {
        self.handle.shared.lock().is_doomed = true;
    }

    /// Returns what tells a log from others.
    #[cfg(test)]
    pub(crate) fn id(&self) -> usize {
        Arc::as_ptr(&self.handle) as usize
    }

    /// Returns the directory of this session's files, if there is one.
    pub fn dir(&self) -> Option<PathBuf> {
        self.handle.dir.clone()
    }

    /// Appends a piece of output, with secrets replaced. Once the log is closed, nothing is appended any more.
    ///
    /// An end of an incomplete line that could be the start of a secret is held back until the line goes on.
    pub fn append(&self, event: LogEvent) {
        self.handle.shared.append(event, clock::timestamp());
    }

    /// Adds secrets, each with what stands in for it, that are replaced from now on and until the end; see also
    /// `scrub_since`. Of equal secrets the last one wins.
    ///
    /// A value of several lines is replaced as a whole where it comes in one piece, and line by line elsewhere.
    pub fn add_secrets(&self, secrets: &[(String, String)]) {
        self.handle.shared.lock().add_secrets(secrets);
    }

    /// Returns a text with secrets replaced, for what is shown but is no output.
    pub fn without_secrets(&self, text: &str) -> String {
        self.secret_hider().hide(text)
    }

    /// Returns what knows the secrets, also those that come later, and does not keep the log open.
    pub fn secret_hider(&self) -> SecretHider {
        SecretHider {
            shared: Arc::clone(&self.handle.shared),
        }
    }

    /// Lets nothing that is appended from now on reach the disk until the returned hold is dropped, since there may be
    /// secrets in it that are not known yet. Only what does not fit into memory is written all the same.
    #[must_use]
    pub fn hold_disk(&self) -> DiskHold {
        let mut state = self.handle.shared.lock();
        let position = state.next;
        state.holds.push(position);
        DiskHold {
            shared: Arc::clone(&self.handle.shared),
            position,
        }
    }

    /// Replaces secrets also in what is in the log already, from a position on.
    ///
    /// What readers have read by then stays with them, and of a value that came in two pieces nothing is replaced.
    ///
    /// Rule: `docs/rules/deploy.md`, "Secrets".
    pub fn scrub_since(&self, position: u64) {
        let shared = &self.handle.shared;
        let mut state = shared.lock();
        state.scrub_window(position);
        state.scrub_files = Some(state.scrub_files.map_or(position, |other| other.min(position)));
        shared.work.notify_one();
    }

    /// Returns a reader that begins with the first line that is still there.
    pub fn reader(&self) -> LogReader {
        LogReader::new(Arc::clone(&self.handle.shared), Place::default())
    }

    /// Returns a reader that begins at this position.
    pub fn reader_from(&self, position: u64) -> LogReader {
        let place = self.handle.shared.lock().place_in_window(position);
        LogReader::new(Arc::clone(&self.handle.shared), place)
    }

    /// Returns how many warnings and errors a source has told.
    ///
    /// Rule: `docs/rules/logs.md`, "Warnings".
    pub fn faults(&self, span: &SpanId) -> LogFaults {
        self.handle
            .shared
            .lock()
            .faults
            .get(span)
            .map(|of| of.faults)
            .unwrap_or_default()
    }

    /// Returns how many warnings and errors each source has told, of those that told any.
    pub fn all_faults(&self) -> Vec<SpanFaults> {
        self.handle.shared.lock().faults.values().cloned().collect()
    }

    /// Returns the files, the window in memory, where that begins, and the position after the last segment.
    pub(super) fn parts(&self) -> (Arc<Vec<SegmentFile>>, Vec<Arc<Segment>>, u64, u64) {
        let state = self.handle.shared.lock();
        let files = if state.hangs(self.handle.shared.patience) {
            Arc::default()
        } else {
            Arc::clone(&state.files)
        };
        let start = state.window_start();
        let window = state.copy_window(start, usize::MAX, usize::MAX);
        (files, window, start, state.next)
    }

    /// Returns the position that the next segment will have.
    pub fn end(&self) -> u64 {
        self.handle.shared.lock().next
    }

    /// Ends the log: what is held back is appended, and readers end after the last line. Waits for nothing.
    pub fn end_lines(&self) {
        self.handle.shared.close(clock::timestamp());
    }

    /// Ends the log, and waits until all is written to disk, as long as the disk gets on.
    pub fn close(&self) {
        self.handle.close();
    }
}

/// Keeps new lines from the disk while it lives.
pub struct DiskHold {
    shared: Arc<Shared>,
    position: u64,
}

impl DiskHold {
    /// Returns the position of the first line that is held.
    pub fn position(&self) -> u64 {
        self.position
    }
}

/// Replaces the secrets of a log in text that is no output.
#[derive(Clone)]
pub struct SecretHider {
    shared: Arc<Shared>,
}

impl SecretHider {
    /// Replaces secrets in all texts of a value, and in the names of its fields.
    ///
    /// Text that is JSON already may hold a secret in another form: with escapes.
    pub fn hide_in(&self, value: &mut Value) {
        let scrubber = Arc::clone(&self.shared.lock().scrubber);
        hide_in(&scrubber, value);
    }

    /// Returns a text with secrets replaced.
    pub fn hide(&self, text: &str) -> String {
        let scrubber = Arc::clone(&self.shared.lock().scrubber);
        scrubber.scrubbed(text).unwrap_or_else(|| text.to_owned())
    }
}

fn hide_in(scrubber: &super::scrub::Scrubber, value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Some(hidden) = scrubber.scrubbed(text) {
                *text = hidden;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| hide_in(scrubber, item)),
        Value::Object(fields) => {
            let is_secret = |name: &&String| scrubber.scrubbed(name).is_some();
            if fields.keys().any(|name| is_secret(&name)) {
                let old = std::mem::take(fields);
                let renamed = old.into_iter().map(|(name, value)| {
                    let hidden = scrubber.scrubbed(&name);
                    (hidden.unwrap_or(name), value)
                });
                fields.extend(renamed);
            }
            fields.values_mut().for_each(|value| hide_in(scrubber, value));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

impl Drop for DiskHold {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        if let Some(at) = state.holds.iter().position(|held| *held == self.position) {
            state.holds.swap_remove(at);
        }
        self.shared.work.notify_one();
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
        if let Some(writer) = writer
            && self.shared.wait_for_writer(&writer)
        {
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
    fn new(memory_bytes: usize, disk: Disk, patience: Duration) -> Arc<Self> {
        Arc::new(Self {
            patience,
            state: Mutex::new(State::new(memory_bytes, disk)),
            work: Condvar::new(),
            room: Condvar::new(),
            news: watch::Sender::new(0),
        })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while the log is held")
    }

    /// Returns whether the disk does not answer.
    pub(super) fn hangs(&self, state: &State) -> bool {
        state.hangs(self.patience)
    }

    fn append(&self, event: LogEvent, time: Timestamp) {
        let waited = self
            .room
            .wait_timeout_while(self.lock(), self.patience, |state| state.is_behind());
        let (mut state, _) = waited.expect("no panic while the log is held");
        if state.is_behind() {
            state.disk_failed(&io::Error::new(io::ErrorKind::TimedOut, "it does not answer"));
            state.shrink_window();
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

    /// Waits until the writer has ended. Returns whether it has: it may hang in the disk.
    fn wait_for_writer(&self, writer: &JoinHandle<()>) -> bool {
        let mut state = self.lock();
        loop {
            let written = state.written;
            let waited = self.room.wait_timeout_while(state, self.patience, |state| {
                state.has_writer && state.written == written
            });
            state = waited.expect("no panic while the log is held").0;
            if !state.has_writer || state.written == written {
                return !state.has_writer || writer.is_finished();
            }
        }
    }

    fn announce(&self, state: &State) {
        self.news.send_replace(state.next);
        self.work.notify_one();
    }

    /// Writes to disk until the log is closed. The body of the writer's thread. A panic in it is a fault of the disk.
    fn keep_writing(&self, mut files: SessionFiles) {
        while let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.write_to_disk(&mut files))) {
            // What panics while it holds the log ends the session.
            let Ok(mut state) = self.state.lock() else { return };
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            let why = format!("internal error: its writer died: {}", text.unwrap_or_default());
            state.disk_failed(&io::Error::other(why));
            state.writing_since = None;
            state.shrink_window();
        }
        self.lock().has_writer = false;
        self.room.notify_all();
    }

    /// Writes new segments to disk until the log is closed.
    fn write_to_disk(&self, files: &mut SessionFiles) {
        loop {
            let mut state = self.lock();
            while state.is_idle() && !state.closed {
                state = self.work.wait(state).expect("no panic while the log is held");
            }
            if state.is_idle() {
                return;
            }
            let has_failed = state.disk == Disk::Failed;
            drop(state);
            let can_write = !has_failed || self.mend(files);
            let is_last = self.lock().closed;
            if can_write {
                self.write_batch(files);
            }
            if is_last && self.lock().disk == Disk::Failed {
                return;
            }
        }
    }

    /// Prepares the files after a failure, once the disk had its rest. Returns whether it can be tried again.
    fn mend(&self, files: &mut SessionFiles) -> bool {
        let state = self.lock();
        let waited = self
            .work
            .wait_timeout_while(state, DISK_REST, |state| !state.closed);
        drop(waited.expect("no panic while the log is held"));
        self.lock().writing_since = Some(clock::now());
        let mended = files.mend();
        let mut state = self.lock();
        state.files = Arc::new(files.files().to_vec());
        state.writing_since = None;
        match mended {
            Ok(end) => {
                state.written = end.max(state.written);
                true
            }
            Err(err) => {
                state.disk_failed(&err);
                false
            }
        }
    }

    fn write_batch(&self, files: &mut SessionFiles) {
        let mut state = self.lock();
        let from = state.place_in_window(state.written.position.max(state.window_start()));
        let unwritten =
            usize::try_from(state.disk_limit().saturating_sub(from.position)).unwrap_or(usize::MAX);
        let batch = state.copy_window(from.position, WRITE_BATCH.min(unwritten), usize::MAX);
        let scrub_from = state.scrub_files.take();
        let scrubber = Arc::clone(&state.scrubber);
        state.writing_since = Some(clock::now());
        drop(state);
        #[cfg(test)]
        assert!(!std::mem::take(&mut self.lock().is_doomed), "a planted panic");
        let outcome = files.write(&batch).and_then(|()| match scrub_from {
            Some(position) => files.scrub(position, &scrubber),
            None => Ok(()),
        });
        let mut state = self.lock();
        state.files = Arc::new(files.files().to_vec());
        state.writing_since = None;
        match outcome {
            Ok(()) => {
                let lost = state.written.lines_until(from);
                let written = batch.last().map_or(from, |last| Place::after(last));
                // One that did not answer for a while lacks what had to go meanwhile; that is told with the next batch.
                if written.position >= state.window_start() {
                    state.disk_works(lost);
                }
                state.written = written;
            }
            Err(err) => {
                state.disk_failed(&err);
                state.scrub_files = state.scrub_files.into_iter().chain(scrub_from).min();
            }
        }
        state.shrink_window();
        self.announce(&state);
        self.room.notify_all();
    }
}
