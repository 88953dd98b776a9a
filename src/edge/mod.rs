//! Carries effects out and reports events. Only here are tasks started, files and clocks read, servers called.
//!
//! `run` owns the engine and the loop; every other file does one kind of thing and reports how it ended.

pub use crate::clock;
mod comebacks;
mod connected;
mod connecting;
mod container_updates;
pub mod custom_deploy;
pub mod docker;
mod effects;
mod git_checkouts;
mod host;
mod image_contents;
mod images;
pub mod kube;
mod lasting;
pub mod live_update;
pub mod load;
pub mod local;
mod port_forwards;
pub mod port_holder;
mod print;
pub mod process;
pub mod run;
pub mod signals;
mod steps;
mod unreachable;
pub mod update;
#[cfg(test)]
mod update_tests;
mod watch_files;

pub use git_checkouts::GitCheckouts;
pub use host::RealHost;
pub use print::{output_gone, print_stream};
