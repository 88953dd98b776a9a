//! Local resources in the result of a load.
//!
//! Rule: `docs/rules/tiltfile-result.md`, "Local resources".

use serde_json::{Map, Value, json};

use super::images::ignores;
use super::kubernetes::links;
use super::lists::list_or_null;
use crate::model::{Command, LocalTarget, Manifest, Probe, ProbeAction};

pub(super) fn local_target(manifest: &Manifest, target: &LocalTarget) -> Value {
    let deps: Option<Vec<String>> = target
        .deps
        .as_ref()
        .map(|deps| deps.iter().map(ToString::to_string).collect());
    json!({
        "UpdateCmdSpec": target.update_cmd.as_ref().map(update_cmd),
        "Name": manifest.name.as_str(),
        "ServeCmd": serve_cmd(&target.serve_cmd),
        "Links": links(&target.links),
        "Deps": deps,
        "FileWatchIgnores": if target.watch_ignores.is_empty() {
            Value::Null
        } else {
            ignores(&target.watch_ignores)
        },
        "AllowParallel": target.allow_parallel,
        "ReadinessProbe": target.readiness_probe.as_ref().map(probe),
        "ServeCmdDisableSource": null,
    })
}

fn update_cmd(command: &Command) -> Value {
    let mut fields = json!({"args": command.argv, "dir": directory(command)});
    if !command.env.is_empty() {
        fields["env"] = json!(command.env);
    }
    fields
}

fn serve_cmd(command: &Command) -> Value {
    json!({
        "Argv": list_or_null(&command.argv),
        "Dir": directory(command),
        "Env": list_or_null(&command.env),
        "EchoOff": false,
    })
}

fn directory(command: &Command) -> String {
    command.dir.as_ref().map(ToString::to_string).unwrap_or_default()
}

fn probe(probe: &Probe) -> Value {
    let mut fields = Map::new();
    let (name, action) = match &probe.action {
        ProbeAction::Exec { command } if command.is_empty() => ("exec", json!({})),
        ProbeAction::Exec { command } => ("exec", json!({"command": command})),
        ProbeAction::HttpGet {
            host,
            port,
            scheme,
            path,
        } => (
            "httpGet",
            given([
                ("path", path.as_str().into()),
                ("port", (*port).into()),
                ("host", host.as_str().into()),
                ("scheme", scheme.as_str().into()),
            ]),
        ),
        ProbeAction::TcpSocket { host, port } => (
            "tcpSocket",
            given([("port", (*port).into()), ("host", host.as_str().into())]),
        ),
    };
    fields.insert(name.to_owned(), action);
    for (name, number) in [
        ("initialDelaySeconds", probe.initial_delay_secs),
        ("timeoutSeconds", probe.timeout_secs),
        ("periodSeconds", probe.period_secs),
        ("successThreshold", probe.success_threshold),
        ("failureThreshold", probe.failure_threshold),
    ] {
        if number != 0 {
            fields.insert(name.to_owned(), number.into());
        }
    }
    fields.into()
}

/// Returns an object of the fields that are not empty texts.
fn given<const N: usize>(fields: [(&str, Value); N]) -> Value {
    let given = fields.into_iter().filter(|(_, value)| value.as_str() != Some(""));
    given
        .map(|(name, value)| (name.to_owned(), value))
        .collect::<Map<_, _>>()
        .into()
}
