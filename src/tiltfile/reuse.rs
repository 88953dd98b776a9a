//! Results of commands that are reused while nothing that they depend on has changed.
//!
//! A command depends on its arguments, directory, environment and input, and on the content of the paths that its caller
//! names. A result is kept by what the command is, together with a fingerprint of those paths. Only results of commands
//! that did well are kept, and only if no path changed meanwhile.

use std::sync::atomic::Ordering;

use sha2::{Digest, Sha256};

use super::host::{Ran, Stream};
use super::session::Session;
use crate::model::{Command, LocalPath};

/// A directory can be reached through links for ever; no real one is this deep.
const MAX_DEPTH: usize = 64;

pub(super) type Fingerprint = [u8; 32];

/// A result, what it was made from, and the load that used it last.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    inputs: Fingerprint,
    ran: Ran,
    used_by: u64,
}

impl Session<'_> {
    /// Runs a command whose result depends on nothing but itself and the content of `inputs` (files, or directories with
    /// all that is in them), or returns what it gave before. `output` hears what it prints, or has printed.
    ///
    /// # Errors
    /// As [`Session::run_command`].
    pub(super) fn run_or_reuse(
        &self,
        command: &Command,
        stdin: Vec<u8>,
        inputs: &[LocalPath],
        output: &mut dyn FnMut(Stream, &[u8]),
    ) -> Result<Ran, String> {
        let before = self.fingerprint(inputs);
        let key = self.identity(command, &stdin);
        if let Some(ran) = before.and_then(|before| self.kept(&key, &before)) {
            self.reused.set(true);
            output(Stream::Stdout, &ran.stdout);
            output(Stream::Stderr, &ran.stderr);
            return Ok(ran);
        }
        let ran = self.run_command(command, stdin, output)?;
        if ran.failure.is_none()
            && let Some(before) = before
            && self.fingerprint(inputs) == Some(before)
        {
            let kept = Kept {
                inputs: before,
                ran: ran.clone(),
                used_by: self.load_number,
            };
            self.request.memory.lock().results.insert(key, kept);
        }
        Ok(ran)
    }

    fn kept(&self, key: &Fingerprint, inputs: &Fingerprint) -> Option<Ran> {
        let mut memory = self.request.memory.lock();
        let kept = memory
            .results
            .get_mut(key)
            .filter(|kept| kept.inputs == *inputs)?;
        kept.used_by = self.load_number;
        Some(kept.ran.clone())
    }

    /// Forgets the results that this load, or a later one that runs beside it, had no use for.
    pub(super) fn forget_unused_results(&self) {
        let mut memory = self.request.memory.lock();
        memory.results.retain(|_, kept| kept.used_by >= self.load_number);
    }

    fn identity(&self, command: &Command, stdin: &[u8]) -> Fingerprint {
        let mut hash = Sha256::new();
        let mut add = |text: &[u8]| {
            hash.update(text.len().to_le_bytes());
            hash.update(text);
        };
        command.argv.iter().for_each(|arg| add(arg.as_bytes()));
        add(b"dir");
        add(command
            .dir
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default()
            .as_bytes());
        for (name, value) in self.environment_of(command) {
            add(name.as_bytes());
            add(value.as_bytes());
        }
        add(stdin);
        hash.finalize().into()
    }

    /// Returns a fingerprint of the content of paths; `None` when something cannot be read.
    fn fingerprint(&self, paths: &[LocalPath]) -> Option<Fingerprint> {
        let mut hash = Sha256::new();
        for path in paths {
            self.add_content(&mut hash, path, 0)?;
        }
        Some(hash.finalize().into())
    }

    fn add_content(&self, hash: &mut Sha256, path: &LocalPath, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH || self.cancelled.load(Ordering::Relaxed) {
            return None;
        }
        hash.update(path.as_path().as_os_str().as_encoded_bytes());
        if self.host.is_dir(path) {
            hash.update(b"\0directory\0");
            for entry in self.host.list(path).ok()? {
                self.add_content(hash, &path.join(&entry.name), depth + 1)?;
            }
        } else if self.host.exists(path) {
            let content = self.host.read(path).ok()?;
            hash.update(b"\0file\0");
            hash.update(content.len().to_le_bytes());
            hash.update(&content);
        } else {
            hash.update(b"\0nothing\0");
        }
        Some(())
    }
}
