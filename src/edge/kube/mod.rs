//! The cluster: connecting, applying, deleting, watching, reading logs. What objects should look like is `k8s`'s part;
//! what to do with what is seen is the engine's.
//!
//! Start with [`read_context`], which touches no network, and [`Cluster::connect`].

mod api;
mod apply;
mod apply_object;
#[cfg(test)]
mod apply_tests;
mod connect;
mod context;
mod delete;
mod drift;
mod error;
#[cfg(test)]
pub(super) mod fake_api;
mod frozen;
mod health;
mod held;
mod identity;
mod kept;
mod log_lines;
mod log_pace;
mod log_position;
mod log_reader;
mod metadata_requests;
mod outage;
mod outbox;
mod owner_cache;
mod owners;
mod patient_watch;
mod pauses;
mod pod_logs;
mod registry;
mod rejection;
mod renewal;
mod take_down;
mod watch;
#[cfg(test)]
mod watch_expired;
mod watch_kinds;

/// Why nothing can be deployed where no kubeconfig names a cluster.
const NO_KUBECONFIG: &str = "no kubeconfig names a cluster\n\
    hint: set KUBECONFIG or write ~/.kube/config; `kubectl config get-contexts` shows what there is";

pub use apply::{ApplyOutcome, ApplyRequest, applied_object, apply};
pub use connect::{Cluster, ClusterInfo, ConnectError};
pub use context::{ClusterAccess, ContextError, read_context};
pub use delete::{collect_garbage, delete};
pub use drift::drift;
pub(in crate::edge) use error::message as error_message;
pub use frozen::{FrozenKubeconfig, write_frozen};
pub use health::watch_health;
pub(in crate::edge) use kept::what_it_holds;
pub use pod_logs::PodLogs;
pub use registry::RegistryHosting;
pub use take_down::{Patience, take_down};
pub use watch::ClusterWatcher;
