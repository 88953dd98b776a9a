//! Opens what lies below a directory, one name after the other, and follows no link on the way: somebody may put a link
//! in the place of what was listed, and what it leads to was never meant.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, readlinkat};
use nix::sys::stat::{FileStat, Mode, fstatat};

/// An open directory, whose entries are named by names alone.
#[derive(Debug)]
pub(super) struct OpenDir(OwnedFd);

const DIRECTORY: OFlag = OFlag::O_DIRECTORY.union(OFlag::O_CLOEXEC);

impl OpenDir {
    /// Opens a directory; the way to it may lead through links.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlag::O_RDONLY | DIRECTORY;
        Ok(Self(nix::fcntl::open(path, flags, Mode::empty())?))
    }

    /// Opens a directory in this one; a link is none.
    pub(super) fn directory(&self, name: &OsStr) -> io::Result<Self> {
        let flags = OFlag::O_RDONLY | DIRECTORY | OFlag::O_NOFOLLOW;
        Ok(Self(openat(&self.0, name, flags, Mode::empty())?))
    }

    /// Returns the names in it, sorted by their bytes.
    pub(super) fn names(&self) -> io::Result<Vec<OsString>> {
        let mut dir = Dir::openat(&self.0, ".", OFlag::O_RDONLY | DIRECTORY, Mode::empty())?;
        let mut names = Vec::new();
        for entry in dir.iter() {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                names.push(OsStr::from_bytes(name).to_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    /// Returns what is known of an entry; of a link itself, not of what it leads to.
    pub(super) fn metadata(&self, name: &OsStr) -> io::Result<FileStat> {
        Ok(fstatat(&self.0, name, AtFlags::AT_SYMLINK_NOFOLLOW)?)
    }

    /// Returns where a link leads to, as it is written in it.
    pub(super) fn link_target(&self, name: &OsStr) -> io::Result<OsString> {
        Ok(readlinkat(&self.0, name)?)
    }

    /// Opens a regular file at a path below.
    pub(super) fn file(&self, path: &Path) -> io::Result<File> {
        let replaced = || io::Error::other("it was replaced by something else while it was being read");
        let explained = |err: Errno| match err {
            Errno::ELOOP | Errno::ENOTDIR => replaced(),
            other => other.into(),
        };
        let names: Vec<&OsStr> = path
            .components()
            .filter_map(|part| match part {
                Component::Normal(name) => Some(name),
                _ => None,
            })
            .collect();
        let Some((file, directories)) = names.split_last() else {
            return Err(io::ErrorKind::IsADirectory.into());
        };
        let mut at: Option<OwnedFd> = None;
        for name in directories {
            let from = at.as_ref().map_or(self.0.as_fd(), AsFd::as_fd);
            let flags = OFlag::O_RDONLY | DIRECTORY | OFlag::O_NOFOLLOW;
            at = Some(openat(from, *name, flags, Mode::empty()).map_err(explained)?);
        }
        let from = at.as_ref().map_or(self.0.as_fd(), AsFd::as_fd);
        // A pipe in its place must not be waited for.
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
        let file = File::from(openat(from, *file, flags, Mode::empty()).map_err(explained)?);
        if !file.metadata()?.is_file() {
            return Err(replaced());
        }
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_link_in_the_place_of_a_file_or_a_directory_is_not_followed() {
        let dir = tempfile::tempdir().expect("a scratch folder");
        let path = |name: &str| dir.path().join(name);
        std::fs::create_dir_all(path("outside")).expect("a folder");
        std::fs::write(path("outside/secret"), "hush").expect("a file");
        std::fs::create_dir_all(path("context/sub")).expect("a folder");
        std::fs::write(path("context/sub/secret"), "plain").expect("a file");
        std::fs::write(path("context/file"), "plain").expect("a file");
        let root = OpenDir::open(&path("context")).expect("a directory");
        let read = |name: &str| {
            let mut text = String::new();
            root.file(Path::new(name))?.read_to_string(&mut text)?;
            Ok::<_, io::Error>(text)
        };
        assert_eq!(read("sub/secret").expect("a file"), "plain");
        std::fs::rename(path("context/sub"), path("context/away")).expect("ours");
        symlink("../outside", path("context/sub")).expect("a link");
        std::fs::remove_file(path("context/file")).expect("ours");
        symlink("../outside/secret", path("context/file")).expect("a link");
        for name in ["sub/secret", "file"] {
            let error = read(name).expect_err("a link").to_string();
            assert!(error.contains("replaced by something else"), "{name}: {error}");
        }
        assert!(root.directory(OsStr::new("sub")).is_err());
        // The directory itself may be reached over a link.
        symlink("context", path("link")).expect("a link");
        let names = OpenDir::open(&path("link")).expect("a directory").names();
        assert_eq!(names.expect("readable"), ["away", "file", "sub"]);
    }
}
