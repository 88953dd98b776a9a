//! The files of a build context: what is sent to the engine, in a fixed order.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use nix::sys::stat::{FileStat, SFlag};
use sha2::{Digest, Sha256};

use super::beneath::OpenDir;
use crate::model::{DockerBuild, IgnoreMatcher, LocalPath};

/// The first fault of reading a context, noted by whoever reads and asked for when a build has failed.
#[derive(Clone, Debug, Default)]
pub(super) struct ReadFault(Arc<Mutex<Option<(io::ErrorKind, String)>>>);

impl ReadFault {
    /// Notes a fault; when the engine has hung up, that is none of ours.
    pub(super) fn note(&self, err: &io::Error) {
        if err.kind() != io::ErrorKind::BrokenPipe {
            let mut fault = self.0.lock().expect("no panic while held");
            fault.get_or_insert_with(|| (err.kind(), err.to_string()));
        }
    }

    /// Returns the fault, and its kind.
    pub(super) fn take(&self) -> Option<(io::ErrorKind, String)> {
        self.0.lock().expect("no panic while held").take()
    }
}

/// One file, directory or symbolic link of a context.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Relative to the context.
    pub(super) name: PathBuf,
    pub(super) kind: Kind,
    /// Permissions with the set-id and sticky bits.
    pub(super) mode: u32,
    /// Nanoseconds since 1970.
    pub(super) modified_nanos: i64,
    /// When anything about it changed last, in nanoseconds since 1970: the system alone sets this.
    pub(super) changed_nanos: i64,
    /// Which file it is on this machine.
    pub(super) inode: (u64, u64),
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
/// Rule: `docs/rules/images.md`, "Docker builds".
pub(super) fn is_none(context: &LocalPath) -> bool {
    let path = context.as_path();
    path.file_name().is_some_and(|name| name == "-") && !path.exists()
}

/// A context that is being read. What is read is what is below its directory, whatever links are put there meanwhile.
pub(super) struct Context {
    path: LocalPath,
    /// `None` where the context stands for no files.
    root: Option<OpenDir>,
}

impl Context {
    /// Opens a context.
    ///
    /// # Errors
    /// When there is no such directory, or this user may not read it.
    pub(super) fn open(path: &LocalPath) -> io::Result<Self> {
        let root = match is_none(path) {
            true => None,
            false => Some(OpenDir::open(path.as_path()).map_err(|err| named(path, &err))?),
        };
        Ok(Self {
            path: path.clone(),
            root,
        })
    }

    /// Visits all entries that are not ignored, parents before children and siblings by the bytes of their names.
    ///
    /// A directory that is itself ignored but holds something that is not comes just before that.
    ///
    /// # Errors
    /// The first error of reading, or of the visitor; what vanishes meanwhile is none.
    pub(super) fn walk(
        &self,
        ignores: &IgnoreMatcher,
        wanted: &Wanted,
        visit: &mut dyn FnMut(Entry) -> io::Result<()>,
    ) -> io::Result<()> {
        let Some(root) = &self.root else { return Ok(()) };
        let mut walker = Walker {
            ignores,
            wanted,
            visit,
            pending: Vec::new(),
        };
        walker.directory(root, &self.path, Path::new(""))
    }

    /// Opens a file by the name that it had in the list.
    pub(super) fn file(&self, name: &Path) -> io::Result<File> {
        let root = self.root.as_ref().ok_or(io::ErrorKind::NotFound)?;
        root.file(name).map_err(|err| named(&self.path.join(name), &err))
    }
}

/// What a context holds, by name, each with a stamp: another one once anything about it has changed.
pub(in crate::edge) type Stamps = BTreeMap<PathBuf, Stamp>;

/// What an entry of a context is, and when it was changed last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::edge) struct Stamp {
    /// Kind, permissions and length.
    pub(in crate::edge) what: String,
    /// Nanoseconds since 1970; 0 for directories, which change with what is in them.
    pub(in crate::edge) changed_nanos: i64,
}

/// Returns what the context of a build holds.
///
/// # Errors
/// The first error of reading.
pub(in crate::edge) fn stamps(build: &DockerBuild) -> io::Result<Stamps> {
    let ignores = IgnoreMatcher::new(&build.context_ignores);
    let mut stamps = Stamps::new();
    Context::open(&build.context)?.walk(&ignores, &Wanted::All, &mut |entry| {
        let (what, changed_nanos) = match entry.kind {
            Kind::Directory => (format!("d{:o}", entry.mode), 0),
            Kind::File { size } => (format!("f{:o}:{size}", entry.mode), entry.changed_nanos),
            Kind::Symlink(_) => ("l".to_owned(), entry.changed_nanos),
        };
        stamps.insert(entry.name, Stamp { what, changed_nanos });
        Ok(())
    })?;
    Ok(stamps)
}

