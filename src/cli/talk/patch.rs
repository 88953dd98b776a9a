//! `tilt patch`.

use anyhow::{Context, bail};
use http::Method;
use serde_json::Value;

use super::super::{exit, say};
use super::get::JSON;
use super::printing::{Format, Print, display_name, text};
use super::target::targets;
use super::{Connect, block_on};

/// Change fields of an object of a running session
#[derive(Debug, clap::Args)]
pub(in super::super) struct Args {
    #[command(flatten)]
    connect: Connect,
    #[command(flatten)]
    print: Print,
    /// The patch, as JSON or YAML
    #[arg(short, long, value_name = "PATCH")]
    patch: Option<String>,
    /// A file with the patch
    #[arg(long, value_name = "PATH")]
    patch_file: Option<String>,
    /// Kind of patch: json, merge or strategic
    #[arg(long, value_name = "TYPE", default_value = "strategic", value_parser = ["json", "merge", "strategic"])]
    r#type: String,
    /// Write this part alone: status
    #[arg(long, value_name = "NAME", value_parser = ["status", ""], default_value = "", hide_default_value = true)]
    subresource: String,
    /// Say what would be done: none, server or client
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "none", default_missing_value = "unchanged",
          value_parser = ["none", "server", "client", "unchanged"])]
    dry_run: String,
    /// What to change: TYPE NAME or TYPE/NAME
    #[arg(value_name = "TYPE", required = true)]
    words: Vec<String>,
}

pub(in super::super) fn run(args: &Args) -> anyhow::Result<u8> {
    let format = args.print.format()?;
    let patch = match (&args.patch, &args.patch_file) {
        (Some(patch), None) => patch.clone(),
        (None, Some(path)) => std::fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?,
        (Some(_), Some(_)) => bail!("cannot specify --patch and --patch-file together"),
        (None, None) => bail!("must specify --patch or --patch-file containing the contents of the patch"),
    };
    let patch: Value = serde_yaml::from_str(&patch).with_context(|| format!("unable to parse {patch:?}"))?;
    let media = format!(
        "application/{}-patch+json",
        match args.r#type.as_str() {
            "strategic" => "strategic-merge",
            other => other,
        }
    );
    let targets = targets(&args.words)?;
    block_on(async {
        let api = args.connect.api()?;
        for target in &targets {
            if target.names.is_empty() {
                bail!("resource(s) were provided, but no name was specified");
            }
            for name in &target.names {
                let one = target.path(Some(name));
                let old = api.request(Method::GET, &one, JSON, None).await?;
                let part = if args.subresource.is_empty() {
                    String::new()
                } else {
                    format!("/{}", args.subresource)
                };
                let dry = if matches!(args.dry_run.as_str(), "server" | "client") {
                    "?dryRun=All"
                } else {
                    ""
                };
                let sent = Some((media.as_str(), patch.to_string().into_bytes()));
                let new = api
                    .request(Method::PATCH, &format!("{one}{part}{dry}"), JSON, sent)
                    .await?;
                let is_same = old["metadata"]["resourceVersion"] == new["metadata"]["resourceVersion"];
                let same = if is_same { " (no change)" } else { "" };
                say::out(&match &format {
                    Format::Human => format!("{} patched{same}\n", display_name(target.kind, name)),
                    format => text(format, &args.print, &[(target.kind, new)], false)?,
                });
            }
        }
        Ok(exit::SUCCESS)
    })
}
