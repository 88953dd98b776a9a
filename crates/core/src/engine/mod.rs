//! Owns the state of a session: events in, effects out, time as an argument.
//!
//! Start with [`Event`] and [`Effect`]: together they are all that the engine and the outside say to each other. Then
//! `handle`, which sends each event where it belongs and draws the consequences. What is known is plain data, in `state`; the
//! rules that read and change it are in files of their own: what runs next in `candidates` and `schedule`, what an update does
//! in `update`, when `ci` ends in `ci`.

mod candidates;
mod ci;
mod cluster_events;
mod cluster_watch;
mod config;
mod connection;
pub(crate) mod cycles;
mod definitions;
mod deleted_by_others;
mod deploy;
mod effect;
mod enablement;
mod event;
mod file_names;
mod files;
pub(crate) mod forwards;
mod gc;
mod handle;
mod health;
mod live_update;
mod load;
mod moment;
mod never_started;
mod object_id;
mod objects;
mod pod_claims;
mod pods;
mod prune;
mod records;
mod reload;
mod replaced;
mod requests;
mod retry;
mod rollout;
#[cfg(debug_assertions)]
mod scan;
mod schedule;
mod serve;
pub(crate) mod services;
pub(crate) mod state;
mod streams;
pub(crate) mod stuck;
#[cfg(test)]
mod tests;
mod update;
pub(crate) mod why_no_pod;
mod workloads;

pub use config::{EngineConfig, Mode};
pub use effect::{
    Asker, CiFailure, ClusterWatch, ContainerLog, ContainerUpdate, Effect, ExitOutcome, ExpectedContainers,
    Forward, ForwardId, ForwardTarget, Forwards, ImageAction, ImageStep, LiveUpdatePlan, LogId, LogStream,
    LogStreams, PodLog, PruneRequest, PrunedImage, Server, Servers, UpdatePlan, WatchSet, WatchedKind,
    WatchedTarget,
};
pub use event::{
    AppliedObject, ClusterStatus, Event, ExtensionEnd, FileChange, ForwardPart, LoadOutcome, ServerEnd,
    ServerStatus, Transient, UpdateOutcome,
};
pub use handle::Engine;
pub use moment::Moment;
pub use object_id::{ObjectId, UnwantedObject};
pub(crate) use objects::run_status;
pub use state::Hold;
