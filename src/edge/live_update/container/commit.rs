//! The script that makes what was staged true in a container, all of it before the first command runs.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use super::differences::{Differences, Kind, Write};
use super::journal::{Content, Known, entered, struck, struck_dir};
use super::quoting::{quote, quote_path};
use crate::model::ContainerPath;

/// How many names one command gets, and how many bytes they may have: the kernel takes no more than 128 KiB at once from some
/// shells.
const MAX_NAMES: usize = 500;
const MAX_BYTES: usize = 60_000;
/// From how many directories on they are made by one command instead of one each.
const MANY_DIRS: usize = 4;

/// What is to be made true.
pub(super) struct Commit<'a> {
    pub(super) differences: &'a Differences,
    /// What each write holds, and how long it is.
    pub(super) known: &'a [(Known, u64)],
    /// The number of the place that is responsible for each directory.
    pub(super) places: &'a BTreeMap<ContainerPath, usize>,
    /// Which places keep a journal.
    pub(super) has_journal: &'a [bool],
}

/// Names that go from one stage into one directory.
pub(super) struct Group<'a> {
    pub(super) place: usize,
    pub(super) dir: ContainerPath,
    /// The numbers of the writes, with their names.
    pub(super) members: Vec<(usize, &'a OsStr)>,
}

/// Returns files and links by the directory that they go to; the number of a group is that of its stage.
pub(super) fn groups<'a>(writes: &'a [Write], places: &BTreeMap<ContainerPath, usize>) -> Vec<Group<'a>> {
    let mut groups: BTreeMap<(usize, ContainerPath), Vec<(usize, &OsStr)>> = BTreeMap::new();
    for (at, write) in writes.iter().enumerate() {
        let name = write.container.as_path().file_name();
        if let (Some(name), Kind::File { .. } | Kind::Link { .. }) = (name, &write.kind) {
            let dir = write.container.parent();
            let place = places.get(&dir).copied().unwrap_or(0);
            groups.entry((place, dir)).or_default().push((at, name));
        }
    }
    groups
        .into_iter()
        .map(|((place, dir), members)| Group { place, dir, members })
        .collect()
}

impl Commit<'_> {
    /// Returns the script. It says nothing unless something is wrong, or was written in place.
    pub(super) fn script(&self) -> Vec<u8> {
        let mut script = Script(b"c() {\n".to_vec());
        let Differences { writes, deletes, .. } = self.differences;
        let groups = groups(writes, self.places);
        for at in 0..self.has_journal.len() {
            script.line(&format!("mine \"$P{at}\" || return"));
        }
        let written = writes.iter().map(|write| match write.kind {
            Kind::Dir { was_link: false, .. } => (&write.container, struck_dir(&write.container)),
            _ => (&write.container, struck(&write.container)),
        });
        let deleted = deletes.iter().map(|(path, _)| (path, struck(path)));
        self.journal(&mut script, written.chain(deleted));
        // What is renamed is never missing; only what makes room for something else goes first.
        let makes_room = |path: &&ContainerPath| self.differences.writes_within(path);
        // Where a file takes the place of a directory, what was in that went with it.
        let replaces = |write: &&Write| !matches!(write.kind, Kind::Dir { .. });
        let replaced: BTreeSet<ContainerPath> = writes
            .iter()
            .filter(replaces)
            .map(|write| write.container.clone())
            .collect();
        let goes_with_above = |path: &ContainerPath| {
            let mut above = path.parent();
            while above.parent() != above {
                if replaced.contains(&above) {
                    return true;
                }
                above = above.parent();
            }
            false
        };
        let deleted = deletes
            .iter()
            .map(|(path, _)| path)
            .filter(|path| !goes_with_above(path));
        let (first, last): (Vec<&ContainerPath>, Vec<&ContainerPath>) = deleted.partition(makes_room);
        script.command("del", &first, " || return");
        self.directories(&mut script, &groups);
        for (stage, group) in groups.iter().enumerate() {
            script.put(stage, group);
        }
        script.command("del", &last, " || return");
        let absent = deletes
            .iter()
            .filter(|(path, _)| !self.differences.writes_within(path))
            .map(|(path, local)| {
                let (local, content) = (local.clone(), Content::Absent);
                (path, entered(path, &Known { local, content }))
            });
        let written = writes.iter().zip(self.known);
        let written = written.map(|(write, (known, _))| (&write.container, entered(&write.container, known)));
        self.journal(&mut script, written.chain(absent));
        script.line("}");
        script.line("c");
        script.0
    }

    fn directories(&self, script: &mut Script, groups: &[Group<'_>]) {
        let (mut made, mut modes) = (Vec::new(), BTreeMap::<u32, Vec<&ContainerPath>>::new());
        for write in &self.differences.writes {
            if let Kind::Dir { mode, was_link } = write.kind {
                if was_link {
                    script.0.extend_from_slice(b"[ ! -L ");
                    quote_path(write.container.as_path(), &mut script.0);
                    script.0.extend_from_slice(b" ] || rm -f ");
                    quote_path(write.container.as_path(), &mut script.0);
                    script.line("");
                }
                made.push(&write.container);
                modes.entry(mode).or_default().push(&write.container);
            }
        }
        if made.len() >= MANY_DIRS {
            // Where a file is in the way of one, `dir` clears it away.
            script.command("mkdir -p --", &made, " 2>/dev/null");
        }
        let all = made.into_iter().chain(groups.iter().map(|group| &group.dir));
        for dir in all {
            script.0.extend_from_slice(b"dir ");
            quote_path(dir.as_path(), &mut script.0);
            script.line(" || return");
        }
        for (mode, dirs) in modes {
            // Those of another user stay as they are.
            script.command(&format!("chmod {mode:o} --"), &dirs, " 2>/dev/null");
        }
    }

    fn journal<'a>(&self, script: &mut Script, lines: impl Iterator<Item = (&'a ContainerPath, String)>) {
        let mut by_place: BTreeMap<usize, Vec<u8>> = BTreeMap::new();
        for (path, line) in lines {
            let place = self.places.get(&path.parent()).copied().unwrap_or(0);
            if self.has_journal.get(place).copied().unwrap_or(false) {
                let text = by_place.entry(place).or_default();
                text.push(b'\n');
                text.extend_from_slice(line.as_bytes());
            }
        }
        for (place, text) in by_place {
            script.0.extend_from_slice(b"printf '%s\\n' ");
            quote(&text, &mut script.0);
            script.line(&format!(" >>\"$P{place}/journal\" || return"));
        }
    }
}

