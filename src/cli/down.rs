//! `tilt down`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};

use super::variables::{DEFAULT_HOST, DEFAULT_PORT};
use super::{exit, flags, session};
use crate::clock;
use crate::edge::compose::down as compose_down;
use crate::edge::evaluation::{RealHost, load};
use crate::edge::kube::{self, Cluster, ClusterAccess};
use crate::edge::local::CommandVariables;
use crate::edge::machine::{print_stream, signals};
use crate::edge::update::custom_deploy;
use crate::k8s::Entity;
use crate::k8s::labels::Ownership;
use crate::logs::{LogFilter, LogStore, LogWriter, StreamPrinter};
use crate::model::{Command, ComposeProject, Manifest, ManifestName};

/// Delete what a Tiltfile deploys
///
/// Objects with the annotation `tilt.dev/down-policy: keep` stay, and so do Namespaces unless asked for. Words after the
/// flags select resources as in `tilt up`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    tiltfile: flags::Tiltfile,
    #[command(flatten)]
    cluster: flags::Cluster,
    /// Delete Namespaces too
    #[arg(long)]
    delete_namespaces: bool,
    /// Delete volumes too (Docker Compose)
    #[arg(long)]
    delete_volumes: bool,
    /// Arguments for the Tiltfile
    #[arg(value_name = "TILTFILE_ARGS")]
    args: Vec<String>,
}

pub(super) fn run(args: Args) -> anyhow::Result<u8> {
    let prepared = session::prepare(
        args.tiltfile.path()?,
        args.args,
        "down",
        &args.cluster,
        (DEFAULT_HOST, DEFAULT_PORT),
    )?;
    let request = prepared.request;
    let runtime = session::runtime()?;
    let ended = runtime.block_on(async {
        let stop = signals::cancel_on_signal(exit::FAILURE).context("cannot listen for signals")?;
        let store = LogStore::in_memory();
        let printing = tokio::spawn(print_stream(
            store.reader(),
            StreamPrinter::new(LogFilter::default()),
            std::io::stdout(),
        ));
        let log = LogWriter::global(store.clone());
        if let Some(warning) = &prepared.warning {
            log.warn(warning);
        }
        let commands = CommandVariables::new(request.program.variables.clone());
        let began = clock::now();
        let ownership = session::ownership(&request);
        load::announce(&request, &RealHost::default(), &log);
        let loading = tokio::task::spawn_blocking({
            let log = log.clone();
            move || session::load_in_foreground(&request, &log)
        });
        let mut load = tokio::select! {
            load = loading => load.context("the Tiltfile could not be evaluated")?,
            () = stop.cancelled() => bail!("context canceled: nothing was deleted"),
        };
        load::hide_secrets(&load, &store, 0);
        let result = match load.error_text() {
            Some(error) => Err(anyhow::anyhow!(error)),
            None => {
                load::announce_success(began, &log);
                let manifests = load.take_deployable_manifests().unwrap_or_default();
                let enabled: Vec<&Manifest> = manifests
                    .iter()
                    .filter(|m| load.enabled.contains(&m.name))
                    .collect();
                let access = prepared.access.clone();
                let deletion = Deletion {
                    access: prepared.access,
                    commands,
                    ownership,
                    log,
                };
                tokio::select! {
                    result = deletion.run(&enabled, args.delete_namespaces, args.delete_volumes) => result,
                    () = stop.cancelled() => Err(interrupted(access, &enabled, args.delete_namespaces).await),
                }
            }
        };
        let result = result.map_err(|error| anyhow::Error::msg(store.without_secrets(&format!("{error:#}"))));
        store.close();
        printing.await?.context("cannot print")?;
        result.map(|()| exit::SUCCESS)
    });
    // A Tiltfile that is still evaluated, or a cluster that does not answer, must not hold up the end.
    runtime.shutdown_background();
    ended
}

/// How long a cluster has to say what is left when the user does not want to wait for all.
const LOOK: Duration = Duration::from_secs(1);

/// Returns what is said of a deletion that the user ended before it was over.
async fn interrupted(
    access: Result<ClusterAccess, String>,
    manifests: &[&Manifest],
    with_namespaces: bool,
) -> anyhow::Error {
    let services = manifests.iter().filter_map(|manifest| manifest.deploy.compose());
    // They go last: what they have may be there still.
    let projects: BTreeSet<String> = services
        .map(|service| format!("project {} of Docker Compose", service.project.name))
        .collect();
    let (objects, _) = what_goes(in_order_of_deletion(manifests), with_namespaces);
    let looking = async {
        let cluster = Cluster::connect(access.ok()?).await.ok()?;
        Some(kube::still_there(&cluster, &objects).await)
    };
    let left: Vec<String> = match objects.is_empty() {
        true => Vec::new(),
        false => match tokio::time::timeout(LOOK, looking).await.ok().flatten() {
            Some(objects) => objects.iter().map(ToString::to_string).collect(),
            None => vec!["what the cluster does not tell now".to_owned()],
        },
    };
    let left: Vec<String> = left
        .into_iter()
        .chain(projects)
        .map(|what| format!("\n→ {what}"))
        .collect();
    match left.is_empty() {
        true => anyhow::anyhow!("context canceled"),
        false => anyhow::anyhow!(
            "context canceled: not all is deleted, there may be left:{}\nhint: `tilt down` once more deletes it",
            left.concat()
        ),
    }
}

