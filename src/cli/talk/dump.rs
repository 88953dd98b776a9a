//! `tilt dump` and `tilt snapshot`: what a session knows, as files.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use http::Method;
use serde_json::Value;

use super::super::{exit, say};
use super::printing::sorted;
use super::snapshot_view::{self, View};
use super::{Connect, block_on};
use crate::api::openapi;
use crate::edge::docker::Docker;
use crate::edge::process::Environment;
use crate::model::ImageRef;

/// Write down what a session knows, for those who look for a fault in it
#[derive(Debug, clap::Subcommand)]
pub(in super::super) enum Dump {
    /// What the engine knows. Its form may change
    Engine(Where),
    /// The log, with everything that is known of each line
    Logstore(Where),
    /// What the web page shows
    Webview(Where),
    /// The description of the API
    Openapi,
    /// A page in Markdown for each command
    CliDocs(Pages),
    /// Python modules that declare what a Tiltfile can use, for editors
    ApiDocs(Pages),
    /// The name under which an image of the Docker engine is deployed
    ImageDeployRef(OneImage),
}

/// Where pages are written to.
#[derive(Debug, clap::Args)]
pub(in super::super) struct Pages {
    /// The directory
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(in super::super) struct OneImage {
    /// The image
    #[arg(value_name = "REF")]
    image: String,
}

/// Which session.
#[derive(Debug, clap::Args)]
pub(in super::super) struct Where {
    #[command(flatten)]
    connect: Connect,
}

/// Save or look at what a session shows
#[derive(Debug, clap::Subcommand)]
pub(in super::super) enum Snapshot {
    /// Write what a running session shows to a file, or to standard output
    Create(Create),
    /// Show a snapshot in the web page
    View(View),
}

#[derive(Debug, clap::Args)]
pub(in super::super) struct Create {
    #[command(flatten)]
    connect: Connect,
    /// The file
    #[arg(value_name = "FILE")]
    file: Option<String>,
}

pub(in super::super) fn dump(what: &Dump) -> anyhow::Result<u8> {
    let value = match what {
        Dump::Engine(place) => asked(&place.connect, "/api/dump/engine?log=false")?,
        Dump::Webview(place) => sorted(&asked(&place.connect, "/api/view")?),
        Dump::Logstore(place) => sorted(&asked(&place.connect, "/api/dump/engine")?["LogStore"]),
        Dump::Openapi => openapi::document(openapi::Dialect::V2),
        Dump::CliDocs(pages) => {
            let mut command = super::super::command();
            command.build();
            write_pages(&command, &[], &pages.dir)?;
            return Ok(exit::SUCCESS);
        }
        Dump::ApiDocs(pages) => {
            write_stubs(&pages.dir)?;
            return Ok(exit::SUCCESS);
        }
        Dump::ImageDeployRef(of) => {
            say::data(block_on(deploy_ref(&of.image))?)?;
            return Ok(exit::SUCCESS);
        }
    };
    say::data(format!("{value:#}\n"))?;
    Ok(exit::SUCCESS)
}

/// Writes the page of a command, and those of the commands below it.
fn write_pages(command: &clap::Command, above: &[&str], dir: &Path) -> anyhow::Result<()> {
    let names = [above, &[command.get_name()]].concat();
    let title = names.join(" ");
    let help = command.clone().bin_name(&title).render_long_help();
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let page = format!(
        "---\ntitle: Tilt CLI Reference\nlayout: docs\nsidebar: reference\nhideEditButton: true\n---\n## {title}\n\n{about}\n\n\
         ```\n{help}```\n"
    );
    let path = dir.join(format!("{}.md", names.join("_")));
    std::fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()))?;
    for below in command
        .get_subcommands()
        .filter(|below| !below.is_hide_set() && below.get_name() != "help")
    {
        write_pages(below, &names, dir)?;
    }
    Ok(())
}

/// Writes the modules that declare what a Tiltfile can use.
fn write_stubs(dir: &Path) -> anyhow::Result<()> {
    for (path, text) in crate::tiltfile::stubs() {
        let path = dir.join(path);
        let write = || {
            std::fs::create_dir_all(path.parent().unwrap_or(dir))?;
            std::fs::write(&path, text)
        };
        write().with_context(|| format!("cannot write {}", path.display()))?;
        say::out(&format!("wrote {}\n", path.display()));
    }
    Ok(())
}

async fn deploy_ref(image: &str) -> anyhow::Result<String> {
    let image = ImageRef::parse(image)?;
    let engine = Docker::connect(Environment::inherited()).await?;
    let id = engine.content_of(&image).await?;
    let id = id.with_context(|| format!("there is no image {} in the Docker engine", image.familiar()))?;
    Ok(format!("{}:{}", image.familiar_name(), id.content_tag()))
}

pub(in super::super) fn snapshot(what: &Snapshot) -> anyhow::Result<u8> {
    let create = match what {
        Snapshot::Create(create) => create,
        Snapshot::View(view) => return snapshot_view::run(view),
    };
    let text = format!("{}\n", asked(&create.connect, "/api/snapshot/now")?);
    match &create.file {
        Some(file) => std::fs::write(file, text).with_context(|| format!("cannot write {file}"))?,
        None => say::data(&text)?,
    }
    Ok(exit::SUCCESS)
}

fn asked(connect: &Connect, path: &str) -> anyhow::Result<Value> {
    block_on(async {
        let answer = connect.web().request(Method::GET, path, Vec::new()).await?;
        if !answer.status.is_success() {
            bail!(
                "Request to http://{}:{}{path} failed with status \"{}\": {}",
                connect.host,
                connect.port,
                answer.status,
                String::from_utf8_lossy(&answer.body)
            );
        }
        serde_json::from_slice(&answer.body).context("the session's answer cannot be read")
    })
}
