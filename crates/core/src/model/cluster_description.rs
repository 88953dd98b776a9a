//! What a cluster says about itself, for people.

use super::Timestamp;

/// What a cluster says about itself, for people. Nothing is decided by it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ClusterDescription {
    /// When it was connected to.
    pub connected: Timestamp,
    /// Its name in the kubeconfig.
    pub name: String,
    /// Tilt's word for what kind of cluster it is.
    pub product: &'static str,
    /// The processor architecture of its nodes; `unknown` when they cannot be read.
    pub arch: String,
    /// The version of Kubernetes; empty when it did not say.
    pub version: String,
    /// The host of the registry that it announces.
    pub registry: Option<String>,
}
