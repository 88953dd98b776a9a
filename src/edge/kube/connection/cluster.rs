//! The connection to a cluster, and what is asked of it once.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::Value;

use super::discovery::Discovery;
use super::error::{is_not_found, message};
use super::kubeconfig::ClusterAccess;
use super::outages::Outages;
use super::registry::{MicroK8sService, RegistryHosting, detect};
use super::renewals::Renewals;
use super::sockets;
use crate::edge::process::Environment;
use crate::k8s::{KubeContext, Product};
use crate::model::ObjectUid;

/// Time allowed for the first answers of a cluster.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Time allowed for making one connection later on.
const DIAL_TIMEOUT: Duration = Duration::from_secs(5);

/// Where the namespaces are, and the one whose UID says which cluster it is: nobody can delete it.
const NAMESPACES: &str = "/api/v1/namespaces";
const IDENTIFYING: &str = "kube-system";

/// A cluster that answered. Cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    inner: Arc<Inner>,
}

struct Inner {
    client: RwLock<kube::Client>,
    /// How it is reached; `None` in tests that have no kubeconfig.
    access: Option<ClusterAccess>,
    context: KubeContext,
    info: ClusterInfo,
    discovery: Discovery,
    outages: Outages,
    renewals: Renewals,
}

/// What a cluster said about itself when it was connected to.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ClusterInfo {
    /// The processor architecture of the first node; `unknown` when nodes cannot be read.
    pub arch: String,
    /// The container runtime of the first node, such as `containerd`; `unknown` when nodes cannot be read.
    pub container_runtime: String,
    /// The registry that it announces.
    pub registry: Option<RegistryHosting>,
    /// What to warn about, ready to be shown.
    pub warnings: Vec<String>,
    /// The UID of its namespace `kube-system`: another UID is another cluster. `None` when it cannot be read.
    pub identity: Option<ObjectUid>,
}

/// Why a cluster cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The kubeconfig does not say how to reach it.
    #[error(
        "Kubernetes context \"{context}\" cannot be used: {error}\nhint: look at it with `kubectl config view --minify --context {context}`"
    )]
    Config {
        /// Which context.
        context: String,
        /// Why.
        error: String,
    },
    /// Nobody answers.
    #[error("cluster of context \"{context}\" did not answer at {server}: {error}\nhint: {hint}")]
    Unreachable {
        /// Which context.
        context: String,
        /// The address.
        server: String,
        /// Why.
        error: String,
        /// What to do about it.
        hint: String,
    },
    /// The login was refused.
    #[error(
        "cluster of context \"{context}\" refused the login: {error}\nhint: log in again, or pick another context with `kubectl config use-context`"
    )]
    Unauthorized {
        /// Which context.
        context: String,
        /// In the words of the server.
        error: String,
    },
}

impl Cluster {
    /// Connects, and asks all at once for what later steps need. Takes one round trip.
    ///
    /// # Errors
    /// When nobody answers within 10 s, the login is refused, or the kubeconfig lacks what is needed. What a user may not
    /// read (nodes, for one) is no error.
    ///
    /// Rule: `docs/rules/runtime.md`, "The connection"; `docs/rules/images.md`, "The cluster's registry".
    pub async fn connect(access: ClusterAccess) -> Result<Self, ConnectError> {
        let context = access.context.clone();
        let (client, server) = client(access.clone()).await?;
        let unreachable = |error: String| ConnectError::Unreachable {
            context: context.name.clone(),
            server: server.clone(),
            error,
            hint: start_hint(context.product),
        };
        let asked = tokio::time::timeout(CONNECT_TIMEOUT, ask(&client, context.product)).await;
        let info = match asked {
            Ok(Ok(info)) => info,
            Ok(Err(kube::Error::Api(status))) => {
                return Err(ConnectError::Unauthorized {
                    context: context.name.clone(),
                    error: message(&kube::Error::Api(status)),
                });
            }
            Ok(Err(error)) => return Err(unreachable(message(&error))),
            Err(_) => {
                return Err(unreachable(format!(
                    "no answer within {} s",
                    CONNECT_TIMEOUT.as_secs()
                )));
            }
        };
        Ok(Self::new(client, Some(access), context, info))
    }

