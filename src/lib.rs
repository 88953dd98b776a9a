//! A Tiltfile-compatible dev orchestrator for Kubernetes.
//!
//! In reading order: what things are (`model`, `k8s`, `diag`), how a Tiltfile becomes manifests (`tiltfile`,
//! `assembly`), what to do next (`engine`, seen through `view`), where output goes (`logs`), and who acts
//! (`edge`, `cli`). `docs/ARCHITECTURE.md` is the map.

/// Turns declarations into manifests.
pub mod assembly;
/// The command line.
pub mod cli;
/// What went wrong, where, and what to do about it.
pub mod diag;
/// Carries effects out and reports events: files, Docker, Kubernetes, processes.
pub mod edge;
/// Owns the state: events in, effects out.
pub mod engine;
/// Kubernetes objects as data: reading, identifying, ordering, injecting. No client.
pub mod k8s;
/// Every line of output, by position, on disk and in memory.
pub mod logs;
/// What a resource is made of: plain values with names.
pub mod model;
/// Evaluates Tiltfiles into declarations.
pub mod tiltfile;
/// What every reader sees of the state.
pub mod view;
