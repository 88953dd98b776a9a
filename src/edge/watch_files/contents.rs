//! What changed files held when they were last reported, so that a write that changes nothing can be told.

use std::collections::HashMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;

use crate::engine::Moment;
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
    /// Takes in that changes of these paths are reported, each with the moment after which it was seen; returns which of them
    /// hold what they held before. `latest` returns the latest moment that has passed.
    ///
    /// Where an update has begun since a change was seen, the report counts as older than what that update reads; but the
    /// file may hold something newer by now, of which nothing was seen yet. So what it holds then is not remembered, or the
    /// report of the newer change would be taken for no news.
    pub(super) fn report<'a>(
        &mut self,
        changes: impl ExactSizeIterator<Item = (&'a LocalPath, Moment)>,
        latest: impl Fn() -> Moment,
    ) -> Vec<bool> {
        let is_small = changes.len() <= MOST_FILES;
        changes
            .map(|(path, after)| {
                let print = Some(path).filter(|_| is_small).and_then(print_of);
                let is_same = print.is_some() && self.known.get(path) == print.as_ref();
                match print.filter(|_| latest() == after) {
                    Some(print) => self.known.insert(path.clone(), print),
                    None => self.known.remove(path),
                };
                is_same
            })
            .collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_holds_is_no_news_only_where_nothing_began_between_change_and_report() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = LocalPath::new(dir.path().join("Tiltfile"));
        let (mut contents, path) = (Contents::default(), file.as_path().to_owned());
        let mut report = |text: &str, after, latest| {
            fs::write(&path, text).expect("written");
            contents.report([(&file, after)].into_iter(), || latest)[0]
        };
        assert!(!report("a", 1, 1));
        assert!(report("a", 1, 1), "it was written again");
        // An update began before the report, and may have read the file before it held this.
        assert!(!report("b", 1, 2));
        assert!(!report("b", 2, 2), "the change to it is seen only now");
        assert!(report("b", 2, 2));
    }
}
