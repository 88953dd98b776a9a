//! Files with objects: `-f` with a file, a folder, a URL or standard input, and `-k`.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use serde_json::Value;

use super::super::flags;
use super::block_on;
use super::target::{Target, escaped, targets};
use crate::api::Kind;
use crate::edge::process::{ChildCommand, Environment, capture};
use crate::server::client::download;

/// Files with objects.
#[derive(Debug, clap::Args)]
pub(super) struct Files {
    /// File, folder or URL with objects; - is standard input
    #[arg(short = 'f', long = "filename", value_name = "PATH", value_delimiter = ',')]
    filename: Vec<String>,
    /// Folder with a kustomization; cannot be used with -f
    #[arg(
        short = 'k',
        long,
        value_name = "DIR",
        default_value = "",
        hide_default_value = true
    )]
    kustomize: String,
    /// Also folders within a folder
    #[arg(short = 'R', long)]
    recursive: bool,
}

/// An object of a file.
#[derive(Debug)]
pub(super) struct ReadObject {
    pub(super) kind: &'static Kind,
    pub(super) object: Value,
    /// Where it is written, as it was named.
    pub(super) source: String,
}

/// Objects that are named by words, or written in files.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) kind: &'static Kind,
    pub(super) name: String,
}

/// What is said when neither words nor files name anything.
pub(super) const NOTHING_NAMED: &str = "You must provide one or more resources by argument or filename.\nExample resource specifications \
                             include:\n   '-f rsrc.yaml'\n   '--filename=rsrc.json'\n   '<resource> <name>'\n   \
                             '<resource>'";

/// Returns the objects that words or files name, one by one.
///
/// # Errors
/// Neither names any, or a kind has no names.
pub(super) fn named(words: &[String], files: &Files) -> anyhow::Result<Vec<Named>> {
    if !files.is_empty() {
        let read = files.read()?.into_iter();
        return Ok(read
            .map(|read| Named {
                kind: read.kind,
                name: read.name(),
            })
            .collect());
    }
    if words.is_empty() {
        bail!("{NOTHING_NAMED}");
    }
    let mut all = Vec::new();
    for target in targets(words)? {
        if target.names.is_empty() {
            bail!("resource(s) were provided, but no name was specified");
        }
        let kind = target.kind;
        all.extend(target.names.into_iter().map(|name| Named { kind, name }));
    }
    Ok(all)
}

impl Named {
    /// Returns the path of its kind, and its own.
    pub(super) fn paths(&self) -> (String, String) {
        let of_kind = format!("/apis/tilt.dev/v1alpha1/{}", self.kind.plural);
        let own = format!("{of_kind}/{}", escaped(&self.name));
        (of_kind, own)
    }
}

impl ReadObject {
    pub(super) fn name(&self) -> String {
        self.object["metadata"]["name"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }
}

impl Files {
    pub(super) fn is_empty(&self) -> bool {
        self.filename.is_empty() && self.kustomize.is_empty()
    }

    /// Returns what is named by the files, or without them by words.
    ///
    /// # Errors
    /// Nothing is named, or the files cannot be read.
    pub(super) fn targets(&self, words: &[String]) -> anyhow::Result<Vec<Target>> {
        if !self.is_empty() {
            let read = self.read()?.into_iter();
            return Ok(read
                .map(|read| Target {
                    kind: read.kind,
                    names: vec![read.name()],
                })
                .collect());
        }
        anyhow::ensure!(!words.is_empty(), "{NOTHING_NAMED}");
        targets(words)
    }

