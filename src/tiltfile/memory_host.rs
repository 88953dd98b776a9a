//! A world made of one text, for tests.

use std::collections::BTreeMap;
use std::io;

use super::Host;
use crate::model::LocalPath;

/// Files and variables held in memory.
#[derive(Clone, Debug, Default)]
pub struct MemoryHost {
    files: BTreeMap<LocalPath, Vec<u8>>,
    variables: BTreeMap<String, String>,
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
    pub fn with_env(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Adds a file.
    #[must_use]
    pub fn with_file(mut self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.insert(LocalPath::new(path), content.into());
        self
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
            None if self.is_dir(path) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn is_dir(&self, path: &LocalPath) -> bool {
        self.files.keys().any(|file| file != path && file.is_within(path))
    }

    fn exists(&self, path: &LocalPath) -> bool {
        self.files.contains_key(path) || self.is_dir(path)
    }

    fn env(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
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
