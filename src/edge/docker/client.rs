//! The connection to a Docker engine, and the small questions asked over it.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::Method;

use super::cluster_facts::ClusterFacts;
use super::config::Settings;
use super::endpoint::Endpoint;
use super::error::BuildError;
use super::hints::START_HINT;
use super::http::{ApiError, Http, body, query};
use super::patience::Patience;
use super::sent_times::SentTimes;
use super::sharing::minikube_environment;
use crate::edge::process::{ChildCommand, Environment, capture};
use crate::k8s::Product;
use crate::model::{ImageRef, LocalPath};

/// The oldest API that is spoken, and the oldest that has BuildKit.
const MIN_API: ApiVersion = ApiVersion(1, 23);
const BUILDKIT_API: ApiVersion = ApiVersion(1, 39);
/// The newest API that we know; an engine that is newer still speaks it.
const MAX_API: ApiVersion = ApiVersion(1, 47);
/// Time allowed for an engine to tell its version.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A Docker engine that answered. Cheap to clone.
#[derive(Clone)]
pub struct Docker {
    pub(super) http: Http,
    /// Settings come from here, and it is what helpers run with.
    pub(super) env: Arc<Environment>,
    /// As in `DOCKER_HOST`.
    pub(super) host: String,
    pub(super) uses_buildkit: bool,
    pub(super) sent_times: Arc<SentTimes>,
    /// Where it is kept what images were made of; `None` where nothing can be kept.
    pub(in crate::edge) records: Option<PathBuf>,
    pub(super) api: ApiVersion,
    /// Whether this is the engine inside minikube, which runs the cluster's containers.
    pub(super) is_minikubes: bool,
    /// The references that commands of custom builds have pushed by themselves, under tags of their own.
    pub(super) fixed_refs: Arc<Mutex<BTreeSet<String>>>,
}

/// Why there is no engine to work with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Failed to connect to Docker: {message}\nhint: {hint}")]
pub struct ConnectError {
    /// What went wrong.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ApiVersion(pub(super) u32, pub(super) u32);

/// What an engine says of itself.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct EngineVersion {
    /// The newest API that it speaks.
    pub api_version: String,
    /// Its own version.
    #[serde(default)]
    pub version: String,
}

impl Docker {
    /// Connects to the engine that the docker command would use in this environment, within 5 s.
    ///
    /// BuildKit is used where the engine has it, unless `DOCKER_BUILDKIT` says otherwise.
    ///
    /// # Errors
    /// When no engine answers, it is too old, or a setting cannot be read.
    pub async fn connect(env: Environment) -> Result<Self, ConnectError> {
        let settings = Settings { env: &env };
        let (host, endpoint) = settings.engine().map_err(|message| ConnectError {
            message,
            hint: "check DOCKER_HOST, DOCKER_CONTEXT and the settings of the docker command".to_owned(),
        })?;
        let http = Http {
            endpoint,
            version_prefix: String::new(),
            patience: Patience::default(),
        };
        let asked = tokio::time::timeout(CONNECT_TIMEOUT, http.get::<EngineVersion>("/version"));
        let answer = match asked.await {
            Ok(Ok(answer)) => answer,
            Ok(Err(err)) => return Err(unreachable(&host, &http.endpoint, &err)),
            Err(_) => {
                return Err(ConnectError {
                    message: format!("no answer from {host} within {} s", CONNECT_TIMEOUT.as_secs()),
                    hint: START_HINT.to_owned(),
                });
            }
        };
        let version = ApiVersion::parse(&answer.api_version).unwrap_or(MIN_API);
        if version < MIN_API {
            return Err(ConnectError {
                message: format!(
                    "the engine at {host} speaks API {version}, but at least {MIN_API} is needed"
                ),
                hint: "update Docker".to_owned(),
            });
        }
        Ok(Self {
            http: Http {
                version_prefix: format!("/v{}", version.min(MAX_API)),
                ..http
            },
            uses_buildkit: uses_buildkit(
                version,
                env.get("DOCKER_BUILDKIT").and_then(|value| value.to_str()),
            )?,
            api: version,
            is_minikubes: false,
            fixed_refs: Arc::default(),
            host,
            sent_times: SentTimes::new(
                kept_in(&env, "XDG_CACHE_HOME", ".cache").map(|dir| dir.join("contexts")),
            ),
            records: kept_in(&env, "XDG_STATE_HOME", ".local/state").map(|dir| dir.join("images")),
            env: Arc::new(env),
        })
    }