    /// Reads all objects.
    ///
    /// # Errors
    /// A file that cannot be read, or holds something else.
    pub(super) fn read(&self) -> anyhow::Result<Vec<ReadObject>> {
        if !self.kustomize.is_empty() {
            if !self.filename.is_empty() {
                bail!("only one of -f or -k can be specified");
            }
            return parse(&block_on(kustomized(&self.kustomize))?, &self.kustomize);
        }
        let mut objects = Vec::new();
        for name in &self.filename {
            if name == "-" {
                let mut text = String::new();
                std::io::stdin()
                    .read_to_string(&mut text)
                    .context("cannot read standard input")?;
                objects.extend(parse(&text, "STDIN")?);
                continue;
            }
            if name.starts_with("http://") || name.starts_with("https://") {
                let text =
                    block_on(download(name)).with_context(|| format!("unable to read URL {name:?}"))?;
                objects.extend(parse(&text, name)?);
                continue;
            }
            let path = Path::new(name);
            if !path.exists() {
                bail!("the path {name:?} does not exist");
            }
            for file in self.files_of(path)? {
                let text = std::fs::read_to_string(&file)
                    .with_context(|| format!("cannot read {}", file.display()))?;
                objects.extend(parse(&text, &file.display().to_string())?);
            }
        }
        Ok(objects)
    }

    fn files_of(&self, path: &Path) -> anyhow::Result<Vec<PathBuf>> {
        if !path.is_dir() {
            return Ok(vec![path.to_owned()]);
        }
        let entries = std::fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.sort();
        let mut files = Vec::new();
        for path in paths {
            let is_object = path
                .extension()
                .is_some_and(|end| end == "yaml" || end == "yml" || end == "json");
            if path.is_dir() {
                if self.recursive {
                    files.extend(self.files_of(&path)?);
                }
            } else if is_object {
                files.push(path);
            }
        }
        Ok(files)
    }
}

fn parse(text: &str, source: &str) -> anyhow::Result<Vec<ReadObject>> {
    let mut objects = Vec::new();
    for document in serde_yaml::Deserializer::from_str(text) {
        let value: Value =
            serde::Deserialize::deserialize(document).with_context(|| format!("error parsing {source}"))?;
        let items = match value["kind"].as_str() {
            _ if value.is_null() => Vec::new(),
            Some(kind) if kind == "List" || kind.ends_with("List") => {
                value["items"].as_array().cloned().unwrap_or_default()
            }
            _ => vec![value],
        };
        for object in items {
            let kind = object["kind"].as_str().unwrap_or_default();
            let group = object["apiVersion"].as_str().unwrap_or_default();
            if kind.is_empty() {
                bail!("error parsing {source}: Object 'Kind' is missing in '{object}'");
            }
            let found = Kind::named(kind).filter(|_| group == Kind::api_version());
            let kind = found.ok_or_else(|| {
                let name = object["metadata"]["name"].as_str().unwrap_or_default();
                anyhow!(
                    "resource mapping not found for name: {name:?} namespace: \"\" from {source:?}: no matches for kind \
                     {kind:?} in version {group:?}\nensure CRDs are installed first"
                )
            })?;
            objects.push(ReadObject {
                kind,
                object,
                source: source.to_owned(),
            });
        }
    }
    Ok(objects)
}

/// Returns what a kustomization makes; `kustomize` or kubectl has to be installed.
async fn kustomized(dir: &str) -> anyhow::Result<String> {
    let (mut failure, here) = (None, flags::working_directory()?);
    for program in [&["kustomize", "build"][..], &["kubectl", "kustomize"]] {
        let words = program.iter().copied().chain([dir]);
        let command = ChildCommand {
            argv: words.map(str::to_owned).collect(),
            dir: here.clone(),
            env: Environment::inherited(),
        };
        match capture(&command, None).await {
            Ok(done) if done.exit.is_success() => return Ok(String::from_utf8(done.stdout)?),
            Ok(done) => bail!("{}", String::from_utf8_lossy(&done.stderr).trim()),
            Err(error) => failure = Some(error),
        }
    }
    let why = failure.map_or_else(String::new, |error| format!(": {error}"));
    bail!("cannot run kustomize{why}\nhint: -k needs kustomize or kubectl on the path")
}
