//! Watches of pods, events and workloads that go on whatever happens, one for each kind and namespace in use.
//!
//! `cluster_watcher` has one task for each namespace, `kinds` watches what else the engine asks for. `patient` is a watch
//! that survives, with the `pauses` between its attempts; `outbox` keeps what the engine has no time for yet.

mod cluster_watcher;
mod context;
#[cfg(test)]
mod expired_tests;
mod kinds;
mod outbox;
mod patient;
mod pauses;

pub use cluster_watcher::ClusterWatcher;
