//! The loop of a session: events in, effects out, and what it holds while it runs.
//!
//! `event_loop` owns the engine. `effects` says for each effect who carries it out. `connect` comes by the cluster,
//! `connected_cluster` is what is known of one that is there, and `reachable_again` looks out for what was away.

mod about;
mod connect;
mod connected_cluster;
mod effects;
mod event_loop;
mod reachable_again;
mod records;

pub use about::Session;
#[cfg(test)]
pub(in crate::edge) use connect::keep_watching_health;
pub(in crate::edge) use connected_cluster::{cluster_facts, platform};
pub use event_loop::{Handle, Way, run, way};
