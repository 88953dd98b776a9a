//! `tilt wait`.

use std::time::Duration;

use anyhow::{anyhow, bail};
use http::Method;
use http_body_util::BodyExt;
use serde_json::Value;

use super::super::{exit, say};
use super::apply::told;
use super::files::Files;
use super::get::JSON;
use super::options::Selectors;
use super::printing::{Print, next, relaxed};
use super::target::{Target, escaped};
use super::{Connect, block_on};
use crate::api::Kind;
use crate::k8s::json_path::JsonPath;
use crate::model::parse_go_duration;
use crate::server::client::ApiClient;

/// Wait until objects of a running session are as wanted
#[derive(Debug, clap::Args)]
pub(in super::super) struct Args {
    #[command(flatten)]
    connect: Connect,
    #[command(flatten)]
    files: Files,
    /// What to wait for: condition=NAME[=VALUE], jsonpath='{PATH}'[=VALUE], create or delete (repeatable: all of them)
    #[arg(long = "for", value_name = "WHAT")]
    for_: Vec<String>,
    /// Wait until all resources that are switched on are ready
    #[arg(long)]
    ready: bool,
    /// How long to wait at most; 0 looks once, a negative time is a week
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "30s",
        allow_hyphen_values = true
    )]
    timeout: String,
    /// All objects of the kind
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    selectors: Selectors,
    #[command(flatten)]
    print: Print,
    /// What to wait for: TYPE NAME..., TYPE/NAME..., TYPE -l or --all
    #[arg(value_name = "TYPE")]
    words: Vec<String>,
}

/// What is waited for.
#[derive(Debug)]
enum Wanted {
    Condition { name: String, value: String },
    Path { path: JsonPath, value: Option<String> },
    Create,
    Delete,
}

/// How long a session may take to say how an object is.
const LOOK: Duration = Duration::from_secs(30);

/// How long a negative time-out is.
const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);

fn wanted(text: &str) -> anyhow::Result<Wanted> {
    let lower = text.to_lowercase();
    if lower == "create" {
        return Ok(Wanted::Create);
    }
    if lower == "delete" {
        return Ok(Wanted::Delete);
    }
    if let Some(rest) = text.strip_prefix("condition=") {
        let (name, value) = rest.split_once('=').unwrap_or((rest, "true"));
        return Ok(Wanted::Condition {
            name: name.to_lowercase(),
            value: value.to_lowercase(),
        });
    }
    if text == "jsonpath=" {
        bail!("jsonpath expression cannot be empty");
    }
    if let Some(rest) = text.strip_prefix("jsonpath=") {
        let rest = rest.trim_matches('\'');
        let end = rest.rfind('}').map_or(rest.len(), |at| at + 1);
        let (path, after) = rest.split_at(end);
        let after = after.trim_start_matches('\'');
        if after == "=" {
            bail!(
                "jsonpath wait has to have a value after equal sign, like --for=jsonpath='{{.status.readyReplicas}}'=3"
            );
        }
        let unexpected = |_| {
            anyhow!(
                "unexpected path string, expected a 'name1.name2' or '.name1.name2' or '{{name1.name2}}' or \
                 '{{.name1.name2}}'"
            )
        };
        if path.matches('{').count() != path.matches('}').count() {
            return Err(unexpected(()));
        }
        return Ok(Wanted::Path {
            path: relaxed(path).map_err(|_| unexpected(()))?,
            value: after
                .strip_prefix('=')
                .map(|value| value.trim_matches(['\'', '"']).to_owned()),
        });
    }
    bail!("unrecognized condition: {text:?}")
}

impl Wanted {
    /// Returns whether an object is as wanted; `None` is one that is not there.
    fn is_met(&self, object: Option<&Value>) -> bool {
        match (self, object) {
            (Self::Delete, object) => object.is_none(),
            (Self::Create, object) => object.is_some(),
            (Self::Condition { name, value }, Some(object)) => {
                let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
                let text = |condition: &Value, field: &str| {
                    condition[field].as_str().unwrap_or_default().to_lowercase()
                };
                conditions
                    .filter(|condition| text(condition, "type") == *name)
                    .any(|condition| text(condition, "status") == *value)
            }
            (Self::Path { path, value }, Some(object)) => match (path.find(object), value) {
                (Ok(found), None) => !found.is_empty(),
                (Ok(_), Some(value)) => path.print(object).is_ok_and(|text| text == *value),
                (Err(_), _) => false,
            },
            (Self::Condition { .. } | Self::Path { .. }, None) => false,
        }
    }
}

