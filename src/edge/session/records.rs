//! Keeps what became of each update of a session on disk: a line of JSON each, in the file `updates.jsonl` beside the session's
//! log, with secrets hidden.
//!
//! A thread of its own writes, so that a disk that hangs holds nothing up. What cannot be written is told once, and left out.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use crate::history::UpdateRecord;
use crate::logs::{LogStore, LogWriter, SecretHider};

/// The name of the file.
const FILE: &str = "updates.jsonl";

/// How many bytes a session may leave there.
const MOST_BYTES: usize = 64 << 20;

/// What keeps records; those that come after [`Records::close`] are left out.
pub(super) struct Records {
    sender: Option<Sender<Arc<UpdateRecord>>>,
}

impl Records {
    /// Starts the thread, if the log has a place on disk.
    pub(super) fn start(log: &LogStore) -> Self {
        let sender = log.dir().map(|dir| {
            let (sender, inbox) = channel();
            let (hider, told) = (log.secret_hider(), LogWriter::global(log.clone()));
            std::thread::spawn(move || write_all(&dir.join(FILE), &inbox, &hider, &told));
            sender
        });
        Self { sender }
    }

    /// Keeps a record.
    pub(super) fn keep(&self, record: Arc<UpdateRecord>) {
        if let Some(sender) = &self.sender {
            // The thread has ended if it cannot write.
            let _ = sender.send(record);
        }
    }

    /// Ends it; what was given before is still written.
    pub(super) fn close(&mut self) {
        self.sender = None;
    }
}

fn write_all(path: &Path, inbox: &Receiver<Arc<UpdateRecord>>, hider: &SecretHider, log: &LogWriter) {
    let mut file: Option<File> = None;
    let mut written = 0;
    for record in inbox {
        let line = line(&record, hider);
        written += line.len();
        if written > MOST_BYTES {
            return;
        }
        let opened = match file.take() {
            Some(file) => Ok(file),
            None => OpenOptions::new()
                .append(true)
                .create(true)
                .mode(0o600)
                .open(path),
        };
        let result = opened.and_then(|mut opened| {
            opened.write_all(&line)?;
            Ok(opened)
        });
        match result {
            Ok(opened) => file = Some(opened),
            Err(error) => {
                log.warn(&format!("updates are not kept in {}: {error}", path.display()));
                return;
            }
        }
    }
}

/// Returns a record as a line of JSON with secrets hidden.
fn line(record: &UpdateRecord, hider: &SecretHider) -> Vec<u8> {
    let mut value = serde_json::to_value(record).unwrap_or_default();
    hider.hide_in(&mut value);
    let mut line = value.to_string().into_bytes();
    line.push(b'\n');
    line
}
