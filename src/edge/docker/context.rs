//! The files of a build context: what is sent to the engine, in a fixed order.

use std::fs::{DirEntry, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use crate::model::{IgnoreMatcher, LocalPath};

/// The first fault of reading a context, noted by whoever reads and asked for when a build has failed.
#[derive(Clone, Debug, Default)]
pub(super) struct ReadFault(Arc<Mutex<Option<String>>>);

impl ReadFault {
    /// Notes a fault; when the engine has hung up, that is none of ours.
    pub(super) fn note(&self, err: &io::Error) {
        if err.kind() != io::ErrorKind::BrokenPipe {
            let mut fault = self.0.lock().expect("no panic while held");
            fault.get_or_insert_with(|| err.to_string());
        }
    }

    /// Returns the fault.
    pub(super) fn take(&self) -> Option<String> {
        self.0.lock().expect("no panic while held").take()
    }
}

/// One file, directory or symbolic link of a context.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Relative to the context, with slashes.
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) kind: Kind,
    /// Permissions with the set-id and sticky bits.
    pub(super) mode: u32,
    /// Nanoseconds since 1970.
    pub(super) modified_nanos: i64,
}

/// What an entry is. Sockets, pipes and devices are never sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Directory,
    File {
        size: u64,
    },
    /// With its target, as it is written in the link.
    Symlink(PathBuf),
}

/// Which part of a context is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    All,
    /// These paths, all below them, and the directories above them.
    Paths(Vec<String>),
}

/// Returns whether a context stands for no files at all: `-`, where no directory is called so.
///
/// Rule: `reference/engine.md` 2.8, "`context="-"`".
pub(super) fn is_none(context: &LocalPath) -> bool {
    let path = context.as_path();
    path.file_name().is_some_and(|name| name == "-") && !path.exists()
}

/// Visits all entries of a context that are not ignored, parents before children and siblings by the bytes of their names.
///
/// A directory that is itself ignored but holds something that is not comes just before that.
///
/// # Errors
/// The first error of reading, or of the visitor; a file that vanishes meanwhile is none.
pub(super) fn walk(
    context: &LocalPath,
    ignores: &IgnoreMatcher,
    wanted: &Wanted,
    visit: &mut dyn FnMut(Entry) -> io::Result<()>,
) -> io::Result<()> {
    if is_none(context) {
        return Ok(());
    }
    let mut walker = Walker {
        ignores,
        wanted,
        visit,
        pending: Vec::new(),
    };
    walker.directory(context, "")
}

struct Walker<'a> {
    ignores: &'a IgnoreMatcher,
    wanted: &'a Wanted,
    visit: &'a mut dyn FnMut(Entry) -> io::Result<()>,
    /// Ignored directories that we are in, as long as nothing below them was visited.
    pending: Vec<Entry>,
}

impl Walker<'_> {
    fn directory(&mut self, directory: &LocalPath, name: &str) -> io::Result<()> {
        let mut children: Vec<DirEntry> = std::fs::read_dir(directory)?.collect::<io::Result<_>>()?;
        children.sort_by_key(DirEntry::file_name);
        for child in children {
            let file_name = child.file_name();
            // The protocols carry text; a name that is none cannot be sent, nor named in a Dockerfile.
            let Some(file_name) = file_name.to_str() else {
                continue;
            };
            let child_name = if name.is_empty() {
                file_name.to_owned()
            } else {
                format!("{name}/{file_name}")
            };
            if self.wanted.reaches(&child_name) {
                self.child(&directory.join(file_name), child_name)?;
            }
        }
        Ok(())
    }

    fn child(&mut self, path: &LocalPath, name: String) -> io::Result<()> {
        let ignored = self.ignores.is_ignored(path);
        if ignored && self.ignores.skips_directory(path) {
            return Ok(());
        }
        let Some(entry) = entry(path, name.clone())? else {
            return Ok(());
        };
        let is_directory = entry.kind == Kind::Directory;
        if ignored {
            if is_directory {
                self.pending.push(entry);
                let depth = self.pending.len();
                self.directory(path, &name)?;
                // Still there: nothing below it was visited.
                if self.pending.len() == depth {
                    self.pending.pop();
                }
            }
            return Ok(());
        }
        for above in std::mem::take(&mut self.pending) {
            (self.visit)(above)?;
        }
        (self.visit)(entry)?;
        if is_directory {
            self.directory(path, &name)
        } else {
            Ok(())
        }
    }
}

