//! Whether a Docker engine is the one that runs the cluster's containers, so that nothing needs to be pushed.
//!
//! minikube is not decided here: its engine is the one that `minikube docker-env` names.
//!
//! Rule: `docs/rules/images.md`, "Docker engines and pushes".

use super::cluster_facts::ClusterFacts;
use crate::k8s::Product;

/// How a Docker engine and a cluster belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// The cluster runs what the engine has.
    Shared,
    /// It does not; images are pushed.
    Separate,
    /// It would with another engine of the same product: this is what to warn of.
    Mismatch(String),
    /// The cluster cannot get any image: this is why, and what to switch.
    Unusable(String),
}

/// Returns how the engine at this host and a cluster belong together.
pub fn sharing(docker_host: &str, cluster: &ClusterFacts) -> Sharing {
    let by_default_host = match is_default_host(docker_host) {
        true => Sharing::Shared,
        false => Sharing::Separate,
    };
    match (cluster.product, cluster.container_runtime.as_str()) {
        (Product::DockerDesktop | Product::RancherDesktop, "docker") => by_default_host,
        (Product::DockerDesktop, "containerd") if by_default_host == Sharing::Shared => {
            if cluster.engine_uses_containerd {
                Sharing::Shared
            } else {
                Sharing::Unusable(DESKTOP_STORES.to_owned())
            }
        }
        (Product::Colima, "docker") => colima(docker_host, &cluster.cluster_name),
        (Product::Orbstack, "docker") if is_orbstack(docker_host) => Sharing::Shared,
        (Product::Orbstack, "docker") => Sharing::Mismatch(
            "connected to Kubernetes running on Orbstack, but building on a non-Orbstack Docker socket"
                .to_owned(),
        ),
        _ => Sharing::Separate,
    }
}

const DESKTOP_STORES: &str = "Kubernetes of Docker Desktop runs containers with containerd, but Docker keeps its images \
    elsewhere, so that the cluster would not find them\n\
    hint: in the settings of Docker Desktop, switch on \"Use containerd for pulling and storing images\" (General), or let \
    Kubernetes use kubeadm (Kubernetes)";

/// Returns whether the product's own engine is at this host.
pub(super) fn is_default_host(host: &str) -> bool {
    const HOSTS: [&str; 6] = [
        "",
        "tcp://localhost:2375",
        "tcp://localhost:2376",
        "tcp://127.0.0.1:2375",
        "tcp://127.0.0.1:2376",
        "unix:///var/run/docker.sock",
    ];
    const SOCKETS: [&str; 3] = [
        "/.docker/desktop/docker.sock",
        "/.docker/run/docker.sock",
        "/.rd/docker.sock",
    ];
    HOSTS.contains(&host)
        || (host.starts_with("unix://") && SOCKETS.iter().any(|socket| host.ends_with(socket)))
}

fn is_orbstack(host: &str) -> bool {
    host.starts_with("unix://") && host.ends_with("/.orbstack/run/docker.sock")
}

fn colima(docker_host: &str, cluster: &str) -> Sharing {
    let wanted = cluster.strip_prefix("colima-").unwrap_or("default");
    match colima_profile(docker_host) {
        None => Sharing::Mismatch(
            "connected to Kubernetes running on Colima, but building on a non-Colima Docker socket"
                .to_owned(),
        ),
        Some(found) if found == wanted => Sharing::Shared,
        Some(found) => Sharing::Mismatch(format!(
            "connected to Kubernetes on Colima profile {wanted}, but building on Docker on Colima profile {found}"
        )),
    }
}

/// Finds `.colima/<profile>/` (or `.colima-<profile>/`, or `.config/colima/<profile>/`) in the path of a socket.
fn colima_profile(host: &str) -> Option<&str> {
    let mut parts = host.strip_prefix("unix://")?.split('/').peekable();
    let mut in_config = false;
    while let Some(part) = parts.next() {
        let next = parts.peek().copied();
        if let Some(profile) = part.strip_prefix(".colima-") {
            return Some(profile);
        }
        if part == ".colima" || (in_config && part == "colima") {
            // Old versions have the socket of the default profile right here.
            return next.map(|profile| match profile {
                "docker.sock" => "default",
                profile => profile,
            });
        }
        in_config = part == ".config";
    }
    None
}

