//! `tilt edit`.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

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
use crate::clock;
use crate::edge::process::edit;
use crate::k8s::yaml;
use crate::server::client::{ApiClient, ApiFailure};

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
# and an empty file will abort the edit. If an error occurs while saving this file will be
# reopened with the relevant failures.
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

/// Lets the user edit objects, all in one text, and writes what differs. With what is wrong in it the text is opened again.
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
    let original = match is_json {
        true => format!("{}\n", indented(&sorted(&whole))?),
        false => yaml::encode(&sorted(&whole)),
    };
    let draft = Draft::new(&args.output)?;
    let (mut text, mut faults) = (original.clone(), Vec::new());
    loop {
        let shown = match is_json {
            true => text.clone(),
            false => format!("{}{text}", header(&faults)),
        };
        let new = draft.edited(&shown, !faults.is_empty())?;
        if !faults.is_empty() && without_comments(&new).eq(without_comments(&text)) {
            draft.keep();
            bail!("Edit cancelled, no valid changes were saved.");
        }
        if without_comments(&new).eq(without_comments(&original)) {
            say::err("Edit cancelled, no changes made.\n");
            return draft.remove();
        }
        if without_comments(&new).all(|line| line.trim().is_empty()) {
            say::err("Edit cancelled, saved file was empty.\n");
            return draft.remove();
        }
        faults = match objects_in(&new, is_json) {
            Ok(objects) => {
                let written = write_all(api, args, validation, originals, &objects).await;
                written.inspect_err(|_| draft.keep())?
            }
            Err(fault) => vec![format!("The edited file had a syntax error: {fault:#}")],
        };
        if faults.is_empty() {
            return draft.remove();
        }
        for fault in &faults {
            say::err(format!("error: {fault}\n"));
        }
        text = without_header(&new).to_owned();
    }
}

/// Returns what stands above the objects in the editor, with what was wrong the last time.
fn header(faults: &[String]) -> String {
    let lines = faults
        .iter()
        .map(|fault| format!("# {}\n#\n", fault.replace('\n', "\n# ")));
    format!("{HEADER}{}", lines.collect::<String>())
}

/// Returns a text without the comments that it begins with.
fn without_header(text: &str) -> &str {
    let lines = text.split_inclusive('\n');
    let header = lines.take_while(|line| line.starts_with('#')).map(str::len).sum();
    &text[header..]
}

/// Returns the objects that an edited text has.
fn objects_in(text: &str, is_json: bool) -> anyhow::Result<Vec<Value>> {
    let new: Value = match is_json {
        true => serde_json::from_str(text)?,
        false => serde_yaml::from_str(text)?,
    };
    anyhow::ensure!(new.is_object(), "it is no object");
    Ok(match new["items"].as_array() {
        Some(items) if new["kind"] == "List" => items.clone(),
        _ => vec![new],
    })
}

/// Writes what differs of each object; returns what the user can mend in the text.
///
/// # Errors
/// Something cannot be written whatever the text says; what else cannot is told.
async fn write_all(
    api: &ApiClient,
    args: &Args,
    validation: &str,
    originals: &[Original],
    objects: &[Value],
) -> anyhow::Result<Vec<String>> {
    let (mut faults, mut failures) = (Vec::new(), Vec::new());
    for object in objects {
        let uid = &object["metadata"]["uid"];
        let original = originals
            .iter()
            .find(|original| original.object["metadata"]["uid"] == *uid)
            .with_context(|| format!("no original object found for {object}"))?;
        let Err(failure) = write(api, args, validation, original, object).await else {
            continue;
        };
        match failure.downcast_ref::<ApiFailure>() {
            Some(fault @ ApiFailure::Status { code: 400 | 422, .. }) => {
                let said = fault.like_kubectl();
                faults.push(said.trim_start_matches("error: ").to_owned());
            }
            _ => failures.push(failure),
        }
    }
    super::all_told(failures).map(|_| faults)
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

/// A text while it is edited, in a file that only its user reads.
struct Draft {
    path: PathBuf,
    editor: String,
}

impl Draft {
    fn new(end: &str) -> anyhow::Result<Self> {
        let editor = ["KUBE_EDITOR", "EDITOR"]
            .into_iter()
            .find_map(|name| std::env::var(name).ok().filter(|editor| !editor.is_empty()))
            .unwrap_or_else(|| "vi".to_owned());
        let time = clock::timestamp().0;
        let path = std::env::temp_dir().join(format!("tilt-edit-{}-{time}.{end}", std::process::id()));
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path);
        file.with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { path, editor })
    }

    /// Lets the user edit a text; returns what it is then. Where that fails, the file stays if the user has written in it before.
    fn edited(&self, text: &str, has_changes: bool) -> anyhow::Result<String> {
        let words = shlex::split(&self.editor)
            .with_context(|| format!("cannot read the name of the editor: {}", self.editor));
        let edited = words.and_then(|words| {
            std::fs::write(&self.path, text)
                .with_context(|| format!("cannot write {}", self.path.display()))?;
            let ended = edit(&words, &self.path).with_context(|| format!("cannot start {}", self.editor))?;
            anyhow::ensure!(ended, "there was a problem with the editor {:?}", self.editor);
            std::fs::read_to_string(&self.path).context("cannot read what was edited")
        });
        edited.inspect_err(|_| match has_changes {
            true => self.keep(),
            // Nothing is lost with it.
            false => drop(std::fs::remove_file(&self.path)),
        })
    }

    /// Says where the text is.
    fn keep(&self) {
        let path = self.path.display().to_string();
        say::err(format!("A copy of your changes has been stored to {path:?}\n"));
    }

    /// Takes the file away at a good end.
    fn remove(&self) -> anyhow::Result<u8> {
        // Whoever cleans up may have been faster.
        let _ = std::fs::remove_file(&self.path);
        Ok(exit::SUCCESS)
    }
}