pub(in super::super) fn run(args: &Args) -> anyhow::Result<u8> {
    let timeout = timeout(&args.timeout)?;
    if args.ready {
        return block_on(async { until_ready(&args.connect.api()?, timeout).await });
    }
    let format = args.print.format()?;
    if args.for_.is_empty() {
        bail!("unrecognized condition: []");
    }
    let wanted: Vec<Wanted> = args
        .for_
        .iter()
        .map(|text| wanted(text))
        .collect::<anyhow::Result<_>>()?;
    let targets = args.files.targets(&args.words)?;
    block_on(async {
        let api = args.connect.api()?;
        // Who only looks waits for the answer all the same.
        let deadline = tokio::time::Instant::now() + if timeout.is_zero() { LOOK } else { timeout };
        let mut waits = Vec::new();
        for target in &targets {
            for name in names(&api, args, target).await? {
                waits.push(wait_for(&api, args, target, name, &wanted, deadline));
            }
        }
        if waits.is_empty() && matches!(wanted.as_slice(), [Wanted::Delete]) {
            return Ok(exit::SUCCESS);
        }
        if waits.is_empty() {
            bail!("no matching resources found");
        }
        let (mut met, mut failures) = (0, Vec::new());
        for outcome in futures::future::join_all(waits).await {
            match outcome {
                // Each condition is told.
                Ok(Some((kind, object))) => {
                    for _ in &wanted {
                        let text = told(&format, &args.print, kind, object.clone(), "condition met")?;
                        say::out(&next(&format, met, text));
                        met += 1;
                    }
                }
                Ok(None) => {}
                Err(error) => failures.push(error),
            }
        }
        match failures.len() {
            0 => Ok(exit::SUCCESS),
            1 => Err(failures.remove(0)),
            _ => {
                for failure in failures {
                    say::err(format!("{failure:#}\n"));
                }
                Ok(exit::FAILURE)
            }
        }
    })
}

fn timeout(text: &str) -> anyhow::Result<Duration> {
    if text.starts_with('-') {
        return Ok(WEEK);
    }
    parse_go_duration(text)
        .map_err(|error| anyhow!("invalid argument {text:?} for \"--timeout\" flag: {error}"))
}

async fn names(api: &ApiClient, args: &Args, target: &Target) -> anyhow::Result<Vec<String>> {
    if !target.names.is_empty() {
        return Ok(target.names.clone());
    }
    if !args.all && args.selectors.are_empty() {
        bail!("resource(s) were provided, but no name was specified");
    }
    let path = format!("{}{}", target.path(None), args.selectors.query());
    let list = api.request(Method::GET, &path, JSON, None).await?;
    let items = list["items"].as_array().into_iter().flatten();
    Ok(items
        .filter_map(|item| item["metadata"]["name"].as_str().map(str::to_owned))
        .collect())
}

