//! What matters of a cluster for delivering images to it.

use crate::k8s::Product;
use crate::model::Registry;

/// What matters of a cluster for delivering images to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterFacts {
    /// The kind of cluster.
    pub product: Product,
    /// The registry that was found in the cluster, or that the Tiltfile names.
    pub registry: Option<Registry>,
    /// What runs the containers of its first node, such as `docker` or `containerd`; empty if not known.
    pub container_runtime: String,
    /// Whether the Docker engine keeps its images in containerd too; only asked where that matters.
    pub engine_uses_containerd: bool,
    /// The cluster's name in the kubeconfig.
    pub cluster_name: String,
}
