//! The pure core of `tilt`: what a Tiltfile means, and what to do next, as data.
//!
//! In reading order: what things are (`model`, `k8s`, `diag`), how declarations become manifests (`assembly`), what to do
//! next (`engine`), and what readers see of that (`view`). Nothing here waits, looks outside, reads a clock or prints.

/// The API of a session: its objects, and what clients may do with them.
pub mod api;
/// Turns declarations into manifests.
pub mod assembly;
/// What went wrong, where, and what to do about it.
pub mod diag;
/// Owns the state: events in, effects out.
pub mod engine;
/// Kubernetes objects as data: reading, identifying, ordering, injecting. No client.
pub mod k8s;
/// What a resource is made of: plain values with names.
pub mod model;
/// What every reader sees of the state.
pub mod view;
