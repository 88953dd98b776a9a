//! `tilt apply` and `tilt create`, and reading the files that they are given.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use http::Method;
use serde_json::{Value, json};

use super::super::{exit, flags, say};
use super::get::JSON;
use super::printing::{Format, Print, display_name, text};
use super::target::escaped;
use super::{Connect, block_on};
use crate::api::Kind;
use crate::server::client::ApiClient;

/// Files with objects.
#[derive(Debug, clap::Args)]
pub(super) struct Files {
    /// File or folder with objects; - is standard input
    #[arg(short = 'f', long = "filename", value_name = "PATH", value_delimiter = ',')]
    filename: Vec<String>,
    /// Also folders within a folder
    #[arg(short = 'R', long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true")]
    recursive: bool,
}

/// An object of a file.
#[derive(Debug)]
pub(super) struct ReadObject {
    pub(super) kind: &'static Kind,
    pub(super) object: Value,
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
        self.filename.is_empty()
    }

    /// Reads all objects.
    ///
    /// # Errors
    /// A file that cannot be read, or holds something else.
    pub(super) fn read(&self) -> anyhow::Result<Vec<ReadObject>> {
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
                anyhow!("unable to recognize {source:?}: no matches for kind {kind:?} in version {group:?}")
            })?;
            objects.push(ReadObject { kind, object });
        }
    }
    Ok(objects)
}

/// Create objects of a running session, or change them to what a file says
#[derive(Debug, clap::Args)]
pub(in super::super) struct ApplyArgs {
    #[command(flatten)]
    connect: Connect,
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    print: Print,
    /// Let the session do it: fields of others stay
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true")]
    server_side: bool,
    /// Write this part alone: status
    #[arg(long, value_name = "NAME", value_parser = ["status", ""], default_value = "", hide_default_value = true)]
    subresource: String,
    /// What is done about unknown fields: strict, warn or ignore
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "strict", default_missing_value = "strict",
          value_parser = ["strict", "warn", "ignore", "true", "false"])]
    validate: String,
    /// Say what would be done: none, server or client
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "none", default_missing_value = "unchanged",
          value_parser = ["none", "server", "client", "unchanged"])]
    dry_run: String,
    /// Who sets the fields
    #[arg(long, value_name = "NAME", default_value = "kubectl-client-side-apply")]
    field_manager: String,
    /// Take fields over from others
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true")]
    force_conflicts: bool,
    /// Accepted, so that scripts keep working
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = true, default_missing_value = "true")]
    overwrite: bool,
}

fn validation(validate: &str) -> &'static str {
    match validate {
        "strict" | "true" => "Strict",
        "warn" => "Warn",
        _ => "Ignore",
    }
}

pub(in super::super) fn apply(args: &ApplyArgs) -> anyhow::Result<u8> {
    if args.files.is_empty() {
        bail!("must specify one of -f and -k");
    }
    let format = args.print.format()?;
    let objects = args.files.read()?;
    if objects.is_empty() {
        bail!("no objects passed to apply");
    }
    block_on(async {
        let api = args.connect.api()?;
        for object in &objects {
            let (outcome, applied) = apply_one(&api, args, object).await?;
            say::out(&match &format {
                Format::Human => format!("{} {outcome}\n", display_name(object.kind, &object.name())),
                format => text(format, &args.print, &[(object.kind, applied)], false)?,
            });
        }
        Ok(exit::SUCCESS)
    })
}

/// Applies an object; returns what became of it, in kubectl's words.
async fn apply_one(api: &ApiClient, args: &ApplyArgs, read: &ReadObject) -> anyhow::Result<(String, Value)> {
    let name = read.name();
    if name.is_empty() {
        bail!(
            "error when applying {}: metadata.name is required",
            read.kind.name
        );
    }
    let base = format!("/apis/tilt.dev/v1alpha1/{}", read.kind.plural);
    let part = if args.subresource.is_empty() {
        String::new()
    } else {
        format!("/{}", args.subresource)
    };
    let is_dry = args.dry_run != "none" && args.dry_run != "unchanged";
    let options = format!(
        "?fieldValidation={}&fieldManager={}{}",
        validation(&args.validate),
        escaped(&args.field_manager),
        if is_dry { "&dryRun=All" } else { "" }
    );
    let one = format!("{base}/{}", escaped(&name));
    let dry = if is_dry {
        format!(" ({} dry run)", args.dry_run)
    } else {
        String::new()
    };
    if args.server_side {
        let body = read.object.to_string().into_bytes();
        let sent = Some(("application/apply-patch+yaml", body));
        let applied = api
            .request(Method::PATCH, &format!("{one}{part}{options}"), JSON, sent)
            .await?;
        return Ok((format!("serverside-applied{dry}"), applied));
    }
    let old = match api.request(Method::GET, &one, JSON, None).await {
        Ok(old) => old,
        Err(failure) if failure.is_not_found() => {
            let sent = Some((JSON, read.object.to_string().into_bytes()));
            let created = api
                .request(Method::POST, &format!("{base}{options}"), JSON, sent)
                .await?;
            return Ok((format!("created{dry}"), created));
        }
        Err(failure) => return Err(failure.into()),
    };
    let sent = Some((
        "application/merge-patch+json",
        read.object.to_string().into_bytes(),
    ));
    let new = api
        .request(Method::PATCH, &format!("{one}{part}{options}"), JSON, sent)
        .await?;
    let is_same = old["metadata"]["resourceVersion"] == new["metadata"]["resourceVersion"];
    Ok((
        format!("{}{dry}", if is_same { "unchanged" } else { "configured" }),
        new,
    ))
}

