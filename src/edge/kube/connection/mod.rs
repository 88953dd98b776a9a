//! The connection to one cluster: what the kubeconfig says, who answers, and requests that outlast outages.
//!
//! Start with [`read_context`], which touches no network, and [`Cluster::connect`]. `object_api` asks for objects of any
//! kind. `identity` keeps writes from another cluster, `probe` (with `outages`) and `client_renewal` bring back what was lost, and
//! `health` tells the engine how the cluster is. `sockets` makes the client that all of them use.

mod client_renewal;
mod cluster;
mod discovery;
mod error;
mod health;
mod identity;
mod kubeconfig;
mod kubeconfig_changes;
mod kubeconfig_for_commands;
mod object_api;
mod outages;
mod probe;
mod registry;
mod renewals;
mod sockets;

pub use cluster::{Cluster, ClusterInfo, ConnectError};
pub(in crate::edge) use error::message;
pub(in crate::edge::kube) use error::{RequestError, is_login_refused, is_lost, is_not_found};
pub use health::watch_health;
pub(in crate::edge::kube) use identity::WritePermit;
pub use kubeconfig::{ClusterAccess, ContextError, read_context};
pub use kubeconfig_changes::drift;
pub use kubeconfig_for_commands::{FrozenKubeconfig, write_frozen};
pub(in crate::edge::kube) use object_api::{ObjectApi, OwnedMetadata};
pub use registry::RegistryHosting;
