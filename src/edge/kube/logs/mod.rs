//! Logs of containers, without a line lost or told twice.
//!
//! `pod_logs` has a reader for each log that the engine wants; `reader` reads one over all runs of its container, and
//! `pace` keeps many readers from asking at once.

mod pace;
mod pod_logs;

mod reader;

pub use pod_logs::PodLogs;
