//! Which cluster the kubeconfig means, and whether it is safe to deploy there.

/// What the kubeconfig says about the cluster to use.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct KubeContext {
    /// The context's name; empty when there is no kubeconfig or no current context.
    pub name: String,
    /// The cluster's name in the kubeconfig.
    pub cluster: String,
    /// The namespace for objects that name none; `default` unless the context sets one.
    pub namespace: String,
    /// The kind of cluster.
    pub product: Product,
}

/// The kind of a cluster, as far as its name tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "the names of products")]
pub enum Product {
    /// There is no cluster.
    #[default]
    None,
    Minikube,
    DockerDesktop,
    Gke,
    Eks,
    Kind,
    MicroK8s,
    Crc,
    Krucible,
    K3d,
    RancherDesktop,
    Colima,
    Orbstack,
    /// Anything else.
    Unknown,
}

impl Product {
    /// Returns the product for a cluster's name, the kubeconfig file that defined the context, and the cluster's CA file.
    ///
    /// Rule: `docs/rules/images.md`, "Products"; the first match wins.
    pub fn detect(cluster: &str, kubeconfig_file: &str, ca_file: &str, home: &str) -> Self {
        let base = kubeconfig_file.rsplit('/').next().unwrap_or_default();
        let starts = |prefix: &str| cluster.starts_with(prefix);
        if starts("minikube") {
            Self::Minikube
        } else if starts("docker-for-desktop-cluster") || starts("docker-desktop") {
            Self::DockerDesktop
        } else if starts("gke") {
            Self::Gke
        } else if starts("arn:aws:eks:") || cluster.ends_with(".eksctl.io") {
            Self::Eks
        } else if cluster == "kind" || starts("kind-") {
            Self::Kind
        } else if starts("microk8s") {
            Self::MicroK8s
        } else if starts("api-crc-testing") {
            Self::Crc
        } else if starts("krucible-") {
            Self::Krucible
        } else if starts("k3d-") {
            Self::K3d
        } else if starts("rancher-desktop") {
            Self::RancherDesktop
        } else if starts("colima") {
            Self::Colima
        } else if cluster == "orbstack" {
            Self::Orbstack
        } else if !home.is_empty() && kubeconfig_file.starts_with(&format!("{home}/.config/k3d/")) {
            Self::K3d
        } else if !home.is_empty() && ca_file.starts_with(&format!("{home}/.minikube/")) {
            Self::Minikube
        } else if base.starts_with("kind-config-") {
            Self::Kind
        } else {
            Self::Unknown
        }
    }

    /// Returns Tilt's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minikube => "minikube",
            Self::DockerDesktop => "docker-desktop",
            Self::Gke => "gke",
            Self::Eks => "eks",
            Self::Kind => "kind",
            Self::MicroK8s => "microk8s",
            Self::Crc => "crc",
            Self::Krucible => "krucible",
            Self::K3d => "k3d",
            Self::RancherDesktop => "rancher-desktop",
            Self::Colima => "colima",
            Self::Orbstack => "orbstack",
            Self::Unknown => "unknown",
        }
    }

    /// Returns whether anything may be deployed there without permission: a development cluster, or none at all.
    pub fn is_local(self) -> bool {
        !matches!(self, Self::Gke | Self::Eks | Self::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every rule: the cluster's name, the kubeconfig file, the CA file; what it is, and whether it may be deployed to.
    #[test]
    fn the_clusters_name_decides_before_its_files() {
        let k3d_file = "/home/u/.config/k3d/kubeconfig-a.yaml";
        let minikube_ca = "/home/u/.minikube/ca.crt";
        for (cluster, file, ca, product, is_local) in [
            ("minikube", "", "", Product::Minikube, true),
            ("minikube-2", "", "", Product::Minikube, true),
            ("docker-for-desktop-cluster", "", "", Product::DockerDesktop, true),
            ("docker-desktop", "", "", Product::DockerDesktop, true),
            ("gke_project_zone_name", "", "", Product::Gke, false),
            ("arn:aws:eks:eu:1:cluster/x", "", "", Product::Eks, false),
            ("x.eu-west-1.eksctl.io", "", "", Product::Eks, false),
            ("kind", "", "", Product::Kind, true),
            ("kind-test", "", "", Product::Kind, true),
            ("kindly", "", "", Product::Unknown, false),
            ("microk8s-cluster", "", "", Product::MicroK8s, true),
            ("api-crc-testing:6443", "", "", Product::Crc, true),
            ("krucible-a", "", "", Product::Krucible, true),
            ("krucible", "", "", Product::Unknown, false),
            ("k3d-a", "", "", Product::K3d, true),
            ("k3d", "", "", Product::Unknown, false),
            ("rancher-desktop", "", "", Product::RancherDesktop, true),
            ("colima", "", "", Product::Colima, true),
            ("colima-x", "", "", Product::Colima, true),
            ("orbstack", "", "", Product::Orbstack, true),
            ("orbstack-2", "", "", Product::Unknown, false),
            ("x", k3d_file, "", Product::K3d, true),
            ("x", "/home/other/.config/k3d/a", "", Product::Unknown, false),
            ("x", "", minikube_ca, Product::Minikube, true),
            ("x", k3d_file, minikube_ca, Product::K3d, true),
            ("x", "/tmp/kind-config-a", "", Product::Kind, true),
            ("x", "/tmp/kind-config-a", minikube_ca, Product::Minikube, true),
            ("gke_x", k3d_file, minikube_ca, Product::Gke, false),
            ("production", "", "", Product::Unknown, false),
        ] {
            let found = Product::detect(cluster, file, ca, "/home/u");
            assert_eq!(
                (found, found.is_local()),
                (product, is_local),
                "{cluster} {file} {ca}"
            );
        }
        // Without a home directory no file lies below it.
        assert_eq!(Product::detect("x", "/.config/k3d/a", "", ""), Product::Unknown);
        assert!(Product::None.is_local(), "there is nothing to deploy to");
    }
}
