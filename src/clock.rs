//! The one place that reads a clock. Tests that pause tokio's clock pause this one too.
#![allow(clippy::disallowed_methods, reason = "this is the room for it")]

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::model::Timestamp;

/// Returns the time to measure durations with.
pub fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Returns the wall-clock time.
pub fn timestamp() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
