//! Reading files that somebody may be writing: again and again, until nobody does.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::clock;
use crate::model::LocalPath;

/// How long ago a file must have been changed last: an editor that empties it and then writes is in between for less.
const QUIET: Duration = Duration::from_millis(10);
/// The same for a file that is empty: it is rarely meant to be, and more often about to be filled.
const EMPTY_QUIET: Duration = Duration::from_millis(60);
/// How often a file is read that is never quiet; then what was read last counts. Its next change comes as an event.
const TRIES: u32 = 60;
/// The pause between two tries.
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

    /// Returns whether nobody seems to be writing the file.
    pub(super) fn is_quiet(&self) -> bool {
        let wait = if self.size == 0 { EMPTY_QUIET } else { QUIET };
        let changed = self.changed.0.saturating_mul(1_000_000) + self.changed.1 / 1_000;
        let age = clock::timestamp().0.saturating_sub(changed);
        // A clock that was set back, or another machine's, says nothing.
        age < 0 || age >= i64::try_from(wait.as_micros()).unwrap_or(i64::MAX)
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
        let now = std::fs::symlink_metadata(path).map(|metadata| Version::of(&metadata));
        now.is_ok_and(|now| now == self.version) && self.version.is_quiet()
    }
}

fn open(path: &Path) -> io::Result<File> {
    const NO_FOLLOW_NO_WAIT: i32 = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK;
    OpenOptions::new()
        .read(true)
        .custom_flags(NO_FOLLOW_NO_WAIT)
        .open(path)
}

/// Calls `attempt` until it says that what it read is whole, or often enough.
///
/// # Errors
/// Those of the attempt.
pub(super) fn until_quiet<T>(mut attempt: impl FnMut() -> io::Result<(T, bool)>) -> io::Result<T> {
    for _ in 1..TRIES {
        if let (read, true) = attempt()? {
            return Ok(read);
        }
        std::thread::sleep(PAUSE);
    }
    Ok(attempt()?.0)
}

/// Reads a file that fits into memory.
///
/// # Errors
/// Where it cannot be read, or is no file any more.
pub(super) fn read(path: &LocalPath) -> io::Result<(Vec<u8>, Version)> {
    until_quiet(|| {
        let mut reading = Reading::open(path)?;
        let mut content = Vec::with_capacity(usize::try_from(reading.version.size).unwrap_or(0));
        reading.file.read_to_end(&mut content)?;
        let is_whole = content.len() as u64 == reading.version.size && reading.is_whole(path);
        Ok(((content, reading.version), is_whole))
    })
}

/// Returns the SHA-256 of a file of any length, and its version.
///
/// # Errors
/// Where it cannot be read, or is no file any more.
pub(super) fn hash(path: &LocalPath) -> io::Result<([u8; 32], Version)> {
    until_quiet(|| {
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
        let is_whole = n_bytes == reading.version.size && reading.is_whole(path);
        Ok(((hasher.finalize().into(), reading.version), is_whole))
    })
}
