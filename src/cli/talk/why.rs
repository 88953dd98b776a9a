//! `tilt why`.

use std::io::IsTerminal;

use anyhow::{Context, bail};
use http::{Method, StatusCode};

use super::super::{colour, exit, flags, say, session};
use super::target::escaped;
use super::{Connect, block_on};
use crate::clock;
use crate::history::{FileAnswer, Look, ProjectFiles, ResourceHistory, why, why_file};
use crate::logs::{LogStore, LogWriter};
use crate::model::ManifestName;

/// Tell why a resource was updated, what it waited for, and where the time went
///
/// With --file: which resources a file belongs to, or what keeps it out, and what saving it does. That needs no session: where
/// none runs, the Tiltfile is evaluated.
#[derive(Debug, clap::Args)]
pub(in super::super) struct Args {
    #[command(flatten)]
    connect: Connect,
    /// How many of its updates are told, the last one first
    #[arg(long, value_name = "N", default_value_t = 1)]
    last: usize,
    /// The file to tell about
    #[arg(long, value_name = "PATH", conflicts_with = "resource")]
    file: Option<String>,
    /// Print JSON
    #[arg(short, long, value_name = "FORMAT", value_parser = ["json"])]
    output: Option<String>,
    /// Path to the Tiltfile, where --file finds no session
    #[arg(short = 'f', value_name = "TILTFILE", default_value = "Tiltfile")]
    tiltfile: String,
    /// The resource to tell about; (Tiltfile) for the Tiltfile
    #[arg(value_name = "RESOURCE", required_unless_present = "file")]
    resource: Option<String>,
    /// Arguments for the Tiltfile, as for `tilt up`, where --file finds no session
    #[arg(value_name = "TILTFILE_ARGS", last = true)]
    tiltfile_args: Vec<String>,
}

pub(in super::super) fn run(args: &Args) -> anyhow::Result<u8> {
    let text = match (&args.file, &args.resource) {
        (Some(file), _) => about_file(args, file)?,
        (None, Some(resource)) => about_resource(args, resource)?,
        (None, None) => bail!("name a resource, or a file with --file"),
    };
    say::data(text)?;
    Ok(exit::SUCCESS)
}

pub(super) fn look() -> anyhow::Result<Look> {
    Ok(Look {
        now: clock::timestamp(),
        cwd: flags::working_directory()?,
        has_colour: colour::may_be_used(std::io::stdout().is_terminal()),
    })
}

fn about_resource(args: &Args, resource: &str) -> anyhow::Result<String> {
    let path = format!("/api/history/{}", escaped(resource));
    let body = block_on(args.connect.ask(Method::GET, &path, Vec::new()))?;
    if args.output.is_some() {
        return pretty(&body);
    }
    let history: ResourceHistory =
        serde_json::from_slice(&body).context("the session's answer cannot be read")?;
    Ok(why(&history, args.last, &look()?))
}

fn about_file(args: &Args, file: &str) -> anyhow::Result<String> {
    let cwd = flags::working_directory()?;
    let file = cwd.join(file);
    let path = format!("/api/why?file={}", escaped(&file.to_string()));
    let answered = block_on(async {
        let web = args.connect.web();
        // Where nobody answers there is no session to ask.
        Ok(web.request(Method::GET, &path, Vec::new()).await.ok())
    })?;
    let answer: FileAnswer = match answered.filter(|answer| answer.status == StatusCode::OK) {
        Some(answer) => {
            serde_json::from_slice(&answer.body).context("the session's answer cannot be read")?
        }
        None => without_session(args, &file)?,
    };
    if args.output.is_some() {
        return Ok(format!("{}\n", serde_json::to_string_pretty(&answer)?));
    }
    let mut text = why_file(&answer, &look()?);
    if !file.as_path().exists() {
        text.push_str(&format!("  hint      there is no such file now{}\n", near(&file)));
    }
    Ok(text)
}

/// Returns the nearest name beside a file that is not there.
fn near(file: &crate::model::LocalPath) -> String {
    let dir = file.parent();
    let entries = std::fs::read_dir(dir.as_path()).into_iter().flatten().flatten();
    let names: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    let wanted = file.file_name().unwrap_or_default();
    let near = crate::diag::nearest(&wanted, names.iter().map(String::as_str));
    near.map_or_else(String::new, |near| format!("; did you mean {near:?}?"))
}

fn without_session(args: &Args, file: &crate::model::LocalPath) -> anyhow::Result<FileAnswer> {
    let tiltfile = flags::working_directory()?.join(&args.tiltfile);
    let prepared = session::prepare(
        tiltfile,
        args.tiltfile_args.clone(),
        "why",
        &flags::Cluster {
            context: None,
            namespace: None,
        },
        (
            super::super::variables::DEFAULT_HOST,
            super::super::variables::DEFAULT_PORT,
        ),
    )?;
    let log = LogWriter::global(LogStore::in_memory());
    let load = session::load_in_foreground(&prepared.request, &log);
    if let Some(error) = load.error_text() {
        bail!("{error}");
    }
    let outcome = load.outcome();
    let enabled = outcome.enabled;
    let files = ProjectFiles::new(
        outcome.manifests.iter().flatten(),
        outcome.config_files,
        outcome.watch_ignores,
    );
    let read = |file: &crate::model::LocalPath| std::fs::read_to_string(file.as_path()).ok();
    Ok(files.explain(file, |name: &ManifestName| enabled.contains(name), &read))
}

/// Returns JSON as people read it.
pub(super) fn pretty(body: &[u8]) -> anyhow::Result<String> {
    let value: serde_json::Value =
        serde_json::from_slice(body).context("the session's answer cannot be read")?;
    Ok(format!("{value:#}\n"))
}
