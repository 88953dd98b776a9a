//! Paths in a container.

use std::fmt;
use std::path::{Component, Path, PathBuf};

/// An absolute, cleaned path in a container. It need not exist, and need not be UTF-8.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContainerPath(PathBuf);

impl ContainerPath {
    /// Wraps a path, after removing `.` and `..` by their text; a relative one is taken relative to `/`.
    pub fn new(path: impl AsRef<Path>) -> Self {
        let mut clean = PathBuf::from("/");
        for part in path.as_ref().components() {
            match part {
                Component::Normal(name) => clean.push(name),
                Component::ParentDir => {
                    clean.pop();
                }
                Component::Prefix(_) | Component::RootDir | Component::CurDir => {}
            }
        }
        Self(clean)
    }

    /// Returns `path` resolved against this directory.
    pub fn join(&self, path: impl AsRef<Path>) -> Self {
        Self::new(self.0.join(path))
    }

    /// Returns the directory that holds this path; `/` holds itself.
    pub fn parent(&self) -> Self {
        Self(self.0.parent().unwrap_or(&self.0).to_owned())
    }

    /// Returns whether this is `dir` or lies below it.
    pub fn is_within(&self, dir: &Self) -> bool {
        self.0.starts_with(&dir.0)
    }

    /// Returns the path with its bytes.
    pub fn as_path(&self) -> &Path {
        &self.0
    }
}

impl fmt::Display for ContainerPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}