    fn new(
        client: kube::Client,
        access: Option<ClusterAccess>,
        context: KubeContext,
        info: ClusterInfo,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                client: RwLock::new(client),
                access,
                context,
                info,
                discovery: Discovery::default(),
                outages: Outages::default(),
                renewals: Renewals::default(),
            }),
        }
    }

    /// Returns a cluster that was not asked anything.
    #[cfg(test)]
    pub(in crate::edge) fn for_test(client: kube::Client, context: KubeContext) -> Self {
        Self::new(client, None, context, ClusterInfo::default())
    }

    /// Returns what the kubeconfig says about it.
    pub fn context(&self) -> &KubeContext {
        &self.inner.context
    }

    /// Returns what it said about itself.
    pub fn info(&self) -> &ClusterInfo {
        &self.inner.info
    }

    /// Returns the client of now, for parts that need more than this module gives (exec, port-forwards). Nobody keeps
    /// it for long: connections and login may have to be made anew.
    pub fn client(&self) -> kube::Client {
        self.inner
            .client
            .read()
            .expect("no panic while it is held")
            .clone()
    }

    pub(super) fn replace_client(&self, client: kube::Client) {
        *self.inner.client.write().expect("no panic while it is held") = client;
    }

    pub(in crate::edge::kube) fn access(&self) -> Option<&ClusterAccess> {
        self.inner.access.as_ref()
    }

    pub(in crate::edge::kube) fn outages(&self) -> &Outages {
        &self.inner.outages
    }

    pub(in crate::edge::kube) fn renewals(&self) -> &Renewals {
        &self.inner.renewals
    }

    /// Returns the cluster's version, such as `v1.34.4`.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn version(&self) -> Result<String, String> {
        let version = self.client().apiserver_version().await;
        version
            .map(|version| version.git_version)
            .map_err(|error| message(&error))
    }

    pub(super) fn discovery(&self) -> &Discovery {
        &self.inner.discovery
    }
}

pub(in crate::edge::kube) async fn client(
    access: ClusterAccess,
) -> Result<(kube::Client, String), ConnectError> {
    let name = access.context.name.clone();
    let failed = |error: String| ConnectError::Config {
        context: name.clone(),
        error,
    };
    let options = KubeConfigOptions {
        context: Some(name.clone()),
        ..KubeConfigOptions::default()
    };
    let kubeconfig = usable(access.kubeconfig);
    let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .map_err(|error| failed(error.to_string()))?;
    config.default_namespace = access.context.namespace;
    config.connect_timeout = Some(DIAL_TIMEOUT);
    let server = config.cluster_url.to_string();
    // Getting a token may run a program of the user's and wait for it.
    let client = tokio::task::spawn_blocking(move || sockets::client(config))
        .await
        .map_err(|error| failed(error.to_string()))?
        .map_err(|error| failed(message(&error)))?;
    Ok((client, server.trim_end_matches('/').to_owned()))
}

/// Returns a kubeconfig as the client library can use it. A key without a certificate is left out, as kubectl passes over
/// it; a plugin for logins gets the session's kubeconfig, like everything that is started.
fn usable(mut kubeconfig: Kubeconfig) -> Kubeconfig {
    let users = kubeconfig.auth_infos.iter_mut();
    for user in users.filter_map(|named| named.auth_info.as_mut()) {
        if user.client_certificate.is_none() && user.client_certificate_data.is_none() {
            user.client_key = None;
            user.client_key_data = None;
        }
        if let Some(plugin) = &mut user.exec {
            let pinned = Environment::pinned();
            let pinned = pinned.iter().map(|(name, value)| {
                let text = |text: &OsStr| text.to_string_lossy().into_owned();
                HashMap::from([("name".to_owned(), text(name)), ("value".to_owned(), text(value))])
            });
            let own = plugin.env.take().unwrap_or_default();
            plugin.env = Some(pinned.chain(own).collect());
        }
    }
    kubeconfig
}

