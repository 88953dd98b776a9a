//! `tilt patch`.

use anyhow::{Context, bail};
use http::Method;
use serde_json::Value;

use super::super::{exit, say};
use super::apply::told;
use super::files::{Files, named};
use super::get::JSON;
use super::options::{Dry, DryRun, Subresource};
use super::printing::{Format, Print};
use super::target::escaped;
use super::{Connect, block_on};
use crate::api::{PatchType, apply_patch};

/// Change fields of an object of a running session
#[derive(Debug, clap::Args)]
pub(in super::super) struct Args {
    #[command(flatten)]
    connect: Connect,
    #[command(flatten)]
    print: Print,
    #[command(flatten)]
    files: Files,
    /// Patch what the file says, and ask no session
    #[arg(long)]
    local: bool,
    /// Who sets the fields
    #[arg(long, value_name = "NAME", default_value = "kubectl-patch")]
    field_manager: String,
    /// The patch, as JSON or YAML
    #[arg(short, long, value_name = "PATCH")]
    patch: Option<String>,
    /// A file with the patch
    #[arg(long, value_name = "PATH")]
    patch_file: Option<String>,
    /// Kind of patch: json, merge or strategic
    #[arg(long, value_name = "TYPE", default_value = "strategic")]
    r#type: String,
    #[command(flatten)]
    part: Subresource,
    #[command(flatten)]
    dry_run: DryRun,
    /// What to change: TYPE NAME or TYPE/NAME
    #[arg(value_name = "TYPE")]
    words: Vec<String>,
}

pub(in super::super) fn run(args: &Args) -> anyhow::Result<u8> {
    let format = args.print.format()?;
    let dry = args.dry_run.how()?;
    let patch = match (&args.patch, &args.patch_file) {
        (Some(patch), None) => patch.clone(),
        (None, Some(path)) => std::fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?,
        (Some(_), Some(_)) => bail!("cannot specify --patch and --patch-file together"),
        (None, None) => bail!("must specify --patch or --patch-file containing the contents of the patch"),
    };
    let kind = args.r#type.to_lowercase();
    let media = match kind.as_str() {
        "json" => "application/json-patch+json",
        "merge" => "application/merge-patch+json",
        "strategic" | "" => "application/strategic-merge-patch+json",
        _ => bail!(
            "--type must be one of [json merge strategic], not {:?}",
            args.r#type
        ),
    };
    let patch: Value = serde_yaml::from_str(&patch).with_context(|| format!("unable to parse {patch:?}"))?;
    if args.local {
        return patch_locally(args, &format, &kind, patch);
    }
    let named = named(&args.words, &args.files)?;
    block_on(async {
        let api = args.connect.api()?;
        for object in &named {
            let (_, one) = object.paths();
            let old = api.request(Method::GET, &one, JSON, None).await?;
            let part = args.part.path();
            // What it would be is known to the session alone.
            let options = match dry {
                Dry::No => "",
                Dry::Server | Dry::Client => "&dryRun=All",
            };
            let path = format!(
                "{one}{part}?fieldManager={}{options}",
                escaped(&args.field_manager)
            );
            let sent = Some((media, patch.to_string().into_bytes()));
            let new = api.request(Method::PATCH, &path, JSON, sent).await?;
            let is_same = old["metadata"]["resourceVersion"] == new["metadata"]["resourceVersion"];
            let same = if is_same { " (no change)" } else { "" };
            let outcome = format!("patched{}{same}", dry.words());
            say::out(&told(&format, &args.print, object.kind, new, &outcome)?);
        }
        Ok(exit::SUCCESS)
    })
}

/// Patches what files say, and shows what comes of it.
fn patch_locally(args: &Args, format: &Format, kind: &str, patch: Value) -> anyhow::Result<u8> {
    let patch_type = match kind {
        "json" => PatchType::Json,
        _ => PatchType::Merge,
    };
    for mut read in args.files.read()? {
        let failed = |error: crate::api::ApiError| anyhow::anyhow!(error.message);
        apply_patch(patch_type, &mut read.object, patch.clone()).map_err(failed)?;
        say::out(&told(format, &args.print, read.kind, read.object, "patched")?);
    }
    Ok(exit::SUCCESS)
}