    /// Connects to the engine that images for this cluster are built with: minikube's own where it has one, else as
    /// [`Docker::connect`].
    ///
    /// # Errors
    /// As [`Docker::connect`], and when minikube does not tell where its engine is.
    ///
    /// Rule: `docs/rules/images.md`, "Docker engines and pushes".
    pub async fn connect_for_cluster(env: Environment, cluster: &ClusterFacts) -> Result<Self, ConnectError> {
        let has_own = cluster.product == Product::Minikube && cluster.container_runtime == "docker";
        if !has_own {
            return Self::connect(env).await;
        }
        let minikubes = ask_minikube(&env, &cluster.cluster_name).await?;
        let elsewhere = env.get("DOCKER_HOST").is_some_and(|set| {
            let theirs = minikubes.iter().find(|(name, _)| name == "DOCKER_HOST");
            !set.is_empty() && theirs.is_none_or(|(_, theirs)| set != theirs.as_str())
        });
        if elsewhere {
            return Self::connect(env).await;
        }
        let is_forced = env
            .get("DOCKER_BUILDKIT")
            .is_some_and(|setting| !setting.is_empty());
        let is_too_old = !is_forced && is_too_old_for_buildkit(&minikube_version(&env).await);
        let mut env = env;
        for (name, value) in minikubes {
            env.set(name, value);
        }
        let docker = Self::connect(env).await?;
        Ok(Self {
            is_minikubes: true,
            uses_buildkit: docker.uses_buildkit && !is_too_old,
            ..docker
        })
    }

    /// Returns where the engine listens, as in `DOCKER_HOST`.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns what the engine says of itself.
    ///
    /// # Errors
    /// When it does not.
    pub async fn versions(&self) -> Result<EngineVersion, ConnectError> {
        let versions = self.http.get::<EngineVersion>("/version").await;
        versions.map_err(|error| unreachable(&self.host, &self.http.endpoint, &error))
    }

    /// Returns whether images are built with BuildKit.
    pub fn uses_buildkit(&self) -> bool {
        self.uses_buildkit
    }

    /// Returns the variables with which the docker command uses this engine as it is used here.
    pub fn variables(&self) -> Vec<(String, String)> {
        let buildkit = if self.uses_buildkit { "1" } else { "0" };
        let text = |(name, value): (&std::ffi::OsStr, &std::ffi::OsStr)| {
            (
                name.to_string_lossy().into_owned(),
                value.to_string_lossy().into_owned(),
            )
        };
        let own = self.env.iter().map(text);
        let own = own.filter(|(name, _)| name.starts_with("DOCKER_") && name != "DOCKER_BUILDKIT");
        std::iter::once(("DOCKER_BUILDKIT".to_owned(), buildkit.to_owned()))
            .chain(own)
            .collect()
    }

    /// Returns a variable of the environment that builds take values from.
    pub(in crate::edge) fn variable(&self, name: &str) -> Option<&std::ffi::OsStr> {
        self.env.get(name)
    }

    /// Returns whether the engine answers.
    pub(in crate::edge) async fn answers(&self) -> bool {
        self.http.get::<EngineVersion>("/version").await.is_ok()
    }

    /// Returns whether the engine keeps its images in containerd.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub async fn uses_containerd(&self) -> Result<bool, ConnectError> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Info {
            driver_status: Option<Vec<Vec<String>>>,
        }
        let info = self.http.get::<Info>("/info").await;
        let info = info.map_err(|err| unreachable(&self.host, &self.http.endpoint, &err))?;
        let status = info.driver_status.unwrap_or_default();
        Ok(status
            .iter()
            .flatten()
            .any(|text| text.starts_with("io.containerd.snapshotter")))
    }

    /// Returns whether the engine has this image.
    ///
    /// # Errors
    /// When it does not tell.
    pub async fn has_image(&self, image: &ImageRef) -> Result<bool, BuildError> {
        let path = format!("/images/{}/json", image.familiar());
        match self.http.get::<serde::de::IgnoredAny>(&path).await {
            Ok(_) => Ok(true),
            Err(ApiError::Refused { status: 404, .. }) => Ok(false),
            Err(error) => {
                let message = format!("asking Docker for the image {}: {error}", image.familiar());
                Err(BuildError::by_engine(message, &error))
            }
        }
    }

    /// Returns the variables by which a program finds this engine, as `NAME=value`, where it is the cluster's own.
    pub(super) fn cluster_variables(&self) -> Vec<String> {
        if !self.is_minikubes {
            return Vec::new();
        }
        let variables = self
            .env
            .iter()
            .map(|(name, value)| (name.to_string_lossy(), value.to_string_lossy()));
        variables
            .filter(|(name, _)| name.starts_with("DOCKER_"))
            .map(|(name, value)| format!("{name}={value}"))
            .collect()
    }

    /// Gives an image that is there a further name.
    pub(in crate::edge) async fn tag_image(
        &self,
        image: &ImageRef,
        name: &ImageRef,
    ) -> Result<(), BuildError> {
        let tagged = self.tag(&image.familiar(), name).await;
        tagged.map_err(|error| BuildError::by_engine(format!("TagImage: {error}"), &error))
    }

    /// Gives an image a further name.
    pub(super) async fn tag(&self, image_id: &str, image: &ImageRef) -> Result<(), ApiError> {
        let name = image.familiar_name();
        let pairs = query([("repo", name.as_str()), ("tag", image.tag().unwrap_or("latest"))]);
        let path = format!("/images/{image_id}/tag?{pairs}");
        let request = self.http.request(Method::POST, &path).body(body(""));
        self.http
            .ask(request.map_err(ApiError::unreadable)?)
            .await
            .map(drop)
    }
}

