//! This machine, as a Tiltfile sees it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::Metadata;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

use etcetera::base_strategy::{BaseStrategy, Xdg};
use sha2::{Digest, Sha256};

use super::git_checkouts::GitCheckouts;
use super::stored_files;
use crate::edge::process::{ChildCommand, Environment, os_text, run_to_end, set_own};
use crate::edge::watch_files::print;
use crate::model::LocalPath;
use crate::model::octets::text_of;
use crate::tiltfile::{Checkout, CheckoutFault, DirEntry, Host, HostCommand, Ran, RepoRequest, Variables};

/// The files, the environment and the programs of this machine. It remembers what it read: one host serves one evaluation.
#[derive(Debug, Default)]
pub struct RealHost {
    /// What each file was when it was read first.
    read: Mutex<BTreeMap<LocalPath, ReadFile>>,
    /// What was not there when it was looked for.
    missing: Mutex<BTreeSet<LocalPath>>,
}

/// A file as it was when it was read.
#[derive(Debug)]
struct ReadFile {
    /// Inode, size and time of the last change: where they are the same, so is the content.
    stamp: Option<(u64, u64, i64, i64)>,
    /// Tells its content and permissions from others.
    print: u64,
}

impl ReadFile {
    fn new(meta: Option<&Metadata>, content: &[u8]) -> Self {
        Self {
            stamp: meta.map(|meta| (meta.ino(), meta.size(), meta.ctime(), meta.ctime_nsec())),
            print: print(meta.map_or(0, MetadataExt::mode), content),
        }
    }

    fn is_changed(&self, path: &LocalPath) -> bool {
        let meta = std::fs::metadata(path).ok();
        let now = Self::new(meta.as_ref(), &[]);
        if now.stamp.is_some() && now.stamp == self.stamp {
            return false;
        }
        std::fs::read(path).map_or(true, |content| {
            Self::new(meta.as_ref(), &content).print != self.print
        })
    }
}

impl RealHost {
    /// Returns the files that were read, each with what tells what it held then.
    pub(in crate::edge) fn read_files(&self) -> Vec<(LocalPath, u64)> {
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.iter()
            .map(|(path, then)| (path.clone(), then.print))
            .collect()
    }

    /// Returns the files whose content is not what was read first, then what was missing and is there now.
    pub fn changed_since_read(&self) -> Vec<LocalPath> {
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = read.iter().filter(|(path, then)| then.is_changed(path));
        let came = missing
            .iter()
            .filter(|path| path.as_path().exists() && !read.contains_key(*path));
        changed.map(|(path, _)| path).chain(came).cloned().collect()
    }

    fn note_missing(&self, path: &LocalPath) {
        let mut missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        missing.insert(path.clone());
    }
}

impl Host for RealHost {
    fn read(&self, path: &LocalPath) -> io::Result<Vec<u8>> {
        // Before the content: a change in between must not look like one that was read.
        let meta = std::fs::metadata(path).ok();
        let content = std::fs::read(path).inspect_err(|error| {
            if error.kind() == io::ErrorKind::NotFound {
                self.note_missing(path);
            }
        })?;
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.entry(path.clone())
            .or_insert_with(|| ReadFile::new(meta.as_ref(), &content));
        Ok(content)
    }

