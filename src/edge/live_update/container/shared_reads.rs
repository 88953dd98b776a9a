//! Files that several containers are to have, each read once for all of them.
//!
//! The first container that needs a file waits until it is quiet and reads it; the others take what was read, as long as the
//! file is still that one. It lasts for one round, and keeps so much and no more.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::settled_read::{self, Version};
use crate::model::LocalPath;

/// Bytes that are kept; further files are read by each container.
const MOST_BYTES: usize = 8 * 1024 * 1024;
/// What a file counts for beside its content.
const EACH: usize = 256;
/// A file that is longer is not kept, nor in memory as a whole.
pub(super) const MAX_IN_MEMORY: u64 = 1024 * 1024;

/// A file as it was read.
#[derive(Clone, Debug)]
pub(super) struct Read {
    pub(super) version: Version,
    /// SHA-256.
    pub(super) hash: [u8; 32],
    pub(super) content: Bytes,
}

/// What was read in a round. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct SharedReads(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    files: HashMap<LocalPath, Place>,
    n_bytes: usize,
}

/// A file, held by whoever reads it: the others wait for that.
type Place = Arc<Mutex<Option<Read>>>;

impl SharedReads {
    /// Reads a file that fits into memory, or returns what another one has read.
    ///
    /// # Errors
    /// Where it cannot be read, or is no file any more.
    pub(super) fn read(&self, path: &LocalPath) -> io::Result<Read> {
        let place = self.place(path);
        let mut kept = held(&place);
        if let Some(read) = kept.as_ref().filter(|read| read.version.is_at(path)) {
            return Ok(read.clone());
        }
        let found = settled_read::read(path)?;
        let read = Read {
            version: found.version,
            hash: Sha256::digest(&found.content).into(),
            content: found.content.into(),
        };
        let freed = kept.take().map_or(0, |old| old.content.len());
        // One that never was quiet may be another one without looking so.
        if found.is_settled && self.has_room_for(read.content.len(), freed) {
            *kept = Some(read.clone());
        }
        Ok(read)
    }

    /// Returns the SHA-256 of a file of any length, and its version.
    ///
    /// # Errors
    /// Where it cannot be read, or is no file any more.
    pub(super) fn hash(&self, path: &LocalPath, size: u64) -> io::Result<([u8; 32], Version)> {
        if size > MAX_IN_MEMORY {
            return settled_read::hash(path);
        }
        let read = self.read(path)?;
        Ok((read.hash, read.version))
    }

    fn place(&self, path: &LocalPath) -> Place {
        let mut kept = held(&self.0);
        if let Some(place) = kept.files.get(path) {
            return Arc::clone(place);
        }
        let place = Place::default();
        if kept.n_bytes + EACH <= MOST_BYTES {
            kept.n_bytes += EACH;
            kept.files.insert(path.clone(), Arc::clone(&place));
        }
        place
    }

    /// Takes the room for a content, instead of that of an older one.
    fn has_room_for(&self, n_bytes: usize, freed: usize) -> bool {
        let mut kept = held(&self.0);
        kept.n_bytes -= freed;
        let is_room = kept.n_bytes + n_bytes <= MOST_BYTES;
        kept.n_bytes += if is_room { n_bytes } else { 0 };
        is_room
    }
}

/// What is kept is whole at any time: a reader that panicked has not changed it.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, LocalPath) {
        let dir = tempfile::tempdir().expect("a folder");
        let path = LocalPath::new(dir.path().join("a"));
        std::fs::write(&path, text).expect("written");
        (dir, path)
    }

    #[test]
    fn a_file_is_read_once_for_all_that_need_it() {
        let (_dir, path) = file("one");
        let reads = SharedReads::default();
        let first = reads.read(&path).expect("read").content;
        let readers: Vec<_> = (0..4)
            .map(|_| {
                let (reads, path) = (reads.clone(), path.clone());
                std::thread::spawn(move || reads.read(&path).expect("read").content.as_ptr() as usize)
            })
            .collect();
        for reader in readers {
            assert_eq!(reader.join().expect("no panic"), first.as_ptr() as usize);
        }
    }

    #[test]
    fn a_file_that_is_another_one_is_read_again() {
        let (_dir, path) = file("one");
        let reads = SharedReads::default();
        assert_eq!(reads.read(&path).expect("read").content, "one");
        std::fs::write(&path, "two").expect("written");
        assert_eq!(
            reads.read(&path).expect("read").content,
            "two",
            "of the same length"
        );
        let hash: [u8; 32] = Sha256::digest("two").into();
        assert_eq!(reads.hash(&path, 3).expect("read").0, hash);
        std::fs::remove_file(&path).expect("removed");
        assert!(reads.read(&path).is_err());
    }

    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        let dir = tempfile::tempdir().expect("a folder");
        let reads = SharedReads::default();
        for at in 0..12 {
            let path = LocalPath::new(dir.path().join(format!("{at}")));
            for _ in 0..2 {
                std::fs::write(&path, vec![at; MAX_IN_MEMORY as usize]).expect("written");
                let read = reads.read(&path).expect("read");
                assert_eq!(read.content, vec![at; MAX_IN_MEMORY as usize]);
            }
        }
        let kept = held(&reads.0);
        let contents = kept.files.values().filter_map(|place| held(place).clone());
        assert_eq!(contents.count(), 7);
        assert!(kept.n_bytes <= MOST_BYTES);
    }
}
