//! What a session remembers from one load to the next.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use super::checkout::Checkout;
use super::compose::resolved::Resolved;
use super::host::Ran;
use crate::model::LocalPath;

/// What stands for the content of something.
pub(super) type Fingerprint = [u8; 32];

/// A result, what it was made from, and the load that used it last.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) inputs: Fingerprint,
    pub(super) ran: Ran,
    pub(super) used_by: u64,
}

/// What a project was resolved to, and from what.
#[derive(Clone, Debug)]
pub(super) struct KeptProject {
    /// All files that it is made of.
    pub(super) files: BTreeSet<LocalPath>,
    /// Their content, and what it means; `None` when that is not known.
    pub(super) known: Option<(Fingerprint, Arc<Resolved>)>,
    pub(super) used_by: u64,
}

impl KeptProject {
    /// Returns whether a load with this number, or a later one, used it.
    pub(super) fn is_used_by(&self, load: u64) -> bool {
        self.used_by >= load
    }
}

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