/// How to delete.
struct Deletion {
    /// How to reach the cluster, or why it cannot be reached.
    access: Result<ClusterAccess, String>,
    commands: CommandVariables,
    ownership: Ownership,
    log: LogWriter,
}

impl Deletion {
    /// Takes everything away: projects of Compose also where something in the cluster could not be.
    async fn run(
        self,
        manifests: &[&Manifest],
        with_namespaces: bool,
        with_volumes: bool,
    ) -> anyhow::Result<()> {
        let services = manifests.iter().filter_map(|manifest| manifest.deploy.compose());
        let projects: BTreeMap<String, Arc<ComposeProject>> = services
            .map(|service| (service.project.name.clone(), Arc::clone(&service.project)))
            .collect();
        let (commands, log) = (self.commands.clone(), self.log.clone());
        let in_cluster = self.in_cluster(manifests, with_namespaces).await;
        let of_compose = compose_down(&projects, with_volumes, &commands, &log).await;
        match (in_cluster, of_compose) {
            (Ok(()), of_compose) => of_compose.map_err(anyhow::Error::msg),
            (Err(error), Ok(())) => Err(error),
            (Err(error), Err(other)) => Err(anyhow::anyhow!("{error:#}\n{other}")),
        }
    }

    async fn in_cluster(self, manifests: &[&Manifest], with_namespaces: bool) -> anyhow::Result<()> {
        let all = in_order_of_deletion(manifests);
        let defined = all.iter().filter_map(|entity| entity.defines()).collect();
        let (objects, kept) = what_goes(all, with_namespaces);
        if !kept.is_empty() {
            self.log
                .info(&format!("Not deleting namespaces: {}", kept.join(", ")));
            self.log
                .info("Run with --delete-namespaces to delete namespaces as well.");
        }
        let commands = delete_commands(manifests);
        if objects.is_empty() && commands.is_empty() {
            return Ok(());
        }
        let cluster = Cluster::connect(self.access.map_err(anyhow::Error::msg)?).await?;
        let patience = kube::Patience::default();
        let taken = kube::take_down(&cluster, &objects, &defined, &self.ownership, &self.log, patience);
        let mut errors = Vec::from_iter(taken.await.err());
        for (command, timeout) in commands {
            let deleted = custom_deploy::delete(command, timeout, &self.commands, &self.log).await;
            errors.extend(deleted.err());
        }
        if errors.is_empty() {
            Ok(())
        } else {
            Err(anyhow::Error::msg(errors.join("\n")))
        }
    }
}

/// Returns the objects to delete, in order, and the namespaces that stay.
fn what_goes(all: Vec<&Entity>, with_namespaces: bool) -> (Vec<&Entity>, Vec<String>) {
    let mut objects = Vec::new();
    let mut kept = Vec::new();
    for entity in all {
        if entity.annotation("tilt.dev/down-policy") == Some("keep") {
            continue;
        }
        if entity.kind() == "Namespace" && entity.group().is_empty() && !with_namespaces {
            kept.push(entity.name().to_owned());
            continue;
        }
        objects.push(entity);
    }
    (objects, kept)
}

/// Returns the commands that take away what commands have deployed, and how long each may take.
fn delete_commands<'m>(manifests: &[&'m Manifest]) -> Vec<(&'m Command, Duration)> {
    let targets = in_order(manifests)
        .into_iter()
        .rev()
        .filter_map(|manifest| manifest.deploy.k8s());
    targets
        .filter_map(|k8s| Some((&k8s.options.custom_deploy.as_ref()?.delete, k8s.upsert_timeout)))
        .collect()
}

/// Returns all objects in the order to delete them: resources in reverse order, dependents before what they depend on,
/// the objects of each in reverse order of their kinds.
fn in_order_of_deletion<'m>(manifests: &[&'m Manifest]) -> Vec<&'m Entity> {
    in_order(manifests)
        .into_iter()
        .rev()
        .filter_map(|manifest| manifest.deploy.k8s())
        .flat_map(|k8s| k8s.entities.iter().rev())
        .collect()
}

/// Returns resources in definition order, each after those that it depends on.
fn in_order<'m>(manifests: &[&'m Manifest]) -> Vec<&'m Manifest> {
    let mut sorted: Vec<&Manifest> = Vec::new();
    let mut open: Vec<ManifestName> = Vec::new();
    for manifest in manifests {
        place(manifest, manifests, &mut sorted, &mut open);
    }
    sorted
}

/// Puts a resource behind what it depends on. Cycles were refused by the load; `open` keeps them harmless here too.
fn place<'m>(
    manifest: &'m Manifest,
    all: &[&'m Manifest],
    sorted: &mut Vec<&'m Manifest>,
    open: &mut Vec<ManifestName>,
) {
    if open.contains(&manifest.name) {
        return;
    }
    open.push(manifest.name.clone());
    for name in &manifest.resource_deps {
        if let Some(dependency) = all.iter().find(|m| m.name == *name) {
            place(dependency, all, sorted, open);
        }
    }
    sorted.push(manifest);
}