/// Waits for one object; returns it as it was seen last. Of what is not there from the beginning nothing is said when it is to
/// be deleted.
async fn wait_for(
    api: &ApiClient,
    args: &Args,
    target: &Target,
    name: String,
    wanted: &[Wanted],
    deadline: tokio::time::Instant,
) -> anyhow::Result<Option<(&'static Kind, Value)>> {
    let needs_object = !wanted
        .iter()
        .any(|wanted| matches!(wanted, Wanted::Create | Wanted::Delete));
    if needs_object {
        api.request(Method::GET, &target.path(Some(&name)), JSON, None)
            .await?;
    }
    let selector = escaped(&format!("metadata.name={name}"));
    let path = format!("{}?fieldSelector={selector}", target.path(None));
    let is_look = timeout(&args.timeout).is_ok_and(|timeout| timeout.is_zero());
    let late = || match wanted {
        [Wanted::Create] => anyhow!("timed out waiting for the condition"),
        _ if is_look => anyhow!("condition not met for {}/{name}", target.kind.plural),
        _ => anyhow!(
            "timed out waiting for the condition on {}/{name}",
            target.kind.plural
        ),
    };
    let mut last = Value::Null;
    if matches!(wanted, [Wanted::Delete]) {
        let path = target.path(Some(&name));
        match api.request(Method::GET, &path, JSON, None).await {
            Err(failure) if failure.is_not_found() => return Ok(None),
            looked => last = looked.unwrap_or_default(),
        }
    }
    let watching = async {
        // They are met one after the other.
        let mut pending = wanted;
        loop {
            // What happens after this moment is in the watch, so nothing is missed between the two.
            let list = api.request(Method::GET, &path, JSON, None).await?;
            let object = list["items"].get(0);
            last = object.unwrap_or(&last).clone();
            pending = still_pending(pending, object);
            if pending.is_empty() {
                return Ok(Some((target.kind, last)));
            }
            if is_look {
                return Err(late());
            }
            let version = list["metadata"]["resourceVersion"].as_str().unwrap_or_default();
            let watch = format!("{path}&watch=true&resourceVersion={version}");
            let mut body = api.stream(&watch, JSON).await?;
            let mut rest = Vec::new();
            while let Some(frame) = body.frame().await {
                let Ok(frame) = frame else { break };
                rest.extend_from_slice(&frame.into_data().unwrap_or_default());
                while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = rest.drain(..=end).collect();
                    let event: Value = serde_json::from_slice(&line)?;
                    if event["type"] == "ERROR" {
                        continue;
                    }
                    let object = (event["type"] != "DELETED").then_some(&event["object"]);
                    last = object.unwrap_or(&last).clone();
                    pending = still_pending(pending, object);
                    if pending.is_empty() {
                        return Ok(Some((target.kind, last)));
                    }
                }
            }
        }
    };
    tokio::time::timeout_at(deadline, watching)
        .await
        .map_err(|_| late())?
}

/// Returns what is still wanted when an object is like this; `None` is one that is not there.
fn still_pending<'a>(pending: &'a [Wanted], object: Option<&Value>) -> &'a [Wanted] {
    let met = pending.iter().take_while(|wanted| wanted.is_met(object)).count();
    &pending[met..]
}

/// Waits until every resource that is switched on is ready; tells what is missing when the time is over.
async fn until_ready(api: &ApiClient, timeout: Duration) -> anyhow::Result<u8> {
    let path = "/apis/tilt.dev/v1alpha1/uiresources?watch=true";
    let mut resources: std::collections::BTreeMap<String, Value> = std::collections::BTreeMap::new();
    let ready = |object: &Value| {
        let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
        let is_ready = |condition: &Value| condition["type"] == "Ready" && condition["status"] == "True";
        conditions.into_iter().any(is_ready)
    };
    let counts = |object: &Value| object["status"]["disableStatus"]["state"] != "Disabled";
    let watching = async {
        let mut body = api.stream(path, JSON).await?;
        let mut rest = Vec::new();
        while let Some(frame) = body.frame().await {
            rest.extend_from_slice(&frame?.into_data().unwrap_or_default());
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = rest.drain(..=end).collect();
                let event: Value = serde_json::from_slice(&line)?;
                let name = event["object"]["metadata"]["name"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned();
                match event["type"].as_str() {
                    Some("DELETED") => resources.remove(&name),
                    _ => resources.insert(name, event["object"].clone()),
                };
            }
            let all = resources.values().filter(|object| counts(object));
            if resources.len() > 1 && all.into_iter().all(ready) {
                return anyhow::Ok(());
            }
        }
        bail!("the session ended")
    };
    match tokio::time::timeout(timeout, watching).await {
        Ok(outcome) => outcome.map(|()| exit::SUCCESS),
        Err(_) => {
            let missing: Vec<String> = resources
                .iter()
                .filter(|(_, object)| counts(object) && !ready(object))
                .map(|(name, object)| {
                    let status = &object["status"];
                    let word = |field: &str| status[field].as_str().unwrap_or_default();
                    format!(
                        "{name} (update {}, runtime {})",
                        word("updateStatus"),
                        word("runtimeStatus")
                    )
                })
                .collect();
            bail!("timed out; not ready: {}", missing.join(", "))
        }
    }
}
