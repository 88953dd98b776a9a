//! The objects that show services of Docker Compose.

use serde_json::{Map, Value, json};

use super::made::{Made, disable_source, disable_status};
use crate::model::{ComposeProject, ComposeTarget, ServiceContainer, ServiceState, Timestamp};
use crate::view::{ResourceView, ServiceView};

/// Returns the `DockerComposeService` of a resource, and the `DockerComposeLogStream` of its container.
pub(super) fn of_resource(resource: &ResourceView, target: &ComposeTarget) -> Vec<Made> {
    let Some(service) = &resource.service else {
        return Vec::new();
    };
    let mut spec = json!({"service": target.service.name, "project": project(&target.project)});
    if !target.images.is_empty() {
        let images = target.images.iter().map(|image| image.name.as_str());
        spec["imageMaps"] = images.collect::<Vec<_>>().into();
    }
    spec["disableSource"] = disable_source(&resource.name);
    let object = json!({
        "metadata": metadata(resource, service),
        "spec": spec,
        "status": status(resource, service),
    });
    let log = log_stream(resource, target, service);
    let log = log.map(|log| ("DockerComposeLogStream", log));
    std::iter::once(("DockerComposeService", object))
        .chain(log)
        .collect()
}

fn log_stream(resource: &ResourceView, target: &ComposeTarget, service: &ServiceView) -> Option<Value> {
    let container = service.container.as_ref()?;
    let mut status = Map::new();
    if let Some(started) = container.started {
        status.insert("startedAt".to_owned(), started.to_micro_text().into());
    }
    let mut spec = json!({"service": target.service.name, "project": project(&target.project)});
    if let Some(since) = resource.first_started {
        spec["sinceTime"] = since.to_text().into();
    }
    Some(json!({"metadata": metadata(resource, service), "spec": spec, "status": status}))
}

fn metadata(resource: &ResourceView, service: &ServiceView) -> Value {
    super::made::metadata(resource.name.as_str(), &resource.name, service.span.as_str(), &[])
}

fn project(project: &ComposeProject) -> Value {
    let paths: Vec<String> = project.config_paths.iter().map(ToString::to_string).collect();
    let mut shown = json!({
        "configPaths": paths,
        "projectPath": project.directory.to_string(),
        "name": project.name,
    });
    if let Some(file) = &project.env_file {
        shown["envFile"] = file.to_string().into();
    }
    if !project.profiles.is_empty() {
        shown["profiles"] = project.profiles.clone().into();
    }
    if project.wait {
        shown["wait"] = true.into();
    }
    shown
}

fn status(resource: &ResourceView, service: &ServiceView) -> Value {
    let mut status = json!({"disableStatus": disable_status(resource)});
    let last = resource.history.first();
    let began = resource.building.as_ref().or(last).map(|build| build.started);
    let times = [
        ("lastApplyStartTime", began),
        ("lastApplyFinishTime", last.and_then(|build| build.finished)),
    ];
    for (key, time) in times {
        status[key] = time.map(Timestamp::to_micro_text).into();
    }
    if let Some(error) = last.and_then(|build| build.error.as_ref()) {
        status["applyError"] = error.as_str().into();
    }
    if let Some(container) = &service.container {
        status["containerID"] = container.id.as_str().into();
        status["containerName"] = container.name.as_str().into();
        status["containerState"] = state(container, service.health);
        let ports: Vec<Value> = container
            .ports
            .iter()
            .map(|port| {
                json!({
                    "containerPort": port.container_port,
                    "hostPort": port.host_port,
                    "hostIP": port.host_ip,
                })
            })
            .collect();
        if !ports.is_empty() {
            status["portBindings"] = ports.into();
        }
    }
    status
}

fn state(container: &ServiceContainer, health: &str) -> Value {
    let time = |time: Option<Timestamp>| Value::from(time.map(Timestamp::to_micro_text));
    json!({
        "status": container.state.as_str(),
        "running": container.state == ServiceState::Running,
        "error": container.error,
        "exitCode": container.exit_code,
        "startedAt": time(container.started),
        "finishedAt": time(container.finished),
        "healthStatus": health,
    })
}
