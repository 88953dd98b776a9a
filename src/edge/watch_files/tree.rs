//! The directories that are watched, and what their files looked like when last seen.
//!
//! Every change is judged by what is there now, not by what the event says was there: events come late, and several
//! of them may speak of the same file. A directory is watched before it is read, so nothing falls between. Where
//! events were lost, comparing with what is remembered finds what they would have said.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;

use notify::{RecursiveMode, Watcher};

use super::coalesce::Change;
use super::faults;
use super::mark::Mark;
use super::rules::WatchRules;
use crate::clock;
use crate::model::{LocalPath, Timestamp};

/// The clock that a file system takes its times from lags behind by up to a tick of the kernel.
const TICK_MICROS: i64 = 10_000;

/// What a file looked like.
#[derive(Clone, Copy, Debug)]
struct Stamp {
    /// Inode, size, modification time and permissions, hashed: what makes a file another one than before.
    print: u32,
    /// Whether it was written so shortly before that another write may not show in its modification time.
    is_fresh: bool,
}

/// Makes the watcher of the operating system.
pub(super) type MakeWatcher = Box<dyn FnMut() -> notify::Result<Box<dyn Watcher + Send>> + Send>;

/// Changes that were found, in order.
pub(super) type Found = Vec<(LocalPath, Change)>;

/// What is watched.
pub(super) struct Tree {
    make_watcher: MakeWatcher,
    /// `None` as long as the system refuses to give us one.
    watcher: Option<Box<dyn Watcher + Send>>,
    dirs: BTreeMap<LocalPath, Dir>,
    /// The names under which each directory is watched. It has one watch, which tells of it under the last of them.
    by_inode: HashMap<Inode, Vec<LocalPath>>,
    /// Directories whose watch went with another name of theirs.
    to_rewatch: Vec<LocalPath>,
    /// Directories that a limit of the system keeps from being watched; only looking shows what changed in them.
    unwatched: BTreeSet<LocalPath>,
    /// Whether a file that was fresh when it was last seen counts as changed.
    doubts: bool,
    /// Opened to see when all earlier events have come.
    mark: Option<Mark>,
    /// What went wrong, to be told once.
    faults: Vec<notify::Error>,
}

/// What a directory is, whatever its names: its device, and its number there.
type Inode = (u64, u64);

/// A watched directory.
#[derive(Default)]
struct Dir {
    /// Tells it from another one of the same name.
    inode: Inode,
    files: HashMap<OsString, Stamp>,
}

impl Tree {
    /// Returns an empty tree.
    pub(super) fn new(make_watcher: MakeWatcher) -> Self {
        Self {
            make_watcher,
            watcher: None,
            dirs: BTreeMap::new(),
            by_inode: HashMap::new(),
            to_rewatch: Vec::new(),
            unwatched: BTreeSet::new(),
            doubts: false,
            mark: None,
            faults: Vec::new(),
        }
    }

    /// Asks for an event that comes after those of all that happened until now; see [`Mark::is_met`]. Returns whether it
    /// will come.
    pub(super) fn mark(&self) -> bool {
        self.mark.as_ref().is_some_and(Mark::set)
    }

    /// Returns what is watched.
    #[cfg(test)]
    pub(super) fn dirs(&self) -> impl Iterator<Item = &LocalPath> {
        self.dirs.keys()
    }

    /// Makes a directory one that could not be watched.
    #[cfg(test)]
    pub(super) fn forget(&mut self, dir: &LocalPath) {
        self.unwatch(dir);
        self.dirs.remove(dir);
    }

    /// Returns what went wrong since the last call.
    pub(super) fn take_faults(&mut self) -> Vec<notify::Error> {
        std::mem::take(&mut self.faults)
    }

    /// Returns whether there are directories that only looking shows the changes of.
    pub(super) fn must_look(&self) -> bool {
        !self.unwatched.is_empty()
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
        // Other names of what was dropped may have lost their watch with it.
        self.rewatch(rules, &mut found);
        found.retain(|(path, _)| rules.covers(path));
        found
    }

    /// As `rescan`, after events were lost: what cannot be told from a change counts as one.
    pub(super) fn rescan_after_loss(&mut self, rules: &WatchRules) -> Found {
        self.doubts = true;
        let found = self.rescan(rules);
        self.doubts = false;
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
        self.rewatch(rules, &mut found);
        found
    }

