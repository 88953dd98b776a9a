//! In what this machine and a container differ, as far as a batch is concerned.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::journal::{Claim, Content, Held, Known};
use super::shared_reads::SharedReads;
use crate::edge::live_update::container::settled_read;
use crate::model::{ContainerPath, IgnoreMatcher, LocalPath, Placement, SyncFailure};

/// What is to be changed in a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Differences {
    /// What is written, in the order of the places: directories before what is in them.
    pub(super) writes: Vec<Write>,
    /// What is deleted, none of it within another.
    pub(super) deletes: Vec<(ContainerPath, LocalPath)>,
    /// How many files and links are there already as they are here.
    pub(super) n_unchanged: usize,
    /// Those of the files among them of which only the image says so.
    pub(super) claimed: Vec<Claim>,
}

impl Differences {
    pub(super) fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.deletes.is_empty()
    }

    /// Returns whether something is written at or below a path.
    pub(super) fn writes_within(&self, path: &ContainerPath) -> bool {
        let at = self.writes.partition_point(|write| write.container < *path);
        self.writes
            .get(at)
            .is_some_and(|write| write.container.is_within(path))
    }
}

/// Something that is written into a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Write {
    pub(super) local: LocalPath,
    pub(super) container: ContainerPath,
    pub(super) kind: Kind,
}

/// What is here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File { size: u64 },
    Link { target: PathBuf },
    Dir { mode: u32, was_link: bool },
}

/// What is here, before it is compared.
enum Found {
    File(settled_read::Version),
    Link(PathBuf),
    Dir(u32),
    Missing,
}

/// Finds out what differs.
///
/// # Errors
/// Where something here cannot be read.
pub(super) fn differences(
    placements: &[Placement],
    held: &Held,
    reads: &SharedReads,
) -> Result<Differences, SyncFailure> {
    let mut search = Search {
        held,
        found: BTreeMap::new(),
    };
    for placement in placements {
        search.placement(placement)?;
    }
    let mut differences = Differences::default();
    for (container, (local, found)) in search.found {
        compare(&mut differences, (held, reads), (container, local, found))?;
    }
    Ok(differences)
}

struct Search<'a> {
    held: &'a Held,
    found: BTreeMap<ContainerPath, (LocalPath, Found)>,
}

impl Search<'_> {
    fn placement(&mut self, placement: &Placement) -> Result<(), SyncFailure> {
        let (local, container) = (&placement.local, &placement.container);
        let Some(found) = look(local)? else {
            return Ok(());
        };
        let is_dir = matches!(found, Found::Dir(_));
        self.found.insert(container.clone(), (local.clone(), found));
        if is_dir {
            let ignores = IgnoreMatcher::new(&placement.ignores);
            self.walk(local, container, &ignores)?;
            self.gone(placement, &ignores);
        }
        Ok(())
    }

    fn walk(
        &mut self,
        dir: &LocalPath,
        into: &ContainerPath,
        ignores: &IgnoreMatcher,
    ) -> Result<(), SyncFailure> {
        let entries = match std::fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(error) if is_gone(&error) => return Ok(()),
            Err(error) => return Err(unreadable(dir, &error)),
        };
        for entry in entries {
            let name = entry.map_err(|error| unreadable(dir, &error))?.file_name();
            let (local, container) = (dir.join(&name), into.join(&name));
            let is_ignored = ignores.is_ignored(&local);
            if is_ignored && ignores.skips_directory(&local) {
                continue;
            }
            let Some(found) = look(&local)? else { continue };
            let is_dir = matches!(found, Found::Dir(_));
            // It vanished while we looked: that comes as an event of its own.
            let is_there = !matches!(found, Found::Missing);
            if is_there && !is_ignored {
                self.found.insert(container.clone(), (local.clone(), found));
            }
            if is_dir {
                self.walk(&local, &container, ignores)?;
            }
        }
        Ok(())
    }

    /// Finds what came from a directory and is no longer in it.
    fn gone(&mut self, placement: &Placement, ignores: &IgnoreMatcher) {
        let mut gone = Vec::new();
        for (path, known) in self.held.within(&placement.container) {
            let came_from_here = known.local != placement.local
                && known.local.is_within(&placement.local)
                && !ignores.is_ignored(&known.local);
            if came_from_here && known.content != Content::Absent && !self.found.contains_key(path) {
                gone.push((path.clone(), known.local.clone()));
            }
        }
        for (path, local) in gone {
            if std::fs::symlink_metadata(&local).is_err_and(|error| is_gone(&error)) {
                self.found.insert(path, (local, Found::Missing));
            }
        }
    }
}