/// Create an object of a running session
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(in super::super) struct CreateArgs {
    #[command(flatten)]
    connect: Connect,
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    print: Print,
    #[command(subcommand)]
    kind: Option<Create>,
}

#[derive(Debug, clap::Subcommand)]
enum Create {
    /// Create a command that runs at once, and again when files change
    Cmd(CreateCmd),
    /// Create a watch of files
    #[command(alias = "fw")]
    Filewatch(CreateFileWatch),
    /// Register a repository of extensions
    Repo(CreateRepo),
    /// Register an extension
    Ext(CreateExt),
}

#[derive(Debug, clap::Args)]
struct CreateCmd {
    #[command(flatten)]
    connect: Connect,
    #[command(flatten)]
    print: Print,
    /// Where the command runs; here by default
    #[arg(short, long, value_name = "DIR")]
    workdir: Option<String>,
    /// Variables for it, as NAME=VALUE
    #[arg(short, long, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// File watches that start it again
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    filewatch: Vec<String>,
    /// Its name
    #[arg(value_name = "NAME")]
    name: String,
    /// The command and its arguments
    #[arg(
        value_name = "COMMAND",
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    command: Vec<String>,
}

#[derive(Debug, clap::Args)]
struct CreateFileWatch {
    #[command(flatten)]
    connect: Connect,
    #[command(flatten)]
    print: Print,
    /// Patterns of files to leave out, as in a .dockerignore
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    ignore: Vec<String>,
    /// Its name
    #[arg(value_name = "NAME")]
    name: String,
    /// Files and folders
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<String>,
}

#[derive(Debug, clap::Args)]
struct CreateRepo {
    #[command(flatten)]
    connect: Connect,
    #[command(flatten)]
    print: Print,
    /// Branch, tag or commit
    #[arg(
        long = "ref",
        value_name = "REF",
        default_value = "",
        hide_default_value = true
    )]
    reference: String,
    /// Its name
    #[arg(value_name = "NAME")]
    name: String,
    /// Its address
    #[arg(value_name = "URL", required = true)]
    url: Vec<String>,
}

#[derive(Debug, clap::Args)]
struct CreateExt {
    #[command(flatten)]
    connect: Connect,
    #[command(flatten)]
    print: Print,
    /// Its repository
    #[arg(long, value_name = "NAME", default_value = "default")]
    repo: String,
    /// Its folder in the repository; its name by default
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
    /// Its name
    #[arg(value_name = "NAME")]
    name: String,
    /// Arguments for it
    #[arg(value_name = "ARG", last = true)]
    args: Vec<String>,
}

pub(in super::super) fn create(args: &CreateArgs) -> anyhow::Result<u8> {
    let Some(kind) = &args.kind else {
        if args.files.is_empty() {
            say::err("error: must specify one of -f and -k\n");
            return Ok(exit::SUCCESS);
        }
        let objects = args.files.read()?;
        return send(&args.connect, &args.print, objects);
    };
    let here = flags::working_directory()?;
    let (connect, print, kind, name, spec) = match kind {
        Create::Cmd(cmd) => {
            let dir = cmd
                .workdir
                .as_ref()
                .map_or_else(|| here.clone(), |dir| here.join(dir));
            let mut spec = json!({"args": cmd.command, "dir": dir.to_string()});
            if !cmd.env.is_empty() {
                spec["env"] = json!(cmd.env);
            }
            if !cmd.filewatch.is_empty() {
                spec["restartOn"] = json!({"fileWatches": cmd.filewatch});
            }
            (&cmd.connect, &cmd.print, "Cmd", &cmd.name, spec)
        }
        Create::Filewatch(watch) => {
            let paths: Vec<String> = watch
                .paths
                .iter()
                .map(|path| here.join(path).to_string())
                .collect();
            let mut spec = json!({"watchedPaths": paths});
            if !watch.ignore.is_empty() {
                spec["ignores"] = json!([{"basePath": here.to_string(), "patterns": watch.ignore}]);
            }
            (&watch.connect, &watch.print, "FileWatch", &watch.name, spec)
        }
        Create::Repo(repo) => {
            let url = repo.url.first().cloned().unwrap_or_default();
            let spec = json!({"url": url, "ref": repo.reference});
            (&repo.connect, &repo.print, "ExtensionRepo", &repo.name, spec)
        }
        Create::Ext(ext) => {
            let path = ext.path.as_ref().unwrap_or(&ext.name);
            let spec = json!({"repoName": ext.repo, "repoPath": path, "args": ext.args});
            (&ext.connect, &ext.print, "Extension", &ext.name, spec)
        }
    };
    let kind = Kind::named(kind).context("the kind is known")?;
    let object = json!({
        "kind": kind.name,
        "apiVersion": Kind::api_version(),
        "metadata": {"name": name},
        "spec": spec,
    });
    send(connect, print, vec![ReadObject { kind, object }])
}

fn send(connect: &Connect, print: &Print, objects: Vec<ReadObject>) -> anyhow::Result<u8> {
    let format = print.format()?;
    block_on(async {
        let api = connect.api()?;
        for read in &objects {
            let path = format!(
                "/apis/tilt.dev/v1alpha1/{}?fieldValidation=Strict",
                read.kind.plural
            );
            let sent = Some((JSON, read.object.to_string().into_bytes()));
            let created = api.request(Method::POST, &path, JSON, sent).await?;
            say::out(&match &format {
                Format::Human => format!("{} created\n", display_name(read.kind, &read.name())),
                format => text(format, print, &[(read.kind, created)], false)?,
            });
        }
        Ok(exit::SUCCESS)
    })
}
