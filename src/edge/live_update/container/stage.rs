//! Files on their way: tars of a bounded size, read from the disk one after the other as they are sent.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::PathBuf;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::commit::{Commit, groups};
use super::differences::{Differences, Kind, Write, is_gone, unreadable};
use super::journal::{Content, Known};
use super::settled_read::Reading;
use super::shared_reads::{MAX_IN_MEMORY, SharedReads};
use crate::clock;
use crate::model::{ContainerPath, SyncFailure};

/// A tar that is longer is sent.
const MAX_TAR: u64 = MAX_IN_MEMORY;
/// Pieces of long files.
const PIECE: usize = 128 * 1024;
/// How often a long file that changes meanwhile is sent.
const TRIES: u32 = 5;
/// Bytes of a block of a tar.
const BLOCK: u64 = 512;

/// What is sent to a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// The beginning of a frame, once the one before it was answered.
    Begin {
        kind: FrameKind,
        /// The number of the place that it is for.
        place: usize,
        /// Bytes that follow.
        length: u64,
    },
    /// Bytes of the frame.
    Data(Bytes),
}

/// What a frame asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FrameKind {
    /// Run a script.
    Run,
    /// Unpack a tar.
    Stage,
    /// Unpack a tar, and run the script in it.
    Commit,
}

impl FrameKind {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Stage => "stage",
            Self::Commit => "commit",
        }
    }
}

/// Why staging ended early.
#[derive(Debug)]
pub(super) enum Stop {
    /// What was found is no longer so: find out anew.
    Changed,
    /// It cannot be done.
    Failed(SyncFailure),
    /// Nobody takes the pieces any more.
    Unwanted,
}

/// Where things go in a container.
#[derive(Clone, Debug, Default)]
pub(super) struct Destinations {
    /// The number of the place that is responsible for each directory.
    pub(super) places: BTreeMap<ContainerPath, usize>,
    /// Which places keep a journal.
    pub(super) has_journal: Vec<bool>,
}

/// Reads what is written and sends it, then what makes it true. Returns what each write holds, and how long it is.
///
/// # Errors
/// See [`Stop`].
pub(super) fn stage(
    differences: &Differences,
    to: &Destinations,
    reads: &SharedReads,
    send: &mut dyn FnMut(Piece) -> Result<(), Stop>,
) -> Result<Vec<(Known, u64)>, Stop> {
    let writes = &differences.writes;
    let mut known: Vec<Option<(Known, u64)>> = writes.iter().map(directory).collect();
    let mut tar = Tar::new(reads.clone());
    let mut place = None;
    for (number, group) in groups(writes, &to.places).into_iter().enumerate() {
        if let Some(place) = place.filter(|place| *place != group.place) {
            tar.send(FrameKind::Stage, place, send)?;
        }
        place = Some(group.place);
        for (at, name) in group.members {
            let path = PathBuf::from(format!("d{number}")).join(name);
            known[at] = Some(tar.write(&writes[at], &path, group.place, send)?);
        }
    }
    let known: Vec<(Known, u64)> = known.into_iter().flatten().collect();
    let script = Commit {
        differences,
        known: &known,
        places: &to.places,
        has_journal: &to.has_journal,
    }
    .script();
    if let Some(place) = place {
        tar.add(
            &mut header(tar::EntryType::Regular, 0o600, script.len() as u64, 0),
            "commit".as_ref(),
            &script,
        );
        tar.send(FrameKind::Commit, place, send)?;
    } else {
        send_whole(FrameKind::Run, 0, script, send)?;
    }
    Ok(known)
}

fn directory(write: &Write) -> Option<(Known, u64)> {
    let Kind::Dir { mode, .. } = write.kind else {
        return None;
    };
    let local = write.local.clone();
    let content = Content::Dir { mode };
    Some((Known { local, content }, 0))
}

/// Sends a frame whose bytes are all there.
pub(super) fn send_whole(
    kind: FrameKind,
    place: usize,
    bytes: Vec<u8>,
    send: &mut dyn FnMut(Piece) -> Result<(), Stop>,
) -> Result<(), Stop> {
    let length = bytes.len() as u64;
    send(Piece::Begin { kind, place, length })?;
    send(Piece::Data(bytes.into()))
}

