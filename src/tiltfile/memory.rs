//! What a session remembers from one load to the next.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use super::checkout::Checkout;

/// What a session remembers from one load to the next. A clone is the same memory.
#[derive(Clone, Debug, Default)]
pub struct Memory(Arc<Mutex<Remembered>>);

#[derive(Debug, Default)]
pub(super) struct Remembered {
    /// Repositories of extensions by URL and ref: each is fetched once in a session.
    pub(super) checkouts: HashMap<(String, String), Checkout>,
}

impl Memory {
    /// Returns what is remembered. Must not be held while Starlark code or a command runs.
    pub(super) fn lock(&self) -> MutexGuard<'_, Remembered> {
        self.0.lock().expect("nothing panics while it is held")
    }
}
