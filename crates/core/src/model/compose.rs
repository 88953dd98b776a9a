//! A Compose project and its services, as `docker compose config` resolves them.
//!
//! Start with [`ComposeTarget`], what is deployed for a resource. All services of a project share one
//! [`ComposeProject`]: what `docker compose` is called with for any of them.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{ContainerPath, Link, LocalPath, ManifestName, TargetId};

/// The service of a Compose project that a resource stands for.
#[derive(Clone, Debug, PartialEq)]
pub struct ComposeTarget {
    /// `docker-compose:<resource>`.
    pub id: TargetId,
    /// What compose is called with.
    pub project: Arc<ComposeProject>,
    /// What it runs.
    pub service: ComposeService,
    /// The image that is built for it, if there is one; at most one today.
    pub images: Vec<TargetId>,
    /// Links that were declared.
    pub links: Vec<Link>,
    /// Whether its published ports are links too.
    pub infer_links: bool,
}

impl ComposeTarget {
    /// Returns all links that are known before it runs: one for each port that is published on a known port of this machine,
    /// then the declared ones, each once.
    ///
    /// Rule: `docs/rules/compose.md`, "Links".
    pub fn all_links(&self) -> Vec<Link> {
        let ports: BTreeSet<u16> = self
            .service
            .ports
            .iter()
            .filter_map(|port| port.host_port)
            .collect();
        let inferred = ports.into_iter().filter(|_| self.infer_links);
        let inferred = inferred.filter_map(|port| Link::parse(&format!("http://localhost:{port}/"), "").ok());
        let is_declared = |link: &Link| self.links.iter().any(|known| known.url == link.url);
        inferred
            .filter(|link| !is_declared(link))
            .chain(self.links.iter().cloned())
            .collect()
    }
}

/// What `docker compose` is called with for a project. The services of a project share it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComposeProject {
    /// The program, with the argument that makes it Compose: `docker compose`, `docker-compose`, or another.
    pub command: Vec<String>,
    /// The name that tells its containers from those of other projects.
    pub name: String,
    /// What relative paths in its files start from.
    pub directory: LocalPath,
    /// Its files, each over those before it.
    pub config_paths: Vec<LocalPath>,
    /// What variables in its files are taken from, in place of `.env` in its directory.
    pub env_file: Option<LocalPath>,
    /// The profiles whose services are part of it.
    pub profiles: Vec<String>,
    /// Whether a deployment waits until the containers are healthy.
    pub wait: bool,
}

impl ComposeProject {
    /// Returns the beginning of every command line for the project: the program and what it is about.
    ///
    /// Rule: `docs/rules/compose.md`, "Commands".
    pub fn argv(&self) -> Vec<String> {
        let mut argv = self.command.clone();
        let mut flag = |name: &str, value: &dyn ToString| argv.extend([name.to_owned(), value.to_string()]);
        if !self.name.is_empty() {
            flag("--project-name", &self.name);
        }
        flag("--project-directory", &self.directory);
        self.env_file.iter().for_each(|file| flag("--env-file", file));
        self.config_paths.iter().for_each(|path| flag("-f", path));
        self.profiles
            .iter()
            .for_each(|profile| flag("--profile", profile));
        argv
    }
}

/// What Docker's command line ends with where a signal ended its plugin, which `docker compose` is.
///
/// Rule: `cmd/docker/docker.go` of docker/cli, `tryPluginRun`: the plugin's status, which is -1 then.
const PLUGIN_KILLED: i32 = 255;

/// Returns whether somebody else ended a call of compose, by the program that was called and its exit code, which is above 128
/// where a signal ended it. Compose itself never ends with such a code.
pub fn compose_was_killed(program: &str, code: i32) -> bool {
    let is_docker = Path::new(program)
        .file_name()
        .is_some_and(|name| name == "docker");
    (129..=192).contains(&code) || (code == PLUGIN_KILLED && is_docker)
}

