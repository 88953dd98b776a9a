//! What a call says of an image.

use super::{CallSite, DeclaredComposeBuild, Ignorefile};
use crate::model::{Command, DockerOptions, ImageRef, Injection, LiveUpdate, LocalPath, OutputMode};

/// A `docker_build` or `custom_build` call, or the `build` section of a Compose service.
#[derive(Clone, Debug)]
pub struct DeclaredImage {
    /// Its reference.
    pub image: ImageRef,
    /// The reference as written.
    pub written: String,
    /// How it is built.
    pub build: DeclaredBuild,
    /// Patterns of `ignore=`.
    pub ignore: Vec<String>,
    /// How it is put into objects.
    pub injection: Injection,
    /// How its containers are changed in place, if they are.
    pub live_update: Option<LiveUpdate>,
    /// Which of the paths of the build are roots of git repositories, in the order in which they count.
    pub git_roots: Vec<LocalPath>,
    /// The file that declared it.
    pub declared_in: LocalPath,
    /// The call.
    pub site: CallSite,
}

/// How a declared image is built.
#[derive(Clone, Debug)]
pub enum DeclaredBuild {
    /// By the Docker engine.
    Docker(Box<DeclaredDockerBuild>),
    /// By a command.
    Custom(Box<DeclaredCustomBuild>),
    /// By Compose.
    Compose(Box<DeclaredComposeBuild>),
}

/// What only `docker_build` says.
#[derive(Clone, Debug)]
pub struct DeclaredDockerBuild {
    /// The build context.
    pub context: LocalPath,
    /// The Dockerfile; `<context>/Dockerfile` for inline contents.
    pub dockerfile: LocalPath,
    /// The Dockerfile's text.
    pub dockerfile_contents: String,
    /// Whether the call itself gives that text.
    pub is_inline: bool,
    /// `KEY=value`, or `KEY` for a value from the environment; sorted.
    pub build_args: Vec<String>,
    /// The stage to build, if not the last.
    pub stage: Option<String>,
    /// Paths of `only=`.
    pub only: Vec<String>,
    /// The dockerignore file that holds for it, existing or not; `None` where there is no such context.
    pub dockerignore: Option<Ignorefile>,
    /// What the engine is told beside.
    pub options: DockerOptions,
}

/// What only `custom_build` says.
#[derive(Clone, Debug)]
pub struct DeclaredCustomBuild {
    /// What builds it.
    pub command: Command,
    /// What it is made of, as given; `None` where the Tiltfile said `None`.
    pub deps: Option<Vec<LocalPath>>,
    /// The directories among `deps`, each once, with the dockerignore file that holds there, existing or not.
    pub directories: Vec<(LocalPath, Ignorefile)>,
    /// Images that must be built before.
    pub image_deps: Vec<ImageRef>,
    /// Where the command leaves the image.
    pub output: OutputMode,
    /// The tag that the command gives it.
    pub tag: Option<String>,
    /// The file that the command writes the image's reference to.
    pub image_ref_file: Option<LocalPath>,
}

impl DeclaredImage {
    /// Returns the files and directories whose change makes the image stale.
    pub(super) fn watched(&self) -> &[LocalPath] {
        match &self.build {
            DeclaredBuild::Docker(build) => std::slice::from_ref(&build.context),
            DeclaredBuild::Custom(build) => build.deps.as_deref().unwrap_or_default(),
            DeclaredBuild::Compose(build) => &build.contexts,
        }
    }

    /// Returns the dockerignore files that hold for it, existing or not.
    pub(super) fn dockerignores(&self) -> Vec<&LocalPath> {
        match &self.build {
            DeclaredBuild::Docker(build) => build.dockerignore.iter().map(|file| &file.path).collect(),
            DeclaredBuild::Custom(build) => build.directories.iter().map(|(_, file)| &file.path).collect(),
            DeclaredBuild::Compose(build) => build.dockerignore.iter().map(|file| &file.path).collect(),
        }
    }

    /// Returns whether the default registry is part of its name: not where the command pushes an image of a fixed name.
    pub(super) fn is_named_by_registry(&self) -> bool {
        match &self.build {
            DeclaredBuild::Docker(_) => true,
            DeclaredBuild::Custom(build) => {
                let has_own_name = build.output == OutputMode::Remote && build.tag.is_some();
                !self.is_live_update_only() && !has_own_name
            }
            DeclaredBuild::Compose(_) => false,
        }
    }

    /// Returns whether it is never built: its command does nothing, and its containers are changed in place.
    pub(super) fn is_live_update_only(&self) -> bool {
        match &self.build {
            DeclaredBuild::Docker(_) | DeclaredBuild::Compose(_) => false,
            DeclaredBuild::Custom(build) => self.live_update.is_some() && build.command.display() == ":",
        }
    }
}
