//! The store behind all output: a window in memory, everything on disk.
//!
//! An append goes to the window under a short lock; a thread of its own writes the window's new segments to disk, and
//! a segment leaves the window only once it is written. So an append waits only where the disk is megabytes behind, and
//! never for long: a disk that does not answer is as one that failed.
//! `shared` is what all hold, `state` what its lock guards, `disk` knows the files, `scrub` the secrets, `reader` pages through both.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use etcetera::base_strategy::{BaseStrategy, Xdg};
use serde_json::Value;

use super::disk::{SegmentFile, SessionFiles};
use super::place::Place;
use super::shared::Shared;
use super::state::{Disk, LogFaults, SpanFaults};
use super::{LogEvent, LogLimits, LogReader, Segment};
use crate::clock;
use crate::model::SpanId;

/// The window of a log that is kept in memory only.
const MEMORY_ONLY_BYTES: usize = 32 << 20;
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

    /// Replaces these too until the end of the load that declares them, when [`Self::add_secrets`] says what stays secret.
    pub(super) fn add_early_secrets(&self, secrets: Vec<(String, String)>) {
        self.handle.shared.lock().add_early_secrets(secrets);
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
        let scrubber = self.shared.lock().scrubber();
        hide_in(&scrubber, value);
    }

    /// Returns a text with secrets replaced.
    pub fn hide(&self, text: &str) -> String {
        self.hidden(text).unwrap_or_else(|| text.to_owned())
    }

    /// Returns a text with secrets replaced; `None` if it holds none.
    pub fn hidden(&self, text: &str) -> Option<String> {
        let scrubber = self.shared.lock().scrubber();
        scrubber.scrubbed(text)
    }

    /// Returns how many secrets are known. It only grows.
    pub fn count(&self) -> usize {
        self.shared.lock().secret_count()
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
