//! What the engine knows of a container that Docker Compose made for a service.

use super::{ComposeTarget, Timestamp};

/// A service of a Compose project, as the labels of its containers name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceId {
    /// The project's name.
    pub project: String,
    /// The service's name in the project's files.
    pub service: String,
}

/// A container of a service as the Docker engine last showed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceContainer {
    /// Its id.
    pub id: String,
    /// Its name, without a leading `/`.
    pub name: String,
    /// Whose it is.
    pub service: ServiceId,
    /// The reference of the image that it was made from.
    pub image: String,
    /// The directory of the project that made it: its label `com.docker.compose.project.working_dir`.
    pub directory: String,
    /// When it was made.
    pub created: Timestamp,
    /// What it is doing.
    pub state: ServiceState,
    /// How its last run ended; 0 while it runs.
    pub exit_code: i32,
    /// Why it could not be started, in the engine's words; empty if it could.
    pub error: String,
    /// When its last run began.
    pub started: Option<Timestamp>,
    /// When its last run but one ended, or the last where none runs.
    pub finished: Option<Timestamp>,
    /// How often it was started again by its restart policy.
    pub restarts: u32,
    /// What its health check says; `None` if it has none.
    pub health: Option<Health>,
    /// Whether its output is a terminal's.
    pub has_tty: bool,
    /// Its ports that are published now.
    pub ports: Vec<PortBinding>,
}

/// What a container is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceState {
    /// It was made, and not started.
    Created,
    /// It runs.
    Running,
    /// It is halted.
    Paused,
    /// It ended, and is about to be started again.
    Restarting,
    /// It is being removed.
    Removing,
    /// It ended.
    Exited,
    /// It could not be removed as a whole.
    Dead,
}

/// What a health check says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// Nothing yet.
    Starting,
    /// All is well.
    Healthy,
    /// Something is wrong: what the last check printed.
    Unhealthy(String),
}

/// A port of a container that is published on this machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PortBinding {
    /// The port in the container.
    pub container_port: u16,
    /// Such as `tcp`.
    pub protocol: String,
    /// The address on this machine.
    pub host_ip: String,
    /// The port on this machine.
    pub host_port: u16,
}

impl ComposeTarget {
    /// Returns which service it is.
    pub fn service_id(&self) -> ServiceId {
        ServiceId {
            project: self.project.name.clone(),
            service: self.service.name.clone(),
        }
    }
}

impl ServiceState {
    /// Returns the word that Docker uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Removing => "removing",
            Self::Exited => "exited",
            Self::Dead => "dead",
        }
    }
}

impl Health {
    /// Returns the word that Docker uses.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Unhealthy(_) => "unhealthy",
        }
    }
}

impl std::fmt::Display for ServiceId {
    /// As in `shop/web`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.project, self.service)
    }
}
