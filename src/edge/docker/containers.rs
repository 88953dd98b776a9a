//! Containers of the engine: which there are, what they do, and what is done with them.

use std::collections::BTreeMap;
use std::io::{self, Read};

use bytes::Bytes;
use futures::{Stream, StreamExt};
use hyper::Method;
use serde::Deserialize;
use serde_json::json;

use super::client::Docker;
use super::http::{AbortOnDrop, ApiError, body, query};
use crate::model::{
    ContainerPath, Health, PortBinding, ServiceContainer, ServiceId, ServiceState, Timestamp,
};

/// The labels that Docker Compose puts on what it makes.
const PROJECT: &str = "com.docker.compose.project";
pub(super) const SERVICE: &str = "com.docker.compose.service";
pub(super) const DIRECTORY: &str = "com.docker.compose.project.working_dir";
pub(super) const ONE_OFF: &str = "com.docker.compose.oneoff";

/// What happens to containers that changes what they do. Commands that run in them are not among it.
const EVENTS: [&str; 12] = [
    "create",
    "start",
    "restart",
    "die",
    "stop",
    "kill",
    "oom",
    "pause",
    "unpause",
    "rename",
    "destroy",
    "health_status",
];

/// Something that happened to a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::edge) struct ContainerEvent {
    /// Its id.
    pub(in crate::edge) id: String,
    /// Whether it is gone.
    pub(in crate::edge) is_gone: bool,
}

/// A file of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::edge) struct FileInContainer {
    /// What is in it.
    pub(in crate::edge) content: Vec<u8>,
    /// When that was written, in seconds since 1970.
    pub(in crate::edge) written: u64,
}

/// Larger files are not read.
const LARGEST_FILE: usize = 16 << 20;

/// A program that was started in a container: a connection in both directions. It is cut off when this is dropped.
pub(in crate::edge) struct Exec {
    /// Names it, to be asked how it ended.
    pub(in crate::edge) id: String,
    /// What was agreed on.
    pub(in crate::edge) upgraded: hyper::upgrade::Upgraded,
    pub(in crate::edge) connection: AbortOnDrop,
}