/// A service, with everything resolved: variables, merged files, defaults.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ComposeService {
    /// Its name in the project's files.
    pub name: String,
    /// What its container is called, if that is said.
    pub container_name: Option<String>,
    /// The image that it runs: as said, or as compose names what it builds.
    pub image: String,
    /// Whether compose has instructions to build that image.
    pub builds: bool,
    /// The services that it needs.
    pub depends_on: Vec<ComposeDependency>,
    /// The ports that it opens to this machine.
    pub ports: Vec<ComposePort>,
    /// What is mounted into its containers.
    pub mounts: Vec<ComposeMount>,
    /// Whether its container is asked for its health.
    pub has_healthcheck: bool,
    /// When its containers are started again, such as `always`; empty when that is not said.
    pub restart: String,
    /// The hash by which compose tells whether a container is as wanted; its containers have it as the label
    /// `com.docker.compose.config-hash`. Empty where it is not known before a container runs.
    pub config_hash: String,
    /// The networks and volumes of the project that it uses.
    pub parts: Vec<ComposePart>,
    /// What is written into its containers when they are made. Compose does not see that it has become another text.
    pub texts: Vec<ComposeText>,
    /// All services of the project's files, also those that are left out: containers of others are not wanted.
    pub siblings: Arc<BTreeSet<String>>,
    /// All that is said about it, under the names of the Compose specification.
    pub definition: Value,
}

/// A text that compose writes into containers: of a config or a secret, its `content` or the value of its variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComposeText {
    /// Where it is written to.
    pub target: ContainerPath,
    /// The SHA-256 of what: the text of a secret is not kept, and `--debug` cannot tell it.
    sha256: [u8; 32],
}

impl ComposeText {
    /// Makes it of where it is written to, and what.
    pub fn new(target: ContainerPath, text: &[u8]) -> Self {
        Self {
            target,
            sha256: Sha256::digest(text).into(),
        }
    }

    /// Returns whether this is the text.
    pub fn is(&self, text: &[u8]) -> bool {
        self.sha256 == <[u8; 32]>::from(Sha256::digest(text))
    }
}

/// A network or a volume of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComposePart {
    /// Which of them.
    pub kind: ComposePartKind,
    /// What the engine calls it.
    pub name: String,
    /// The hash by which compose tells whether it is as wanted; the engine has it as the label
    /// `com.docker.compose.config-hash`. `None` where somebody else makes it.
    pub hash: Option<String>,
}

/// What a part of a project is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ComposePartKind {
    /// A network.
    Network,
    /// A volume.
    Volume,
}

impl ComposeService {
    /// Returns how many containers it is to have.
    pub fn scale(&self) -> usize {
        let said = [&self.definition["scale"], &self.definition["deploy"]["replicas"]];
        let said = said.into_iter().find_map(Value::as_u64);
        said.map_or(1, |scale| usize::try_from(scale).unwrap_or(usize::MAX))
    }

    /// Returns whether its containers are made to share something of those of another service: they cannot run once those are gone.
    pub fn shares_with(&self, other: &str) -> bool {
        ["network_mode", "ipc", "pid"].into_iter().any(|key| {
            let mode = self.definition[key].as_str();
            mode.and_then(|mode| mode.strip_prefix("service:")) == Some(other)
        })
    }

    /// Returns what its containers are made from: of all that is said, not what it waits for and when it is part of the project.
    pub fn run_definition(&self) -> Value {
        let mut definition = self.definition.clone();
        if let Value::Object(fields) = &mut definition {
            ["depends_on", "profiles"].iter().for_each(|key| {
                fields.remove(*key);
            });
        }
        definition
    }
}

/// A service that another one needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComposeDependency {
    /// Its name in the project's files.
    pub service: String,
    /// The resource that stands for it.
    pub resource: ManifestName,
    /// What must be true of it first.
    pub condition: ComposeCondition,
    /// Whether the other one is started again whenever this one was deployed anew.
    pub restart: bool,
    /// Whether the other one cannot do without it.
    pub required: bool,
}

/// What must be true of a service before one that needs it starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ComposeCondition {
    /// Its container was started.
    #[default]
    Started,
    /// Its health check passes.
    Healthy,
    /// Its container ended with 0.
    Completed,
}

impl ComposeCondition {
    /// Returns the condition with this name in a Compose file.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "service_started" => Some(Self::Started),
            "service_healthy" => Some(Self::Healthy),
            "service_completed_successfully" => Some(Self::Completed),
            _ => None,
        }
    }

    /// Returns its name in a Compose file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Started => "service_started",
            Self::Healthy => "service_healthy",
            Self::Completed => "service_completed_successfully",
        }
    }
}

