//! `tilt apply`.

use anyhow::bail;
use http::Method;
use serde_json::Value;

use super::super::say;
use super::files::{Files, ReadObject};
use super::get::JSON;
use super::options::{Dry, DryRun, Labels, Subresource, Validation};
use super::printing::{Format, Print, display_name, text};
use super::target::escaped;
use super::{Connect, block_on};
use crate::api::{
    Kind, LAST_APPLIED, LabelSelector, Selection, last_applied, three_way_patch, with_last_applied,
};
use crate::server::client::{ApiClient, ApiFailure};

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
    #[arg(long)]
    server_side: bool,
    #[command(flatten)]
    part: Subresource,
    #[command(flatten)]
    validation: Validation,
    #[command(flatten)]
    dry_run: DryRun,
    /// Who sets the fields
    #[arg(long, value_name = "NAME")]
    field_manager: Option<String>,
    /// Take fields over from others
    #[arg(long)]
    force_conflicts: bool,
    /// Accepted, so that scripts keep working
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = true, default_missing_value = "true",
          action = clap::ArgAction::Set)]
    overwrite: bool,
    /// Accepted, so that scripts keep working
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = true, default_missing_value = "true",
          action = clap::ArgAction::Set)]
    openapi_patch: bool,
    /// Accepted, so that scripts keep working: an object can always be changed in place
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    labels: Labels,
    #[command(flatten)]
    _deletion: Deletion,
}

/// How what a file no longer has would be deleted; nothing of a session is deleted by an apply.
#[derive(Debug, clap::Args)]
struct Deletion {
    /// Accepted, so that scripts keep working
    #[arg(long, hide = true)]
    all: bool,
    /// Accepted, so that scripts keep working
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "background")]
    cascade: Option<String>,
    /// Accepted, so that scripts keep working
    #[arg(long, hide = true, value_name = "SECONDS", allow_hyphen_values = true)]
    grace_period: Option<i64>,
    /// Accepted, so that scripts keep working
    #[arg(long, hide = true, value_name = "GROUP/VERSION/KIND")]
    prune_allowlist: Vec<String>,
    /// Accepted, so that scripts keep working
    #[arg(long, hide = true, value_name = "DURATION")]
    timeout: Option<String>,
    /// Accepted, so that scripts keep working
    #[arg(long, hide = true)]
    wait: bool,
}

/// What is said beside conflicts of an apply.
const CONFLICT: &str = "\
Please review the fields above--they currently have other managers. Here
are the ways you can resolve this warning:
* If you intend to manage all of these fields, please re-run the apply
  command with the `--force-conflicts` flag.
* If you do not intend to manage all of the fields, please edit your
  manifest to remove references to the fields that should keep their
  current managers.
* You may co-own fields by updating your manifest to match the existing
  value; in this case, you'll become the manager if the other manager(s)
  stop managing the field (remove it from their configuration).
See https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts";

pub(in super::super) fn apply(args: &ApplyArgs) -> anyhow::Result<u8> {
    let format = args.print.format()?;
    let (dry, validation) = (args.dry_run.how()?, args.validation.word()?);
    if args.files.is_empty() {
        bail!("must specify one of -f and -k");
    }
    if args.force_conflicts && !args.server_side {
        bail!("--force-conflicts only works with --server-side");
    }
    if !args.part.path().is_empty() && !args.server_side {
        bail!("--subresource can only be specified for --server-side");
    }
    let mut objects = args.files.read()?;
    if !args.labels.selector.is_empty() {
        let labels =
            LabelSelector::parse(&args.labels.selector).map_err(|error| anyhow::anyhow!(error.message))?;
        let selection = Selection {
            labels,
            ..Selection::default()
        };
        objects.retain(|read| selection.matches(&read.object));
    }
    if objects.is_empty() {
        bail!("no objects passed to apply");
    }
    block_on(async {
        let api = args.connect.api()?;
        let (mut done, mut failures) = (Vec::new(), Vec::new());
        for read in &objects {
            match (apply_one(&api, args, (dry, validation), read).await, &format) {
                (Ok((outcome, applied)), Format::Human | Format::Name) => {
                    say::out(&told(&format, &args.print, read.kind, applied, &outcome)?)
                }
                (Ok((_, applied)), _) => done.push((read.kind, applied)),
                (Err(failure), _) => failures.push(failure),
            }
        }
        if !done.is_empty() {
            say::out(&text(&format, &args.print, &done, false)?);
        }
        // The others are applied all the same.
        super::all_told(failures)
    })
}

