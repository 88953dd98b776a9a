//! The files of a session's log, and the room that all sessions share.
//!
//! A session is a directory `<start in microseconds>-<pid>` with files `<first position>.seg` and a `lock` that is
//! held while its process lives. The oldest sessions go first when the room runs out, but never one that lives; a
//! session that fills the room alone gives up its own oldest files.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::place::Place;
use super::scrub::Scrubber;
use super::{LogLimits, Segment, codec};
use crate::clock;

const LOCK: &str = "lock";

/// A file of the log, by the position of its first segment.
#[derive(Clone, Debug)]
pub(super) struct SegmentFile {
    pub(super) first: u64,
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    /// How often it was written anew, so that a reader knows that what it has open is outdated.
    pub(super) edition: u32,
}

/// Writes the files of one session.
pub(super) struct SessionFiles {
    dir: PathBuf,
    limits: LogLimits,
    files: Vec<SegmentFile>,
    out: Option<BufWriter<File>>,
    /// Held, not read: others see by it that we live.
    _lock: File,
}

impl SessionFiles {
    /// Creates the directory of a new session below `dir`, and makes room.
    pub(super) fn create(dir: &Path, limits: LogLimits) -> io::Result<Self> {
        let name = format!("{:020}-{}", clock::timestamp().0, std::process::id());
        let mut session = dir.join(name);
        let mut builder = DirBuilder::new();
        builder.mode(0o700).recursive(true).create(dir)?;
        // Two sessions of one process may begin within a microsecond.
        while session.exists() {
            session.as_mut_os_string().push("x");
        }
        builder.create(&session)?;
        let lock = create_private(&session.join(LOCK))?;
        lock.lock()?;
        let mut files = Self {
            dir: session,
            limits,
            files: Vec::new(),
            out: None,
            _lock: lock,
        };
        files.make_room();
        Ok(files)
    }

    /// Returns the directory of the session.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns the files written so far, oldest first.
    pub(super) fn files(&self) -> &[SegmentFile] {
        &self.files
    }

    /// Writes segments and hands them to the operating system.
    pub(super) fn write(&mut self, segments: &[Arc<Segment>]) -> io::Result<()> {
        let mut line = Vec::with_capacity(256);
        for segment in segments {
            line.clear();
            codec::encode(segment, &mut line)?;
            self.out_for(segment.position)?.write_all(&line)?;
            if let Some(file) = self.files.last_mut() {
                file.bytes += line.len() as u64;
            }
        }
        self.out.as_mut().map_or(Ok(()), BufWriter::flush)
    }

    /// Makes the files fit to go on after a failure: what is torn at their end is cut off. Returns up to where they go.
    pub(super) fn mend(&mut self) -> io::Result<Place> {
        if let Some(out) = self.out.take() {
            // What the system did not take is written again.
            let _ = out.into_parts();
        }
        while let Some(last) = self.files.last_mut() {
            let Some((end, bytes)) = whole_segments(&last.path)? else {
                self.files.pop();
                continue;
            };
            let file = OpenOptions::new().append(true).open(&last.path)?;
            file.set_len(bytes)?;
            last.bytes = bytes;
            last.edition += 1;
            self.out = Some(BufWriter::with_capacity(64 * 1024, file));
            return Ok(end.unwrap_or(Place {
                position: last.first,
                pieces: 0,
            }));
        }
        Ok(Place::default())
    }

    /// Replaces secrets in what was written from a position on.
    pub(super) fn scrub(&mut self, from: u64, scrubber: &Scrubber) -> io::Result<()> {
        let first = self
            .files
            .partition_point(|file| file.first <= from)
            .saturating_sub(1);
        for file in &mut self.files[first..] {
            rewrite(file, from, scrubber)?;
        }
        if let (Some(_), Some(last)) = (&self.out, self.files.last()) {
            let file = OpenOptions::new().append(true).open(&last.path)?;
            self.out = Some(BufWriter::with_capacity(64 * 1024, file));
        }
        Ok(())
    }

    /// Returns the file to write the segment of this position to; begins a new one when the last is full.
    fn out_for(&mut self, position: u64) -> io::Result<&mut BufWriter<File>> {
        let full = self
            .files
            .last()
            .is_none_or(|file| file.bytes >= self.limits.file_bytes);
        if full && let Some(mut out) = self.out.take() {
            out.flush()?;
            self.make_room();
        }
        match &mut self.out {
            Some(out) => Ok(out),
            out => {
                let path = self.dir.join(format!("{position:020}.seg"));
                let file = create_private(&path)?;
                self.files.push(SegmentFile {
                    first: position,
                    path,
                    bytes: 0,
                    edition: 0,
                });
                Ok(out.insert(BufWriter::with_capacity(64 * 1024, file)))
            }
        }
    }

    /// Deletes old sessions, and then our own oldest files, until all fit with room for one more file.
    fn make_room(&mut self) {
        let own: u64 = self.files.iter().map(|file| file.bytes).sum();
        let allowed = self.limits.disk_bytes.saturating_sub(self.limits.file_bytes);
        let mut used = own + self.remove_old_sessions(allowed.saturating_sub(own));
        while used > allowed && !self.files.is_empty() {
            let oldest = self.files.remove(0);
            used -= oldest.bytes;
            // Whether or not it can be deleted, readers no longer count on it.
            let _ = fs::remove_file(&oldest.path);
        }
    }

