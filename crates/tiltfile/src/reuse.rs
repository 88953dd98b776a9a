//! Results of commands that are reused while nothing that they depend on has changed.
//!
//! A command depends on its arguments, directory, environment and input, and on the content of the paths that its caller
//! names. A result is kept by what the command is, together with a fingerprint of those paths. Only results of commands
//! that did well are kept, and only if no path changed meanwhile.

use std::sync::atomic::Ordering;

use sha2::{Digest, Sha256};

use super::host::{Ran, Stream};
use super::memory::{Fingerprint, Kept};
use super::session::Session;
use crate::model::{Command, LocalPath};

/// A directory can be reached through links for ever; no real one is this deep.
const MAX_DEPTH: usize = 64;

/// Inputs of more files or bytes than this take longer to look at than most commands run.
const MAX_FILES: usize = 50_000;
const MAX_BYTES: u64 = 256 << 20;

/// A command whose result may be there already.
pub(super) struct Reusable<'a> {
    command: &'a Command,
    inputs: &'a [LocalPath],
    identity: Fingerprint,
    /// `None` when the inputs cannot be read, or are too much to read at each load.
    before: Option<Fingerprint>,
}

impl Session<'_> {
    /// Looks at a command whose result depends on nothing but itself and the content of `inputs`: files, or directories
    /// with all that is in them.
    pub(super) fn reusable<'a>(
        &self,
        command: &'a Command,
        stdin: &[u8],
        inputs: &'a [LocalPath],
    ) -> Reusable<'a> {
        Reusable {
            command,
            inputs,
            identity: self.identity(command, stdin),
            before: self.fingerprint(inputs),
        }
    }

    /// Returns what a command gave before, if that still holds.
    pub(super) fn kept(&self, reusable: &Reusable<'_>) -> Option<Ran> {
        let before = reusable.before?;
        let mut memory = self.request.memory.lock();
        let kept = memory.results.get_mut(&reusable.identity)?;
        if kept.inputs != before {
            return None;
        }
        kept.used_by = self.load_number;
        self.reused.set(true);
        Some(kept.ran.clone())
    }

    /// Runs a command, and keeps what it gives.
    ///
    /// # Errors
    /// As [`Session::run_command`].
    pub(super) fn run_and_keep(
        &self,
        reusable: &Reusable<'_>,
        stdin: Vec<u8>,
        output: &mut dyn FnMut(Stream, &[u8]),
    ) -> Result<Ran, String> {
        let ran = self.run_command(reusable.command, stdin, output)?;
        self.keep(reusable, &ran);
        Ok(ran)
    }

    /// Keeps what a command gave, if it went well and its inputs are as they were.
    pub(super) fn keep(&self, reusable: &Reusable<'_>, ran: &Ran) {
        if ran.failure.is_none()
            && let Some(inputs) = reusable.before
            && self.fingerprint(reusable.inputs) == Some(inputs)
        {
            let kept = Kept {
                inputs,
                ran: ran.clone(),
                used_by: self.load_number,
            };
            let mut memory = self.request.memory.lock();
            memory.results.insert(reusable.identity, kept);
        }
    }

    /// Runs a command, or returns what it gave before. `output` hears what it prints, or has printed.
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
        let reusable = self.reusable(command, &stdin, inputs);
        match self.kept(&reusable) {
            Some(ran) => {
                output(Stream::Stdout, &ran.stdout);
                output(Stream::Stderr, &ran.stderr);
                Ok(ran)
            }
            None => self.run_and_keep(&reusable, stdin, output),
        }
    }

    /// Forgets the results that this load, or a later one that runs beside it, had no use for.
    pub(super) fn forget_unused_results(&self) {
        let mut memory = self.request.memory.lock();
        memory.results.retain(|_, kept| kept.used_by >= self.load_number);
        memory
            .projects
            .retain(|_, kept| kept.is_used_by(self.load_number));
    }

    /// Returns what a command is: its arguments, directory, environment and input.
    pub(super) fn identity(&self, command: &Command, stdin: &[u8]) -> Fingerprint {
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

    /// Returns a fingerprint of the content of paths; `None` when something cannot be read, or is too much.
    pub(super) fn fingerprint(&self, paths: &[LocalPath]) -> Option<Fingerprint> {
        let mut walk = Walk {
            session: self,
            hash: Sha256::new(),
            n_files: 0,
            bytes_left: MAX_BYTES,
        };
        for path in paths {
            walk.add(path, 0)?;
        }
        Some(walk.hash.finalize().into())
    }
}

/// A way through files, with what is left of the time that it may take.
struct Walk<'a, 'h> {
    session: &'a Session<'h>,
    hash: Sha256,
    n_files: usize,
    bytes_left: u64,
}

impl Walk<'_, '_> {
    fn add(&mut self, path: &LocalPath, depth: usize) -> Option<()> {
        let host = self.session.host;
        self.n_files += 1;
        let is_too_much = depth > MAX_DEPTH || self.n_files > MAX_FILES;
        if is_too_much || self.session.cancelled.load(Ordering::Relaxed) {
            return None;
        }
        self.hash.update(path.as_path().as_os_str().as_encoded_bytes());
        if host.is_dir(path) {
            self.hash.update(b"\0directory\0");
            for entry in host.list(path).ok()? {
                self.add(&path.join(&entry.name), depth + 1)?;
            }
        } else if host.exists(path) {
            let (content, n_bytes) = host.content_hash(path, self.bytes_left).ok()?;
            self.bytes_left = self.bytes_left.checked_sub(n_bytes)?;
            self.hash.update(b"\0file\0");
            self.hash.update(content);
        } else {
            self.hash.update(b"\0nothing\0");
        }
        Some(())
    }
}