/// Returns an object that was written as it is told.
pub(super) fn told(
    format: &Format,
    print: &Print,
    kind: &'static Kind,
    object: Value,
    outcome: &str,
) -> anyhow::Result<String> {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    match format {
        Format::Human => Ok(format!("{} {outcome}\n", display_name(kind, name))),
        format => text(format, print, &[(kind, object)], false),
    }
}

/// Applies an object; returns what became of it, in kubectl's words.
async fn apply_one(
    api: &ApiClient,
    args: &ApplyArgs,
    (dry, validation): (Dry, &str),
    read: &ReadObject,
) -> anyhow::Result<(String, Value)> {
    let name = read.name();
    if name.is_empty() {
        bail!(
            "error when applying {:?}: metadata.name is required: resource name may not be empty",
            read.source
        );
    }
    let base = format!("/apis/tilt.dev/v1alpha1/{}", read.kind.plural);
    let one = format!("{base}/{}", escaped(&name));
    let part = args.part.path();
    let default = match args.server_side {
        true => "kubectl",
        false => "kubectl-client-side-apply",
    };
    let options = format!(
        "?fieldValidation={validation}&fieldManager={}{}",
        escaped(args.field_manager.as_deref().unwrap_or(default)),
        dry.query()
    );
    if args.server_side {
        if dry == Dry::Client {
            bail!(
                "--dry-run=client doesn't work with --server-side (did you mean --dry-run=server instead?)"
            );
        }
        let sent = Some((
            "application/apply-patch+yaml",
            read.object.to_string().into_bytes(),
        ));
        let path = format!("{one}{part}{options}&force={}", args.force_conflicts);
        let applied =
            api.request(Method::PATCH, &path, JSON, sent)
                .await
                .map_err(|failure| match failure {
                    ApiFailure::Status {
                        message, code: 409, ..
                    } if message.starts_with("Apply failed") => {
                        anyhow::anyhow!("{message}\n{CONFLICT}")
                    }
                    other => other.into(),
                })?;
        return Ok((format!("serverside-applied{}", dry.words()), applied));
    }
    let wanted = with_last_applied(&read.object);
    let current = match api.request(Method::GET, &one, JSON, None).await {
        Ok(current) => current,
        Err(failure) if failure.is_not_found() => {
            let created = format!("created{}", dry.words());
            if dry == Dry::Client {
                return Ok((created, wanted));
            }
            let sent = Some((JSON, wanted.to_string().into_bytes()));
            let failed =
                |failure: ApiFailure| failure.in_words(&format!("error when creating {:?}", read.source));
            let made = api
                .request(Method::POST, &format!("{base}{options}"), JSON, sent)
                .await;
            return Ok((created, made.map_err(failed)?));
        }
        Err(failure) => return Err(failure.into()),
    };
    if current["metadata"]["annotations"][LAST_APPLIED].is_null() {
        say::err(format!(
            "Warning: resource {}/{name} is missing the {LAST_APPLIED} annotation which is required by tilt apply. tilt \
             apply should only be used on resources created declaratively by either tilt create --save-config or tilt \
             apply. The missing annotation will be patched automatically.\n",
            read.kind.plural
        ));
    }
    let patch = three_way_patch(last_applied(&current).as_ref(), &wanted, &current);
    if patch.as_object().is_some_and(serde_json::Map::is_empty) {
        return Ok((format!("unchanged{}", dry.words()), current));
    }
    let configured = format!("configured{}", dry.words());
    if dry == Dry::Client {
        return Ok((configured, wanted));
    }
    let sent = Some(("application/merge-patch+json", patch.to_string().into_bytes()));
    let failed =
        |failure: ApiFailure| failure.in_words(&format!("error when applying patch for {:?}", read.source));
    let applied = api
        .request(Method::PATCH, &format!("{one}{options}"), JSON, sent)
        .await;
    Ok((configured, applied.map_err(failed)?))
}
