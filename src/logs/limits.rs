//! How much room the log may take.

use std::time::Duration;

/// How much room the log may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLimits {
    /// For all sessions together, on disk.
    pub disk_bytes: u64,
    /// For one file on disk.
    pub file_bytes: u64,
    /// For the window in memory.
    pub memory_bytes: usize,
    /// How long anybody waits for the disk.
    pub patience: Duration,
}

impl Default for LogLimits {
    fn default() -> Self {
        Self {
            disk_bytes: 1 << 30,
            file_bytes: 4 << 20,
            memory_bytes: 4 << 20,
            patience: Duration::from_secs(1),
        }
    }
}
