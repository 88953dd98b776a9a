//! What changed files held when they were last reported, so that a write that changes nothing can be told.

use std::collections::HashMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;

use crate::model::LocalPath;

/// How many files of one report are looked at: in a larger one something changed.
const MOST_FILES: usize = 64;
/// The size of the largest file that is looked at.
const MOST_BYTES: u64 = 1 << 20;

/// What files held, as far as it is known.
#[derive(Debug, Default)]
pub(super) struct Contents {
    known: HashMap<LocalPath, u64>,
}

impl Contents {
    /// Takes in that changes of these paths are reported; returns which of them hold what they held before.
    pub(super) fn report<'a>(&mut self, paths: impl ExactSizeIterator<Item = &'a LocalPath>) -> Vec<bool> {
        let is_small = paths.len() <= MOST_FILES;
        paths.map(|path| self.report_one(path, is_small)).collect()
    }

    fn report_one(&mut self, path: &LocalPath, is_looked_at: bool) -> bool {
        match Some(path).filter(|_| is_looked_at).and_then(print_of) {
            Some(print) => self.known.insert(path.clone(), print) == Some(print),
            None => {
                self.known.remove(path);
                false
            }
        }
    }

    /// Takes in what a load of the Tiltfile has read.
    pub(super) fn note_read(&mut self, prints: Vec<(LocalPath, u64)>) {
        self.known.extend(prints);
    }
}

/// Returns what tells a file's content and permissions from others; `None` for what is no file, or too large.
fn print_of(path: &LocalPath) -> Option<u64> {
    let meta = fs::symlink_metadata(path).ok()?;
    let is_looked_at = meta.is_file() && meta.len() <= MOST_BYTES;
    is_looked_at.then(|| fs::read(path).ok().map(|content| print(meta.mode(), &content)))?
}

/// Returns what tells this content with these permissions from others.
pub(in crate::edge) fn print(mode: u32, content: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (mode, content).hash(&mut hasher);
    hasher.finish()
}
