//! `tilt edit`.

use anyhow::{Context, bail};
use http::Method;
use serde_json::{Value, json};

use super::super::{exit, say};
use super::files::Files;
use super::get::JSON;
use super::options::Validation;
use super::printing::{display_name, indented, sorted};
use super::target::escaped;
use super::{Connect, block_on};
use crate::api::{Kind, three_way_patch};
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

/// What stands above an object in the editor.
const HEADER: &str = "\
# Please edit the object below. Lines beginning with a '#' will be ignored,
# and an empty file will abort the edit.
#
";

/// An object that is edited, as it was.
struct Original {
    kind: &'static Kind,
    object: Value,
}

pub(in super::super) fn run(args: &Args) -> anyhow::Result<u8> {
    let validation = args.validation.word()?;
    let named = args.files.targets(&args.words)?;
    block_on(async {
        let api = args.connect.api()?;
        let mut originals = Vec::new();
        for target in &named {
            let paths: Vec<String> = match target.names.as_slice() {
                [] => vec![target.path(None)],
                names => names.iter().map(|name| target.path(Some(name))).collect(),
            };
            for path in paths {
                let found = api.request(Method::GET, &path, JSON, None).await?;
                let all = match found["items"].as_array() {
                    Some(items) if target.names.is_empty() => items.clone(),
                    _ => vec![found],
                };
                originals.extend(all.into_iter().map(|object| Original::new(target.kind, object)));
            }
        }
        if originals.is_empty() {
            bail!("edit cancelled, no objects found");
        }
        edit_all(&api, args, validation, &originals).await
    })
}

impl Original {
    fn new(kind: &'static Kind, mut object: Value) -> Self {
        object["kind"] = kind.name.into();
        object["apiVersion"] = Kind::api_version().into();
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.remove("managedFields");
        }
        Self { kind, object }
    }
}

/// Lets the user edit objects, all in one text, and writes what differs.
async fn edit_all(
    api: &ApiClient,
    args: &Args,
    validation: &str,
    originals: &[Original],
) -> anyhow::Result<u8> {
    let whole = match originals {
        [one] => one.object.clone(),
        all => json!({
            "apiVersion": "v1",
            "items": all.iter().map(|one| &one.object).collect::<Vec<_>>(),
            "kind": "List",
            "metadata": {},
        }),
    };
    let is_json = args.output == "json";
    let text = match is_json {
        true => format!("{}\n", indented(&sorted(&whole))?),
        false => format!("{HEADER}{}", yaml::encode(&sorted(&whole))),
    };
    let new = edited(&text, &args.output)?;
    if without_comments(&new).eq(without_comments(&text)) {
        say::err("Edit cancelled, no changes made.\n");
        return Ok(exit::SUCCESS);
    }
    if without_comments(&new).all(|line| line.trim().is_empty()) {
        say::err("Edit cancelled, saved file was empty.\n");
        return Ok(exit::SUCCESS);
    }
    let new: Value = match is_json {
        true => serde_json::from_str(&new).context("what was edited is no JSON")?,
        false => serde_yaml::from_str(&new).context("what was edited is no YAML")?,
    };
    let new = match new["items"].as_array() {
        Some(items) if new["kind"] == "List" => items.clone(),
        _ => vec![new],
    };
    let mut failures = Vec::new();
    for object in new {
        let uid = &object["metadata"]["uid"];
        let original = originals
            .iter()
            .find(|original| original.object["metadata"]["uid"] == *uid)
            .with_context(|| format!("no original object found for {object}"))?;
        if let Err(failure) = write(api, args, validation, original, &object).await {
            failures.push(failure);
        }
    }
    super::all_told(failures)
}

fn without_comments(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.trim_start().starts_with('#'))
}

/// Writes what the user changed of an object.
async fn write(
    api: &ApiClient,
    args: &Args,
    validation: &str,
    Original { kind, object }: &Original,
    new: &Value,
) -> anyhow::Result<()> {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let is_other = |path: &str| new.pointer(path) != object.pointer(path);
    if ["/apiVersion", "/kind", "/metadata/name"]
        .into_iter()
        .any(is_other)
    {
        bail!("At least one of apiVersion, kind and name was changed");
    }
    // What the user took away is taken away, and what others changed meanwhile stays.
    let patch = three_way_patch(Some(object), new, object);
    if patch.as_object().is_some_and(serde_json::Map::is_empty) {
        say::out(&format!("{} skipped\n", display_name(kind, name)));
        return Ok(());
    }
    let path = format!(
        "/apis/tilt.dev/v1alpha1/{}/{}?fieldValidation={validation}&fieldManager={}",
        kind.plural,
        escaped(name),
        escaped(&args.field_manager)
    );
    if args.output_patch {
        say::out(&format!("Patch: {patch}\n"));
    }
    let sent = Some(("application/merge-patch+json", patch.to_string().into_bytes()));
    let failed = format!("{}.tilt.dev {name:?} could not be patched", kind.plural);
    api.request(Method::PATCH, &path, JSON, sent)
        .await
        .map_err(|failure| failure.in_words(&failed))?;
    say::out(&format!("{} edited\n", display_name(kind, name)));
    Ok(())
}

/// Lets the user edit a text; returns what it is then.
fn edited(text: &str, end: &str) -> anyhow::Result<String> {
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
    new.context("cannot read what was edited")
}
