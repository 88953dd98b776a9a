//! Reading files that somebody may be writing: again and again, until nobody does.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use nix::unistd::{Whence, lseek};
use sha2::{Digest, Sha256};

use crate::clock;
use crate::model::LocalPath;

/// How long ago a file must have been changed last: an editor that empties it and then writes is in between for less.
const QUIET: Duration = Duration::from_millis(10);
/// The same for a file that is empty: it is rarely meant to be, and more often about to be filled.
const EMPTY_QUIET: Duration = Duration::from_millis(60);
/// How often a file is read that is never quiet; then what was read last counts. Its next change comes as an event.
const TRIES: u32 = 60;
/// The pause between two tries, at most; a file that will be quiet sooner is read then.
const PAUSE: Duration = Duration::from_millis(8);

/// What tells one version of a file from another, and its permissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) size: u64,
    pub(super) mode: u32,
    /// When it was changed last: seconds and nanoseconds since 1970.
    changed: (i64, i64),
    inode: u64,
}

impl Version {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            size: metadata.len(),
            mode: metadata.mode() & 0o777,
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
        }
    }

    /// Returns whether what is at a path is this version.
    pub(super) fn is_at(&self, path: &LocalPath) -> bool {
        std::fs::symlink_metadata(path).is_ok_and(|metadata| Self::of(&metadata) == *self)
    }

    /// Returns how long it is until nobody seems to be writing the file, if nobody does; `None` if that is so already.
    fn quiet_in(&self) -> Option<Duration> {
        let wait = if self.size == 0 { EMPTY_QUIET } else { QUIET };
        let changed = self.changed.0.saturating_mul(1_000_000) + self.changed.1 / 1_000;
        let age = clock::timestamp().0.saturating_sub(changed);
        // A clock that was set back, or another machine's, says nothing.
        let age = Duration::from_micros(u64::try_from(age).ok()?);
        wait.checked_sub(age).filter(|left| !left.is_zero())
    }
}

/// A file that is open for reading, and counts the tries.
pub(super) struct Reading {
    pub(super) file: File,
    pub(super) version: Version,
}

impl Reading {
    /// Opens a file; a link is not followed.
    pub(super) fn open(path: &LocalPath) -> io::Result<Self> {
        let file = open(path.as_path())?;
        let version = Version::of(&file.metadata()?);
        Ok(Self { file, version })
    }

    /// Returns whether what was read is whole: the path still leads to this file, and nobody wrote it meanwhile.
    pub(super) fn is_whole(&self, path: &LocalPath) -> bool {
        self.whole_in(path).is_none()
    }

    /// Returns how long to wait before what is there may be whole; `None` if what was read is.
    fn whole_in(&self, path: &LocalPath) -> Option<Duration> {
        // A file that is being cut short has its new size before its new time, and this waits until it has both: it takes the
        // lock that whoever writes holds. What it answers does not matter.
        let _ = lseek(&self.file, 0, Whence::SeekHole);
        let now = std::fs::symlink_metadata(path).map(|metadata| Version::of(&metadata));
        match now {
            Ok(now) if now == self.version => self.version.quiet_in().map(|left| left.min(PAUSE)),
            _ => Some(PAUSE),
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    const NO_FOLLOW_NO_WAIT: i32 = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK;
    OpenOptions::new()
        .read(true)
        .custom_flags(NO_FOLLOW_NO_WAIT)
        .open(path)
}

/// Waits a moment for a file that was only just written: else it would be read in vain.
fn await_quiet(path: &LocalPath) {
    let version = std::fs::symlink_metadata(path).map(|metadata| Version::of(&metadata));
    if let Some(left) = version.ok().and_then(|version| version.quiet_in()) {
        std::thread::sleep(left.min(QUIET));
    }
}

/// Calls `attempt` until it says that what it read is whole, and not when it may be, or often enough. Returns whether it is.
///
/// # Errors
/// Those of the attempt.
fn until_quiet<T>(mut attempt: impl FnMut() -> io::Result<(T, Option<Duration>)>) -> io::Result<(T, bool)> {
    for _ in 1..TRIES {
        match attempt()? {
            (read, None) => return Ok((read, true)),
            (_, Some(pause)) => std::thread::sleep(pause),
        }
    }
    let (read, whole_in) = attempt()?;
    Ok((read, whole_in.is_none()))
}

/// What a file holds.
pub(super) struct Found {
    pub(super) content: Vec<u8>,
    pub(super) version: Version,
    /// Whether nobody was writing it; else what was read last is as good as anything.
    pub(super) is_settled: bool,
}

/// Reads a file that fits into memory.
///
/// # Errors
/// Where it cannot be read, or is no file any more.
pub(super) fn read(path: &LocalPath) -> io::Result<Found> {
    await_quiet(path);
    let ((content, version), is_settled) = until_quiet(|| {
        let mut reading = Reading::open(path)?;
        let mut content = Vec::with_capacity(usize::try_from(reading.version.size).unwrap_or(0));
        reading.file.read_to_end(&mut content)?;
        let whole_in = match content.len() as u64 == reading.version.size {
            true => reading.whole_in(path),
            false => Some(PAUSE),
        };
        Ok(((content, reading.version), whole_in))
    })?;
    Ok(Found {
        content,
        version,
        is_settled,
    })
}

/// Returns the SHA-256 of a file of any length, and its version.
///
/// # Errors
/// Where it cannot be read, or is no file any more.
pub(super) fn hash(path: &LocalPath) -> io::Result<([u8; 32], Version)> {
    await_quiet(path);
    let (hash, _) = until_quiet(|| {
        let mut reading = Reading::open(path)?;
        let (mut hasher, mut buffer, mut n_bytes) = (Sha256::new(), vec![0; 64 * 1024], 0u64);
        loop {
            let n = reading.file.read(&mut buffer)?;
            if n == 0 {
                break;
            }
            n_bytes += n as u64;
            hasher.update(&buffer[..n]);
        }
        let whole_in = match n_bytes == reading.version.size {
            true => reading.whole_in(path),
            false => Some(PAUSE),
        };
        Ok(((hasher.finalize().into(), reading.version), whole_in))
    })?;
    Ok(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_being_cut_short_is_not_taken_for_an_empty_one() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = LocalPath::new(dir.path().join("a"));
        let full = vec![b'x'; 2_000_000];
        std::fs::write(&path, &full).expect("written");
        std::thread::sleep(2 * EMPTY_QUIET);
        for _ in 0..40 {
            let cutting = {
                let path = path.clone();
                std::thread::spawn(move || OpenOptions::new().write(true).truncate(true).open(path))
            };
            // As `until_quiet` does, without its waiting.
            let began = clock::now();
            while !cutting.is_finished() && clock::now() < began + EMPTY_QUIET / 2 {
                let reading = Reading::open(&path).expect("it is there");
                let seems_empty = reading.version.size == 0 && reading.is_whole(&path);
                assert!(!seems_empty, "it was full {EMPTY_QUIET:?} ago");
            }
            drop(cutting.join().expect("no panic").expect("it can be opened"));
            std::fs::write(&path, &full).expect("written");
            std::thread::sleep(2 * EMPTY_QUIET);
        }
    }
}
