//! A cluster that is connected: what of it matters to images, and who watches it.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::edge::docker::{ClusterFacts, Docker, Sharing, sharing};
use crate::edge::kube::{Cluster, ClusterWatcher, PodLogs, RegistryHosting};
use crate::edge::process::Environment;
use crate::engine::Event;
use crate::k8s::Product;
use crate::logs::{LogStore, LogWriter};
use crate::model::Timestamp;

/// A cluster, what of it matters to images, and who watches it.
#[derive(Clone)]
pub(in crate::edge) struct Connected {
    pub(in crate::edge) cluster: Cluster,
    pub(in crate::edge) facts: Arc<ClusterFacts>,
    /// The platform to build for, such as `linux/arm64`; `None` when the nodes do not tell.
    pub(in crate::edge) platform: Option<String>,
    /// The Docker engine to build with, where it is another than this machine's.
    pub(super) own_docker: Option<Arc<Docker>>,
    pub(in crate::edge) watcher: Arc<ClusterWatcher>,
    pub(in crate::edge) pod_logs: Arc<PodLogs>,
}

/// What the project wants to do with images.
#[derive(Clone)]
pub(super) struct ImageNeeds {
    /// This machine's Docker engine; `None` where nothing is built.
    pub(in crate::edge) docker: Option<Arc<Docker>>,
    /// Whether the Tiltfile says where images are pushed.
    pub(super) has_default_registry: bool,
}

impl Connected {
    /// Finds out what matters to images, says it, and begins to watch.
    ///
    /// # Errors
    /// When images could not get into the cluster; the message is for the user.
    pub(in crate::edge) async fn new(
        cluster: Cluster,
        images: ImageNeeds,
        log: &LogStore,
        events: &mpsc::Sender<Event>,
        started: Timestamp,
    ) -> Result<Self, String> {
        let global = LogWriter::global(log.clone());
        let info = cluster.info();
        announce(info.registry.as_ref(), images.has_default_registry)
            .iter()
            .for_each(|line| global.info(line));
        info.warnings.iter().for_each(|warning| global.warn(warning));
        let (facts, own_docker) = match &images.docker {
            Some(docker) => choose_engine(&cluster, docker, &global).await?,
            // Images may come with a later load; then it is too late to look for another engine.
            None => (
                cluster_facts(&cluster),
                minikubes_engine(&cluster_facts(&cluster)).await.ok().flatten(),
            ),
        };
        Ok(Self {
            platform: platform(&info.arch),
            watcher: Arc::new(ClusterWatcher::start(
                cluster.clone(),
                events.clone(),
                started,
                global,
            )),
            pod_logs: Arc::new(PodLogs::new(cluster.clone(), log.clone(), events.clone())),
            facts: Arc::new(facts),
            own_docker,
            cluster,
        })
    }
}

/// Finds the engine to build with, where that is not this machine's, and whether the cluster runs what it has.
async fn choose_engine(
    cluster: &Cluster,
    docker: &Docker,
    log: &LogWriter,
) -> Result<(ClusterFacts, Option<Arc<Docker>>), String> {
    let mut facts = cluster_facts(cluster);
    if let Some(own) = minikubes_engine(&facts).await? {
        return Ok((facts, Some(own)));
    }
    if facts.product == Product::DockerDesktop {
        let asked = docker.uses_containerd().await;
        facts.engine_uses_containerd = asked.map_err(|error| error.to_string())?;
    }
    match sharing(docker.host(), &facts) {
        Sharing::Mismatch(warning) => log.warn(&warning),
        Sharing::Unusable(why) => return Err(why),
        Sharing::Shared | Sharing::Separate => {}
    }
    Ok((facts, None))
}

async fn minikubes_engine(facts: &ClusterFacts) -> Result<Option<Arc<Docker>>, String> {
    if facts.product != Product::Minikube {
        return Ok(None);
    }
    let own = Docker::connect_for_cluster(Environment::inherited(), facts).await;
    own.map(|own| Some(Arc::new(own)))
        .map_err(|error| error.to_string())
}

/// Returns what of a cluster matters to images.
pub(in crate::edge) fn cluster_facts(cluster: &Cluster) -> ClusterFacts {
    let (context, info) = (cluster.context(), cluster.info());
    ClusterFacts {
        product: context.product,
        registry: info.registry.as_ref().and_then(RegistryHosting::registry),
        container_runtime: info.container_runtime.clone(),
        cluster_name: context.cluster.clone(),
        engine_uses_containerd: false,
    }
}

/// Returns the platform that images for nodes of this architecture are built for.
///
/// Rule: `docs/rules/images.md`, "Docker builds".
pub(in crate::edge) fn platform(arch: &str) -> Option<String> {
    match arch {
        "amd64" | "arm64" | "riscv64" | "ppc64le" | "s390x" | "386" | "mips64" | "mips64le" => {
            Some(format!("linux/{arch}"))
        }
        "arm" => Some("linux/arm/v7".to_owned()),
        _ => None,
    }
}

/// Says which registry the cluster announces, and that it wins over the Tiltfile's.
///
/// Rule: `docs/rules/images.md`, "References".
fn announce(announced: Option<&RegistryHosting>, has_default_registry: bool) -> Vec<String> {
    let Some(registry) = announced else {
        return Vec::new();
    };
    let mut lines = vec![format!(
        "Auto-detected local registry from environment: {}",
        registry.in_words()
    )];
    if has_default_registry {
        lines.push(
            "Default registry specified, but will be ignored in favor of auto-detected registry.".to_owned(),
        );
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_of_the_cluster_is_said_to_win() {
        let registry = RegistryHosting {
            host: "localhost:5000".to_owned(),
            ..RegistryHosting::default()
        };
        let found = "Auto-detected local registry from environment: &{localhost:5000    }";
        assert_eq!(announce(Some(&registry), false), [found]);
        assert_eq!(
            announce(Some(&registry), true),
            [
                found,
                "Default registry specified, but will be ignored in favor of auto-detected registry."
            ]
        );
        assert!(announce(None, true).is_empty());
    }

    #[test]
    fn images_are_built_for_the_architecture_of_the_nodes() {
        for (arch, expected) in [
            ("amd64", Some("linux/amd64")),
            ("arm64", Some("linux/arm64")),
            ("arm", Some("linux/arm/v7")),
            ("s390x", Some("linux/s390x")),
            ("unknown", None),
        ] {
            assert_eq!(platform(arch).as_deref(), expected, "{arch}");
        }
    }
}
