//! What a Tiltfile sees of the world outside it.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use sha2::{Digest, Sha256};

use super::{Checkout, CheckoutFault, RepoRequest};
use crate::model::{Command, LocalPath};

/// The world outside a Tiltfile: files, environment, commands. `edge::RealHost` is this machine, [`super::MemoryHost`] a
/// text.
pub trait Host: Send + Sync {
    /// Returns the content of a file.
    ///
    /// # Errors
    /// When it cannot be read; the kind tells a missing file from other faults.
    fn read(&self, path: &LocalPath) -> io::Result<Vec<u8>>;

    /// Returns the SHA-256 and the length of a file's content.
    ///
    /// # Errors
    /// As [`Host::read`]; also, with the kind `FileTooLarge`, for a file of more than `most` bytes.
    fn content_hash(&self, path: &LocalPath, most: u64) -> io::Result<([u8; 32], u64)> {
        let content = self.read(path)?;
        let n_bytes = content.len() as u64;
        if n_bytes > most {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok((Sha256::digest(&content).into(), n_bytes))
    }

    /// Keeps a text where programs can read it as a file, also after this program has ended; the same name always holds the
    /// same text.
    ///
    /// # Errors
    /// When it cannot be written.
    fn store(&self, name: &str, content: &[u8]) -> io::Result<LocalPath>;

    /// Returns whether there is a directory.
    fn is_dir(&self, path: &LocalPath) -> bool;

    /// Returns whether there is anything.
    fn exists(&self, path: &LocalPath) -> bool;

    /// Returns what a directory holds, sorted by name. A link counts as a file, whatever it leads to.
    ///
    /// # Errors
    /// When it is no directory or cannot be read.
    fn list(&self, directory: &LocalPath) -> io::Result<Vec<DirEntry>>;

    /// Returns a path without links in it.
    ///
    /// # Errors
    /// When there is nothing at that path.
    fn real_path(&self, path: &LocalPath) -> io::Result<LocalPath>;

    /// Returns the environment variables. They last as long as this program.
    fn variables(&self) -> Arc<dyn Variables>;

    /// Returns the value of an environment variable; `None` when it is not set.
    fn env(&self, name: &str) -> Option<String> {
        self.variables().get(name)
    }

    /// Returns the whole environment.
    fn environment(&self) -> BTreeMap<String, String> {
        self.variables().all()
    }

    /// Returns the whole environment that commands get: whatever the variables say, they see the session's cluster.
    fn environment_for_commands(&self) -> BTreeMap<String, String> {
        self.environment()
    }

    /// Sets an environment variable, or unsets it. As in Tilt, nothing happens for a name that no variable can have.
    fn set_env(&self, name: &str, value: Option<&str>) {
        if is_variable_name(name) {
            self.variables().set(name, value);
        }
    }

    /// Runs a command to its end, and kills it with all that it started once `cancelled` is set.
    ///
    /// # Errors
    /// When it cannot be started. One that fails is no error here.
    fn run(&self, run: &mut HostCommand<'_>, cancelled: &AtomicBool) -> io::Result<Ran>;

    /// Makes the files of a git repository available; gives up once `cancelled` is set.
    ///
    /// # Errors
    /// When they cannot be had.
    fn checkout(&self, wanted: &RepoRequest<'_>, cancelled: &AtomicBool) -> Result<Checkout, CheckoutFault>;
}

/// Returns whether a variable can have this name.
pub(super) fn is_variable_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(['=', '\0'])
}

/// Environment variables.
pub trait Variables: Send + Sync {
    /// Returns the value of a variable; `None` when it is not set.
    fn get(&self, name: &str) -> Option<String>;

    /// Returns all variables.
    fn all(&self) -> BTreeMap<String, String>;

    /// Sets a variable, or unsets it.
    fn set(&self, name: &str, value: Option<&str>);
}

/// Something in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirEntry {
    /// Its name.
    pub name: String,
    /// Whether it is a directory, not a link to one.
    pub is_dir: bool,
}

/// A command to run, and who hears what it prints.
pub struct HostCommand<'a> {
    /// Program, arguments and directory; its variables are those of `environment`.
    pub command: &'a Command,
    /// The whole environment.
    pub environment: BTreeMap<String, String>,
    /// What it can read; nothing when empty.
    pub stdin: Vec<u8>,
    /// Hears what it prints as soon as it does.
    pub output: &'a mut dyn FnMut(Stream, &[u8]),
}

/// Where a command prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Its output.
    Stdout,
    /// Its errors.
    Stderr,
}

/// What became of a command that was started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ran {
    /// How it failed, as in `exit status 1`; `None` when it did well.
    pub failure: Option<String>,
    /// Its exit code; 128 and the number of the signal where one ended it.
    pub code: i32,
    /// What it printed.
    pub stdout: Vec<u8>,
    /// What it printed as errors.
    pub stderr: Vec<u8>,
}