/// Reads what is written and sends it as the pieces of one tar. Returns what each write holds, and how long it is.
///
/// # Errors
/// See [`Stop`].
pub(super) fn archive(
    writes: &[Write],
    reads: &SharedReads,
    send: &mut dyn FnMut(Piece) -> Result<(), Stop>,
) -> Result<Vec<(Known, u64)>, Stop> {
    // It is unpacked as it is: a time of 1970 would look older than what was there.
    let now = u64::try_from(clock::timestamp().0 / 1_000_000).unwrap_or(0);
    let mut tar = Tar {
        mtime: now,
        is_one: true,
        ..Tar::new(reads.clone())
    };
    let mut known = Vec::with_capacity(writes.len());
    for write in writes {
        let path = write.container.as_path();
        let path = path.strip_prefix("/").unwrap_or(path);
        if let Kind::Dir { mode, .. } = write.kind
            && path.file_name().is_some()
        {
            let mut header = tar.header(tar::EntryType::Directory, mode, 0);
            tar.add(&mut header, path, &[]);
        }
        known.push(tar.write(write, path, 0, send)?);
    }
    let rest = tar.builder.into_inner().expect("memory can be written");
    send(Piece::Data(rest.into()))?;
    Ok(known)
}

/// A tar that is being filled.
struct Tar {
    builder: tar::Builder<Vec<u8>>,
    /// Seconds since 1970.
    mtime: u64,
    /// Whether all that is sent is one tar, and not each piece by itself.
    is_one: bool,
    reads: SharedReads,
}

impl Tar {
    fn new(reads: SharedReads) -> Self {
        Self {
            builder: tar::Builder::new(Vec::new()),
            mtime: 0,
            is_one: false,
            reads,
        }
    }

    fn header(&self, kind: tar::EntryType, mode: u32, size: u64) -> tar::Header {
        header(kind, mode, size, self.mtime)
    }

    /// Adds a file or link, or sends it by itself if it is long.
    fn write(
        &mut self,
        write: &Write,
        path: &std::path::Path,
        place: usize,
        send: &mut dyn FnMut(Piece) -> Result<(), Stop>,
    ) -> Result<(Known, u64), Stop> {
        let (content, size) = match &write.kind {
            Kind::File { size } if *size > MAX_IN_MEMORY => {
                self.send(FrameKind::Stage, place, send)?;
                let end = if self.is_one { 0 } else { 2 * BLOCK };
                let long = Long {
                    path,
                    mtime: self.mtime,
                    end,
                };
                long.send(write, place, send)?
            }
            Kind::File { .. } => {
                let read = self.reads.read(&write.local);
                let read = read.map_err(|error| fault(write, &error))?;
                let (mode, hash, size) = (read.version.mode, read.hash, read.content.len() as u64);
                let mut header = self.header(tar::EntryType::Regular, mode, size);
                self.add(&mut header, path, &read.content);
                (Content::File { mode, hash }, size)
            }
            Kind::Link { target } => {
                let mut header = self.header(tar::EntryType::Symlink, 0o777, 0);
                let added = self.builder.append_link(&mut header, path, target);
                added.map_err(|error| fault(write, &error))?;
                (Content::Link(target.clone()), 0)
            }
            Kind::Dir { mode, .. } => (Content::Dir { mode: *mode }, 0),
        };
        if self.builder.get_ref().len() as u64 > MAX_TAR {
            self.send(FrameKind::Stage, place, send)?;
        }
        let local = write.local.clone();
        Ok((Known { local, content }, size))
    }

    fn add(&mut self, header: &mut tar::Header, path: &std::path::Path, bytes: &[u8]) {
        self.builder
            .append_data(header, path, bytes)
            .expect("memory can be written, and the path is relative");
    }

    /// Sends what there is, if there is something.
    fn send(
        &mut self,
        kind: FrameKind,
        place: usize,
        send: &mut dyn FnMut(Piece) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        if self.builder.get_ref().is_empty() {
            return Ok(());
        }
        if self.is_one {
            let bytes = std::mem::take(self.builder.get_mut());
            return send(Piece::Data(bytes.into()));
        }
        let builder = std::mem::replace(&mut self.builder, tar::Builder::new(Vec::new()));
        let bytes = builder.into_inner().expect("memory can be written");
        send_whole(kind, place, bytes, send)
    }
}

