//! How a cluster gets an image: pushed, loaded, or already there.

use tokio_util::sync::CancellationToken;

use super::error::BuildError;
use crate::edge::process::{ChildCommand, Environment, Process};
use crate::k8s::Product;
use crate::logs::LogWriter;
use crate::model::{BuiltImage, ImageRef, LocalPath, Registry};

/// What matters of a cluster for delivering images to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterFacts {
    /// The kind of cluster.
    pub product: Product,
    /// The registry that was found in the cluster, or that the Tiltfile names.
    pub registry: Option<Registry>,
    /// As a node tells, such as `docker://24.0.7` or `containerd://1.7.2`; empty if not known.
    pub container_runtime: String,
    /// The cluster's name in the kubeconfig.
    pub cluster_name: String,
}

/// Who needs an image in a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushWish {
    /// The cluster.
    Needed,
    /// Nobody: it is only what other images are built on.
    BaseOnly,
    /// Its own build saw to it.
    DoneByBuild,
}

/// How an image gets into the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Its own build sees to it.
    DoneByBuild,
    /// Not at all: it is only what other images are built on.
    BaseImage,
    /// Not at all: the cluster runs what the engine has.
    SharedEngine,
    /// By kind's own loader.
    LoadIntoKind,
    /// Through a registry.
    Push,
}

impl Delivery {
    /// Returns the line that is printed for it.
    pub fn line(self) -> &'static str {
        match self {
            Self::DoneByBuild => "Skipping push: custom_build() configured to handle push itself",
            Self::BaseImage => "Skipping push: base image does not need deploy",
            Self::SharedEngine => "Skipping push: building on cluster's container runtime",
            Self::LoadIntoKind => "Loading image to KIND",
            Self::Push => "Pushing with Docker client",
        }
    }
}

/// Decides how an image gets into the cluster; `shared` is whether the cluster runs what the engine has.
///
/// Rule: `reference/engine.md` 2.7, "Push step decision".
pub fn delivery(push: PushWish, shared: bool, image: &BuiltImage, cluster: &ClusterFacts) -> Delivery {
    let is_kind = cluster.product == Product::Kind;
    if push == PushWish::DoneByBuild {
        Delivery::DoneByBuild
    } else if push == PushWish::BaseOnly {
        Delivery::BaseImage
    } else if shared {
        Delivery::SharedEngine
    } else if is_kind && image.local_ref == image.cluster_ref && cluster.registry.is_none() {
        Delivery::LoadIntoKind
    } else {
        Delivery::Push
    }
}

/// Returns whether the engine at this host is the one that runs the cluster's containers.
///
/// minikube is not decided here: its engine is the one that `minikube docker-env` names.
///
/// Rule: `reference/engine.md` 2.7.
pub fn is_shared_with_cluster(docker_host: &str, cluster: &ClusterFacts) -> bool {
    if !cluster.container_runtime.starts_with("docker:") {
        return false;
    }
    match cluster.product {
        Product::DockerDesktop | Product::RancherDesktop => is_default_host(docker_host),
        Product::Colima => {
            colima_profile(docker_host) == Some(colima_profile_of_cluster(&cluster.cluster_name))
        }
        Product::Orbstack => docker_host.ends_with("/.orbstack/run/docker.sock"),
        _ => false,
    }
}

fn is_default_host(host: &str) -> bool {
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
            return next.map(|profile| {
                if profile == "docker.sock" {
                    "default"
                } else {
                    profile
                }
            });
        }
        in_config = part == ".config";
    }
    None
}