    fn content_hash(&self, path: &LocalPath, most: u64) -> io::Result<([u8; 32], u64)> {
        let mut file = std::fs::File::open(path)?;
        if file.metadata()?.len() > most {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let mut hash = Sha256::new();
        let n_bytes = io::copy(&mut file, &mut hash)?;
        Ok((hash.finalize().into(), n_bytes))
    }

    fn store(&self, name: &str, content: &[u8]) -> io::Result<LocalPath> {
        stored_files::store(name, content)
    }

    fn is_dir(&self, path: &LocalPath) -> bool {
        path.as_path().is_dir()
    }

    fn exists(&self, path: &LocalPath) -> bool {
        let exists = path.as_path().exists();
        if !exists {
            self.note_missing(path);
        }
        exists
    }

    fn list(&self, directory: &LocalPath) -> io::Result<Vec<DirEntry>> {
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(directory)? {
            let entry = entry?;
            entries.push(DirEntry {
                name: entry.file_name().to_string_lossy().into_owned(),
                is_dir: entry.file_type()?.is_dir(),
            });
        }
        entries.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(entries)
    }

    fn real_path(&self, path: &LocalPath) -> io::Result<LocalPath> {
        std::fs::canonicalize(path).map(LocalPath::new)
    }

    fn variables(&self) -> Arc<dyn Variables> {
        Arc::new(Own)
    }

    fn environment_for_commands(&self) -> BTreeMap<String, String> {
        texts(&Environment::inherited())
    }

    fn run(&self, run: &mut HostCommand<'_>, cancelled: &AtomicBool) -> io::Result<Ran> {
        let mut env = Environment::default();
        for (name, value) in &run.environment {
            env.set(os_text(name), os_text(value));
        }
        let command = ChildCommand {
            argv: run.command.argv.clone(),
            dir: match &run.command.dir {
                Some(dir) => dir.clone(),
                None => LocalPath::new(Path::new("/")),
            },
            env,
        };
        let stdin = std::mem::take(&mut run.stdin);
        let captured = run_to_end(&command, stdin, run.output, cancelled)?;
        Ok(Ran {
            failure: (!captured.exit.is_success()).then(|| captured.exit.to_string()),
            code: captured.exit.code(),
            stdout: captured.stdout,
            stderr: captured.stderr,
        })
    }

    fn checkout(&self, wanted: &RepoRequest<'_>, cancelled: &AtomicBool) -> Result<Checkout, CheckoutFault> {
        let xdg = Xdg::new().map_err(|error| CheckoutFault::Other(error.to_string()))?;
        let root = LocalPath::new(xdg.data_dir().join("tilt-dev/tilt_modules"));
        GitCheckouts::new(root, Environment::inherited()).checkout(wanted, cancelled)
    }
}

/// The environment of this program.
struct Own;

impl Variables for Own {
    fn get(&self, name: &str) -> Option<String> {
        let own = Environment::of_this_program();
        own.get(os_text(name)).map(|value| text_of(value.as_bytes()))
    }

    fn all(&self) -> BTreeMap<String, String> {
        texts(&Environment::of_this_program())
    }

    fn set(&self, name: &str, value: Option<&str>) {
        set_own(name, value);
    }
}

/// Returns variables as texts.
fn texts(environment: &Environment) -> BTreeMap<String, String> {
    let text = |value: &OsStr| text_of(value.as_bytes());
    let variables = environment.iter();
    variables.map(|(name, value)| (text(name), text(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_changed_after_it_was_read_is_known_by_its_content() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| LocalPath::new(dir.path().join(name));
        let host = RealHost::default();
        for name in ["same", "rewritten", "changed", "gone"] {
            std::fs::write(path(name), "1").unwrap();
            host.read(&path(name)).unwrap();
        }
        std::fs::write(path("rewritten"), "1").unwrap();
        std::fs::write(path("changed"), "2").unwrap();
        std::fs::remove_file(path("gone")).unwrap();
        assert_eq!(host.changed_since_read(), [path("changed"), path("gone")]);
    }

    #[test]
    fn what_was_missing_and_came_since_is_a_change() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| LocalPath::new(dir.path().join(name));
        let host = RealHost::default();
        assert!(host.read(&path("a")).is_err() && !host.exists(&path("b")) && !host.exists(&path("c")));
        assert_eq!(host.changed_since_read(), []);
        std::fs::write(path("a"), "").unwrap();
        std::fs::create_dir(path("b")).unwrap();
        assert_eq!(host.changed_since_read(), [path("a"), path("b")]);
        // What is written and then read by the same load has been read.
        std::fs::write(path("c"), "").unwrap();
        host.read(&path("c")).unwrap();
        assert_eq!(host.changed_since_read(), [path("a"), path("b")]);
    }
}
