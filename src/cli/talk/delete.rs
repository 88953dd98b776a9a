//! `tilt delete`.

use anyhow::{Context, bail};
use http::Method;

use serde_json::Value;

use super::super::booleans::boolean;
use super::super::{exit, say};
use super::files::{Files, NOTHING_NAMED};
use super::get::JSON;
use super::options::{Dry, DryRun, Selectors};
use super::printing::display_name;
use super::target::{escaped, targets};
use super::{Connect, block_on};
use crate::api::Kind;

/// Delete objects of a running session
#[derive(Debug, clap::Args)]
pub(in super::super) struct Args {
    #[command(flatten)]
    connect: Connect,
    #[command(flatten)]
    files: Files,
    /// Delete all objects of the kind
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    selectors: Selectors,
    /// Succeed when an object is not there
    #[arg(long)]
    ignore_not_found: bool,
    #[command(flatten)]
    dry_run: DryRun,
    /// Output format: name
    #[arg(
        short,
        long,
        value_name = "FORMAT",
        default_value = "",
        hide_default_value = true
    )]
    output: String,
    /// Accepted, so that scripts keep working: what is deleted is gone when the command ends
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = true, default_missing_value = "true",
          action = clap::ArgAction::Set)]
    wait: bool,
    /// Do not wait, and say so: objects of a session are gone at once anyway
    #[arg(long)]
    force: bool,
    /// Accepted, so that scripts keep working: nothing is waited for
    #[arg(long)]
    now: bool,
    /// Accepted, so that scripts keep working: nothing is waited for
    #[arg(long, value_name = "SECONDS", default_value_t = -1, allow_hyphen_values = true)]
    grace_period: i64,
    /// Accepted, so that scripts keep working: what an object owns goes with it
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "background", default_missing_value = "background")]
    cascade: String,
    /// Accepted, so that scripts keep working
    #[arg(long, value_name = "DURATION", default_value = "0s")]
    timeout: String,
    /// Ask before anything is deleted
    #[arg(short, long)]
    interactive: bool,
    /// Send a deletion to this path, and print the answer
    #[arg(long, value_name = "PATH")]
    raw: Option<String>,
    /// What to delete: TYPE NAME..., TYPE/NAME..., TYPE -l or --all
    #[arg(value_name = "TYPE")]
    words: Vec<String>,
}

/// An object that is to be deleted.
struct Doomed {
    kind: &'static Kind,
    name: String,
    /// The file that names it.
    source: Option<String>,
}

pub(in super::super) fn run(args: &Args) -> anyhow::Result<u8> {
    check_cascade(&args.cascade)?;
    let dry = args.dry_run.how()?;
    if !matches!(args.output.as_str(), "" | "name") {
        bail!(
            "unexpected -o output mode: {}. We only support '-o name'",
            args.output
        );
    }
    let selects = !args.selectors.are_empty();
    if args.all && selects {
        bail!("setting 'all' parameter but found a non empty selector. ");
    }
    if args.words.is_empty() && args.files.is_empty() && args.raw.is_none() {
        bail!("{NOTHING_NAMED}");
    }
    let mut doomed: Vec<Doomed> = args
        .files
        .read()?
        .into_iter()
        .map(|read| Doomed {
            kind: read.kind,
            name: read.name(),
            source: Some(read.source),
        })
        .collect();
    if args.force {
        say::err(
            "Warning: Immediate deletion does not wait for confirmation that the running resource has been terminated. The \
             resource may continue to run on the cluster indefinitely.\n",
        );
    }
    block_on(async {
        let api = args.connect.api()?;
        if let Some(path) = &args.raw {
            let answer = api.request(Method::DELETE, path, JSON, None).await?;
            say::out(&format!("{answer}\n"));
            return Ok(exit::SUCCESS);
        }
        if !args.words.is_empty() {
            for target in targets(&args.words)? {
                let of_kind = |name: &str| Doomed {
                    kind: target.kind,
                    name: name.to_owned(),
                    source: None,
                };
                if target.names.is_empty() && !args.all && !selects {
                    bail!("resource(s) were provided, but no name was specified");
                }
                if target.names.is_empty() {
                    let path = format!("{}{}", target.path(None), args.selectors.query());
                    let list = api.request(Method::GET, &path, JSON, None).await?;
                    let names = list["items"].as_array().into_iter().flatten();
                    let names = names.filter_map(|item| item["metadata"]["name"].as_str());
                    doomed.extend(names.map(of_kind));
                }
                doomed.extend(target.names.iter().map(|name| of_kind(name)));
            }
        }
        if doomed.is_empty() {
            say::out("No resources found\n");
        }
        if args.interactive && !doomed.is_empty() && !confirmed(&doomed)? {
            say::out("deletion is cancelled\n");
            return Ok(exit::SUCCESS);
        }
        let mut failures = Vec::new();
        for Doomed { kind, name, source } in doomed {
            let options = if dry == Dry::No { "" } else { "?dryRun=All" };
            let path = format!(
                "/apis/tilt.dev/v1alpha1/{}/{}{options}",
                kind.plural,
                escaped(&name)
            );
            let deleted = match dry {
                // Nothing is asked: it is not even known whether it is there.
                Dry::Client => Ok(Value::Null),
                _ => api.request(Method::DELETE, &path, JSON, None).await,
            };
            match deleted {
                Ok(_) if args.output == "name" => say::out(&format!("{}\n", display_name(kind, &name))),
                Ok(_) => {
                    let dry = dry.words();
                    let force = if args.force { "force " } else { "" };
                    say::out(&format!(
                        "{}.tilt.dev {name:?} {force}deleted{dry}\n",
                        kind.singular
                    ));
                }
                Err(error) if error.is_not_found() && args.ignore_not_found => {}
                Err(error) => failures.push(match source {
                    Some(source) => error.in_words(&format!("error when deleting {source:?}")),
                    None => error,
                }),
            }
        }
        super::all_told(failures.into_iter().map(Into::into).collect())
    })
}

/// Checks what is said of objects that belong to what is deleted.
fn check_cascade(how: &str) -> anyhow::Result<()> {
    let new = match (how, boolean(how)) {
        ("background" | "foreground" | "orphan", _) => return Ok(()),
        (_, Some(true)) => "background",
        (_, Some(false)) => "orphan",
        (other, None) => {
            bail!("invalid cascade value ({other}). Must be \"background\", \"foreground\", or \"orphan\"")
        }
    };
    say::err(format!(
        "warning: --cascade={how} is deprecated (boolean value) and can be replaced with --cascade={new}.\n"
    ));
    Ok(())
}

/// Asks whether these are to be deleted.
fn confirmed(doomed: &[Doomed]) -> anyhow::Result<bool> {
    let names: Vec<String> = doomed
        .iter()
        .map(|doomed| format!("{}\n", display_name(doomed.kind, &doomed.name)))
        .collect();
    say::out(&format!(
        "You are about to delete the following {} resource(s):\n{}Do you want to continue? (y/N): ",
        names.len(),
        names.concat()
    ));
    let mut answer = String::new();
    std::io::stdin()
        .read_line(&mut answer)
        .context("cannot read the answer")?;
    Ok(answer.trim().eq_ignore_ascii_case("y"))
}
