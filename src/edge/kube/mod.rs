//! The cluster: connecting, applying, deleting, watching, reading logs. What objects should look like is `k8s`'s part;
//! what to do with what is seen is the engine's.
//!
//! Start with [`read_context`], which touches no network, and [`Cluster::connect`]. `connection` is below all other rooms
//! here, `owners` below `watch`.

mod apply;
mod connection;
#[cfg(test)]
pub(super) mod fake_api;
mod logs;
mod owners;
mod watch;

/// Why nothing can be deployed where no kubeconfig names a cluster.
const NO_KUBECONFIG: &str = "no kubeconfig names a cluster\n\
    hint: set KUBECONFIG or write ~/.kube/config; `kubectl config get-contexts` shows what there is";

pub use apply::{
    ApplyOutcome, ApplyRequest, Patience, applied_object, apply, collect_garbage, delete, still_there,
    take_down,
};
pub(in crate::edge) use apply::{Coming, plan_objects, what_it_holds};
pub(in crate::edge) use connection::message as error_message;
pub use connection::{
    Cluster, ClusterAccess, ClusterInfo, ConnectError, ContextError, FrozenKubeconfig, RegistryHosting,
    drift, read_context, watch_health, write_frozen,
};
pub use logs::PodLogs;
pub use watch::ClusterWatcher;
