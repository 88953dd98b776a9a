//! A world made of one text, for tests.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Component;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use super::{Checkout, CheckoutFault, DirEntry, Host, HostCommand, Ran, RepoRequest, Stream, Variables};
use crate::model::LocalPath;

/// Files, variables and commands held in memory. A clone shares the variables.
#[derive(Clone, Debug, Default)]
pub struct MemoryHost {
    files: BTreeMap<LocalPath, Vec<u8>>,
    variables: Arc<MemoryVariables>,
    /// What becomes of each, call by call; the last stands for all that follow.
    commands: BTreeMap<String, Vec<Ran>>,
    ran: Arc<Mutex<Vec<String>>>,
    stdin: Arc<Mutex<Vec<Vec<u8>>>>,
    repos: BTreeMap<(String, String), LocalPath>,
    stored: Arc<Mutex<BTreeMap<LocalPath, Vec<u8>>>>,
}

impl MemoryHost {
    /// Returns a host with the files of one text: `--- path` begins a file, paths are relative to `/src`.
    pub fn new(text: &str) -> Self {
        let root = LocalPath::new("/src");
        let mut host = Self::default();
        let mut current: Option<(LocalPath, String)> = None;
        for line in text.split_inclusive('\n') {
            if let Some(path) = line.strip_prefix("--- ") {
                host.keep(current.take());
                current = Some((root.join(path.trim()), String::new()));
            } else if let Some((_, content)) = &mut current {
                content.push_str(line);
            }
        }
        host.keep(current);
        host
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn with_env(self, name: &str, value: &str) -> Self {
        self.set_env(name, Some(value));
        self
    }

    /// Adds a command, as it is shown, and what becomes of it. All others cannot be found.
    #[must_use]
    pub fn with_command(self, shown: &str, ran: Ran) -> Self {
        self.with_calls(shown, vec![ran])
    }

    /// Adds a command, as it is shown, and what becomes of each call; the last also of all that follow.
    #[must_use]
    pub fn with_calls(mut self, shown: &str, calls: Vec<Ran>) -> Self {
        self.commands.insert(shown.to_owned(), calls);
        self
    }

    /// Returns the commands that ran, as they are shown, in order.
    pub fn ran(&self) -> Vec<String> {
        self.ran.lock().map_or_else(|_| Vec::new(), |ran| ran.clone())
    }

    /// Returns what the commands that ran were given to read, in order.
    pub fn stdin(&self) -> Vec<Vec<u8>> {
        self.stdin
            .lock()
            .map_or_else(|_| Vec::new(), |stdin| stdin.clone())
    }

    /// Adds a file.
    #[must_use]
    pub fn with_file(mut self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.insert(LocalPath::new(path), content.into());
        self
    }

    /// Adds a git repository at a ref: a directory of this host. All others cannot be downloaded.
    #[must_use]
    pub fn with_repo(mut self, url: &str, reference: &str, directory: &str) -> Self {
        let key = (url.to_owned(), reference.to_owned());
        self.repos.insert(key, LocalPath::new(directory));
        self
    }

    /// Returns the texts that were stored, by path.
    pub fn stored(&self) -> BTreeMap<LocalPath, Vec<u8>> {
        self.stored
            .lock()
            .map_or_else(|_| BTreeMap::new(), |stored| stored.clone())
    }

    fn keep(&mut self, file: Option<(LocalPath, String)>) {
        if let Some((path, content)) = file {
            self.files.insert(path, content.into_bytes());
        }
    }
}

impl Host for MemoryHost {
    fn read(&self, path: &LocalPath) -> io::Result<Vec<u8>> {
        match self.files.get(path) {
            Some(content) => Ok(content.clone()),
            None if self.stored().contains_key(path) => Ok(self.stored().remove(path).unwrap_or_default()),
            None if self.is_dir(path) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn store(&self, name: &str, content: &[u8]) -> io::Result<LocalPath> {
        let path = LocalPath::new("/stored").join(name);
        if let Ok(mut stored) = self.stored.lock() {
            stored.insert(path.clone(), content.to_vec());
        }
        Ok(path)
    }

    fn is_dir(&self, path: &LocalPath) -> bool {
        self.files.keys().any(|file| file != path && file.is_within(path))
    }

    fn exists(&self, path: &LocalPath) -> bool {
        self.files.contains_key(path) || self.is_dir(path)
    }

    fn list(&self, directory: &LocalPath) -> io::Result<Vec<DirEntry>> {
        let mut found = BTreeSet::new();
        for path in self.files.keys().filter(|path| *path != directory) {
            let Ok(below) = path.as_path().strip_prefix(directory) else {
                continue;
            };
            let mut parts = below.components();
            if let Some(Component::Normal(name)) = parts.next() {
                found.insert((name.to_string_lossy().into_owned(), parts.next().is_some()));
            }
        }
        if found.is_empty() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let entries = found.into_iter();
        Ok(entries.map(|(name, is_dir)| DirEntry { name, is_dir }).collect())
    }

    fn real_path(&self, path: &LocalPath) -> io::Result<LocalPath> {
        if self.exists(path) {
            Ok(path.clone())
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
    }

    fn variables(&self) -> Arc<dyn Variables> {
        Arc::<MemoryVariables>::clone(&self.variables)
    }

    fn run(&self, run: &mut HostCommand<'_>, cancelled: &AtomicBool) -> io::Result<Ran> {
        if cancelled.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let shown = run.command.display();
        let calls = self.commands.get(&shown).ok_or(io::ErrorKind::NotFound)?;
        let before = self.ran().iter().filter(|ran| **ran == shown).count();
        let ran = calls.get(before).or(calls.last()).cloned();
        let ran = ran.ok_or(io::ErrorKind::NotFound)?;
        (run.output)(Stream::Stdout, &ran.stdout);
        (run.output)(Stream::Stderr, &ran.stderr);
        if let Ok(mut list) = self.ran.lock() {
            list.push(shown);
        }
        if let Ok(mut list) = self.stdin.lock() {
            list.push(std::mem::take(&mut run.stdin));
        }
        Ok(ran)
    }

    fn checkout(&self, wanted: &RepoRequest<'_>, _: &AtomicBool) -> Result<Checkout, CheckoutFault> {
        let key = (wanted.url.to_owned(), wanted.reference.to_owned());
        match self.repos.get(&key) {
            Some(directory) => Ok(Checkout {
                directory: directory.clone(),
                commit: "0123abcd".to_owned(),
                stale: None,
            }),
            None => Err(CheckoutFault::Download("fatal: there is no network".to_owned())),
        }
    }
}

/// Variables held in memory.
#[derive(Debug, Default)]
struct MemoryVariables(Mutex<BTreeMap<String, String>>);

impl MemoryVariables {
    fn held(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.0.lock().expect("no panic while the variables are held")
    }
}

impl Variables for MemoryVariables {
    fn get(&self, name: &str) -> Option<String> {
        self.held().get(name).cloned()
    }

    fn all(&self) -> BTreeMap<String, String> {
        self.held().clone()
    }

    fn set(&self, name: &str, value: Option<&str>) {
        match value {
            Some(value) => self.held().insert(name.to_owned(), value.to_owned()),
            None => self.held().remove(name),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_text_makes_several_files() {
        let host = MemoryHost::new("--- Tiltfile\nprint(1)\n--- web/Dockerfile\nFROM a\nRUN b\n");
        let read = |path: &str| host.read(&LocalPath::new(path)).unwrap();
        assert_eq!(read("/src/Tiltfile"), b"print(1)\n");
        assert_eq!(read("/src/web/Dockerfile"), b"FROM a\nRUN b\n");
        assert!(host.is_dir(&LocalPath::new("/src/web")) && !host.exists(&LocalPath::new("/src/we")));
    }
}
