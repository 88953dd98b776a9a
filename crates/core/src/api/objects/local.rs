//! The objects of a local resource: its command for updates, and its server.
//!
//! Rule: `docs/rules/local.md`, "Objects".

use serde_json::{Value, json};

use super::made::{Made, disable_source, disable_status, metadata};
use crate::engine::{ServerEnd, ServerStatus, run_status};
use crate::model::{Command, LocalTarget, Probe, ProbeAction};
use crate::view::{BuildView, ResourceView};

pub(super) fn of_resource(resource: &ResourceView, target: &LocalTarget) -> Vec<Made> {
    let update = target
        .update_cmd
        .as_ref()
        .map(|command| update(resource, command));
    let server = server(resource, target);
    update.into_iter().chain(server).map(|cmd| ("Cmd", cmd)).collect()
}

fn update(resource: &ResourceView, command: &Command) -> Value {
    let name = format!("{}:update", resource.name);
    let mut status = match (&resource.building, resource.history.first()) {
        (Some(build), _) => running(build),
        (None, Some(last)) => ended(last),
        (None, None) => json!({}),
    };
    status["disableStatus"] = disable_status(resource);
    let managed = [("tilt.dev/managed-by", "local_resource")];
    json!({
        "metadata": metadata(&name, &resource.name, &format!("cmd:{name}"), &managed),
        "spec": spec(command, resource),
        "status": status,
    })
}

fn spec(command: &Command, resource: &ResourceView) -> Value {
    let mut spec = json!({
        "args": command.argv,
        "dir": command.dir.as_ref().map(ToString::to_string).unwrap_or_default(),
        "disableSource": disable_source(&resource.name),
    });
    if !command.env.is_empty() {
        spec["env"] = json!(command.env);
    }
    spec
}

fn running(build: &BuildView) -> Value {
    match build.pid {
        Some(pid) => json!({
            "running": {"pid": pid, "startedAt": build.started.to_micro_text()},
            "ready": true,
        }),
        None => json!({"waiting": {}}),
    }
}

fn ended(build: &BuildView) -> Value {
    let exited = |how| ServerStatus::Exited {
        pid: build.pid.unwrap_or_default(),
        how,
    };
    let end = match (&build.exit, &build.error) {
        (Some(how), _) => exited(how.clone()),
        (None, Some(error)) => ServerStatus::NotStarted(error.clone()),
        (None, None) => exited(ServerEnd::Code(0)),
    };
    let mut status = run_status(Some(&end), build.started, build.finished);
    // Without a probe a command is ready as soon as it runs, and stays so.
    status["ready"] = true.into();
    status
}

fn server(resource: &ResourceView, target: &LocalTarget) -> Option<Value> {
    let server = resource.server.as_ref()?;
    let name = format!("{}-serve-{}", resource.name, server.number);
    let owner = [
        ("tilt.dev/owner-name", resource.name.as_str()),
        ("tilt.dev/owner-kind", "CmdServer"),
    ];
    let mut spec = spec(&server.command, resource);
    if let Some(given) = &target.readiness_probe {
        spec["readinessProbe"] = probe(given);
    }
    let mut status = run_status(server.status.as_ref(), server.began, server.ended);
    status["disableStatus"] = disable_status(resource);
    Some(json!({
        "metadata": metadata(&name, &resource.name, server.span.as_str(), &owner),
        "spec": spec,
        "status": status,
    }))
}

fn probe(probe: &Probe) -> Value {
    let mut shown = match &probe.action {
        ProbeAction::Exec { command } => json!({"exec": {"command": command}}),
        ProbeAction::HttpGet {
            host,
            port,
            scheme,
            path,
        } => json!({"httpGet": {"host": host, "port": port, "scheme": scheme, "path": path}}),
        ProbeAction::TcpSocket { host, port } => json!({"tcpSocket": {"host": host, "port": port}}),
    };
    let numbers = [
        ("initialDelaySeconds", probe.initial_delay_secs),
        ("timeoutSeconds", probe.timeout_secs),
        ("periodSeconds", probe.period_secs),
        ("successThreshold", probe.success_threshold),
        ("failureThreshold", probe.failure_threshold),
    ];
    for (field, number) in numbers.into_iter().filter(|(_, number)| *number != 0) {
        shown[field] = number.into();
    }
    shown
}