struct Walker<'a> {
    ignores: &'a IgnoreMatcher,
    wanted: &'a Wanted,
    visit: &'a mut dyn FnMut(Entry) -> io::Result<()>,
    /// Ignored directories that we are in, as long as nothing below them was visited.
    pending: Vec<Entry>,
}

impl Walker<'_> {
    fn directory(&mut self, directory: &OpenDir, path: &LocalPath, name: &Path) -> io::Result<()> {
        for child in directory.names().map_err(|err| named(path, &err))? {
            let child_name = name.join(&child);
            if self.wanted.reaches(&child_name.to_string_lossy()) {
                self.child(directory, child, path, child_name)?;
            }
        }
        Ok(())
    }

    fn child(
        &mut self,
        directory: &OpenDir,
        file_name: OsString,
        parent: &LocalPath,
        name: PathBuf,
    ) -> io::Result<()> {
        let path = parent.join(&file_name);
        let ignored = self.ignores.is_ignored(&path);
        if ignored && self.ignores.skips_directory(&path) {
            return Ok(());
        }
        let found = entry(directory, &file_name, name.clone()).or_else(|err| unless_vanished(&path, err));
        let Some(entry) = found? else { return Ok(()) };
        let is_directory = entry.kind == Kind::Directory;
        let child_directory = match is_directory {
            true => match directory.directory(&file_name) {
                Ok(open) => Some(open),
                // Nothing that is wanted can be read there.
                Err(err) if ignored && err.kind() == io::ErrorKind::PermissionDenied => None,
                Err(err) => unless_vanished(&path, err)?,
            },
            false => None,
        };
        if ignored {
            if let Some(open) = child_directory {
                self.pending.push(entry);
                let depth = self.pending.len();
                self.directory(&open, &path, &name)?;
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
        match child_directory {
            Some(open) => self.directory(&open, &path, &name),
            None => Ok(()),
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

/// What vanished since it was listed is not there.
fn unless_vanished<T>(path: &LocalPath, err: io::Error) -> io::Result<Option<T>> {
    if err.kind() == io::ErrorKind::NotFound {
        return Ok(None);
    }
    Err(named(path, &err))
}

fn named(path: &LocalPath, err: &io::Error) -> io::Error {
    io::Error::new(err.kind(), format!("{path}: {err}"))
}

fn entry(directory: &OpenDir, file_name: &OsString, name: PathBuf) -> io::Result<Option<Entry>> {
    let stat = directory.metadata(file_name)?;
    let kind = match SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits()) {
        SFlag::S_IFDIR => Kind::Directory,
        SFlag::S_IFLNK => Kind::Symlink(directory.link_target(file_name)?.into()),
        SFlag::S_IFREG => Kind::File {
            size: u64::try_from(stat.st_size).unwrap_or(0),
        },
        _ => return Ok(None),
    };
    Ok(Some(Entry::new(name, kind, &stat)))
}

/// Returns nanoseconds since 1970.
fn nanos(secs: i64, nanos: i64) -> i64 {
    secs.saturating_mul(1_000_000_000).saturating_add(nanos)
}

impl Entry {
    #[allow(
        clippy::unnecessary_cast,
        clippy::useless_conversion,
        reason = "the types of these fields differ between systems"
    )]
    fn new(name: PathBuf, kind: Kind, stat: &FileStat) -> Self {
        Self {
            name,
            kind,
            mode: stat.st_mode as u32 & 0o7777,
            modified_nanos: nanos(stat.st_mtime, stat.st_mtime_nsec),
            changed_nanos: nanos(stat.st_ctime, stat.st_ctime_nsec),
            inode: (stat.st_dev as u64, stat.st_ino as u64),
        }
    }

    /// Returns a number for what the engine compares: name, size, permissions and time.
    pub(super) fn look(&self) -> u64 {
        use std::os::unix::ffi::OsStrExt;
        let size = match self.kind {
            Kind::File { size } => size,
            Kind::Directory | Kind::Symlink(_) => 0,
        };
        let facts = [
            &size.to_le_bytes()[..],
            &self.mode.to_le_bytes(),
            &self.modified_nanos.to_le_bytes(),
            self.name.as_os_str().as_bytes(),
        ];
        number_of(&facts)
    }

    /// Returns a number that another content has not: which file it is, and when the system saw it change.
    pub(super) fn stamp(&self) -> u64 {
        let facts = [
            &self.inode.0.to_le_bytes()[..],
            &self.inode.1.to_le_bytes(),
            &self.changed_nanos.to_le_bytes(),
        ];
        number_of(&facts)
    }
}

fn number_of(facts: &[&[u8]]) -> u64 {
    let mut hash = Sha256::new();
    for fact in facts {
        hash.update(fact);
    }
    let hash = hash.finalize();
    hash.iter()
        .take(8)
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
#[path = "context_tests.rs"]
mod tests;
