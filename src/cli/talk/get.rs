//! `tilt get` and `tilt api-resources`.

use anyhow::{anyhow, bail};
use bytes::Bytes;
use http::Method;
use http_body_util::BodyExt;
use serde_json::Value;

use super::super::{exit, say};
use super::options::Selectors;
use super::printing::{Format, Print, aligned, relaxed, text};
use super::sessions;
use super::target::{Target, escaped, targets};
use super::{Connect, block_on};
use crate::api::{KINDS, Kind, VERBS};
use crate::server::client::{ApiClient, ApiFailure};

pub(super) const JSON: &str = "application/json";
const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

/// Print objects of a running session
#[derive(Debug, clap::Args)]
pub(in super::super) struct Args {
    #[command(flatten)]
    connect: Connect,
    #[command(flatten)]
    print: Print,
    #[command(flatten)]
    selectors: Selectors,
    /// Go on and print what changes
    #[arg(short, long)]
    watch: bool,
    /// Print only what changes from now on
    #[arg(long)]
    watch_only: bool,
    /// Say nothing and succeed when an object is not there
    #[arg(long)]
    ignore_not_found: bool,
    /// Sort by this field, as a JSONPath
    #[arg(long, value_name = "PATH")]
    sort_by: Option<String>,
    /// Print no headers
    #[arg(long)]
    no_headers: bool,
    /// Print the kind before each name
    #[arg(long)]
    show_kind: bool,
    /// Print the labels in a column
    #[arg(long)]
    show_labels: bool,
    /// Print these labels in columns
    #[arg(short = 'L', long, value_name = "LABELS", value_delimiter = ',')]
    label_columns: Vec<String>,
    /// Print the sessions of all ports; with TYPE sessions
    #[arg(long)]
    all: bool,
    /// What to print: TYPE, TYPE NAME..., TYPE/NAME...
    #[arg(value_name = "TYPE")]
    words: Vec<String>,
}

pub(in super::super) fn run(args: &Args) -> anyhow::Result<u8> {
    let format = args.print.format()?.without_headers(args.no_headers);
    let targets = targets(&args.words)?;
    if !args.selectors.are_empty() && targets.iter().any(|target| !target.names.is_empty()) {
        bail!("name cannot be provided when a selector is specified");
    }
    if args.all {
        return all_sessions(args, &targets, &format);
    }
    block_on(async {
        let api = args.connect.api()?;
        if args.watch || args.watch_only {
            return watch(&api, args, &targets, &format).await;
        }
        match format {
            Format::Human => print_tables(&api, args, &targets).await,
            format => print_objects(&api, args, &targets, &format).await,
        }
    })
}

/// Prints the sessions of this user that run, whatever their ports.
fn all_sessions(args: &Args, targets: &[Target], format: &Format) -> anyhow::Result<u8> {
    if !matches!(targets, [Target { kind, names }] if kind.name == "Session" && names.is_empty()) {
        bail!("--all is about sessions: tilt get sessions --all");
    }
    let found = block_on(sessions::all())?;
    let text = match format {
        Format::Human => sessions::table(&found, !args.no_headers),
        format => {
            let objects: Vec<_> = found
                .into_iter()
                .map(|found| (targets[0].kind, found.session))
                .collect();
            text(format, &args.print, &objects, true)?
        }
    };
    say::out(&text);
    Ok(exit::SUCCESS)
}

/// Asks for something; `None` if it is not there and that is no fault.
async fn ask(api: &ApiClient, args: &Args, path: &str, accept: &str) -> anyhow::Result<Option<Value>> {
    match api.request(Method::GET, path, accept, None).await {
        Ok(value) => Ok(Some(value)),
        Err(failure) if failure.is_not_found() && args.ignore_not_found => Ok(None),
        Err(failure) => Err(failure.into()),
    }
}