impl Docker {
    /// Returns all containers of a Compose project that belong to its services, whatever they do.
    ///
    /// # Errors
    /// When the engine does not tell.
    pub(in crate::edge) async fn service_containers(
        &self,
        project: &str,
    ) -> Result<Vec<ServiceContainer>, ApiError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Listed {
            id: String,
        }
        let listed: Vec<Listed> = self.http.get(&listing(project)).await?;
        let asked = listed.iter().map(|listed| self.service_container(&listed.id));
        let shown = futures::future::try_join_all(asked).await?;
        Ok(shown.into_iter().flatten().collect())
    }

    /// Returns the name of the container that is published on a port of this machine, if there is one.
    ///
    /// # Errors
    /// When the engine does not tell.
    pub(in crate::edge) async fn publisher(&self, port: u16) -> Result<Option<String>, ApiError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Listed {
            names: Vec<String>,
            ports: Vec<Published>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Published {
            public_port: Option<u16>,
        }
        let listed: Vec<Listed> = self.http.get("/containers/json").await?;
        let has_it = |listed: &Listed| listed.ports.iter().any(|known| known.public_port == Some(port));
        let found = listed.into_iter().find(has_it);
        let name = found.and_then(|listed| listed.names.into_iter().next());
        Ok(name.map(|name| name.trim_start_matches('/').to_owned()))
    }

    /// Returns a container; `None` if there is none, or it belongs to no service.
    ///
    /// # Errors
    /// When the engine does not tell.
    pub(in crate::edge) async fn service_container(
        &self,
        id: &str,
    ) -> Result<Option<ServiceContainer>, ApiError> {
        match self
            .http
            .get::<Inspected>(&format!("/containers/{id}/json"))
            .await
        {
            Ok(inspected) => Ok(inspected.into_container()),
            Err(ApiError::Refused { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns what happens to containers of a Compose project from now on, until the connection ends.
    ///
    /// # Errors
    /// When the engine does not tell.
    pub(in crate::edge) async fn container_events(
        &self,
        project: &str,
    ) -> Result<impl Stream<Item = Result<ContainerEvent, ApiError>> + Send + use<>, ApiError> {
        let label = format!("{PROJECT}={project}");
        let filters = json!({"type": ["container"], "label": [label], "event": EVENTS}).to_string();
        let path = format!("/events?{}", query([("filters", filters.as_str())]));
        let request = self.http.request(Method::GET, &path).body(body(""));
        let reply = self.http.send(request.map_err(ApiError::unreadable)?).await?;
        Ok(reply.json_lines(|happened: Happened| {
            Ok(ContainerEvent {
                is_gone: happened.action == "destroy",
                id: happened.actor.id,
            })
        }))
    }

    /// Returns what a container printed, and prints from then on where it is followed: frames, or the bytes of a terminal.
    /// Each line begins with its time. `since` is in seconds since 1970.
    ///
    /// # Errors
    /// When the engine does not tell.
    pub(in crate::edge) async fn container_log(
        &self,
        id: &str,
        since: Option<i64>,
        follow: bool,
    ) -> Result<impl Stream<Item = Result<Bytes, ApiError>> + Send + use<>, ApiError> {
        let since = since.unwrap_or_default().to_string();
        let pairs = query([
            ("stdout", "true"),
            ("stderr", "true"),
            ("timestamps", "true"),
            ("follow", if follow { "true" } else { "false" }),
            ("since", since.as_str()),
        ]);
        let path = format!("/containers/{id}/logs?{pairs}");
        let request = self.http.request(Method::GET, &path).body(body(""));
        let reply = self.http.send(request.map_err(ApiError::unreadable)?).await?;
        Ok(reply.pieces())
    }

    /// Returns a file of a container, also of one that does not run; `None` if there is none, or more than that.
    ///
    /// # Errors
    /// When the engine does not tell.
    pub(in crate::edge) async fn file_in(
        &self,
        container: &str,
        path: &ContainerPath,
    ) -> Result<Option<FileInContainer>, ApiError> {
        let path = path.to_string();
        let pairs = query([("path", path.as_str())]);
        let path = format!("/containers/{container}/archive?{pairs}");
        let request = self.http.request(Method::GET, &path).body(body(""));
        let reply = match self.http.send(request.map_err(ApiError::unreadable)?).await {
            Ok(reply) => reply,
            Err(ApiError::Refused { status: 404, .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut archive = Vec::new();
        let mut pieces = std::pin::pin!(reply.pieces());
        while let Some(piece) = pieces.next().await {
            archive.extend_from_slice(&piece?);
            if archive.len() > LARGEST_FILE {
                return Ok(None);
            }
        }
        only_file(&archive).map_err(ApiError::unreadable)
    }

    /// Stops a container as it is configured: with its signal, and the time that it gets.
    ///
    /// # Errors
    /// When the engine does not. One that does not run is no error.
    pub(in crate::edge) async fn stop_container(&self, id: &str) -> Result<(), ApiError> {
        self.told(Method::POST, &format!("/containers/{id}/stop")).await
    }

    /// Removes a container that does not run.
    ///
    /// # Errors
    /// When the engine does not. One that is gone is no error.
    pub(in crate::edge) async fn remove_container(&self, id: &str) -> Result<(), ApiError> {
        self.told(Method::DELETE, &format!("/containers/{id}?force=true"))
            .await
    }

    /// Starts a container anew; `grace` is how many seconds it gets to end, `None` for what it is configured with.
    ///
    /// # Errors
    /// When the engine does not.
    pub(in crate::edge) async fn restart_container(
        &self,
        id: &str,
        grace: Option<u32>,
    ) -> Result<(), ApiError> {
        let grace = grace.map_or_else(String::new, |secs| format!("?t={secs}"));
        let request = self
            .http
            .request(Method::POST, &format!("/containers/{id}/restart{grace}"))
            .body(body(""));
        self.done(request.map_err(ApiError::unreadable)?).await
    }

    /// Starts a program in a container, with an input and an output, and with its error output where that is wanted.
    ///
    /// # Errors
    /// When the engine does not.
    pub(in crate::edge) async fn exec(
        &self,
        container: &str,
        argv: &[String],
        stderr: bool,
    ) -> Result<Exec, ApiError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Created {
            id: String,
        }
        let wish = json!({"AttachStdin": true, "AttachStdout": true, "AttachStderr": stderr, "Cmd": argv});
        let path = format!("/containers/{container}/exec");
        let request = self.http.request(Method::POST, &path);
        let request = request.header("Content-Type", "application/json");
        let request = request
            .body(body(wish.to_string()))
            .map_err(ApiError::unreadable)?;
        let created: Created =
            serde_json::from_str(&self.http.ask(request).await?).map_err(ApiError::unreadable)?;
        let path = format!("/exec/{}/start", created.id);
        let request = self.http.request(Method::POST, &path);
        let request = request
            .header("Content-Type", "application/json")
            .header("Connection", "Upgrade")
            .header("Upgrade", "tcp");
        let request = request
            .body(body(json!({"Detach": false, "Tty": false}).to_string()))
            .map_err(ApiError::unreadable)?;
        let (upgraded, connection) = self.http.send(request).await?.upgrade().await?;
        Ok(Exec {
            id: created.id,
            upgraded,
            connection,
        })
    }

    /// Returns how a program ended that was started in a container; `None` while it runs.
    ///
    /// # Errors
    /// When the engine does not tell.
    pub(in crate::edge) async fn exec_exit(&self, exec: &str) -> Result<Option<i32>, ApiError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Shown {
            running: bool,
            exit_code: Option<i32>,
        }
        let shown: Shown = self.http.get(&format!("/exec/{exec}/json")).await?;
        Ok(shown.exit_code.filter(|_| !shown.running))
    }

    /// Asks for something that may be done already, or be about something that is gone.
    async fn told(&self, method: Method, path: &str) -> Result<(), ApiError> {
        let request = self.http.request(method, path).body(body(""));
        match self.done(request.map_err(ApiError::unreadable)?).await {
            Err(ApiError::Refused { status: 404, .. }) => Ok(()),
            // Somebody else removes it.
            Err(ApiError::Refused { status: 409, message }) if message.contains("in progress") => Ok(()),
            done => done,
        }
    }

    /// Asks for something that takes the time that a container takes.
    async fn done(&self, request: hyper::Request<super::http::Body>) -> Result<(), ApiError> {
        match self.http.send(request).await {
            Ok(reply) => reply.text().await.map(drop),
            Err(ApiError::Refused { status: 304, .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Returns where all containers of a project are listed.
pub(super) fn listing(project: &str) -> String {
    let filters = json!({"label": [format!("{PROJECT}={project}")]}).to_string();
    let pairs = query([("all", "true"), ("filters", filters.as_str())]);
    format!("/containers/json?{pairs}")
}

/// Reads an archive of one file.
fn only_file(archive: &[u8]) -> io::Result<Option<FileInContainer>> {
    let mut archive = tar::Archive::new(archive);
    let mut entries = archive.entries()?;
    let Some(mut entry) = entries.next().transpose()? else {
        return Ok(None);
    };
    if !entry.header().entry_type().is_file() {
        return Ok(None);
    }
    let written = entry.header().mtime()?;
    let mut content = Vec::new();
    entry.read_to_end(&mut content)?;
    Ok(Some(FileInContainer { content, written }))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Happened {
    action: String,
    actor: Actor,
}

#[derive(Deserialize)]
struct Actor {
    #[serde(rename = "ID")]
    id: String,
}

/// What the engine shows of a container.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    id: String,
    name: String,
    created: String,
    restart_count: Option<u32>,
    state: State,
    config: Config,
    network_settings: Option<NetworkSettings>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct State {
    status: String,
    exit_code: i32,
    error: Option<String>,
    started_at: Option<String>,
    finished_at: Option<String>,
    health: Option<InspectedHealth>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InspectedHealth {
    status: String,
    log: Option<Vec<Check>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Check {
    output: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    image: String,
    tty: Option<bool>,
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NetworkSettings {
    ports: Option<BTreeMap<String, Option<Vec<Bound>>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Bound {
    host_ip: String,
    host_port: String,
}

impl Inspected {
    /// Returns it as a container of a service, if it is one.
    fn into_container(self) -> Option<ServiceContainer> {
        let labels = self.config.labels.unwrap_or_default();
        if labels.get(ONE_OFF).is_some_and(|value| value == "True") {
            return None;
        }
        let state = state(&self.state.status);
        Some(ServiceContainer {
            service: ServiceId {
                project: labels.get(PROJECT)?.clone(),
                service: labels.get(SERVICE)?.clone(),
            },
            directory: labels.get(DIRECTORY).cloned().unwrap_or_default(),
            name: self.name.trim_start_matches('/').to_owned(),
            image: self.config.image,
            created: time(&self.created).unwrap_or_default(),
            state,
            exit_code: self.state.exit_code,
            error: self.state.error.unwrap_or_default(),
            started: self.state.started_at.as_deref().and_then(time),
            finished: self.state.finished_at.as_deref().and_then(time),
            restarts: self.restart_count.unwrap_or_default(),
            health: self.state.health.and_then(health),
            has_tty: self.config.tty.unwrap_or_default(),
            ports: self.network_settings.map(ports).unwrap_or_default(),
            id: self.id,
        })
    }
}

fn state(word: &str) -> ServiceState {
    match word {
        "running" => ServiceState::Running,
        "paused" => ServiceState::Paused,
        "restarting" => ServiceState::Restarting,
        "removing" => ServiceState::Removing,
        "exited" => ServiceState::Exited,
        "dead" => ServiceState::Dead,
        _ => ServiceState::Created,
    }
}

fn health(shown: InspectedHealth) -> Option<Health> {
    match shown.status.as_str() {
        "starting" => Some(Health::Starting),
        "healthy" => Some(Health::Healthy),
        "unhealthy" => {
            let last = shown.log.and_then(|mut log| log.pop());
            let output = last.map(|check| check.output.trim().to_owned());
            Some(Health::Unhealthy(output.unwrap_or_default()))
        }
        _ => None,
    }
}

fn ports(shown: NetworkSettings) -> Vec<PortBinding> {
    let mut bindings = Vec::new();
    for (port, bound) in shown.ports.unwrap_or_default() {
        let (port, protocol) = port.split_once('/').unwrap_or((&port, "tcp"));
        for bound in bound.unwrap_or_default() {
            if let (Ok(container_port), Ok(host_port)) = (port.parse(), bound.host_port.parse()) {
                bindings.push(PortBinding {
                    container_port,
                    protocol: protocol.to_owned(),
                    host_ip: bound.host_ip,
                    host_port,
                });
            }
        }
    }
    bindings.sort();
    bindings
}

/// Reads a time; the engine writes the year 1 for one that is not yet.
fn time(text: &str) -> Option<Timestamp> {
    let time: k8s_openapi::jiff::Timestamp = text.parse().ok()?;
    Some(Timestamp(time.as_microsecond())).filter(|time| time.0 > 0)
}
