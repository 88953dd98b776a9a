//! `tilt delete`.

use anyhow::bail;
use http::Method;

use super::super::{exit, say};
use super::get::JSON;
use super::printing::display_name;
use super::target::{escaped, targets};
use super::write::Files;
use super::{Connect, block_on};

/// Delete objects of a running session
#[derive(Debug, clap::Args)]
pub(in super::super) struct Args {
    #[command(flatten)]
    connect: Connect,
    #[command(flatten)]
    files: Files,
    /// Delete all objects of the kind
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true")]
    all: bool,
    /// Delete objects with these labels
    #[arg(
        short = 'l',
        long,
        value_name = "LABELS",
        default_value = "",
        hide_default_value = true
    )]
    selector: String,
    /// Delete objects with these fields: metadata.name
    #[arg(long, value_name = "FIELDS", default_value = "", hide_default_value = true)]
    field_selector: String,
    /// Succeed when an object is not there
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true")]
    ignore_not_found: bool,
    /// Say what would be deleted: none, server or client
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "none", default_missing_value = "client",
          value_parser = ["none", "server", "client"])]
    dry_run: String,
    /// Output format: name
    #[arg(short, long, value_name = "FORMAT", value_parser = ["name", ""], default_value = "", hide_default_value = true)]
    output: String,
    /// Accepted, so that scripts keep working: what is deleted is gone when the command ends
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = true, default_missing_value = "true")]
    wait: bool,
    /// What to delete: TYPE NAME..., TYPE/NAME..., TYPE -l or --all
    #[arg(value_name = "TYPE")]
    words: Vec<String>,
}

pub(in super::super) fn run(args: &Args) -> anyhow::Result<u8> {
    block_on(async {
        let api = args.connect.api()?;
        let mut doomed = Vec::new();
        for object in args.files.read()? {
            doomed.push((object.kind, object.name()));
        }
        if !args.words.is_empty() {
            for target in targets(&args.words)? {
                let selects = args.all || !args.selector.is_empty() || !args.field_selector.is_empty();
                if target.names.is_empty() && !selects {
                    bail!("resource(s) were provided, but no name was specified");
                }
                if target.names.is_empty() {
                    let path = format!(
                        "{}?labelSelector={}&fieldSelector={}",
                        target.path(None),
                        escaped(&args.selector),
                        escaped(&args.field_selector)
                    );
                    let list = api.request(Method::GET, &path, JSON, None).await?;
                    let names = list["items"].as_array().into_iter().flatten();
                    let names = names.filter_map(|item| item["metadata"]["name"].as_str());
                    doomed.extend(names.map(|name| (target.kind, name.to_owned())));
                }
                doomed.extend(target.names.iter().map(|name| (target.kind, name.clone())));
            }
        } else if doomed.is_empty() {
            bail!("You must provide one or more resources by argument or filename.");
        }
        if doomed.is_empty() {
            say::err("No resources found\n");
        }
        let is_dry = args.dry_run != "none";
        let mut failure = None;
        for (kind, name) in doomed {
            let dry = if is_dry { "?dryRun=All" } else { "" };
            let path = format!("/apis/tilt.dev/v1alpha1/{}/{}{dry}", kind.plural, escaped(&name));
            match api.request(Method::DELETE, &path, JSON, None).await {
                Ok(_) if args.output == "name" => say::out(&format!("{}\n", display_name(kind, &name))),
                Ok(_) => {
                    let dry = if is_dry {
                        format!(" ({} dry run)", args.dry_run)
                    } else {
                        String::new()
                    };
                    say::out(&format!("{}.tilt.dev {name:?} deleted{dry}\n", kind.singular));
                }
                Err(error) if error.is_not_found() && args.ignore_not_found => {}
                Err(error) => {
                    failure.get_or_insert(error);
                }
            }
        }
        match failure {
            Some(failure) => Err(failure.into()),
            None => Ok(exit::SUCCESS),
        }
    })
}