/// Reads what `minikube docker-env --shell sh` prints: `export NAME="value"`.
pub fn minikube_environment(output: &str) -> Vec<(String, String)> {
    let exports = output
        .lines()
        .filter_map(|line| line.trim().strip_prefix("export "));
    let pairs = exports.filter_map(|line| line.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: &str = "unix:///var/run/docker.sock";

    fn cluster(product: Product, name: &str, runtime: &str) -> ClusterFacts {
        ClusterFacts {
            product,
            container_runtime: runtime.to_owned(),
            cluster_name: name.to_owned(),
            ..ClusterFacts::default()
        }
    }

    #[test]
    fn an_engine_is_shared_where_product_runtime_and_socket_say_so() {
        use Product::{Colima, DockerDesktop, Kind, Minikube, Orbstack, RancherDesktop};
        for (host, product, name, runtime, is_shared) in [
            (DEFAULT, DockerDesktop, "docker-desktop", "docker", true),
            ("", DockerDesktop, "docker-desktop", "docker", true),
            (
                "tcp://127.0.0.1:2376",
                DockerDesktop,
                "docker-desktop",
                "docker",
                true,
            ),
            (
                "unix:///home/u/.docker/desktop/docker.sock",
                DockerDesktop,
                "docker-desktop",
                "docker",
                true,
            ),
            (
                "unix:///home/u/.docker/run/docker.sock",
                DockerDesktop,
                "docker-desktop",
                "docker",
                true,
            ),
            (
                "tcp://10.0.0.1:2375",
                DockerDesktop,
                "docker-desktop",
                "docker",
                false,
            ),
            (
                "unix:///home/u/.rd/docker.sock",
                RancherDesktop,
                "rancher-desktop",
                "docker",
                true,
            ),
            (DEFAULT, RancherDesktop, "rancher-desktop", "containerd", false),
            (
                "unix:///home/u/.colima/default/docker.sock",
                Colima,
                "colima",
                "docker",
                true,
            ),
            (
                "unix:///home/u/.colima/docker.sock",
                Colima,
                "colima",
                "docker",
                true,
            ),
            (
                "unix:///home/u/.config/colima/x/docker.sock",
                Colima,
                "colima-x",
                "docker",
                true,
            ),
            (
                "unix:///home/u/.colima-x/docker.sock",
                Colima,
                "colima-x",
                "docker",
                true,
            ),
            (
                "unix:///home/u/.colima/default/docker.sock",
                Colima,
                "colima",
                "containerd",
                false,
            ),
            (
                "unix:///home/u/.orbstack/run/docker.sock",
                Orbstack,
                "orbstack",
                "docker",
                true,
            ),
            (DEFAULT, Kind, "kind", "docker", false),
            (DEFAULT, Minikube, "minikube", "docker", false),
            (DEFAULT, Product::K3d, "k3d-a", "containerd", false),
            (DEFAULT, Product::MicroK8s, "microk8s", "docker", false),
            (DEFAULT, Product::Crc, "api-crc-testing:6443", "docker", false),
            (DEFAULT, Product::Krucible, "krucible-a", "docker", false),
            (DEFAULT, Product::Gke, "gke_a", "docker", false),
            (DEFAULT, Product::Eks, "a.eksctl.io", "docker", false),
            (DEFAULT, Product::Unknown, "prod", "docker", false),
        ] {
            let expected = if is_shared {
                Sharing::Shared
            } else {
                Sharing::Separate
            };
            assert_eq!(
                sharing(host, &cluster(product, name, runtime)),
                expected,
                "{host} {product:?} {runtime}"
            );
        }
    }

    #[test]
    fn an_engine_of_another_product_is_warned_of() {
        let warning = |host, product, name| match sharing(host, &cluster(product, name, "docker")) {
            Sharing::Mismatch(warning) => warning,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            warning(DEFAULT, Product::Orbstack, "orbstack"),
            "connected to Kubernetes running on Orbstack, but building on a non-Orbstack Docker socket"
        );
        assert_eq!(
            warning(DEFAULT, Product::Colima, "colima"),
            "connected to Kubernetes running on Colima, but building on a non-Colima Docker socket"
        );
        assert_eq!(
            warning(
                "unix:///home/u/.colima/docker.sock",
                Product::Colima,
                "colima-test"
            ),
            "connected to Kubernetes on Colima profile test, but building on Docker on Colima profile default"
        );
    }

    #[test]
    fn docker_desktop_must_keep_images_where_its_kubernetes_looks() {
        let mut desktop = cluster(Product::DockerDesktop, "docker-desktop", "containerd");
        let Sharing::Unusable(why) = sharing(DEFAULT, &desktop) else {
            panic!("its images are nowhere to be found");
        };
        assert!(
            why.contains("\nhint: in the settings of Docker Desktop, switch on"),
            "{why}"
        );
        desktop.engine_uses_containerd = true;
        assert_eq!(sharing(DEFAULT, &desktop), Sharing::Shared);
        assert_eq!(sharing("tcp://far:2375", &desktop), Sharing::Separate);
    }

    #[test]
    fn minikubes_environment_is_read_from_its_exports() {
        let output =
            "export DOCKER_HOST=\"tcp://1.2.3.4:2376\"\n# run eval\nexport MINIKUBE_ACTIVE_DOCKERD=\"x\"\n";
        assert_eq!(
            minikube_environment(output)[0],
            ("DOCKER_HOST".to_owned(), "tcp://1.2.3.4:2376".to_owned())
        );
    }
}