struct Script(Vec<u8>);

impl Script {
    fn line(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
        self.0.push(b'\n');
    }

    /// Writes a command for paths, as often as is needed so that it does not get too many.
    fn command(&mut self, command: &str, paths: &[&ContainerPath], end: &str) {
        let lengths = paths.iter().map(|path| path.as_path().as_os_str().len());
        for chunk in chunks(lengths) {
            self.0.extend_from_slice(command.as_bytes());
            for path in &paths[chunk] {
                self.0.push(b' ');
                quote_path(path.as_path(), &mut self.0);
            }
            self.line(end);
        }
    }

    fn put(&mut self, stage: usize, group: &Group<'_>) {
        let lengths = group.members.iter().map(|(_, name)| name.len());
        for chunk in chunks(lengths) {
            let first = chunk.start;
            let place = group.place;
            self.0
                .extend_from_slice(format!("put {stage} {first} \"$P{place}/$N/d{stage}\" ").as_bytes());
            quote_path(group.dir.as_path(), &mut self.0);
            for (_, name) in &group.members[chunk] {
                self.0.push(b' ');
                quote(name.as_bytes(), &mut self.0);
            }
            self.line(" || return");
        }
    }
}

/// Returns ranges that are not too long for one command.
pub(super) fn chunks(lengths: impl Iterator<Item = usize>) -> Vec<std::ops::Range<usize>> {
    let (mut chunks, mut start, mut n_bytes, mut end) = (Vec::new(), 0, 0, 0);
    for (at, length) in lengths.enumerate() {
        if at > start && (at - start >= MAX_NAMES || n_bytes + length > MAX_BYTES) {
            chunks.push(start..at);
            (start, n_bytes) = (at, 0);
        }
        n_bytes += length + 1;
        end = at + 1;
    }
    if end > start {
        chunks.push(start..end);
    }
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_get_as_many_names_as_they_may() {
        let ends = |lengths: &[usize]| -> Vec<usize> {
            let chunks = chunks(lengths.iter().copied());
            chunks.iter().map(|chunk| chunk.end).collect()
        };
        assert_eq!(ends(&[1; 3]), [3]);
        assert_eq!(ends(&[1; 501]), [500, 501]);
        assert_eq!(ends(&[50_000, 50_000, 1]), [1, 3]);
        assert_eq!(ends(&[90_000]), [1], "one that is too long by itself");
        assert!(ends(&[]).is_empty());
    }
}
