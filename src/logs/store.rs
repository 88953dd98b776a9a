//! The store behind all output. (Placeholder: keeps events in memory.)

use std::sync::{Arc, Mutex};

use super::LogEvent;

/// A shared handle to the log of a session.
#[derive(Clone, Default)]
pub struct LogStore {
    events: Arc<Mutex<Vec<LogEvent>>>,
}

impl LogStore {
    /// Returns a log that is kept in memory only, for tests and commands that print nothing else.
    pub fn in_memory() -> Self {
        Self::default()
    }

    /// Appends a piece of output.
    pub fn append(&self, event: LogEvent) {
        self.events
            .lock()
            .expect("no panic while the log is held")
            .push(event);
    }
}
