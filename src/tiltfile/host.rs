//! What a Tiltfile sees of the world outside it.

use std::io;

use crate::model::LocalPath;

/// The world outside a Tiltfile: files and environment. `edge::RealHost` is this machine, [`super::MemoryHost`] a text.
pub trait Host: Send + Sync {
    /// Returns the content of a file.
    ///
    /// # Errors
    /// When it cannot be read; the kind tells a missing file from other faults.
    fn read(&self, path: &LocalPath) -> io::Result<Vec<u8>>;

    /// Returns whether there is a directory.
    fn is_dir(&self, path: &LocalPath) -> bool;

    /// Returns whether there is anything.
    fn exists(&self, path: &LocalPath) -> bool;

    /// Returns the value of an environment variable; `None` when it is not set.
    fn env(&self, name: &str) -> Option<String>;
}