/// A port of a service that this machine can reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComposePort {
    /// The port in the container.
    pub container_port: u16,
    /// The port on this machine; `None` where it is a range, or left to the engine.
    pub host_port: Option<u16>,
    /// The address on this machine, if not all of them.
    pub host_ip: Option<String>,
    /// `tcp` or `udp`.
    pub protocol: String,
}

/// Something that is mounted into the containers of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComposeMount {
    /// What is mounted: `bind`, `volume`, `tmpfs`, ...
    pub kind: String,
    /// A path on this machine, the name of a volume, or nothing.
    pub source: Option<String>,
    /// Where it appears.
    pub target: ContainerPath,
    /// Whether containers cannot write there.
    pub read_only: bool,
}

/// An image that compose builds.
#[derive(Clone, Debug, PartialEq)]
pub struct ComposeBuild {
    /// What compose is called with.
    pub project: Arc<ComposeProject>,
    /// The service whose `build` section says how.
    pub service: String,
    /// The directory that is sent to the engine; `None` where it is fetched from elsewhere.
    pub context: Option<LocalPath>,
    /// The Dockerfile, where it is a file of its own on this machine.
    pub dockerfile: Option<LocalPath>,
    /// The Dockerfile's text, as read when the Tiltfile was loaded.
    pub dockerfile_contents: Option<String>,
    /// What is mounted into the service's containers, as said: changes of it need no build.
    pub mounted: Vec<String>,
    /// All that is said about the build, under the names of the Compose specification.
    pub definition: Value,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project() -> ComposeProject {
        ComposeProject {
            command: ["docker", "compose"].map(str::to_owned).to_vec(),
            name: "shop".to_owned(),
            directory: LocalPath::new("/src"),
            config_paths: ["/src/a.yml", "/src/b.yml"].map(LocalPath::new).to_vec(),
            env_file: Some(LocalPath::new("/src/dev.env")),
            profiles: vec!["debug".to_owned()],
            wait: true,
        }
    }

    #[test]
    fn a_command_line_says_project_directory_variables_files_and_profiles() {
        assert_eq!(
            project().argv().join(" "),
            "docker compose --project-name shop --project-directory /src --env-file /src/dev.env -f /src/a.yml \
             -f /src/b.yml --profile debug"
        );
    }

    #[test]
    fn published_ports_are_links_each_once_and_before_the_declared_ones() {
        let port = |host_port, protocol: &str| ComposePort {
            container_port: 80,
            host_port,
            host_ip: None,
            protocol: protocol.to_owned(),
        };
        let mut target = ComposeTarget {
            id: TargetId::compose(&ManifestName::new("web")),
            project: Arc::new(project()),
            service: ComposeService {
                ports: vec![
                    port(Some(8080), "tcp"),
                    port(None, "tcp"),
                    port(Some(8080), "udp"),
                    port(Some(80), "tcp"),
                ],
                ..ComposeService::default()
            },
            images: Vec::new(),
            links: vec![Link::parse("http://localhost:80/", "front").expect("a link")],
            infer_links: true,
        };
        let shown = |target: &ComposeTarget| -> Vec<String> {
            target
                .all_links()
                .iter()
                .map(|link| link.url.to_string())
                .collect()
        };
        assert_eq!(shown(&target), ["http://localhost:8080/", "http://localhost:80/"]);
        target.infer_links = false;
        assert_eq!(shown(&target), ["http://localhost:80/"]);
    }

    #[test]
    fn compose_that_somebody_killed_is_told_by_how_it_ended() {
        for (program, code, expected) in [
            ("docker-compose", 128 + 9, true),
            ("docker", 128 + 15, true),
            ("/usr/bin/docker", 255, true),
            ("docker-compose", 255, false),
            ("docker", 1, false),
            ("docker", 17, false),
        ] {
            assert_eq!(compose_was_killed(program, code), expected, "{program} {code}");
        }
    }

    #[test]
    fn conditions_have_the_names_of_the_specification() {
        for condition in [
            ComposeCondition::Started,
            ComposeCondition::Healthy,
            ComposeCondition::Completed,
        ] {
            assert_eq!(ComposeCondition::parse(condition.as_str()), Some(condition));
        }
        assert_eq!(ComposeCondition::parse("service_ready"), None);
    }
}