    /// Deletes ended sessions, the oldest first, until the others fit; returns the bytes that stay.
    fn remove_old_sessions(&self, allowed: u64) -> u64 {
        let mut sessions: Vec<_> = older_sessions(&self.dir)
            .into_iter()
            .map(|dir| (bytes_of(&dir), dir))
            .collect();
        sessions.sort_by(|(_, a), (_, b)| a.cmp(b));
        let mut used = sessions.iter().map(|(bytes, _)| bytes).sum();
        for (bytes, dir) in sessions {
            if used > allowed && has_ended(&dir) && fs::remove_dir_all(&dir).is_ok() {
                used -= bytes;
            }
        }
        used
    }
}

/// Returns the place after the last segment of a file that is whole, and how many bytes there are up to it; nothing if
/// the file is gone.
#[allow(clippy::type_complexity, reason = "it is taken apart at once")]
fn whole_segments(path: &Path) -> io::Result<Option<(Option<Place>, u64)>> {
    let mut file = match File::open(path) {
        Ok(file) => BufReader::new(file),
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(err) => return Err(err),
    };
    let (mut end, mut bytes, mut line) = (None, 0, Vec::new());
    while file.read_until(b'\n', &mut line)? > 0 && line.ends_with(b"\n") {
        if let Some(segment) = std::str::from_utf8(&line).ok().and_then(codec::decode) {
            end = Some(Place::after(&segment));
        }
        bytes += line.len() as u64;
        line.clear();
    }
    Ok(Some((end, bytes)))
}

/// Writes a file anew if there are secrets in it from a position on.
fn rewrite(file: &mut SegmentFile, from: u64, scrubber: &Scrubber) -> io::Result<()> {
    let mut out = Vec::new();
    let mut is_changed = false;
    for line in BufReader::new(File::open(&file.path)?).lines() {
        let line = line?;
        let scrubbed = codec::decode(&line)
            .filter(|segment| segment.position >= from)
            .and_then(|segment| Some((scrubber.scrubbed(&segment.text)?, segment)));
        is_changed |= scrubbed.is_some();
        match scrubbed {
            Some((text, segment)) => codec::encode(&Segment { text, ..segment }, &mut out)?,
            None => writeln!(out, "{line}")?,
        }
    }
    if is_changed {
        let path = file.path.with_extension("new");
        create_private(&path)?.write_all(&out)?;
        fs::rename(&path, &file.path)?;
        file.bytes = out.len() as u64;
        file.edition += 1;
    }
    Ok(())
}

/// Returns the sessions beside this one that began earlier. A later one may not hold its lock yet.
fn older_sessions(own: &Path) -> Vec<PathBuf> {
    let siblings = own.parent().and_then(|dir| fs::read_dir(dir).ok());
    siblings
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.as_path() < own && path.join(LOCK).exists())
        .collect()
}

fn has_ended(session: &Path) -> bool {
    File::open(session.join(LOCK)).is_ok_and(|lock| lock.try_lock().is_ok())
}

fn bytes_of(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.metadata().ok())
        .map(|meta| meta.len())
        .sum()
}

fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::logs::LogEvent;

    const SMALL: LogLimits = LogLimits {
        disk_bytes: 4_000,
        file_bytes: 1_000,
        memory_bytes: 1_000,
        patience: std::time::Duration::from_secs(60),
    };

    fn lines(from: u64, n: u64) -> Vec<Arc<Segment>> {
        let event = LogEvent::global("x".repeat(60));
        let segment = |position| Segment {
            position,
            pieces: 0,
            time: crate::model::Timestamp(0),
            span: None,
            manifest: None,
            level: event.level,
            text: event.text.clone(),
            continues: false,
            anchor: false,
            starts_update: false,
            progress: None,
        };
        (from..from + n).map(|at| Arc::new(segment(at))).collect()
    }

    #[test]
    fn files_are_for_the_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let mut session = SessionFiles::create(&dir.path().join("logs"), SMALL).unwrap();
        session.write(&lines(0, 1)).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&session.dir), 0o700);
        assert_eq!(mode(&session.files()[0].path), 0o600);
    }

    #[test]
    fn the_oldest_ended_session_makes_room_and_a_living_one_stays() {
        let dir = tempfile::tempdir().unwrap();
        let mut living = SessionFiles::create(dir.path(), SMALL).unwrap();
        living.write(&lines(0, 5)).unwrap();
        let mut ended = SessionFiles::create(dir.path(), SMALL).unwrap();
        ended.write(&lines(0, 29)).unwrap();
        let (living_dir, ended_dir) = (living.dir.clone(), ended.dir.clone());
        drop(ended);
        let _new = SessionFiles::create(dir.path(), SMALL).unwrap();
        assert!(living_dir.exists() && !ended_dir.exists());
    }

    #[test]
    fn a_session_that_fills_the_room_gives_up_its_oldest_files() {
        let dir = tempfile::tempdir().unwrap();
        let mut session = SessionFiles::create(dir.path(), SMALL).unwrap();
        session.write(&lines(0, 100)).unwrap();
        assert!(session.files()[0].first > 0);
        assert!(bytes_of(&session.dir) <= SMALL.disk_bytes + 200);
    }
}
