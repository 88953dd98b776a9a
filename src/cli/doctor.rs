//! `tilt doctor`: what this machine has of what a session needs, for those who ask for help.
//!
//! Rule: `docs/rules/commands.md`, "doctor".

use std::fmt::Display;
use std::time::Duration;

use super::{docker, exit, flags, say, session, version};
use crate::edge::docker::{ConnectError, Docker};
use crate::edge::kube::{Cluster, read_context};
use crate::edge::process::{ChildCommand, Environment, capture};
use crate::k8s::Product;
use crate::model::LocalPath;

/// How long everything together may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Print what this machine has of what a session needs
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    cluster: flags::Context,
}

pub(super) fn run(args: Args) -> anyhow::Result<u8> {
    let os = std::env::consts::OS;
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    say::data(format!("Tilt: {}\nSystem: {os}-{arch}\n", version::line()))?;
    let runtime = session::runtime()?;
    let report = runtime.block_on(report(args.cluster.context.as_deref()));
    say::data(report)?;
    say::data(
        "---\nPlease send the info above when filing bug reports.\n\n---\nAnalytics Settings\n- User Mode: nothing is ever sent\n",
    )?;
    runtime.shutdown_background();
    Ok(exit::SUCCESS)
}

async fn report(context: Option<&str>) -> String {
    let (kube, access) = read_context(context, None, &|name| std::env::var(name).ok());
    let connected = async {
        let access = access.map_err(|error| error.to_string())?;
        let connecting = tokio::time::timeout(PATIENCE, Cluster::connect(access));
        match connecting.await {
            Ok(connected) => connected.map_err(|error| error.to_string()),
            Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
        }
    };
    let (cluster, local, compose) = tokio::join!(
        connected,
        Docker::connect(Environment::inherited()),
        compose_version()
    );
    let mut text = String::new();
    let own = match &cluster {
        Ok(cluster) if kube.product == Product::Minikube => {
            let facts = docker::facts_of(cluster);
            Some(Docker::connect_for_cluster(Environment::inherited(), &facts).await)
        }
        _ => None,
    };
    match own {
        Some(own) => {
            engine("Docker (cluster)", &own, &mut text).await;
            engine("Docker (local)", &local, &mut text).await;
        }
        None => engine("Docker", &local, &mut text).await,
    }
    if let Some(compose) = compose {
        field("Compose Version", Ok::<_, String>(compose), &mut text);
    }
    text.push_str("---\nKubernetes\n");
    let known = |text: &str| match text {
        "" => "Unknown".to_owned(),
        text => text.to_owned(),
    };
    field("Env", Ok::<_, String>(kube.product.word()), &mut text);
    field("Context", Ok::<_, String>(known(&kube.name)), &mut text);
    field("Cluster Name", Ok::<_, String>(known(&kube.cluster)), &mut text);
    field("Namespace", Ok::<_, String>(known(&kube.namespace)), &mut text);
    let runtime = cluster
        .as_ref()
        .map(|cluster| cluster.info().container_runtime.clone());
    field("Container Runtime", runtime, &mut text);
    let server = match &cluster {
        Ok(cluster) => cluster.version().await,
        Err(error) => Err(error.clone()),
    };
    field("Version", server, &mut text);
    let registry = cluster.as_ref().map(|cluster| {
        let host = cluster
            .info()
            .registry
            .as_ref()
            .map(|registry| registry.host.clone());
        host.filter(|host| !host.is_empty())
            .unwrap_or_else(|| "none".to_owned())
    });
    field("Cluster Local Registry", registry, &mut text);
    text
}

async fn engine(title: &str, engine: &Result<Docker, ConnectError>, text: &mut String) {
    text.push_str(&format!("---\n{title}\n"));
    let engine = match engine {
        Ok(engine) => engine,
        Err(error) => return field("Host", Err::<String, _>(&error.message), text),
    };
    let host = match engine.host() {
        "" => "[default]",
        host => host,
    };
    field("Host", Ok::<_, String>(host), text);
    let versions = engine.versions().await.map_err(|error| error.message);
    field(
        "Server Version",
        versions.as_ref().map(|versions| &versions.version),
        text,
    );
    field(
        "API Version",
        versions.as_ref().map(|versions| &versions.api_version),
        text,
    );
    let builder = if engine.uses_buildkit() { "2" } else { "1" };
    field("Builder", Ok::<_, String>(builder), text);
}

fn field<E: Display>(name: &str, value: Result<impl Display, E>, text: &mut String) {
    text.push_str(&match value {
        Ok(value) => format!("- {name}: {value}\n"),
        Err(error) => format!("- {name}: Error: {error}\n"),
    });
}

/// Returns the version of Docker Compose, where it is installed.
async fn compose_version() -> Option<String> {
    let command = ChildCommand {
        argv: ["docker", "compose", "version", "--short"]
            .map(str::to_owned)
            .to_vec(),
        dir: LocalPath::new("/"),
        env: Environment::inherited(),
    };
    let captured = tokio::time::timeout(PATIENCE, capture(&command, None))
        .await
        .ok()?
        .ok()?;
    let text = String::from_utf8_lossy(&captured.stdout).trim().to_owned();
    (captured.exit.is_success() && !text.is_empty()).then_some(text)
}