/// Returns our directory in one of those of the XDG convention.
fn kept_in(env: &Environment, variable: &str, below_home: &str) -> Option<PathBuf> {
    let absolute = |name: &str| env.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let dir = absolute(variable).or_else(|| Some(absolute("HOME")?.join(below_home)))?;
    Some(dir.join("tilt"))
}

/// Returns what minikube says of its version, nothing where it does not say.
async fn minikube_version(env: &Environment) -> String {
    let command = ChildCommand {
        argv: ["minikube", "version"].map(str::to_owned).to_vec(),
        dir: LocalPath::new("/"),
        env: env.clone(),
    };
    let captured = capture(&command, None).await;
    captured.map_or_else(
        |_| String::new(),
        |captured| String::from_utf8_lossy(&captured.stdout).into_owned(),
    )
}

/// Returns whether BuildKit of the engine in this minikube cannot be used; one that does not tell its version is new.
///
/// Rule: `docs/rules/images.md`, "Docker engines and pushes".
fn is_too_old_for_buildkit(version: &str) -> bool {
    const LAST: [u32; 3] = [1, 8, 0];
    let number = version
        .lines()
        .find_map(|line| line.trim().strip_prefix("minikube version: v"));
    let parts = number.map(|number| {
        let parts = number.split(['.', '-', '+']).take(3);
        parts.map(str::parse).collect::<Result<Vec<u32>, _>>()
    });
    parts
        .is_some_and(|parts| parts.is_ok_and(|parts| parts.len() == 3 && parts.as_slice() <= LAST.as_slice()))
}

async fn ask_minikube(env: &Environment, cluster: &str) -> Result<Vec<(String, String)>, ConnectError> {
    let command = ChildCommand {
        argv: ["minikube", "-p", cluster, "docker-env", "--shell", "sh"]
            .map(str::to_owned)
            .to_vec(),
        dir: LocalPath::new("/"),
        env: env.clone(),
    };
    let failed = |why: String| ConnectError {
        message: format!("could not read docker env from minikube: {why}"),
        hint: format!("run \"minikube -p {cluster} docker-env\" to see why"),
    };
    let captured = capture(&command, None)
        .await
        .map_err(|err| failed(err.to_string()))?;
    if !captured.exit.is_success() {
        return Err(failed(
            String::from_utf8_lossy(&captured.stderr).trim().to_owned(),
        ));
    }
    Ok(minikube_environment(&String::from_utf8_lossy(&captured.stdout)))
}

fn unreachable(host: &str, endpoint: &Endpoint, err: &ApiError) -> ConnectError {
    let denied = matches!(err, ApiError::Connect(err) if err.kind() == std::io::ErrorKind::PermissionDenied);
    let hint = match endpoint {
        Endpoint::Unix(path) if denied => format!(
            "this user may not use {}: add them to the group that owns it (often \"docker\"), or set DOCKER_HOST to another \
             engine",
            path.display()
        ),
        _ => err.hint().unwrap_or(START_HINT).to_owned(),
    };
    ConnectError {
        message: format!("{host}: {err}"),
        hint,
    }
}

/// Decides between BuildKit and the classic builder.
///
/// Rule: `docs/rules/images.md`, "Docker builds"; `DOCKER_BUILDKIT` is a boolean as Go reads it.
fn uses_buildkit(version: ApiVersion, setting: Option<&str>) -> Result<bool, ConnectError> {
    match setting.unwrap_or_default() {
        "" => Ok(version >= BUILDKIT_API),
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        other => Err(ConnectError {
            message: format!("DOCKER_BUILDKIT environment variable expects boolean value, got {other:?}"),
            hint: "set DOCKER_BUILDKIT to 1 or 0, or unset it".to_owned(),
        }),
    }
}

impl ApiVersion {
    fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.split_once('.')?;
        Some(Self(major.parse().ok()?, minor.parse().ok()?))
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
