//! Pieces of output that wait in a file, first in, first out.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::codec::{decode, encode};
use super::{LogEvent, Segment};
use crate::model::Timestamp;

/// How much is gathered before it is written, and how much is read at once.
const CHUNK: usize = 256 << 10;

/// A file without a name, with what is on its way into it and out of it.
pub(super) struct Spill {
    file: File,
    /// Where it ends, and up to where it was read.
    end: u64,
    read: u64,
    /// What was read from it, and up to where that was taken.
    first: Vec<u8>,
    taken: usize,
    /// What is to be written to it.
    last: Vec<u8>,
    n_lines: usize,
}

impl Spill {
    /// Makes one in a directory that is this session's own.
    pub(super) fn create(dir: &Path) -> io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let path = dir.join(format!("{}.lane", NEXT.fetch_add(1, Ordering::Relaxed)));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o600);
        let file = options.open(&path)?;
        std::fs::remove_file(&path)?;
        Ok(Self {
            file,
            end: 0,
            read: 0,
            first: Vec::new(),
            taken: 0,
            last: Vec::new(),
            n_lines: 0,
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.taken == self.first.len() && self.read == self.end && self.last.is_empty()
    }

    /// Adds a piece at the end. On an error it is not there, and what was there before still is.
    pub(super) fn push(&mut self, event: &LogEvent) -> io::Result<()> {
        if self.last.len() >= CHUNK {
            self.file.write_all_at(&self.last, self.end)?;
            self.end += self.last.len() as u64;
            self.last.clear();
        }
        encode(&waiting(event), &mut self.last)?;
        self.n_lines += event.text.lines().count();
        Ok(())
    }

    /// Takes out the first piece. There must be one.
    pub(super) fn take_next(&mut self) -> io::Result<LogEvent> {
        loop {
            let rest = self.first.get(self.taken..).unwrap_or_default();
            if let Some(length) = rest.iter().position(|byte| *byte == b'\n') {
                let line = std::str::from_utf8(&rest[..length]).ok().and_then(decode);
                self.taken += length + 1;
                let event = event(line.ok_or(io::ErrorKind::InvalidData)?);
                self.n_lines -= event.text.lines().count();
                return Ok(event);
            }
            self.first.drain(..self.taken);
            self.taken = 0;
            if self.read == self.end {
                if self.last.is_empty() {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                // All of the file was read: its room can be used again.
                (self.read, self.end) = (0, 0);
                self.file.set_len(0)?;
                self.first.append(&mut self.last);
                continue;
            }
            let before = self.first.len();
            let left = usize::try_from(self.end - self.read).unwrap_or(CHUNK);
            self.first.resize(before + left.min(CHUNK), 0);
            self.file.read_exact_at(&mut self.first[before..], self.read)?;
            self.read += (self.first.len() - before) as u64;
        }
    }

    /// Forgets all that is in it, and returns how many lines that is.
    pub(super) fn give_up(&mut self) -> usize {
        (self.read, self.end, self.taken) = (0, 0, 0);
        self.first.clear();
        self.last.clear();
        std::mem::take(&mut self.n_lines)
    }
}

/// It has no position and no time until it is told.
fn waiting(event: &LogEvent) -> Segment {
    Segment {
        position: 0,
        pieces: 0,
        time: Timestamp(0),
        span: event.span.clone(),
        manifest: event.manifest.clone(),
        level: event.level,
        text: event.text.clone(),
        continues: false,
        anchor: false,
        starts_update: event.starts_update,
        progress: event.progress.clone(),
    }
}

fn event(segment: Segment) -> LogEvent {
    LogEvent {
        span: segment.span,
        manifest: segment.manifest,
        level: segment.level,
        text: segment.text,
        starts_update: segment.starts_update,
        progress: segment.progress,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_comes_out_in_order_and_the_room_is_used_again() {
        let dir = tempfile::tempdir().expect("a scratch folder");
        let mut spill = Spill::create(dir.path()).expect("a file");
        assert!(
            std::fs::read_dir(dir.path()).expect("a folder").next().is_none(),
            "it has no name"
        );
        let text = |number: usize| format!("{number:0200}\n");
        let (mut put, mut taken) = (0, 0);
        for round in 0..6 {
            while put < (round + 1) * 4_000 {
                spill.push(&LogEvent::global(text(put))).expect("there is room");
                put += 1;
            }
            // In some rounds not all of it.
            while taken < put - 100 * (round % 2) {
                assert_eq!(spill.take_next().expect("there is one").text, text(taken));
                taken += 1;
            }
            assert_eq!(spill.is_empty(), taken == put);
        }
        assert!(spill.file.metadata().expect("a file").len() < 3 << 20);
        spill.push(&LogEvent::global("one\ntwo")).expect("there is room");
        assert_eq!(spill.give_up(), 102);
        assert!(spill.is_empty());
    }
}
