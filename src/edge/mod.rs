//! Carries effects out and reports events. Only here are tasks started, files and clocks read, servers called.
//!
//! `session` owns the engine and the loop, and hands each effect to the room that carries it out: `evaluation` (a
//! Tiltfile), `update` (images and objects, from a plan), `live_update` (running containers), `local` (commands and
//! servers), `port_forwards`, `compose` (services). These use what knows one thing outside: `docker`, `kube`, `process`, `watch_files`, `machine`.
//! `failure` says which failures pass, `lasting_tasks` what becomes of a task that dies, `stages` where the time of an update
//! goes. `plan` only looks. No room uses one that stands before it here.

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

mod failure;
mod lasting_tasks;
#[cfg(test)]
mod lasting_tests;
mod stages;

#[cfg(test)]
pub(crate) use lasting_tasks::planted;
pub(crate) use lasting_tasks::{death, lasting, vital};
