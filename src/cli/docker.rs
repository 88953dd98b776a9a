//! `tilt docker`: the docker command with the engine that images are built with.
//!
//! Rule: `docs/rules/commands.md`, "docker and docker-prune".

use anyhow::Context;

use super::{say, session};
use crate::edge::docker::{ClusterFacts, Docker};
use crate::edge::kube::{Cluster, RegistryHosting, read_context};
use crate::edge::process::{Environment, run_at_terminal};
use crate::k8s::Product;

/// Run the docker command with the engine that images are built with
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What docker is to do
    #[arg(
        value_name = "DOCKER_ARGS",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    args: Vec<String>,
}

pub(super) fn run(args: Args) -> anyhow::Result<u8> {
    let docker = session::runtime()?
        .block_on(engine())
        .context("Failed to connect to Docker server")?;
    let variables = docker.variables();
    let shown: Vec<String> = variables
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let argv: Vec<String> = std::iter::once("docker".to_owned()).chain(args.args).collect();
    say::err(format!(
        "Running Docker command as:\n{} {}\n---\n",
        shown.join(" "),
        argv.join(" ")
    ));
    run_at_terminal(&argv, &variables).context("docker cannot be run")
}

/// Returns the engine that images for the cluster of the kubeconfig are built with: minikube's own, or that of this machine.
async fn engine() -> anyhow::Result<Docker> {
    let (context, access) = read_context(None, None, &|name| std::env::var(name).ok());
    let environment = Environment::inherited();
    if context.product != Product::Minikube {
        return Ok(Docker::connect(environment).await?);
    }
    let cluster = Cluster::connect(access?).await?;
    Ok(Docker::connect_for_cluster(environment, &facts_of(&cluster)).await?)
}

/// Returns what of a cluster matters to images.
pub(super) fn facts_of(cluster: &Cluster) -> ClusterFacts {
    let (context, info) = (cluster.context(), cluster.info());
    ClusterFacts {
        product: context.product,
        registry: info.registry.as_ref().and_then(RegistryHosting::registry),
        container_runtime: info.container_runtime.clone(),
        cluster_name: context.cluster.clone(),
        engine_uses_containerd: false,
    }
}
