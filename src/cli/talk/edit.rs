//! `tilt edit`.

use anyhow::{Context, bail};
use http::Method;
use serde_json::Value;

use super::super::{exit, say};
use super::files::{Files, Named, named};
use super::get::JSON;
use super::options::Validation;
use super::printing::{display_name, indented, sorted};
use super::target::escaped;
use super::{Connect, block_on};
use crate::api::three_way_patch;
use crate::edge::process::edit;
use crate::k8s::yaml;
use crate::server::client::ApiClient;

/// Change an object of a running session in an editor
///
/// The editor is that of KUBE_EDITOR or EDITOR, else vi.
#[derive(Debug, clap::Args)]
pub(in super::super) struct Args {
    #[command(flatten)]
    connect: Connect,
    #[command(flatten)]
    files: Files,
    /// Format to edit: yaml or json
    #[arg(short, long, value_name = "FORMAT", default_value = "yaml", value_parser = ["yaml", "json"])]
    output: String,
    /// Print what was changed, as a patch
    #[arg(long)]
    output_patch: bool,
    #[command(flatten)]
    validation: Validation,
    /// Who sets the fields
    #[arg(long, value_name = "NAME", default_value = "kubectl-edit")]
    field_manager: String,
    /// Accepted, so that scripts keep working
    #[arg(long, hide = true)]
    #[allow(dead_code, reason = "accepted only")]
    save_config: bool,
    /// What to change: TYPE NAME or TYPE/NAME
    #[arg(value_name = "TYPE")]
    words: Vec<String>,
}

pub(in super::super) fn run(args: &Args) -> anyhow::Result<u8> {
    let named = named(&args.words, &args.files)?;
    block_on(async {
        let api = args.connect.api()?;
        for object in &named {
            edit_one(&api, args, object).await?;
        }
        Ok(exit::SUCCESS)
    })
}

async fn edit_one(api: &ApiClient, args: &Args, named: &Named) -> anyhow::Result<()> {
    let (_, path) = named.paths();
    let mut object = api.request(Method::GET, &path, JSON, None).await?;
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("managedFields");
    }
    let is_json = args.output == "json";
    let text = match is_json {
        true => format!("{}\n", indented(&sorted(&object))?),
        false => yaml::encode(&sorted(&object)),
    };
    let Some(text) = edited(&text, &args.output)? else {
        say::err("Edit cancelled, no changes made.\n");
        return Ok(());
    };
    let new: Value = match is_json {
        true => serde_json::from_str(&text).context("what was edited is no JSON")?,
        false => serde_yaml::from_str(&text).context("what was edited is no YAML")?,
    };
    let is_other = |path: &str| new.pointer(path) != object.pointer(path);
    if ["/apiVersion", "/kind", "/metadata/name"]
        .into_iter()
        .any(is_other)
    {
        bail!("At least one of apiVersion, kind and name was changed");
    }
    // What the user took away is taken away, and what others changed meanwhile stays.
    let patch = three_way_patch(Some(&object), &new, &object);
    if patch.as_object().is_some_and(serde_json::Map::is_empty) {
        say::err("Edit cancelled, no changes made.\n");
        return Ok(());
    }
    let options = format!(
        "?fieldValidation={}&fieldManager={}",
        args.validation.word(),
        escaped(&args.field_manager)
    );
    let sent = Some(("application/merge-patch+json", patch.to_string().into_bytes()));
    let kind = named.kind;
    let failed = format!("{}.tilt.dev {:?} could not be patched", kind.plural, named.name);
    api.request(Method::PATCH, &format!("{path}{options}"), JSON, sent)
        .await
        .map_err(|failure| failure.in_words(&failed))?;
    if args.output_patch {
        say::out(&format!("Patch: {patch}\n"));
    }
    say::out(&format!("{} edited\n", display_name(kind, &named.name)));
    Ok(())
}

/// Lets the user edit a text; `None` if it is as before.
fn edited(text: &str, end: &str) -> anyhow::Result<Option<String>> {
    let editor = ["KUBE_EDITOR", "EDITOR"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|editor| !editor.is_empty()))
        .unwrap_or_else(|| "vi".to_owned());
    let words =
        shlex::split(&editor).with_context(|| format!("cannot read the name of the editor: {editor}"))?;
    let path = std::env::temp_dir().join(format!("tilt-edit-{}.{end}", std::process::id()));
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    let ended = edit(&words, &path).with_context(|| format!("cannot start {editor}"));
    let new = std::fs::read_to_string(&path);
    let _ = std::fs::remove_file(&path);
    if !ended? {
        bail!("there was a problem with the editor {editor:?}");
    }
    let new = new.context("cannot read what was edited")?;
    Ok((new != text).then_some(new))
}