    /// Returns all watched names of a path that an event names: a directory may be watched under several.
    pub(super) fn names_of(&self, path: &LocalPath) -> Vec<LocalPath> {
        let names_of = |dir: &LocalPath| {
            self.by_inode
                .get(&self.dirs.get(dir)?.inode)
                .filter(|names| names.len() > 1)
        };
        let (parent, name) = (path.parent(), path.as_path().file_name());
        let mut names = vec![path.clone()];
        let beside = names_of(&parent).into_iter().flatten();
        names.extend(
            name.iter()
                .flat_map(|name| beside.clone().map(move |dir| dir.join(name))),
        );
        names.extend(names_of(path).into_iter().flatten().cloned());
        names.sort();
        names.dedup();
        names
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
                if meta.is_dir() {
                    if self.forget_file(path) {
                        found.push((path.clone(), Change::Gone));
                    }
                } else {
                    self.see_file(rules, path, &meta, change, is_pending, &mut found);
                }
                // One that could not be read may have been opened to us.
                let comes = matches!(change, Change::Created | Change::MovedIn | Change::Gone);
                if comes || !self.dirs.contains_key(path) {
                    self.arrive(rules, path, &mut found);
                }
            }
            Ok(meta) => {
                self.drop_within(rules, path, &mut found);
                self.see_file(rules, path, &meta, change, is_pending, &mut found);
            }
            Err(_) => self.miss(rules, path, &mut found),
        }
        self.rewatch(rules, &mut found);
        found
    }

    /// Takes in a directory that may be new.
    fn arrive(&mut self, rules: &WatchRules, dir: &LocalPath, found: &mut Found) {
        if rules.covers(dir) && rules.enters(dir) {
            self.enter(rules, dir, found);
        }
        self.cover_within(rules, dir, found);
    }

    /// Watches the paths that the rules name at or below a path.
    fn cover_within(&mut self, rules: &WatchRules, path: &LocalPath, found: &mut Found) {
        let mut read = HashSet::new();
        for root in rules.roots_within(path) {
            self.cover(rules, root, &mut read, found);
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
            Change::Closed | Change::Touched
                if old.is_some_and(|old| old.print == stamp.print) && !is_pending =>
            {
                return;
            }
            // What was told to be gone is there again, and is another one perhaps.
            Change::Created | Change::Gone if old.is_some() => Change::Replaced,
            Change::Gone => Change::Created,
            change => change,
        };
        found.push((path.clone(), change));
    }

    /// Forgets what is no longer there.
    fn miss(&mut self, rules: &WatchRules, path: &LocalPath, found: &mut Found) {
        self.drop_within(rules, path, found);
        if self.forget_file(path) {
            found.push((path.clone(), Change::Gone));
        }
        // Where a watched path vanished, what is left above it shows when it comes back.
        self.cover_within(rules, path, found);
    }

    /// Returns whether a file was remembered.
    fn forget_file(&mut self, path: &LocalPath) -> bool {
        self.files_beside(path)
            .is_some_and(|(files, name)| files.remove(&name).is_some())
    }

    /// Watches a path that the rules name: a directory with all below it, a file through the directory that holds it,
    /// one that is missing through the nearest directory there is. The directories above show whether it is replaced.
    /// `read` has the directories that were watched and read for other paths just before.
    fn cover(
        &mut self,
        rules: &WatchRules,
        root: &LocalPath,
        read: &mut HashSet<LocalPath>,
        found: &mut Found,
    ) {
        for above in rules.anchors_of(root) {
            if above.as_path().is_dir() && read.insert(above.clone()) && self.watch(&above) {
                self.read(rules, &above, found);
            }
        }
        loop {
            if root.as_path().is_dir() {
                return self.enter(rules, root, found);
            }
            self.drop_within(rules, root, found);
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
            let below = self.read(rules, &dir, found);
            todo.extend(below.into_iter().filter(|below| rules.enters(below)));
            // A directory that is watched as such is no change itself.
            if is_new && !rules.is_root(&dir) {
                found.push((dir, Change::Created));
            }
        }
    }

    /// Forgets the directories in a directory that are no longer there.
    fn drop_vanished(&mut self, rules: &WatchRules, dir: &LocalPath, there: &[LocalPath], found: &mut Found) {
        let there: HashSet<_> = there.iter().collect();
        let is_left =
            |below: &LocalPath| there.contains(below) || (rules.is_root(below) && below.as_path().is_dir());
        let vanished: Vec<_> = self
            .dirs
            .range(dir..)
            .map(|(below, _)| below)
            .take_while(|below| below.is_within(dir))
            .filter(|below| *below != dir && below.parent() == *dir && !is_left(below))
            .cloned()
            .collect();
        for below in vanished {
            self.drop_within(rules, &below, found);
        }
    }

    /// Watches a directory. Returns whether it can be read; one that a limit of the system keeps from being watched can.
    fn watch(&mut self, dir: &LocalPath) -> bool {
        let inode = fs::metadata(dir).map_or((0, 0), |meta| (meta.dev(), meta.ino()));
        let before = self.dirs.get(dir).map(|known| known.inode);
        if let Some(before) = before.filter(|before| *before != inode) {
            // What happens to the one that had this name before is no longer of interest.
            self.unwatch(dir);
            self.lose_name(dir, before);
        }
        // Also where it seems to be watched: the watch ends when a directory is renamed, and it may be back already.
        let watched = self
            .watcher()
            .and_then(|watcher| watcher.watch(dir.as_path(), RecursiveMode::NonRecursive));
        match watched {
            Ok(()) => {
                self.unwatched.remove(dir);
            }
            Err(err) if faults::is_limit(&err) => {
                self.note(err);
                self.unwatched.insert(dir.clone());
            }
            Err(err) => {
                self.note(err);
                return false;
            }
        }
        let names = self.by_inode.entry(inode).or_default();
        if !names.contains(dir) {
            names.push(dir.clone());
        }
        self.dirs.entry(dir.clone()).or_default().inode = inode;
        true
    }

    /// Watches directories again that lost their watch with another name.
    fn rewatch(&mut self, rules: &WatchRules, found: &mut Found) {
        while let Some(dir) = self.to_rewatch.pop() {
            if rules.covers(&dir) && rules.enters(&dir) {
                self.enter(rules, &dir, found);
            } else if self.watch(&dir) {
                self.read(rules, &dir, found);
            }
        }
    }

    /// Notes that a directory is no longer watched under a name.
    fn lose_name(&mut self, dir: &LocalPath, inode: Inode) {
        let Some(names) = self.by_inode.get_mut(&inode) else {
            return;
        };
        names.retain(|name| name != dir);
        // The watch went with the name that is gone, whichever of them it told of.
        match names.last() {
            Some(other) => self.to_rewatch.push(other.clone()),
            None => {
                self.by_inode.remove(&inode);
            }
        }
    }

    fn watcher(&mut self) -> notify::Result<&mut (dyn Watcher + Send)> {
        let watcher = match self.watcher.take() {
            Some(watcher) => watcher,
            None => {
                let mut watcher = (self.make_watcher)()?;
                self.mark = Mark::new(&mut *watcher);
                watcher
            }
        };
        Ok(&mut **self.watcher.insert(watcher))
    }

    fn unwatch(&mut self, dir: &LocalPath) {
        self.unwatched.remove(dir);
        if let Some(watcher) = &mut self.watcher {
            // A directory that is deleted is no longer watched anyway.
            let _ = watcher.unwatch(dir.as_path());
        }
    }

    fn note(&mut self, err: notify::Error) {
        let is_told = faults::is_limit(&err) && self.faults.iter().any(faults::is_limit);
        if !is_told && !faults::is_missing(&err) {
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
        // First what is gone: a file may have come in its place.
        self.drop_vanished(rules, dir, &dirs, found);
        let Some(known) = self.dirs.get_mut(dir) else {
            return dirs;
        };
        for (name, stamp) in &files {
            match known.files.get(name) {
                Some(old) if old.print == stamp.print && !(self.doubts && old.is_fresh) => {}
                Some(_) => found.push((dir.join(name), Change::Replaced)),
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
        self.unwatch(dir);
        let Dir { inode, files } = self.dirs.remove(dir).unwrap_or_default();
        self.lose_name(dir, inode);
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

/// Returns whether the rules need a directory to be watched: one that they enter, one that shows whether a path is
/// replaced, or the nearest one above a path that is missing or is a file.
fn is_needed(rules: &WatchRules, dir: &LocalPath) -> bool {
    (rules.covers(dir) && rules.enters(dir))
        || rules.is_anchor(dir)
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

/// Returns what a symbolic link to a file leads to, link by link; nothing for anything else.
pub(super) fn led_to(path: &LocalPath) -> Vec<LocalPath> {
    /// As many links as the kernel follows.
    const MAX_LINKS: usize = 40;
    if path.as_path().is_dir() {
        return Vec::new();
    }
    let next = |path: &LocalPath| Some(path.parent().join(fs::read_link(path).ok()?));
    std::iter::successors(next(path), next).take(MAX_LINKS).collect()
}

/// Returns whether a file was written, or came to its place, at or after a time.
pub(super) fn is_touched_since(path: &LocalPath, since: Timestamp) -> bool {
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
    let modified = meta.mtime() * 1_000_000 + meta.mtime_nsec() / 1_000;
    Stamp {
        #[allow(clippy::cast_possible_truncation, reason = "any 32 bits of a hash will do")]
        print: hasher.finish() as u32,
        is_fresh: modified + TICK_MICROS >= clock::timestamp().0,
    }
}