/// Returns what is at a path; `None` for sockets, pipes and devices.
fn look(local: &LocalPath) -> Result<Option<Found>, SyncFailure> {
    let found = std::fs::symlink_metadata(local).and_then(|metadata| found(local, &metadata));
    match found {
        Err(error) if is_gone(&error) => Ok(Some(Found::Missing)),
        Err(error) => Err(unreadable(local, &error)),
        Ok(found) => Ok(found),
    }
}

fn found(local: &LocalPath, metadata: &Metadata) -> io::Result<Option<Found>> {
    let kind = metadata.file_type();
    Ok(if kind.is_dir() {
        Some(Found::Dir(metadata.mode() & 0o777))
    } else if kind.is_symlink() {
        Some(Found::Link(std::fs::read_link(local)?))
    } else if kind.is_file() {
        Some(Found::File(settled_read::Version::of(metadata)))
    } else {
        None
    })
}

/// Whether there is nothing at a path, or no directory above it, or a link where no link was.
pub(super) fn is_gone(error: &io::Error) -> bool {
    let is_missing = matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    );
    is_missing || error.raw_os_error() == Some(nix::libc::ELOOP)
}

pub(super) fn unreadable(local: &LocalPath, error: &io::Error) -> SyncFailure {
    SyncFailure::Unreadable {
        local: local.clone(),
        error: error.to_string(),
    }
}

fn compare(
    differences: &mut Differences,
    (held, reads): (&Held, &SharedReads),
    (container, local, found): (ContainerPath, LocalPath, Found),
) -> Result<(), SyncFailure> {
    let there = held.get(&container);
    let is_root = container.as_path().file_name().is_none();
    let kind = match found {
        // The root of a container can be nothing else.
        Found::Missing | Found::Link(_) | Found::File(_) if is_root => return Ok(()),
        Found::Missing => {
            let is_covered = |(deleted, _): &(ContainerPath, LocalPath)| container.is_within(deleted);
            let is_there = there != Some(&Content::Absent) && !held.is_below_none(&container);
            if is_there && !differences.deletes.last().is_some_and(is_covered) {
                differences.deletes.push((container, local));
            }
            return Ok(());
        }
        Found::Dir(mode) => {
            if there == Some(&Content::Dir { mode }) {
                return Ok(());
            }
            let was_link = matches!(there, Some(Content::Link(_)));
            Kind::Dir { mode, was_link }
        }
        Found::Link(target) => {
            if there == Some(&Content::Link(target.clone())) {
                differences.n_unchanged += 1;
                return Ok(());
            }
            Kind::Link { target }
        }
        Found::File(version) => {
            if is_there(&local, version, there, reads)? {
                differences.n_unchanged += 1;
                if let Some(Content::File { hash, .. }) = there.filter(|_| held.is_claim(&container)) {
                    differences.claimed.push((container, *hash));
                }
                return Ok(());
            }
            Kind::File { size: version.size }
        }
    };
    differences.writes.push(Write {
        local,
        container,
        kind,
    });
    Ok(())
}

fn is_there(
    local: &LocalPath,
    version: settled_read::Version,
    there: Option<&Content>,
    reads: &SharedReads,
) -> Result<bool, SyncFailure> {
    match there {
        Some(Content::File { mode, hash }) if *mode == version.mode => {
            match reads.hash(local, version.size) {
                Ok((now, version)) => Ok(now == *hash && version.mode == *mode),
                // What it is instead is seen when it is sent.
                Err(error) if is_gone(&error) => Ok(false),
                Err(error) => Err(unreadable(local, &error)),
            }
        }
        _ => Ok(false),
    }
}

/// Returns what is here at these placements, as a container would hold it that was made of it now.
///
/// # Errors
/// Where something here cannot be read.
pub fn content_here(placements: &[Placement]) -> Result<BTreeMap<ContainerPath, Known>, SyncFailure> {
    let nothing = Held::default();
    let here = differences(placements, &nothing, &SharedReads::default())?;
    let mut content = BTreeMap::new();
    for write in here.writes {
        let known = match write.kind {
            Kind::Link { target } => Content::Link(target),
            Kind::Dir { mode, .. } => Content::Dir { mode },
            Kind::File { .. } => match settled_read::hash(&write.local) {
                Ok((hash, version)) => Content::File {
                    mode: version.mode,
                    hash,
                },
                Err(error) if is_gone(&error) => continue,
                Err(error) => return Err(unreadable(&write.local, &error)),
            },
        };
        let local = write.local;
        content.insert(
            write.container,
            Known {
                local,
                content: known,
            },
        );
    }
    Ok(content)
}
