//! Finds the registry that a local cluster pulls from.

use serde::Deserialize;
use serde_json::Value;

use crate::k8s::Product;
use crate::model::{ImageRef, Registry};

/// A registry as a cluster announces it.
///
/// Rule: the "Communicating a local registry" enhancement of Kubernetes (KEP-1755).
#[derive(Clone, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RegistryHosting {
    /// The host that this machine pushes to; empty when there is none.
    pub host: String,
    /// The host that pods reach it under.
    pub host_from_cluster_network: String,
    /// The host that the container runtime pulls from, where it is another.
    pub host_from_container_runtime: String,
    /// Where to read how to set one up.
    pub help: String,
}

impl RegistryHosting {
    /// Returns what images are named after, `None` when there is no registry.
    pub fn registry(&self) -> Option<Registry> {
        let runtime = &self.host_from_container_runtime;
        (!self.host.is_empty()).then(|| Registry {
            host: self.host.clone(),
            host_from_container_runtime: (!runtime.is_empty()).then(|| runtime.clone()),
            single_name: None,
        })
    }

    /// Returns the registry as Tilt prints it, after `Auto-detected local registry from environment: `.
    pub fn in_words(&self) -> String {
        let Self {
            host,
            host_from_cluster_network,
            host_from_container_runtime,
            help,
        } = self;
        format!("&{{{host} {host_from_cluster_network} {host_from_container_runtime} {help} }}")
    }
}

/// What the look for a registry gave.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Detected {
    pub(super) hosting: Option<RegistryHosting>,
    pub(in crate::edge::kube) warnings: Vec<String>,
}

/// The service of the registry that MicroK8s brings along, which listens at an IPv4 address only.
pub(super) struct MicroK8sService {
    pub(in crate::edge::kube) service: Value,
    /// Whether the first address of `localhost` is one of IPv4.
    pub(super) localhost_is_ipv4: bool,
}

/// Returns the registry, from the ConfigMap `local-registry-hosting`, the service of MicroK8s, or the first node.
///
/// Rule: `docs/rules/images.md`, "The cluster's registry".
pub(super) fn detect(
    product: Product,
    container_runtime: &str,
    config_map: Option<&Value>,
    service: Option<&MicroK8sService>,
    node: Option<&Value>,
) -> Detected {
    let mut detected = Detected::default();
    let announced = config_map.map(from_config_map).unwrap_or_default();
    if is_host(&announced.host) {
        detected.hosting = Some(announced);
        return detected;
    }
    // A MicroK8s that runs containers with Docker runs what is built there.
    if product == Product::MicroK8s && container_runtime != "docker" {
        match service.map(|service| (from_service(&service.service), service.localhost_is_ipv4)) {
            Some((Some(found), true)) => detected.hosting = Some(found),
            Some((Some(_), false)) => detected.warnings.push(MICROK8S_IPV6.to_owned()),
            _ => detected.warnings.push(MICROK8S_HELP.to_owned()),
        }
        return detected;
    }
    if let Some(found) = node.and_then(from_node) {
        if is_host(&found.host) {
            detected.hosting = Some(found);
            return detected;
        }
        let warning = format!(
            "invalid registry host \"{}\" in the annotations of the first node",
            found.host
        );
        detected.warnings.push(warning);
    }
    if !announced.help.is_empty() {
        let warning = format!(
            "You are running without a local image registry.\nTilt can use the local registry to speed up builds.\nInstructions: {}",
            announced.help
        );
        detected.warnings.push(warning);
    } else if product == Product::Kind {
        detected.warnings.push(KIND_HELP.to_owned());
    }
    detected
}

const KIND_HELP: &str = "You are running Kind without a local image registry.\n\
    Tilt can use the local registry to speed up builds.\n\
    Instructions: https://github.com/tilt-dev/kind-local";
const MICROK8S_HELP: &str = "You are running microk8s without a local image registry.\n\
    Run: `sudo microk8s.enable registry`\n\
    Tilt will use the local registry to speed up builds";

const MICROK8S_IPV6: &str = "Your /etc/hosts is resolving localhost to ::1 (IPv6).\n\
    This breaks the microk8s image registry.\n\
    Please fix your /etc/hosts to default to IPv4. This will make image pushes much faster.";

fn from_config_map(config_map: &Value) -> RegistryHosting {
    let text = config_map
        .pointer("/data/localRegistryHosting.v1")
        .and_then(Value::as_str);
    text.and_then(|text| serde_yaml::from_str(text).ok())
        .unwrap_or_default()
}

fn from_service(service: &Value) -> Option<RegistryHosting> {
    let port = service.pointer("/spec/ports/0/nodePort")?.as_u64()?;
    Some(RegistryHosting {
        host: format!("localhost:{port}"),
        ..RegistryHosting::default()
    })
}

