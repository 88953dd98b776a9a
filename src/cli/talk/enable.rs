//! `tilt enable` and `tilt disable`.
//!
//! Rule: `docs/rules/commands.md`, "enable and disable".

use anyhow::{anyhow, bail};
use http::Method;
use serde_json::{Value, json};

use super::super::exit;
use super::get::JSON;
use super::target::escaped;
use super::{Connect, block_on};
use crate::diag::nearest;
use crate::server::client::ApiClient;

/// Switch resources of a running session on
#[derive(Debug, clap::Args)]
pub(in super::super) struct EnableArgs {
    #[command(flatten)]
    which: Which,
    /// Switch all others off
    #[arg(long)]
    only: bool,
}

/// Switch resources of a running session off
#[derive(Debug, clap::Args)]
pub(in super::super) struct DisableArgs {
    #[command(flatten)]
    which: Which,
}

/// Which resources.
#[derive(Debug, clap::Args)]
struct Which {
    #[command(flatten)]
    connect: Connect,
    /// All resources
    #[arg(long)]
    all: bool,
    /// Resources with one of these labels
    #[arg(short, long, value_name = "LABEL", value_delimiter = ',')]
    labels: Vec<String>,
    /// Resources
    #[arg(value_name = "RESOURCE")]
    names: Vec<String>,
}

pub(in super::super) fn enable(args: &EnableArgs) -> anyhow::Result<u8> {
    if args.only && args.which.all {
        bail!("cannot use --all with --only");
    }
    switch(&args.which, true, args.only)
}

pub(in super::super) fn disable(args: &DisableArgs) -> anyhow::Result<u8> {
    switch(&args.which, false, false)
}

fn switch(which: &Which, on: bool, only: bool) -> anyhow::Result<u8> {
    if which.all && !which.names.is_empty() {
        bail!("cannot use --all with resource names");
    }
    if !which.all && which.names.is_empty() && which.labels.is_empty() {
        bail!("must specify at least one resource");
    }
    block_on(switch_all(which, on, only))
}

impl Connect {
    /// Switches a resource on or off.
    ///
    /// # Errors
    /// There is no session, or no such resource.
    pub(in super::super) async fn switch(&self, name: &str, on: bool) -> anyhow::Result<()> {
        let api = self.api()?;
        let resources = resources(&api).await?;
        check(&[name.to_owned()], &resources)?;
        for resource in resources
            .iter()
            .filter(|resource| resource["metadata"]["name"] == name)
        {
            for source in sources(resource) {
                set(&api, source, !on).await?;
            }
        }
        Ok(())
    }
}

async fn resources(api: &ApiClient) -> anyhow::Result<Vec<Value>> {
    let path = "/apis/tilt.dev/v1alpha1/uiresources";
    let list = api.request(Method::GET, path, JSON, None).await?;
    Ok(list["items"].as_array().cloned().unwrap_or_default())
}

async fn switch_all(which: &Which, on: bool, only: bool) -> anyhow::Result<u8> {
    let api = which.connect.api()?;
    let resources = resources(&api).await?;
    check(&which.names, &resources)?;
    for resource in &resources {
        let name = resource["metadata"]["name"].as_str().unwrap_or_default();
        let labels = resource["metadata"]["labels"].as_object();
        let has_label = which
            .labels
            .iter()
            .any(|label| labels.is_some_and(|labels| labels.contains_key(label)));
        let is_meant = which.all || has_label || which.names.iter().any(|wanted| wanted == name);
        let wanted = match (is_meant, only) {
            (true, _) => on,
            (false, true) if which.labels.is_empty() => !on,
            (false, _) => continue,
        };
        for source in sources(resource) {
            set(&api, source, !wanted).await?;
        }
    }
    Ok(exit::SUCCESS)
}

fn sources(resource: &Value) -> impl Iterator<Item = &Value> {
    let sources = resource["status"]["disableStatus"]["sources"].as_array();
    sources.into_iter().flatten().map(|source| &source["configMap"])
}

/// Checks all names before anything is switched.
fn check(names: &[String], resources: &[Value]) -> anyhow::Result<()> {
    let known = |resource: &Value| {
        resource["metadata"]["name"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    for name in names {
        let Some(resource) = resources.iter().find(|resource| known(resource) == *name) else {
            let all: Vec<String> = resources.iter().map(known).collect();
            let hint = nearest(name, all.iter().map(String::as_str));
            let hint = hint
                .map(|near| format!("\nhint: did you mean {near:?}?"))
                .unwrap_or_default();
            return Err(anyhow!("no such resource {name:?}{hint}"));
        };
        if sources(resource).next().is_none() {
            bail!("{name} cannot be enabled or disabled");
        }
    }
    Ok(())
}

async fn set(api: &ApiClient, source: &Value, disabled: bool) -> anyhow::Result<()> {
    let text = |field: &str| source[field].as_str().unwrap_or_default();
    let (name, key) = (text("name"), text("key"));
    let path = "/apis/tilt.dev/v1alpha1/configmaps";
    let data = json!({"data": {key: disabled.to_string()}});
    let sent = Some(("application/merge-patch+json", data.to_string().into_bytes()));
    match api
        .request(Method::PATCH, &format!("{path}/{}", escaped(name)), JSON, sent)
        .await
    {
        Err(failure) if failure.is_not_found() => {
            let whole = json!({"metadata": {"name": name}, "data": data["data"]});
            let sent = Some((JSON, whole.to_string().into_bytes()));
            api.request(Method::POST, path, JSON, sent).await?;
        }
        outcome => {
            outcome?;
        }
    }
    Ok(())
}
