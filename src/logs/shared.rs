//! What all handles and readers of a log share: the window behind its lock, and who is told what.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::watch;

use super::LogEvent;
use super::disk::SessionFiles;
use super::place::Place;
use super::state::{Disk, State};
use crate::clock;
use crate::model::Timestamp;

/// How long the disk rests after a failure; nothing tells when it works again.
const DISK_REST: Duration = Duration::from_secs(1);
/// How many segments are written to disk at once.
const WRITE_BATCH: usize = 4096;

/// What is shared.
pub(super) struct Shared {
    pub(super) state: Mutex<State>,
    /// How long anybody waits for the disk.
    pub(super) patience: Duration,
    /// Tells the writer that there is something to write, or that the log is closed.
    pub(super) work: Condvar,
    /// Tells whoever waits for the disk that it has caught up, and that the writer has ended.
    pub(super) room: Condvar,
    /// Tells readers that there is something to read, or that the log is closed.
    pub(super) news: watch::Sender<u64>,
}

impl Shared {
    pub(super) fn new(memory_bytes: usize, disk: Disk, patience: Duration) -> Arc<Self> {
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

    pub(super) fn append(&self, event: LogEvent, time: Timestamp) {
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

    pub(super) fn close(&self, time: Timestamp) {
        let mut state = self.lock();
        if !state.closed {
            state.append_held(time);
            state.closed = true;
        }
        self.announce(&state);
        self.room.notify_all();
    }

    /// Waits until the writer has ended. Returns whether it has: it may hang in the disk.
    pub(super) fn wait_for_writer(&self, writer: &JoinHandle<()>) -> bool {
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

    pub(super) fn announce(&self, state: &State) {
        self.news.send_replace(state.next);
        self.work.notify_one();
    }

    /// Writes to disk until the log is closed. The body of the writer's thread. A panic in it is a fault of the disk.
    pub(super) fn keep_writing(&self, mut files: SessionFiles) {
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
    pub(super) fn write_to_disk(&self, files: &mut SessionFiles) {
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
    pub(super) fn mend(&self, files: &mut SessionFiles) -> bool {
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

    pub(super) fn write_batch(&self, files: &mut SessionFiles) {
        let mut state = self.lock();
        let from = state.place_in_window(state.written.position.max(state.window_start()));
        let unwritten =
            usize::try_from(state.disk_limit().saturating_sub(from.position)).unwrap_or(usize::MAX);
        let batch = state.copy_window(from.position, WRITE_BATCH.min(unwritten), usize::MAX);
        let scrub_from = state.scrub_files.take();
        let scrubber = state.scrubber();
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