/// Fails only when no later request could do better: nobody there, or the login refused.
async fn ask(client: &kube::Client, product: Product) -> Result<ClusterInfo, kube::Error> {
    let microk8s = async {
        match product {
            Product::MicroK8s => {
                let services = "/api/v1/namespaces/container-registry/services";
                let service = get(client, services, "registry").await?;
                let localhost_is_ipv4 = localhost_is_ipv4().await;
                Ok(service.map(|service| MicroK8sService {
                    service,
                    localhost_is_ipv4,
                }))
            }
            _ => Ok(None),
        }
    };
    let (node, config_map, system, service) = tokio::try_join!(
        first(client, "/api/v1/nodes"),
        get(
            client,
            "/api/v1/namespaces/kube-public/configmaps",
            "local-registry-hosting"
        ),
        get(client, NAMESPACES, IDENTIFYING),
        microk8s,
    )?;
    let node = node.as_ref();
    let runtime = node
        .and_then(container_runtime)
        .unwrap_or_else(|| "unknown".to_owned());
    let detected = detect(product, &runtime, config_map.as_ref(), service.as_ref(), node);
    Ok(ClusterInfo {
        arch: node.and_then(arch).unwrap_or_else(|| "unknown".to_owned()),
        container_runtime: runtime,
        registry: detected.hosting,
        warnings: detected.warnings,
        identity: system.as_ref().and_then(uid),
    })
}

async fn localhost_is_ipv4() -> bool {
    let found = tokio::net::lookup_host(("localhost", 0)).await;
    found.is_ok_and(|mut addresses| addresses.next().is_some_and(|first| first.is_ipv4()))
}

/// Returns who the cluster is, `None` if it lacks the namespace that says so.
///
/// # Errors
/// When it cannot be asked.
pub(super) async fn identity(cluster: &Cluster) -> Result<Option<ObjectUid>, kube::Error> {
    found(cluster.send(identity_request()?).await)
}

/// Returns who answers a client that belongs to no cluster yet, as [`identity`].
pub(super) async fn identity_of(client: &kube::Client) -> Result<Option<ObjectUid>, kube::Error> {
    found(client.request(identity_request()?).await)
}

fn identity_request() -> Result<http::Request<Vec<u8>>, kube::Error> {
    let request = kube::core::Request::new(NAMESPACES).get(IDENTIFYING, &kube::api::GetParams::default());
    request.map_err(kube::Error::BuildRequest)
}