async fn print_tables(api: &ApiClient, args: &Args, targets: &[Target]) -> anyhow::Result<u8> {
    let mut sections = Vec::new();
    let mut failure: Option<anyhow::Error> = None;
    for target in targets {
        let mut tables = Vec::new();
        if target.names.is_empty() {
            let path = format!("{}{}", target.path(None), args.selectors.query());
            tables.extend(ask(api, args, &path, TABLE).await?);
        }
        for name in &target.names {
            // What there is is shown all the same.
            match ask(api, args, &target.path(Some(name)), TABLE).await {
                Ok(table) => tables.extend(table),
                Err(error) => {
                    failure.get_or_insert(error);
                }
            }
        }
        let columns = tables.first().map(columns).unwrap_or_default();
        let rows = tables.iter().filter_map(|table| table["rows"].as_array());
        let rows: Vec<Value> = rows.flatten().cloned().collect();
        sections.push((target.kind, columns, rows));
    }
    if sections.iter().all(|(_, _, rows)| rows.is_empty()) {
        if let Some(failure) = failure {
            return Err(failure);
        }
        if !args.ignore_not_found {
            say::err("No resources found\n");
        }
        return Ok(exit::SUCCESS);
    }
    let several = sections.len() > 1;
    let shown = sections
        .iter_mut()
        .filter(|(_, _, rows)| !rows.is_empty())
        .map(|(kind, columns, rows)| {
            sort(args, rows, |row| &row["object"])?;
            let headers = (!args.no_headers).then_some(columns.as_slice());
            Ok(table(args, kind, rows, several || args.show_kind, headers))
        });
    say::data(shown.collect::<anyhow::Result<Vec<_>>>()?.join("\n"))?;
    failure.map_or(Ok(exit::SUCCESS), Err)
}

fn sort(args: &Args, values: &mut [Value], object: impl Fn(&Value) -> &Value) -> anyhow::Result<()> {
    if let Some(by) = &args.sort_by {
        let path = relaxed(by)?;
        let key = |value: &Value| path.print(object(value)).unwrap_or_default();
        values.sort_by(|a, b| {
            let (a, b) = (key(a), key(b));
            match (a.parse::<f64>(), b.parse::<f64>()) {
                (Ok(a), Ok(b)) => a.total_cmp(&b),
                _ => a.cmp(&b),
            }
        });
    }
    Ok(())
}

/// Returns the headers of a table of the API.
fn columns(table: &Value) -> Vec<String> {
    let columns = table["columnDefinitions"].as_array().into_iter().flatten();
    let names = columns.filter_map(|column| column["name"].as_str());
    names.map(str::to_uppercase).collect()
}

fn table(args: &Args, kind: &Kind, rows: &[Value], show_kind: bool, headers: Option<&[String]>) -> String {
    let mut lines = Vec::new();
    if let Some(headers) = headers {
        let mut header = headers.to_vec();
        header.extend(args.label_columns.iter().map(|label| label.to_uppercase()));
        if args.show_labels {
            header.push("LABELS".to_owned());
        }
        lines.push(header);
    }
    for row in rows {
        let cells = row["cells"].as_array().into_iter().flatten();
        let mut cells: Vec<String> = cells
            .map(|cell| cell.as_str().unwrap_or_default().to_owned())
            .collect();
        if show_kind && let Some(name) = cells.first_mut() {
            *name = super::printing::display_name(kind, name);
        }
        let labels = row["object"]["metadata"]["labels"].as_object();
        for label in &args.label_columns {
            let value = labels
                .and_then(|labels| labels.get(label))
                .and_then(Value::as_str);
            cells.push(value.unwrap_or_default().to_owned());
        }
        if args.show_labels {
            let mut all: Vec<String> = labels
                .into_iter()
                .flatten()
                .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
                .collect();
            all.sort();
            cells.push(if all.is_empty() {
                "<none>".to_owned()
            } else {
                all.join(",")
            });
        }
        lines.push(cells);
    }
    aligned(&lines)
}

