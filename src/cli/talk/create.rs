//! `tilt create`.

use anyhow::{Context, anyhow, bail};
use http::Method;
use serde_json::{Value, json};

use super::super::{exit, flags, say};
use super::apply::told;
use super::files::{Files, ReadObject};
use super::get::JSON;
use super::options::{Dry, DryRun, Validation};
use super::printing::{Print, next};
use super::target::escaped;
use super::{Connect, block_on, like_kubectl};
use crate::api::{Kind, with_last_applied};
use crate::server::client::{ApiClient, ApiFailure};

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
    #[command(flatten)]
    dry_run: DryRun,
    /// Who sets the fields
    #[arg(long, value_name = "NAME", default_value = "kubectl-create")]
    field_manager: String,
    #[command(flatten)]
    validation: Validation,
    /// Note what is created, so that a later apply knows what it no longer says
    #[arg(long)]
    save_config: bool,
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
    /// Its name, the command, and the arguments of that: what follows the name is no flag of this command
    #[arg(
        value_names = ["NAME", "COMMAND"],
        required = true,
        num_args = 2..,
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    words: Vec<String>,
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
            say::err("Error: must specify one of -f and -k\n\n");
            return Ok(exit::SUCCESS);
        }
        return like_kubectl(from_files(args));
    };
    let here = flags::working_directory()?;
    let (connect, print, kind, name, spec) = match kind {
        Create::Cmd(cmd) => {
            let (name, command) = cmd.words.split_first().context("it has a name")?;
            let dir = cmd
                .workdir
                .as_ref()
                .map_or_else(|| here.clone(), |dir| here.join(dir));
            let mut spec = json!({"args": command, "dir": dir.to_string()});
            if !cmd.env.is_empty() {
                spec["env"] = json!(cmd.env);
            }
            if !cmd.filewatch.is_empty() {
                spec["restartOn"] = json!({"fileWatches": cmd.filewatch});
            }
            (&cmd.connect, &cmd.print, "Cmd", name, spec)
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
    let read = ReadObject {
        kind,
        object,
        source: String::new(),
    };
    let format = print.format()?;
    let created = block_on(async {
        let api = connect.api()?;
        Ok(post(&api, &read, "fieldValidation=Strict&fieldManager=tilt").await)
    })?;
    let created = created.map_err(|failure| match failure {
        // Tilt says here what the session says, and no more.
        ApiFailure::Status { message, .. } => anyhow!(message),
        other => other.into(),
    })?;
    say::out(&told(&format, print, kind, created, "created")?);
    Ok(exit::SUCCESS)
}

/// Creates what files say.
fn from_files(args: &CreateArgs) -> anyhow::Result<u8> {
    let format = args.print.format()?;
    let (dry, validation) = (args.dry_run.how()?, args.validation.word()?);
    let mut objects = args.files.read()?;
    if objects.is_empty() {
        bail!("no objects passed to create");
    }
    if args.save_config {
        for read in &mut objects {
            read.object = with_last_applied(&read.object);
        }
    }
    block_on(async {
        let api = args.connect.api()?;
        for (at, read) in objects.iter().enumerate() {
            let created = match dry {
                Dry::Client => read.object.clone(),
                _ => {
                    let options = format!(
                        "fieldValidation={validation}&fieldManager={}{}",
                        escaped(&args.field_manager),
                        dry.query()
                    );
                    let failed = |failure: ApiFailure| {
                        failure.in_words(&format!("error when creating {:?}", read.source))
                    };
                    post(&api, read, &options).await.map_err(failed)?
                }
            };
            let outcome = format!("created{}", dry.words());
            let text = told(&format, &args.print, read.kind, created, &outcome)?;
            say::out(&next(&format, at, text));
        }
        Ok(exit::SUCCESS)
    })
}

async fn post(api: &ApiClient, read: &ReadObject, options: &str) -> Result<Value, ApiFailure> {
    let path = format!("/apis/tilt.dev/v1alpha1/{}?{options}", read.kind.plural);
    let sent = Some((JSON, read.object.to_string().into_bytes()));
    api.request(Method::POST, &path, JSON, sent).await
}
