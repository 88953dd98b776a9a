//! `tilt docker-prune`: takes out of the Docker engine what nobody needs any more, now.
//!
//! Rule: `docs/rules/commands.md`, "docker and docker-prune".

use std::collections::BTreeSet;

use anyhow::{Context, anyhow};

use super::variables::{DEFAULT_HOST, DEFAULT_PORT};
use super::{docker, exit, flags, session};
use crate::clock;
use crate::edge::docker::{Docker, PruneError};
use crate::edge::evaluation::{RealHost, load};
use crate::edge::kube::Cluster;
use crate::edge::machine::print_stream;
use crate::edge::process::Environment;
use crate::engine::{PruneRequest, PrunedImage};
use crate::logs::{LogFilter, LogStore, LogWriter, StreamPrinter};
use crate::model::PruneId;
use crate::tiltfile::Load;

/// Remove old images, containers and build caches of a Tiltfile from the Docker engine, as a session does from time to time
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    tiltfile: flags::Tiltfile,
}

pub(super) fn run(args: Args) -> anyhow::Result<u8> {
    let prepared = session::prepare(
        args.tiltfile.path()?,
        Vec::new(),
        "docker-prune",
        &flags::Cluster::default(),
        (DEFAULT_HOST, DEFAULT_PORT),
    )?;
    session::runtime()?.block_on(async {
        let store = LogStore::in_memory();
        let printer = StreamPrinter::new(LogFilter::default());
        let printing = tokio::spawn(print_stream(store.reader(), printer, std::io::stdout()));
        let log = LogWriter::global(store.clone());
        let request = prepared.request;
        load::announce(&request, &RealHost::default(), &log);
        let began = clock::now();
        let evaluating = log.clone();
        let evaluated =
            tokio::task::spawn_blocking(move || session::load_in_foreground(&request, &evaluating));
        let load = evaluated.await.context("the Tiltfile could not be evaluated")?;
        load::hide_secrets(&load, &store, 0);
        let result = match load.error_text() {
            Some(error) => Err(anyhow!(error)),
            None => {
                load::announce_success(began, &log);
                prune(&load, prepared.access, &log).await
            }
        };
        store.close();
        printing.await?.context("cannot print")?;
        result.map(|()| exit::SUCCESS)
    })
}

async fn prune(
    load: &Load,
    access: Result<crate::edge::kube::ClusterAccess, String>,
    log: &LogWriter,
) -> anyhow::Result<()> {
    let manifests = load.manifests.as_deref().unwrap_or_default();
    let mut facts = None;
    if manifests.iter().any(|manifest| manifest.deploy.k8s().is_some()) {
        let unknown = |error: String| anyhow!("determining local registry: {error}");
        let cluster = Cluster::connect(access.map_err(unknown)?)
            .await
            .map_err(|error| unknown(error.to_string()))?;
        facts = Some(docker::facts_of(&cluster));
    }
    let environment = Environment::inherited();
    let engine = match &facts {
        Some(facts) => Docker::connect_for_cluster(environment, facts).await?,
        None => Docker::connect(environment).await?,
    };
    let mut seen = BTreeSet::new();
    let images = manifests.iter().flat_map(|manifest| &manifest.images);
    let images = images.filter(|image| !image.is_live_update_only() && seen.insert(image.id.clone()));
    let settings = load.session_settings.docker_prune;
    let request = PruneRequest {
        prune: PruneId(1),
        max_age: settings.max_age,
        keep_recent: usize::try_from(settings.keep_recent).unwrap_or_default(),
        images: images
            .map(|image| PrunedImage {
                selector: image.selector.clone(),
                registry: image.registry.clone(),
            })
            .collect(),
        in_use: BTreeSet::new(),
    };
    let registry = facts.and_then(|facts| facts.registry);
    let pruned = engine
        .prune(&request, registry.as_ref(), clock::timestamp(), log)
        .await;
    match pruned {
        Ok(()) => log.info("[Docker Prune] done"),
        // It is told, and no failure, as in a session.
        Err(error @ (PruneError::TooOld(_) | PruneError::Refused(_))) => log.info(&error.to_string()),
    }
    Ok(())
}