fn from_node(node: &Value) -> Option<RegistryHosting> {
    let annotation = |key: &str| {
        Some(
            node.get("metadata")?
                .get("annotations")?
                .get(key)?
                .as_str()?
                .to_owned(),
        )
    };
    let (host, runtime) = match annotation("tilt.dev/registry") {
        Some(host) => (
            host,
            annotation("tilt.dev/registry-from-cluster").unwrap_or_default(),
        ),
        None => (annotation("kind.x-k8s.io/registry")?, String::new()),
    };
    Some(RegistryHosting {
        host,
        host_from_container_runtime: runtime,
        ..RegistryHosting::default()
    })
}

fn is_host(host: &str) -> bool {
    !host.is_empty() && ImageRef::parse(&format!("{host}/x")).is_ok_and(|image| image.domain() == host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn config_map(yaml: &str) -> Value {
        json!({"data": {"localRegistryHosting.v1": yaml}})
    }

    fn node(key: &str, host: &str) -> Value {
        json!({"metadata": {"annotations": {key: host, "tilt.dev/registry-from-cluster": "registry:5000"}}})
    }

    #[test]
    fn the_announcement_of_the_cluster_comes_first() {
        let map = config_map("host: \"localhost:5000\"\nhostFromContainerRuntime: registry:5000\n");
        let got = detect(
            Product::Kind,
            "containerd",
            Some(&map),
            None,
            Some(&node("tilt.dev/registry", "x:1")),
        );
        let hosting = got.hosting.expect("it is announced");
        assert_eq!(hosting.in_words(), "&{localhost:5000  registry:5000  }");
        let registry = hosting.registry().expect("it has a host");
        assert_eq!(
            registry.host_from_container_runtime.as_deref(),
            Some("registry:5000")
        );
        assert!(got.warnings.is_empty());
    }

    #[test]
    fn a_plain_announcement_reads_as_in_the_original() {
        let map = config_map("host: localhost:5000");
        let got = detect(Product::Unknown, "containerd", Some(&map), None, None);
        assert_eq!(
            got.hosting.expect("it is announced").in_words(),
            "&{localhost:5000    }"
        );
    }

    #[test]
    fn the_first_node_may_say_it() {
        let got = detect(
            Product::Unknown,
            "containerd",
            None,
            None,
            Some(&node("tilt.dev/registry", "localhost:1")),
        );
        assert_eq!(
            got.hosting.expect("annotated").host_from_container_runtime,
            "registry:5000"
        );
        let got = detect(
            Product::Kind,
            "containerd",
            None,
            None,
            Some(&node("kind.x-k8s.io/registry", "localhost:2")),
        );
        assert_eq!(got.hosting.expect("annotated").host, "localhost:2");
    }

    #[test]
    fn without_a_registry_help_is_given_where_one_would_be_usual() {
        let map = config_map("help: https://example.com/help");
        let got = detect(Product::Kind, "containerd", Some(&map), None, None);
        assert!(got.warnings[0].ends_with("Instructions: https://example.com/help"));
        assert!(
            detect(Product::Kind, "containerd", None, None, None).warnings[0]
                .starts_with("You are running Kind without")
        );
        assert!(
            detect(Product::MicroK8s, "containerd", None, None, None).warnings[0]
                .contains("microk8s.enable registry")
        );
        assert_eq!(
            detect(Product::Unknown, "containerd", None, None, None),
            Detected::default()
        );
    }

    #[test]
    fn the_service_of_microk8s_is_reached_through_its_node_port() {
        let service = MicroK8sService {
            service: json!({"spec": {"ports": [{"nodePort": 32000}]}}),
            localhost_is_ipv4: true,
        };
        let got = detect(Product::MicroK8s, "containerd", None, Some(&service), None);
        assert_eq!(got.hosting.expect("a service").host, "localhost:32000");
        let with_docker = detect(Product::MicroK8s, "docker", None, Some(&service), None);
        assert_eq!(with_docker, Detected::default(), "it runs what Docker has");
        let service = MicroK8sService {
            localhost_is_ipv4: false,
            ..service
        };
        let got = detect(Product::MicroK8s, "containerd", None, Some(&service), None);
        assert_eq!(got.hosting, None);
        insta::assert_snapshot!(got.warnings.join("\n"), @r"
        Your /etc/hosts is resolving localhost to ::1 (IPv6).
        This breaks the microk8s image registry.
        Please fix your /etc/hosts to default to IPv4. This will make image pushes much faster.
        ");
    }

    #[test]
    fn a_host_that_is_none_is_refused() {
        let map = config_map("host: 'not a host'");
        assert_eq!(
            detect(Product::Unknown, "containerd", Some(&map), None, None).hosting,
            None
        );
        let got = detect(
            Product::Unknown,
            "containerd",
            None,
            None,
            Some(&node("tilt.dev/registry", "a b")),
        );
        assert_eq!((got.hosting, got.warnings.len()), (None, 1));
    }
}