fn fault(write: &Write, error: &io::Error) -> Stop {
    // It became a link, a directory, or nothing.
    if is_gone(error) || error.kind() == io::ErrorKind::IsADirectory {
        Stop::Changed
    } else {
        Stop::Failed(unreadable(&write.local, error))
    }
}

fn header(kind: tar::EntryType, mode: u32, size: u64, mtime: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(mtime);
    header
}

/// A file that does not fit into memory, in a tar.
struct Long<'a> {
    path: &'a std::path::Path,
    mtime: u64,
    /// Bytes that end the tar.
    end: u64,
}

impl Long<'_> {
    /// Sends the file until what was sent is whole.
    fn send(
        &self,
        write: &Write,
        place: usize,
        send: &mut dyn FnMut(Piece) -> Result<(), Stop>,
    ) -> Result<(Content, u64), Stop> {
        let mut tries = 0;
        loop {
            tries += 1;
            let mut reading = Reading::open(&write.local).map_err(|error| fault(write, &error))?;
            let (size, mode) = (reading.version.size, reading.version.mode);
            let head = self.head(mode, size).map_err(|error| fault(write, &error))?;
            let padding = size.next_multiple_of(BLOCK) - size + self.end;
            let length = head.len() as u64 + size + padding;
            let kind = FrameKind::Stage;
            send(Piece::Begin { kind, place, length })?;
            send(Piece::Data(head.into()))?;
            let (mut hasher, mut left) = (Sha256::new(), size);
            while left > 0 {
                let mut piece = vec![0; PIECE.min(usize::try_from(left).unwrap_or(PIECE))];
                let n = reading
                    .file
                    .read(&mut piece)
                    .map_err(|error| fault(write, &error))?;
                if n == 0 {
                    break;
                }
                piece.truncate(n);
                hasher.update(&piece);
                left -= n as u64;
                send(Piece::Data(piece.into()))?;
            }
            let is_whole = left == 0 && reading.is_whole(&write.local);
            // Shorter than it was when it was opened: the frame is as long as was said, and sent anew.
            while left > 0 {
                let piece = vec![0; PIECE.min(usize::try_from(left).unwrap_or(PIECE))];
                left -= piece.len() as u64;
                send(Piece::Data(piece.into()))?;
            }
            send(Piece::Data(vec![0; usize::try_from(padding).unwrap_or(0)].into()))?;
            if is_whole || tries == TRIES {
                let hash = hasher.finalize().into();
                return Ok((Content::File { mode, hash }, size));
            }
        }
    }

    /// Returns the beginning of a tar, up to the content of its only file.
    fn head(&self, mode: u32, size: u64) -> io::Result<Vec<u8>> {
        let mut builder = tar::Builder::new(Vec::new());
        let mut empty = header(tar::EntryType::Regular, mode, 0, self.mtime);
        builder.append_data(&mut empty, self.path, io::empty())?;
        let mut bytes = builder.get_ref().clone();
        // The name may have taken blocks of its own; the last one is the file's.
        let at = bytes.len() - usize::try_from(BLOCK).unwrap_or(0);
        let mut last = tar::Header::new_gnu();
        last.as_mut_bytes().copy_from_slice(&bytes[at..]);
        last.set_size(size);
        last.set_cksum();
        bytes[at..].copy_from_slice(last.as_bytes());
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_of_a_long_file_says_how_long_it_is() {
        for (name, size) in [
            ("d0/a".to_owned(), 5 << 30),
            (format!("d0/{}", "n".repeat(200)), 9 << 30),
        ] {
            let long = Long {
                path: name.as_ref(),
                mtime: 0,
                end: 0,
            };
            let head = long.head(0o640, size).unwrap();
            let mut archive = tar::Archive::new(head.as_slice());
            let entry = archive.entries().unwrap().next().unwrap().unwrap();
            assert_eq!(entry.path().unwrap().to_str(), Some(name.as_str()));
            assert_eq!(entry.header().entry_size().unwrap(), size);
            assert_eq!(entry.header().mode().unwrap(), 0o640);
        }
    }
}
