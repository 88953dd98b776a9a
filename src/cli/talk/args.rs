//! `tilt args`.
//!
//! Rule: `docs/rules/commands.md`, "args".

use std::io::Write;

use anyhow::{Context, bail};
use http::Method;
use serde_json::{Value, json};

use super::super::{exit, say};
use super::get::JSON;
use super::{Connect, block_on};
use crate::edge::process::edit;

/// The object of the session's Tiltfile.
const TILTFILE: &str = "/apis/tilt.dev/v1alpha1/tiltfiles/%28Tiltfile%29";

/// Give the Tiltfile of a running session other arguments
///
/// Without arguments an editor opens, with the present ones.
#[derive(Debug, clap::Args)]
pub(in super::super) struct Args {
    #[command(flatten)]
    connect: Connect,
    /// No arguments
    #[arg(long)]
    clear: bool,
    /// The arguments
    #[arg(value_name = "TILTFILE_ARGS")]
    args: Vec<String>,
}

pub(in super::super) fn run(args: &Args) -> anyhow::Result<u8> {
    if args.clear && !args.args.is_empty() {
        bail!("--clear cannot be specified with other values");
    }
    block_on(async {
        let api = args.connect.api()?;
        let tiltfile = api.request(Method::GET, TILTFILE, JSON, None).await?;
        let now: Vec<String> = tiltfile["spec"]["args"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        let wanted = match args.clear || !args.args.is_empty() {
            true => args.args.clone(),
            false => edited(&now)?,
        };
        if wanted == now {
            say::err("Tilt is already running with those args -- no action taken\n");
            return Ok(exit::SUCCESS);
        }
        let patch = json!({"spec": {"args": wanted}}).to_string().into_bytes();
        api.request(
            Method::PATCH,
            TILTFILE,
            JSON,
            Some(("application/merge-patch+json", patch)),
        )
        .await?;
        say::err(format!(
            "Changed config args for Tilt running at {}:{} to [{}]\n",
            args.connect.host,
            args.connect.port,
            wanted.join(" ")
        ));
        Ok(exit::SUCCESS)
    })
}

/// Lets the user edit the arguments.
fn edited(now: &[String]) -> anyhow::Result<Vec<String>> {
    let editor = ["TILT_EDITOR", "EDITOR"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|editor| !editor.is_empty()))
        .unwrap_or_else(|| "vi".to_owned());
    let path = std::env::temp_dir().join(format!("tilt-args-{}", std::process::id()));
    let quoted =
        shlex::try_join(now.iter().map(String::as_str)).context("the arguments cannot be written")?;
    let text = format!("# edit args for a running Tilt here\n{quoted}\n");
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write {}", path.display()))?;
    let words =
        shlex::split(&editor).with_context(|| format!("cannot read the name of the editor: {editor}"))?;
    let status = edit(&words, &path).with_context(|| format!("cannot start {editor}"));
    let text = std::fs::read_to_string(&path);
    let _ = std::fs::remove_file(&path);
    if !status? {
        bail!("the editor {editor} failed");
    }
    let text = text.context("cannot read what was edited")?;
    let mut lines = text
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
    let Some(line) = lines.next() else {
        if now.is_empty() {
            return Ok(Vec::new());
        }
        bail!(
            "must have exactly one non-comment line, found zero. If you want to clear the args, use `tilt args --clear`"
        );
    };
    if lines.next().is_some() {
        bail!("cannot have multiple non-comment lines");
    }
    shlex::split(line).context("the quotes of the arguments do not match")
}