fn colima_profile_of_cluster(cluster: &str) -> &str {
    cluster.strip_prefix("colima-").unwrap_or("default")
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

/// Returns the command that loads an image into kind.
fn kind_command(image: &ImageRef, cluster_name: &str) -> Vec<String> {
    let name = cluster_name.strip_prefix("kind-").unwrap_or(cluster_name);
    ["kind", "load", "docker-image", &image.familiar(), "--name", name]
        .map(str::to_owned)
        .to_vec()
}

/// Loads an image into kind's nodes, with kind's output in the log.
pub(super) async fn load_into_kind(
    image: &ImageRef,
    cluster: &ClusterFacts,
    env: &Environment,
    log: &LogWriter,
    cancel: &CancellationToken,
) -> Result<(), BuildError> {
    let failed = |err: String| BuildError::new(format!("Error loading image to KIND: {err}"));
    let command = ChildCommand {
        argv: kind_command(image, &cluster.cluster_name),
        dir: LocalPath::new("/"),
        env: env.clone(),
    };
    let mut kind = Process::spawn(&command, log)
        .map_err(|err| failed(err.to_string()).hint("install kind, or give the cluster a registry"))?;
    tokio::select! {
        biased;
        // Dropping the process ends it, with all that it started.
        () = cancel.cancelled() => Err(BuildError::Canceled),
        exit = kind.wait() => match exit {
            Ok(exit) if exit.is_success() => Ok(()),
            Ok(exit) => Err(failed(format!("exit status {}", exit.code()))),
            Err(err) => Err(failed(err.to_string())),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(local: &str, cluster: &str) -> BuiltImage {
        BuiltImage {
            local_ref: ImageRef::parse(local).expect("a reference"),
            cluster_ref: ImageRef::parse(cluster).expect("a reference"),
        }
    }

    fn cluster(product: Product) -> ClusterFacts {
        ClusterFacts {
            product,
            container_runtime: "docker://20.10".to_owned(),
            ..ClusterFacts::default()
        }
    }

    fn with_registry(product: Product) -> ClusterFacts {
        let registry = Registry {
            host: "localhost:5000".to_owned(),
            host_from_container_runtime: None,
            single_name: None,
        };
        ClusterFacts {
            registry: Some(registry),
            ..cluster(product)
        }
    }

    #[test]
    fn the_first_reason_decides_how_an_image_is_delivered() {
        let same = image("a:1", "a:1");
        let other = image("a:1", "b:1");
        for (push, shared, image, cluster, expected) in [
            (
                PushWish::DoneByBuild,
                true,
                &same,
                cluster(Product::Kind),
                Delivery::DoneByBuild,
            ),
            (
                PushWish::BaseOnly,
                true,
                &same,
                cluster(Product::Kind),
                Delivery::BaseImage,
            ),
            (
                PushWish::Needed,
                true,
                &same,
                cluster(Product::Kind),
                Delivery::SharedEngine,
            ),
            (
                PushWish::Needed,
                false,
                &same,
                cluster(Product::Kind),
                Delivery::LoadIntoKind,
            ),
            (
                PushWish::Needed,
                false,
                &other,
                cluster(Product::Kind),
                Delivery::Push,
            ),
            (
                PushWish::Needed,
                false,
                &same,
                with_registry(Product::Kind),
                Delivery::Push,
            ),
            (
                PushWish::Needed,
                false,
                &same,
                cluster(Product::K3d),
                Delivery::Push,
            ),
            (
                PushWish::Needed,
                false,
                &same,
                cluster(Product::Unknown),
                Delivery::Push,
            ),
        ] {
            assert_eq!(
                delivery(push, shared, image, &cluster),
                expected,
                "{push:?} shared={shared} {:?}",
                cluster.product
            );
        }
    }

    #[test]
    fn an_engine_is_shared_only_where_the_product_and_the_socket_say_so() {
        let at = |product, name: &str| ClusterFacts {
            cluster_name: name.to_owned(),
            ..cluster(product)
        };
        let desktop = at(Product::DockerDesktop, "docker-desktop");
        let default = at(Product::Colima, "colima");
        let named = at(Product::Colima, "colima-x");
        let orbstack = at(Product::Orbstack, "orbstack");
        for (host, cluster, expected) in [
            ("unix:///var/run/docker.sock", &desktop, true),
            ("unix:///home/u/.docker/desktop/docker.sock", &desktop, true),
            ("tcp://10.0.0.1:2375", &desktop, false),
            ("unix:///home/u/.colima/default/docker.sock", &default, true),
            ("unix:///home/u/.colima/docker.sock", &default, true),
            ("unix:///home/u/.colima/x/docker.sock", &default, false),
            ("unix:///home/u/.config/colima/x/docker.sock", &named, true),
            ("unix:///home/u/.colima-x/docker.sock", &named, true),
            ("unix:///home/u/.orbstack/run/docker.sock", &orbstack, true),
            ("unix:///var/run/docker.sock", &orbstack, false),
            ("unix:///var/run/docker.sock", &at(Product::Kind, "kind"), false),
        ] {
            assert_eq!(
                is_shared_with_cluster(host, cluster),
                expected,
                "{host} {}",
                cluster.cluster_name
            );
        }
        let containerd = ClusterFacts {
            container_runtime: "containerd://1.7".to_owned(),
            ..desktop
        };
        assert!(!is_shared_with_cluster(
            "unix:///var/run/docker.sock",
            &containerd
        ));
    }

    #[test]
    fn kind_is_told_its_cluster_without_the_prefix() {
        let image = ImageRef::parse("web:tilt-1").expect("a reference");
        let expected = ["kind", "load", "docker-image", "web:tilt-1", "--name", "dev"];
        assert_eq!(kind_command(&image, "kind-dev"), expected);
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