impl Wanted {
    /// Returns whether the name is wanted, or leads to something that is.
    fn reaches(&self, name: &str) -> bool {
        let below = |name: &str, of: &str| {
            name.strip_prefix(of)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        match self {
            Self::All => true,
            Self::Paths(paths) => paths.iter().any(|path| below(name, path) || below(path, name)),
        }
    }
}

fn entry(path: &LocalPath, name: String) -> io::Result<Option<Entry>> {
    let metadata = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(err) => return Err(io::Error::new(err.kind(), format!("{path}: {err}"))),
    };
    let Some(kind) = kind(path, &metadata)? else {
        return Ok(None);
    };
    Ok(Some(Entry {
        name,
        path: path.as_path().to_owned(),
        kind,
        mode: metadata.permissions().mode() & 0o7777,
        modified_nanos: metadata
            .mtime()
            .saturating_mul(1_000_000_000)
            .saturating_add(metadata.mtime_nsec()),
    }))
}

fn kind(path: &LocalPath, metadata: &Metadata) -> io::Result<Option<Kind>> {
    let file_type = metadata.file_type();
    Ok(if file_type.is_dir() {
        Some(Kind::Directory)
    } else if file_type.is_symlink() {
        Some(Kind::Symlink(std::fs::read_link(path)?))
    } else if file_type.is_file() {
        Some(Kind::File { size: metadata.len() })
    } else {
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Ignore;

    fn tree(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a scratch folder");
        for file in files {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, file).expect("a file");
        }
        dir
    }

    #[track_caller]
    fn check(files: &[&str], patterns: &[&str], wanted: &Wanted, expected: &[&str]) {
        let dir = tree(files);
        let context = LocalPath::new(dir.path());
        let ignores = IgnoreMatcher::new(&[Ignore {
            base: context.clone(),
            patterns: patterns.iter().map(|p| (*p).to_owned()).collect(),
        }]);
        let ignores = if patterns.is_empty() {
            IgnoreMatcher::default()
        } else {
            ignores
        };
        let mut names = Vec::new();
        walk(&context, &ignores, wanted, &mut |entry| {
            names.push(entry.name);
            Ok(())
        })
        .expect("readable");
        assert_eq!(names, expected);
    }

    #[test]
    fn entries_come_sorted_with_parents_first() {
        let files = ["b", "a.txt", "a/z", "a/b/c"];
        check(
            &files,
            &[],
            &Wanted::All,
            &["a", "a/b", "a/b/c", "a/z", "a.txt", "b"],
        );
    }

    #[test]
    fn a_re_included_file_brings_its_directories() {
        let files = ["web/src/x", "web/test/y", "api/z", "top"];
        check(
            &files,
            &["**", "!web/src"],
            &Wanted::All,
            &["web", "web/src", "web/src/x"],
        );
        check(
            &files,
            &["*", "!web/*/y"],
            &Wanted::All,
            &["web", "web/test", "web/test/y"],
        );
        check(&files, &["web"], &Wanted::All, &["api", "api/z", "top"]);
    }

    #[test]
    fn only_the_wanted_part_is_visited() {
        let wanted = Wanted::Paths(vec!["web/src".to_owned(), "top".to_owned()]);
        check(
            &["web/src/x", "web/srcs", "web/test/y", "top", "topper"],
            &[],
            &wanted,
            &["top", "web", "web/src", "web/src/x"],
        );
    }

    #[test]
    fn links_are_kept_and_sockets_are_left_out() {
        let dir = tree(&["file"]);
        std::os::unix::fs::symlink("gone/away", dir.path().join("link")).expect("a link");
        let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("sock")).expect("a socket");
        let mut kinds = Vec::new();
        walk(
            &LocalPath::new(dir.path()),
            &IgnoreMatcher::default(),
            &Wanted::All,
            &mut |entry| {
                kinds.push(entry.kind);
                Ok(())
            },
        )
        .expect("readable");
        assert_eq!(
            kinds,
            [Kind::File { size: 4 }, Kind::Symlink(PathBuf::from("gone/away"))]
        );
    }
}
