//! The directories that are watched, and what their files looked like when last seen.
//!
//! Every change is judged by what is there now, not by what the event says was there: events come late, and several
//! of them may speak of the same file. A directory is watched before it is read, so nothing falls between. Where
//! events were lost, comparing with what is remembered finds what they would have said.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;

use notify::{ErrorKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::coalesce::Change;
use super::rules::WatchRules;
use crate::model::{LocalPath, Timestamp};

/// What makes a file another one than before: inode, size, modification time, permissions, hashed.
type Stamp = u64;

/// Changes that were found, in order.
pub(super) type Found = Vec<(LocalPath, Change)>;

/// What is watched.
pub(super) struct Tree {
    watcher: RecommendedWatcher,
    dirs: BTreeMap<LocalPath, Dir>,
    /// What went wrong, to be told once.
    faults: Vec<notify::Error>,
}

/// A watched directory.
#[derive(Default)]
struct Dir {
    /// Tells it from another one of the same name.
    inode: u64,
    files: HashMap<OsString, Stamp>,
}

impl Tree {
    /// Returns an empty tree.
    pub(super) fn new(watcher: RecommendedWatcher) -> Self {
        Self {
            watcher,
            dirs: BTreeMap::new(),
            faults: Vec::new(),
        }
    }

    /// Returns what is watched.
    #[cfg(test)]
    pub(super) fn dirs(&self) -> impl Iterator<Item = &LocalPath> {
        self.dirs.keys()
    }

    /// Returns what went wrong since the last call.
    pub(super) fn take_faults(&mut self) -> Vec<notify::Error> {
        std::mem::take(&mut self.faults)
    }

    /// Watches what the rules ask for, and no more; returns how files differ from what is remembered.
    pub(super) fn apply(&mut self, rules: &WatchRules) -> Found {
        let mut found = self.rescan(rules);
        let unwanted: Vec<_> = self
            .dirs
            .keys()
            .filter(|dir| !is_needed(rules, dir))
            .cloned()
            .collect();
        for dir in unwanted {
            self.drop_dir(rules, &dir, &mut Vec::new());
        }
        found.retain(|(path, _)| rules.covers(path));
        found
    }

    /// Reads all that the rules ask for again; returns how files differ from what is remembered.
    pub(super) fn rescan(&mut self, rules: &WatchRules) -> Found {
        let mut found = Vec::new();
        // Many roots may be files of one directory, which is read once.
        let mut read = HashSet::new();
        for root in rules.roots() {
            self.cover(rules, root, &mut read, &mut found);
        }
        let vanished: Vec<_> = self
            .dirs
            .keys()
            .filter(|dir| !dir.as_path().is_dir())
            .cloned()
            .collect();
        for dir in vanished {
            self.drop_dir(rules, &dir, &mut found);
        }
        found
    }

    /// Returns what an event means, judged by what is at the path now.
    pub(super) fn look(
        &mut self,
        rules: &WatchRules,
        path: &LocalPath,
        change: Change,
        is_pending: bool,
    ) -> Found {
        let mut found = Vec::new();
        match fs::symlink_metadata(path) {
            Ok(meta) if meta.is_dir() || (rules.is_root(path) && path.as_path().is_dir()) => {
                if matches!(change, Change::Created | Change::MovedIn | Change::Gone) {
                    self.arrive(rules, path, &mut found);
                }
            }
            Ok(meta) => {
                self.drop_within(rules, path, &mut found);
                self.see_file(rules, path, &meta, change, is_pending, &mut found);
            }
            Err(_) => self.miss(rules, path, &mut found),
        }
        found
    }

    /// Takes in a directory that may be new.
    fn arrive(&mut self, rules: &WatchRules, dir: &LocalPath, found: &mut Found) {
        if rules.covers(dir) && rules.enters(dir) {
            self.enter(rules, dir, found);
        }
        for root in rules.roots_within(dir) {
            self.cover(rules, root, &mut HashSet::new(), found);
        }
    }

    fn see_file(
        &mut self,
        rules: &WatchRules,
        path: &LocalPath,
        meta: &Metadata,
        change: Change,
        is_pending: bool,
        found: &mut Found,
    ) {
        if !rules.covers(path) {
            return;
        }
        let stamp = stamp(meta);
        let Some((files, name)) = self.files_beside(path) else {
            return;
        };
        let old = files.insert(name, stamp);
        let change = match change {
            // Nothing was written: a lock file was opened, or an attribute set that we do not look at.
            Change::Closed | Change::Touched if old == Some(stamp) && !is_pending => return,
            Change::Created if old.is_some() => Change::Written,
            change => change,
        };
        found.push((path.clone(), change));
    }

    /// Forgets what is no longer there.
    fn miss(&mut self, rules: &WatchRules, path: &LocalPath, found: &mut Found) {
        self.drop_within(rules, path, found);
        if let Some((files, name)) = self.files_beside(path)
            && files.remove(&name).is_some()
        {
            found.push((path.clone(), Change::Gone));
        }
        // Where a watched path vanished, what is left above it shows when it comes back.
        for root in rules.roots_within(path) {
            self.cover(rules, root, &mut HashSet::new(), found);
        }
    }

    /// Watches a path that the rules name: a directory with all below it, a file through the directory that holds it,
    /// one that is missing through the nearest directory there is.
    /// `read` has the directories that were watched and read for other paths just before.
    fn cover(
        &mut self,
        rules: &WatchRules,
        root: &LocalPath,
        read: &mut HashSet<LocalPath>,
        found: &mut Found,
    ) {
        loop {
            if root.as_path().is_dir() {
                return self.enter(rules, root, found);
            }
            let Some(above) = nearest_dir(root) else { return };
            if read.insert(above.clone()) {
                self.watch(&above);
                self.read(rules, &above, found);
            }
            // What appeared before the watch was set is seen now; what appears later is told.
            if !root.as_path().is_dir() && nearest_dir(root).as_ref() == Some(&above) {
                return;
            }
        }
    }

    /// Watches a directory and all below it that is not ignored.
    fn enter(&mut self, rules: &WatchRules, dir: &LocalPath, found: &mut Found) {
        let mut todo = vec![dir.clone()];
        while let Some(dir) = todo.pop() {
            let is_new = !self.dirs.contains_key(&dir);
            if !self.watch(&dir) {
                continue;
            }
            for below in self.read(rules, &dir, found) {
                if rules.enters(&below) {
                    todo.push(below);
                }
            }
            // A directory that is watched as such is no change itself.
            if is_new && !rules.is_root(&dir) {
                found.push((dir, Change::Created));
            }
        }
    }

    fn watch(&mut self, dir: &LocalPath) -> bool {
        let inode = fs::metadata(dir).map_or(0, |meta| meta.ino());
        if self.dirs.get(dir).is_some_and(|known| known.inode != inode) {
            // What happens to the one that had this name before is no longer of interest.
            let _ = self.watcher.unwatch(dir.as_path());
        }
        // Also where it seems to be watched: the watch ends when a directory is renamed, and it may be back already.
        match self.watcher.watch(dir.as_path(), RecursiveMode::NonRecursive) {
            Ok(()) => {
                self.dirs.entry(dir.clone()).or_default().inode = inode;
                true
            }
            Err(err) => {
                self.note(err);
                false
            }
        }
    }

    fn note(&mut self, err: notify::Error) {
        let is_limit = |err: &notify::Error| matches!(err.kind, ErrorKind::MaxFilesWatch);
        let is_told = is_limit(&err) && self.faults.iter().any(is_limit);
        if !is_told && !is_missing(&err) {
            self.faults.push(err);
        }
    }

    /// Compares the files of a watched directory with what is remembered; returns the directories in it.
    fn read(&mut self, rules: &WatchRules, dir: &LocalPath, found: &mut Found) -> Vec<LocalPath> {
        let mut dirs = Vec::new();
        let mut files = HashMap::new();
        let covered = rules.covers(dir);
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = dir.join(entry.file_name());
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => dirs.push(path),
                Ok(_) if covered || rules.is_root(&path) => {
                    if let Ok(meta) = entry.metadata() {
                        files.insert(entry.file_name(), stamp(&meta));
                    }
                }
                _ => {}
            }
        }
        let Some(known) = self.dirs.get_mut(dir) else {
            return dirs;
        };
        for (name, stamp) in &files {
            match known.files.get(name) {
                Some(old) if old == stamp => {}
                Some(_) => found.push((dir.join(name), Change::Written)),
                None => found.push((dir.join(name), Change::Created)),
            }
        }
        let gone = known.files.keys().filter(|name| !files.contains_key(*name));
        found.extend(gone.map(|name| (dir.join(name), Change::Gone)));
        known.files = files;
        dirs
    }

    /// Forgets a path and all below it, if it was a directory.
    fn drop_within(&mut self, rules: &WatchRules, path: &LocalPath, found: &mut Found) {
        let within: Vec<_> = self
            .dirs
            .range(path..)
            .map(|(dir, _)| dir)
            .take_while(|dir| dir.is_within(path))
            .cloned()
            .collect();
        for dir in within {
            self.drop_dir(rules, &dir, found);
        }
    }

    fn drop_dir(&mut self, rules: &WatchRules, dir: &LocalPath, found: &mut Found) {
        // A directory that is deleted is no longer watched anyway.
        let _ = self.watcher.unwatch(dir.as_path());
        let files = self.dirs.remove(dir).unwrap_or_default().files;
        found.extend(files.into_keys().map(|name| (dir.join(name), Change::Gone)));
        if !rules.is_root(dir) {
            found.push((dir.clone(), Change::Gone));
        }
    }

    /// Returns what is remembered of the directory that holds a path, and the path's name in it.
    fn files_beside(&mut self, path: &LocalPath) -> Option<(&mut HashMap<OsString, Stamp>, OsString)> {
        let name = path.as_path().file_name()?.to_owned();
        Some((&mut self.dirs.get_mut(&path.parent())?.files, name))
    }
}

