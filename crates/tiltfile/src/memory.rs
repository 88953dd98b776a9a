//! What a session remembers from one load to the next.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use super::checkout::Checkout;
use super::compose::KeptProject;
use super::reuse::{Fingerprint, Kept};

/// What a session remembers from one load to the next. A clone is the same memory.
#[derive(Clone, Debug, Default)]
pub struct Memory(Arc<Mutex<Remembered>>);

#[derive(Debug, Default)]
pub(super) struct Remembered {
    /// Repositories of extensions by URL and ref: each is fetched once in a session.
    pub(super) checkouts: HashMap<(String, String), Checkout>,
    /// Results of commands, by what was run.
    pub(super) results: HashMap<Fingerprint, Kept>,
    /// Compose projects, by the command that reads them.
    pub(super) projects: HashMap<Fingerprint, KeptProject>,
    /// How many loads there were.
    n_loads: u64,
}

impl Memory {
    /// Returns what is remembered. Must not be held while Starlark code or a command runs.
    pub(super) fn lock(&self) -> MutexGuard<'_, Remembered> {
        self.0.lock().expect("nothing panics while it is held")
    }

    /// Returns the number of a load that begins.
    pub(super) fn next_load(&self) -> u64 {
        let mut memory = self.lock();
        memory.n_loads += 1;
        memory.n_loads
    }
}
