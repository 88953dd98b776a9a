//! The nodes of the build graph: images and what is deployed.

use std::time::Duration;

use super::entity::Entity;
use super::{
    Command, ComposeBuild, ComposeTarget, DockerBuildSite, Ignore, ImageSelector, K8sOptions, Link,
    LiveUpdate, LocalPath, LocalTarget, Registry, TargetId,
};

/// An image that is built for one or more resources.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageTarget {
    /// `image:<familiar reference, sanitized>`; the same image has the same id in every manifest.
    pub id: TargetId,
    /// Which references in YAML and Dockerfiles mean this image.
    pub selector: ImageSelector,
    /// How it is built.
    pub build: ImageBuild,
    /// How it is put into objects.
    pub injection: Injection,
    /// Where it is pushed, if the Tiltfile says so; else it is the cluster that says it.
    pub registry: Option<Registry>,
    /// How its containers are changed in place, if they are.
    pub live_update: Option<LiveUpdate>,
    /// Images of the same manifest that this one is built on.
    pub base_images: Vec<TargetId>,
    /// Paths whose change makes the image stale.
    pub watched: Vec<LocalPath>,
    /// What to leave out when watching.
    pub watch_ignores: Vec<Ignore>,
}

impl ImageTarget {
    /// Returns whether the image is never built, only its containers are changed in place.
    pub fn is_live_update_only(&self) -> bool {
        matches!(&self.build, ImageBuild::Custom(build) if build.live_update_only)
    }
}

/// How an image is built.
#[derive(Clone, Debug, PartialEq)]
pub enum ImageBuild {
    /// By the Docker engine from a Dockerfile.
    Docker(DockerBuild),
    /// By a command.
    Custom(CustomBuild),
    /// By Compose, as a service's `build` section says.
    Compose(ComposeBuild),
}

/// How an image is put into objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Injection {
    /// Whether it is looked for in values of environment variables too.
    pub match_in_env_vars: bool,
    /// What its containers run instead of what their YAML says.
    pub command: Option<Vec<String>>,
    /// The arguments of its containers instead of those in their YAML.
    pub args: Option<Vec<String>>,
}

/// A `custom_build()` call.
#[derive(Clone, Debug, PartialEq)]
pub struct CustomBuild {
    /// What builds it.
    pub command: Command,
    /// Files and directories that it is made of, as given; `None` where the Tiltfile said `None`.
    pub deps: Option<Vec<LocalPath>>,
    /// Where the command leaves the image.
    pub output: OutputMode,
    /// The tag that the command gives it; `None` is one that it is told.
    pub tag: Option<String>,
    /// The file that the command writes the image's reference to.
    pub image_ref_file: Option<LocalPath>,
    /// Whether it is never built: only its containers are changed in place.
    pub live_update_only: bool,
}

/// Where the command of a custom build leaves the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputMode {
    /// In the Docker engine; it is pushed from there.
    LocalDocker,
    /// In the Docker engine, and pushed.
    LocalDockerAndRemote,
    /// Pushed.
    Remote,
}

impl OutputMode {
    /// Returns the word that result files use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LocalDocker => "local-docker",
            Self::LocalDockerAndRemote => "local-docker-and-remote",
            Self::Remote => "remote",
        }
    }
}

/// A `docker_build()` call.
#[derive(Clone, Debug, PartialEq)]
pub struct DockerBuild {
    /// The directory that is sent to the engine.
    pub context: LocalPath,
    /// Where the Dockerfile was read from; `<context>/Dockerfile` for inline contents.
    pub dockerfile: LocalPath,
    /// The Dockerfile's text, as read when the Tiltfile was loaded.
    pub dockerfile_contents: String,
    /// `KEY=value`, or `KEY` for a value from the environment; sorted.
    pub build_args: Vec<String>,
    /// The stage to build, if not the last.
    pub stage: Option<String>,
    /// What is not sent to the engine; a file is left out if any of these matches it.
    pub context_ignores: Vec<Ignore>,
    /// What the engine is told beside.
    pub options: DockerOptions,
    /// Where it was written, if that is known; no part of what is built.
    pub site: Option<Box<DockerBuildSite>>,
}

/// Options of a build that the Docker engine is told as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DockerOptions {
    /// SSH agents or keys for the build, as in `docker build --ssh`.
    pub ssh: Vec<String>,
    /// Secrets for the build, as in `docker build --secret`.
    pub secrets: Vec<String>,
    /// The network of its commands.
    pub network: Option<String>,
    /// Whether base images are pulled although they are there.
    pub pull: bool,
    /// Images whose layers may be used again.
    pub cache_from: Vec<String>,
    /// Such as `linux/amd64`.
    pub platform: Option<String>,
    /// More tags for the image.
    pub extra_tags: Vec<String>,
    /// `host:ip`, for its commands.
    pub extra_hosts: Vec<String>,
}

/// What is deployed for a resource.
#[derive(Clone, Debug, PartialEq)]
pub enum DeployTarget {
    /// Kubernetes objects.
    K8s(K8sTarget),
    /// Commands on this machine.
    Local(Box<LocalTarget>),
    /// A service of a Compose project.
    Compose(Box<ComposeTarget>),
}

impl DeployTarget {
    /// Returns the target's id.
    pub fn id(&self) -> &TargetId {
        match self {
            Self::K8s(k8s) => &k8s.id,
            Self::Local(local) => &local.id,
            Self::Compose(compose) => &compose.id,
        }
    }

    /// Returns the links that were declared for it.
    pub fn links(&self) -> &[Link] {
        match self {
            Self::K8s(k8s) => &k8s.options.links,
            Self::Local(local) => &local.links,
            Self::Compose(compose) => &compose.links,
        }
    }

    /// Returns what is deployed to Kubernetes, if anything.
    pub fn k8s(&self) -> Option<&K8sTarget> {
        match self {
            Self::K8s(k8s) => Some(k8s),
            Self::Local(_) | Self::Compose(_) => None,
        }
    }

    /// Returns the Compose service that is deployed, if it is one.
    pub fn compose(&self) -> Option<&ComposeTarget> {
        match self {
            Self::Compose(compose) => Some(compose),
            Self::K8s(_) | Self::Local(_) => None,
        }
    }
}

/// The Kubernetes objects of a resource.
#[derive(Clone, Debug, PartialEq)]
pub struct K8sTarget {
    /// `k8s:<resource>`.
    pub id: TargetId,
    /// Objects in the order of their kinds (`k8s::order`).
    pub entities: Vec<Entity>,
    /// The images that occur in the objects, each once.
    pub images: Vec<TargetId>,
    /// When the resource counts as ready.
    pub readiness: PodReadiness,
    /// Labels that claim pods which none of the objects owns; each map must match as a whole.
    pub extra_pod_selectors: Vec<std::collections::BTreeMap<String, String>>,
    /// Time allowed for applying one object.
    pub upsert_timeout: Duration,
    /// What was declared beside the objects.
    pub options: Box<K8sOptions>,
}

/// When a Kubernetes resource counts as ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodReadiness {
    /// Its newest pod must be ready.
    Wait,
    /// Once it is deployed.
    Ignore,
    /// Its newest pod must have succeeded.
    Succeeded,
}

impl PodReadiness {
    /// Returns the word that Tiltfiles and result files use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Ignore => "ignore",
            Self::Succeeded => "succeeded",
        }
    }
}
