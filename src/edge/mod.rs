//! Carries effects out and reports events. Only here are tasks started, files and clocks read, servers called.
//!
//! `session` owns the engine and the loop, and hands each effect to the room that carries it out: `evaluation` (a
//! Tiltfile), `update` (images and objects, from a plan), `live_update` (running containers), `local` (commands and
//! servers), `port_forwards`, `compose` (services). These use what knows one thing outside: `docker`, `kube`, `process`, `watch_files`, `machine`.
//! `retry` says what passes and is tried again, `stages` where the time of an update goes. `plan` only
//! looks. No room uses one that stands before it here.

pub mod plan;
pub mod session;

pub mod evaluation;
pub mod live_update;
pub mod local;
mod port_forwards;
pub mod update;

pub mod compose;
mod container_log;
pub mod docker;
pub mod kube;
pub mod machine;
pub mod process;
mod watch_files;

#[cfg(test)]
mod lasting_tests;
mod retry;
mod stages;

#[cfg(test)]
pub(crate) use retry::planted;
pub(crate) use retry::{death, lasting, vital};