/// Returns whether the rules need a directory to be watched: one that they enter, or the nearest one above a path that
/// is missing or is a file.
fn is_needed(rules: &WatchRules, dir: &LocalPath) -> bool {
    (rules.covers(dir) && rules.enters(dir))
        || rules
            .roots_within(dir)
            .any(|root| !root.as_path().is_dir() && nearest_dir(root).as_ref() == Some(dir))
}

/// Returns the nearest directory above a path that exists; `None` if only `/` does, which is never watched.
fn nearest_dir(path: &LocalPath) -> Option<LocalPath> {
    let mut dir = path.parent();
    while !dir.as_path().is_dir() {
        dir = dir.parent();
    }
    (dir.parent() != dir).then_some(dir)
}

fn is_missing(err: &notify::Error) -> bool {
    match &err.kind {
        ErrorKind::PathNotFound => true,
        ErrorKind::Io(io) => io.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    }
}

/// Returns whether a file was written, or came to its place, at or after a time.
pub(super) fn is_touched_since(path: &LocalPath, since: Timestamp) -> bool {
    /// The clock that a file system takes its times from lags behind by up to a tick of the kernel.
    const TICK_MICROS: i64 = 10_000;
    fs::symlink_metadata(path).is_ok_and(|meta| {
        let touched = meta.ctime() * 1_000_000 + meta.ctime_nsec() / 1_000;
        touched + TICK_MICROS >= since.0
    })
}

fn stamp(meta: &Metadata) -> Stamp {
    let mut hasher = DefaultHasher::new();
    (
        meta.ino(),
        meta.size(),
        meta.mtime(),
        meta.mtime_nsec(),
        meta.mode(),
    )
        .hash(&mut hasher);
    hasher.finish()
}
