//! `tilt edit`.

use anyhow::{Context, bail};
use http::Method;
use serde_json::Value;

use super::super::{exit, say};
use super::get::JSON;
use super::printing::{display_name, sorted};
use super::target::targets;
use super::{Connect, block_on};
use crate::edge::process::edit;
use crate::k8s::yaml;

/// Change an object of a running session in an editor
///
/// The editor is that of KUBE_EDITOR or EDITOR, else vi.
#[derive(Debug, clap::Args)]
pub(in super::super) struct Args {
    #[command(flatten)]
    connect: Connect,
    /// What to change: TYPE NAME or TYPE/NAME
    #[arg(value_name = "TYPE", required = true)]
    words: Vec<String>,
}

pub(in super::super) fn run(args: &Args) -> anyhow::Result<u8> {
    let targets = targets(&args.words)?;
    let [target] = targets.as_slice() else {
        bail!("only one object can be edited at a time");
    };
    let [name] = target.names.as_slice() else {
        bail!("one object has to be named");
    };
    block_on(async {
        let api = args.connect.api()?;
        let path = target.path(Some(name));
        let object = api.request(Method::GET, &path, JSON, None).await?;
        let Some(text) = edited(&yaml::encode(&sorted(&object)))? else {
            say::out("Edit cancelled, no changes made.\n");
            return Ok(exit::SUCCESS);
        };
        let new: Value = serde_yaml::from_str(&text).context("what was edited is no YAML")?;
        let sent = Some((JSON, new.to_string().into_bytes()));
        api.request(Method::PUT, &format!("{path}?fieldValidation=Strict"), JSON, sent)
            .await?;
        say::out(&format!("{} edited\n", display_name(target.kind, name)));
        Ok(exit::SUCCESS)
    })
}

/// Lets the user edit a text; `None` if it is as before.
fn edited(text: &str) -> anyhow::Result<Option<String>> {
    let editor = ["KUBE_EDITOR", "EDITOR"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|editor| !editor.is_empty()))
        .unwrap_or_else(|| "vi".to_owned());
    let words =
        shlex::split(&editor).with_context(|| format!("cannot read the name of the editor: {editor}"))?;
    let path = std::env::temp_dir().join(format!("tilt-edit-{}.yaml", std::process::id()));
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    let ended = edit(&words, &path).with_context(|| format!("cannot start {editor}"));
    let new = std::fs::read_to_string(&path);
    let _ = std::fs::remove_file(&path);
    if !ended? {
        bail!("the editor {editor} failed");
    }
    let new = new.context("cannot read what was edited")?;
    Ok((new != text).then_some(new))
}
