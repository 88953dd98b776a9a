//! What is done with containers of services without the project's files: so also with those of a service that is in no file
//! any more.

use futures::future::join_all;

use crate::edge::docker::{ApiError, Docker};
use crate::logs::LogWriter;
use crate::model::{ServiceContainer, ServiceId};

/// Stops and removes the containers of a service, and says so as compose does. Faults are returned, one a line.
pub(in crate::edge) async fn remove(
    docker: &Docker,
    service: &ServiceId,
    log: &LogWriter,
) -> Result<usize, String> {
    let containers = of_service(docker, service).await?;
    let removed = join_all(
        containers
            .iter()
            .map(|container| remove_one(docker, container, log)),
    )
    .await;
    let faults: Vec<String> = removed.into_iter().filter_map(Result::err).collect();
    match faults.is_empty() {
        true => Ok(containers.len()),
        false => Err(faults.join("\n")),
    }
}

async fn remove_one(docker: &Docker, container: &ServiceContainer, log: &LogWriter) -> Result<(), String> {
    let (id, name) = (&container.id, &container.name);
    let say = |what: &str| log.info(&format!(" Container {name}  {what}"));
    let fault = |error: ApiError| format!("container {name}: {error}");
    say("Stopping");
    docker.stop_container(id).await.map_err(fault)?;
    say("Stopped");
    say("Removing");
    docker.remove_container(id).await.map_err(fault)?;
    say("Removed");
    Ok(())
}

/// Restarts the containers of a service that run, with the time to end that they are configured with.
pub(in crate::edge) async fn restart(
    docker: &Docker,
    service: &ServiceId,
    log: &LogWriter,
) -> Result<(), String> {
    let containers = of_service(docker, service).await?;
    let restarted = containers.iter().map(async |container| {
        log.info(&format!(" Container {}  Restarting", container.name));
        let restarted = docker.restart_container(&container.id, None).await;
        restarted.map_err(|error| format!("container {}: {error}", container.name))
    });
    let faults: Vec<String> = join_all(restarted)
        .await
        .into_iter()
        .filter_map(Result::err)
        .collect();
    match faults.is_empty() {
        true => Ok(()),
        false => Err(faults.join("\n")),
    }
}

async fn of_service(docker: &Docker, service: &ServiceId) -> Result<Vec<ServiceContainer>, String> {
    let all = docker.service_containers(&service.project).await;
    let mut containers = all.map_err(|error| error.to_string())?;
    containers.retain(|container| container.service == *service);
    containers.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(containers)
}