async fn print_objects(
    api: &ApiClient,
    args: &Args,
    targets: &[Target],
    format: &Format,
) -> anyhow::Result<u8> {
    let mut objects: Vec<(&'static Kind, Value)> = Vec::new();
    let mut failure: Option<anyhow::Error> = None;
    let mut is_list = targets.len() > 1;
    for target in targets {
        if target.names.is_empty() {
            is_list = true;
            let path = format!("{}{}", target.path(None), args.selectors.query());
            let list = ask(api, args, &path, JSON).await?.unwrap_or_default();
            objects.extend(
                list["items"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|item| (target.kind, item.clone())),
            );
        }
        is_list |= target.names.len() > 1;
        for name in &target.names {
            match ask(api, args, &target.path(Some(name)), JSON).await {
                Ok(object) => objects.extend(object.map(|object| (target.kind, object))),
                Err(error) => {
                    failure.get_or_insert(error);
                }
            }
        }
    }
    if let Some(by) = &args.sort_by {
        let path = relaxed(by)?;
        objects.sort_by_cached_key(|(_, object)| path.print(object).unwrap_or_default());
    }
    if is_list || !objects.is_empty() {
        say::data(text(format, &args.print, &objects, is_list)?)?;
    }
    match failure {
        Some(failure) => Err(failure),
        None => Ok(exit::SUCCESS),
    }
}

async fn watch(api: &ApiClient, args: &Args, targets: &[Target], format: &Format) -> anyhow::Result<u8> {
    let [target] = targets else {
        bail!("you may only specify a single resource type");
    };
    let mut fields = args.selectors.field_selector.clone();
    if let [name] = target.names.as_slice() {
        // A missing object is an error at once.
        api.request(Method::GET, &target.path(Some(name)), JSON, None)
            .await?;
        fields = format!("metadata.name={name}");
    } else if !target.names.is_empty() {
        bail!("you may only specify a single resource by name");
    }
    let mut path = format!(
        "{}?watch=true&labelSelector={}&fieldSelector={}",
        target.path(None),
        escaped(&args.selectors.labels.selector),
        escaped(&fields)
    );
    if args.watch_only {
        let list = api.request(Method::GET, &target.path(None), JSON, None).await?;
        let version = list["metadata"]["resourceVersion"].as_str().unwrap_or_default();
        path.push_str(&format!("&resourceVersion={version}"));
    }
    let is_table = matches!(format, Format::Human);
    let mut body = api.stream(&path, if is_table { TABLE } else { JSON }).await?;
    let mut headers = !args.no_headers;
    let mut rest = Vec::new();
    while let Some(frame) = body.frame().await {
        let data = frame.map_err(|error| anyhow!("the session ended: {error}"))?;
        rest.extend_from_slice(&data.into_data().unwrap_or_else(|_| Bytes::new()));
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            let event: Value = serde_json::from_slice(&line)?;
            let object = &event["object"];
            if event["type"] == "ERROR" {
                let message = object["message"].as_str().unwrap_or_default().to_owned();
                return Err(ApiFailure::Other(anyhow!(message)).into());
            }
            if is_table {
                let rows = object["rows"].as_array().cloned().unwrap_or_default();
                let columns = columns(object);
                let shown = headers.then_some(columns.as_slice());
                say::out(&table(args, target.kind, &rows, args.show_kind, shown));
                headers = false;
            } else {
                say::out(&text(
                    format,
                    &args.print,
                    &[(target.kind, object.clone())],
                    false,
                )?);
            }
        }
    }
    Ok(exit::SUCCESS)
}

/// Print the kinds of objects that a session has
#[derive(Debug, clap::Args)]
pub(in super::super) struct ResourcesArgs {
    #[command(flatten)]
    connect: Connect,
    /// Only kinds of this group
    #[arg(long, value_name = "GROUP")]
    api_group: Option<String>,
    /// Only kinds that can do this
    #[arg(long, value_name = "VERBS", value_delimiter = ',')]
    verbs: Vec<String>,
    /// Sort by name or kind
    #[arg(long, value_name = "FIELD", value_parser = ["name", "kind", ""], default_value = "", hide_default_value = true)]
    sort_by: String,
    /// Print no headers
    #[arg(long)]
    no_headers: bool,
    /// Output format: name or wide
    #[arg(short, long, value_name = "FORMAT", value_parser = ["name", "wide", ""], default_value = "", hide_default_value = true)]
    output: String,
    /// Kinds of objects that are in a namespace (there are none)
    #[arg(long)]
    namespaced: bool,
    /// Accepted, so that scripts keep working: nothing is cached
    #[arg(long)]
    cached: bool,
}

pub(in super::super) fn resources(args: &ResourcesArgs) -> anyhow::Result<u8> {
    // Somebody has to be there, though the answer is known.
    block_on(async {
        args.connect
            .api()?
            .request(Method::GET, "/apis", JSON, None)
            .await
            .map_err(Into::into)
    })?;
    let has_verbs = args.verbs.iter().all(|verb| VERBS.contains(&verb.as_str()));
    let in_group = args
        .api_group
        .as_ref()
        .is_none_or(|group| group == crate::api::GROUP);
    let mut kinds: Vec<&Kind> = KINDS
        .iter()
        .filter(|_| has_verbs && in_group && !args.namespaced)
        .collect();
    match args.sort_by.as_str() {
        "kind" => kinds.sort_by_key(|kind| kind.name),
        _ => kinds.sort_by_key(|kind| kind.plural),
    }
    if args.output == "name" {
        let names: String = kinds
            .iter()
            .map(|kind| format!("{}.tilt.dev\n", kind.plural))
            .collect();
        say::data(&names)?;
        return Ok(exit::SUCCESS);
    }
    let mut rows = Vec::new();
    if !args.no_headers {
        rows.push(
            ["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND"]
                .map(str::to_owned)
                .to_vec(),
        );
    }
    for kind in kinds {
        rows.push(vec![
            kind.plural.to_owned(),
            kind.short.join(","),
            Kind::api_version(),
            "false".to_owned(),
            kind.name.to_owned(),
        ]);
    }
    say::data(aligned(&rows))?;
    Ok(exit::SUCCESS)
}
