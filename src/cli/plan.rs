//! `tilt plan`.

use std::io::IsTerminal;

use anyhow::{Context, bail};

use super::variables::{DEFAULT_HOST, DEFAULT_PORT};
use super::{colour, exit, flags, say, session};
use crate::clock;
use crate::diag::nearest;
use crate::edge::evaluation::load;
use crate::edge::plan::{PlanRequest, plan};
use crate::history::Look;
use crate::logs::{LogStore, LogWriter};
use crate::plan::{PlanAnswer, plan_text};

/// Tell what `tilt up` would do now, and why; nothing is done
///
/// The Tiltfile is evaluated; the cluster is asked in dry runs. No session is needed. What follows -- is what `tilt up` would be
/// given: `tilt plan -- web` tells what `tilt up web` would do, and `tilt plan web` what of a whole `tilt up` is about web.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    tiltfile: flags::Tiltfile,
    #[command(flatten)]
    cluster: flags::Cluster,
    /// Exit with 2 if there is something to do, with 0 if there is nothing, with 1 after an error
    #[arg(long)]
    detailed_exitcode: bool,
    /// Print JSON
    #[arg(short, long, value_name = "FORMAT", value_parser = ["json"])]
    output: Option<String>,
    /// Resources to tell about; all if none are named
    #[arg(value_name = "RESOURCE")]
    resources: Vec<String>,
    /// Arguments for the Tiltfile, as for `tilt up`
    #[arg(value_name = "TILTFILE_ARGS", last = true)]
    tiltfile_args: Vec<String>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<u8> {
    let (tiltfile, given) = (args.tiltfile.path()?, args.tiltfile_args.clone());
    let (mut answer, store) = make(tiltfile, given, &args.cluster)?;
    choose(&mut answer, &args.resources)?;
    let text = match args.output {
        Some(_) => {
            let mut value = serde_json::to_value(&answer)?;
            store.secret_hider().hide_in(&mut value);
            format!("{value:#}\n")
        }
        None => {
            let look = Look {
                now: clock::timestamp(),
                cwd: flags::working_directory()?,
                has_colour: colour::may_be_used(std::io::stdout().is_terminal()),
            };
            store.without_secrets(&plan_text(&answer, &look))
        }
    };
    say::data(text)?;
    Ok(match (answer.has_errors(), answer.has_changes()) {
        (true, _) => exit::FAILURE,
        (false, true) if args.detailed_exitcode => exit::CHANGES,
        _ => exit::SUCCESS,
    })
}

/// Makes a plan; returns it with what knows the secrets.
pub(super) fn make(
    tiltfile: crate::model::LocalPath,
    tiltfile_args: Vec<String>,
    cluster: &flags::Cluster,
) -> anyhow::Result<(PlanAnswer, LogStore)> {
    let prepared = session::prepare(
        tiltfile,
        tiltfile_args,
        "plan",
        cluster,
        (DEFAULT_HOST, DEFAULT_PORT),
    )?;
    let request = prepared.request;
    let store = LogStore::in_memory();
    let log = LogWriter::global(store.clone());
    let loaded = session::load_in_foreground(&request, &log);
    load::hide_secrets(&loaded, &store, 0);
    if let Some(error) = loaded.error_text() {
        bail!("{}", store.without_secrets(&error));
    }
    let mut outcome = loaded.outcome();
    let enabled = outcome.enabled.clone();
    if let Some(manifests) = &mut outcome.manifests {
        manifests.retain(|manifest| enabled.contains(&manifest.name));
    }
    let ownership = session::ownership(&request);
    let planned = session::runtime()?.block_on(plan(PlanRequest {
        outcome,
        tiltfile: request.file.clone(),
        default_namespace: request.kube.namespace.clone(),
        access: prepared.access,
        ownership,
    }));
    let answer = planned.map_err(|error| anyhow::Error::msg(store.without_secrets(&error)));
    Ok((answer.context("the cluster cannot be asked")?, store))
}

/// Makes a plan as JSON, of these resources or of all, with secrets hidden.
pub(super) fn make_json(
    tiltfile: crate::model::LocalPath,
    tiltfile_args: Vec<String>,
    cluster: &flags::Cluster,
    names: &[String],
) -> anyhow::Result<serde_json::Value> {
    let (mut answer, store) = make(tiltfile, tiltfile_args, cluster)?;
    choose(&mut answer, names)?;
    let mut value = serde_json::to_value(&answer)?;
    store.secret_hider().hide_in(&mut value);
    Ok(value)
}

/// Leaves only these resources, or all where none are named.
fn choose(answer: &mut PlanAnswer, names: &[String]) -> anyhow::Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    for name in names {
        if !answer.resources.iter().any(|resource| resource.name == *name) {
            let known = answer.resources.iter().map(|resource| resource.name.as_str());
            let hint = nearest(name, known).map(|near| format!("\nhint: did you mean {near:?}?"));
            bail!("no resource found with name {name:?}{}", hint.unwrap_or_default());
        }
    }
    answer.resources.retain(|resource| names.contains(&resource.name));
    Ok(())
}
