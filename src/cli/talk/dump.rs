//! `tilt dump` and `tilt snapshot`: what a session knows, as files.

use anyhow::{Context, bail};
use http::Method;
use serde_json::Value;

use super::super::{exit, say};
use super::printing::sorted;
use super::snapshot_view::{self, View};
use super::{Connect, block_on};
use crate::api::openapi;

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
        Dump::Engine(place) => asked(&place.connect, "/api/dump/engine")?,
        Dump::Webview(place) => sorted(&asked(&place.connect, "/api/view")?),
        Dump::Logstore(place) => asked(&place.connect, "/api/view")?["logList"].clone(),
        Dump::Openapi => openapi::document(openapi::Dialect::V2),
    };
    say::data(format!("{value:#}\n"))?;
    Ok(exit::SUCCESS)
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