fn found(answer: kube::Result<Value>) -> Result<Option<ObjectUid>, kube::Error> {
    match answer {
        Ok(namespace) => Ok(uid(&namespace)),
        Err(error) if is_not_found(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn uid(object: &Value) -> Option<ObjectUid> {
    object.pointer("/metadata/uid")?.as_str().map(ObjectUid::new)
}

async fn first(client: &kube::Client, collection: &str) -> Result<Option<Value>, kube::Error> {
    let params = kube::api::ListParams::default().limit(1);
    let list = send(client, kube::core::Request::new(collection).list(&params)).await?;
    Ok(list.and_then(|list| list.pointer("/items/0").cloned()))
}

async fn get(client: &kube::Client, collection: &str, name: &str) -> Result<Option<Value>, kube::Error> {
    let params = kube::api::GetParams::default();
    send(client, kube::core::Request::new(collection).get(name, &params)).await
}

/// Returns `None` for whatever the server does not give us.
async fn send(
    client: &kube::Client,
    request: Result<http::Request<Vec<u8>>, kube::core::request::Error>,
) -> Result<Option<Value>, kube::Error> {
    let request = request.map_err(kube::Error::BuildRequest)?;
    match client.request(request).await {
        Ok(value) => Ok(Some(value)),
        Err(kube::Error::Api(status)) if status.code != 401 => Ok(None),
        Err(error) => Err(error),
    }
}

fn arch(node: &Value) -> Option<String> {
    let labels = node.pointer("/metadata/labels")?;
    let arch = labels
        .get("kubernetes.io/arch")
        .or(labels.get("beta.kubernetes.io/arch"))?;
    arch.as_str().map(str::to_owned)
}

fn container_runtime(node: &Value) -> Option<String> {
    let version = node
        .pointer("/status/nodeInfo/containerRuntimeVersion")?
        .as_str()?;
    version.split("://").next().map(str::to_owned)
}

pub(super) fn start_hint(product: Product) -> String {
    let start = match product {
        Product::Minikube => "start it with `minikube start`",
        Product::Kind => "create it with `kind create cluster`, or start its container",
        Product::K3d => "start it with `k3d cluster start`",
        Product::DockerDesktop => "switch Kubernetes on in the settings of Docker Desktop",
        Product::RancherDesktop => "start Rancher Desktop",
        Product::Colima => "start it with `colima start --kubernetes`",
        Product::Orbstack => "start OrbStack",
        Product::MicroK8s => "start it with `microk8s start`",
        Product::Crc => "start it with `crc start`",
        _ => "start it or your VPN",
    };
    format!("{start}, or pick another context with `kubectl config use-context`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::kube::read_context;

    #[tokio::test]
    async fn a_key_without_a_certificate_is_passed_over_where_there_is_a_token() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let config = "{clusters: [{name: a, cluster: {server: 'https://127.0.0.1:9'}}], \
                      users: [{name: u, user: {token: t, client-key-data: a2V5}}], \
                      contexts: [{name: a, context: {cluster: a, user: u}}], current-context: a}";
        let file = tempfile::NamedTempFile::new().expect("a scratch file");
        std::fs::write(file.path(), config).expect("written");
        let path = file.path().display().to_string();
        let env = |key: &str| (key == "KUBECONFIG").then(|| path.clone());
        let (_, access) = read_context(None, None, &env);
        let made = client(access.expect("a context")).await;
        assert!(made.is_ok(), "{:?}", made.err());
    }

    #[test]
    fn the_first_node_tells_the_container_runtime_without_its_version() {
        let node =
            |version: &str| serde_json::json!({"status": {"nodeInfo": {"containerRuntimeVersion": version}}});
        assert_eq!(
            container_runtime(&node("docker://24.0.7")).as_deref(),
            Some("docker")
        );
        assert_eq!(
            container_runtime(&node("containerd://1.7.2")).as_deref(),
            Some("containerd")
        );
    }
    #[tokio::test]
    async fn a_cluster_that_is_switched_off_is_named_with_a_way_to_start_it() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        // Bound and closed again: nobody listens there.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let server = format!("https://{}", listener.local_addr().expect("it is bound"));
        drop(listener);
        let file = tempfile::NamedTempFile::new().expect("a scratch file");
        let config = format!(
            "{{clusters: [{{name: kind-a, cluster: {{server: '{server}'}}}}], \
             contexts: [{{name: kind-a, context: {{cluster: kind-a}}}}], current-context: kind-a}}"
        );
        std::fs::write(file.path(), config).expect("written");
        let path = file.path().display().to_string();
        let env = |key: &str| (key == "KUBECONFIG").then(|| path.clone());
        let (_, access) = read_context(None, None, &env);
        let Err(error) = Cluster::connect(access.expect("a context")).await else {
            panic!("nobody is there");
        };
        let text = error.to_string();
        let start = format!("cluster of context \"kind-a\" did not answer at {server}: ");
        assert!(text.starts_with(&start), "{text}");
        assert!(text.to_lowercase().contains("connection refused"), "{text}");
        assert!(
            text.contains("\nhint: create it with `kind create cluster`"),
            "{text}"
        );
    }
}
