//! A Tiltfile-compatible dev orchestrator for Kubernetes.
//!
//! In reading order: what things are and what to do next (the crate `tilt_core`: `model`, `k8s`, `diag`, `assembly`,
//! `engine`, `view`), how a Tiltfile is read (the crate `tilt_tiltfile`), where output goes (`logs`), and who acts
//! (`edge`, `cli`). `docs/ARCHITECTURE.md` is the map.

pub use tilt_core::{api, assembly, diag, engine, history, k8s, model, plan, report, view};
pub use tilt_tiltfile as tiltfile;

/// The command line.
pub mod cli;
/// The one place that reads a clock.
pub mod clock;
/// Carries effects out and reports events: files, Docker, Kubernetes, processes.
pub mod edge;
/// Every line of output, by position, on disk and in memory.
pub mod logs;
/// A session that can be talked to: the API, the endpoints of the web page.
pub mod server;
