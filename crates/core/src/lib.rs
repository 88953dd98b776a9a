//! The pure core of `tilt`: what a Tiltfile means, and what to do next, as data.
//!
//! In reading order: what things are (`model`, `k8s`, `diag`), how declarations become manifests (`assembly`), what to do
//! next (`engine`, with `history` for what became of it), and what readers see of that (`view`). Nothing here waits, looks outside, reads a clock or prints.

/// The API of a session: its objects, and what clients may do with them.
pub mod api;
/// Turns declarations into manifests.
pub mod assembly;
/// What went wrong, where, and what to do about it.
pub mod diag;
/// Owns the state: events in, effects out.
pub mod engine;
/// What became of each update: why, how long, how it ended.
pub mod history;
/// Kubernetes objects as data: reading, identifying, ordering, injecting. No client.
pub mod k8s;
/// What a resource is made of: plain values with names.
pub mod model;
/// What `tilt up` would do now.
pub mod plan;
/// What a run of `tilt ci` came to, in the forms that others read.
pub mod report;
/// What every reader sees of the state.
pub mod view;
