//! What is left out of an image's build context and of the watch on it.
//!
//! Rule: `docs/rules/assembly.md`, "Ignores".

use super::{DeclaredBuild, DeclaredComposeBuild, DeclaredCustomBuild, DeclaredDockerBuild, DeclaredImage};
use crate::model::{Ignore, LocalPath, escaped_pattern, go_path};

/// Returns what is not sent to the engine: the declaring file, `.git`, `ignore=`, what `only=` leaves out, and the
/// dockerignore file's patterns.
pub(super) fn of_context(image: &DeclaredImage, build: &DeclaredDockerBuild) -> Vec<Ignore> {
    let mut ignores = always(image);
    let ignore = image.ignore.iter().filter(|pattern| !means_all(pattern));
    ignores.extend(below(&build.context, ignore.cloned().collect()));
    ignores.extend(below(&build.context, only_patterns(&build.only)));
    let dockerignore = build.dockerignore.as_ref();
    ignores.extend(dockerignore.and_then(|file| file.ignore_below(&build.context)));
    ignores
}

/// Returns what is not watched. The Dockerfile is watched as a part of the configuration.
pub(super) fn of_watch(image: &DeclaredImage) -> Vec<Ignore> {
    match &image.build {
        DeclaredBuild::Docker(build) => {
            let mut ignores = of_context(image, build);
            ignores.push(whole(build.dockerfile.clone()));
            ignores
        }
        DeclaredBuild::Custom(build) => of_custom_watch(image, build),
        DeclaredBuild::Compose(build) => of_compose_watch(build),
    }
}

fn of_custom_watch(image: &DeclaredImage, build: &DeclaredCustomBuild) -> Vec<Ignore> {
    let mut ignores = always(image);
    for (directory, dockerignore) in &build.directories {
        ignores.extend(below(directory, image.ignore.clone()));
        ignores.extend(dockerignore.ignore_below(directory));
    }
    ignores
}

/// The Dockerfile is watched as a part of the configuration, and what is mounted into the containers is there already.
fn of_compose_watch(declared: &DeclaredComposeBuild) -> Vec<Ignore> {
    let build = &declared.build;
    let dockerignore = declared.dockerignore.as_ref().zip(build.context.as_ref());
    let mounted = build.mounted.iter().filter(|source| source.starts_with('/'));
    let mut ignores = Vec::new();
    ignores.extend(dockerignore.and_then(|(file, context)| file.ignore_below(context)));
    ignores.extend(build.dockerfile.clone().map(whole));
    ignores.extend(mounted.map(|path| whole(LocalPath::new(path))));
    ignores
}

fn always(image: &DeclaredImage) -> Vec<Ignore> {
    let git = image.git_roots.iter().map(|root| whole(root.join(".git")));
    std::iter::once(whole(image.declared_in.clone()))
        .chain(git)
        .collect()
}

/// Returns whether a pattern means the context itself, as `.` does: Docker passes over it.
fn means_all(pattern: &str) -> bool {
    let pattern = pattern.trim();
    !pattern.is_empty() && go_path::clean(pattern) == "."
}

fn whole(base: LocalPath) -> Ignore {
    Ignore {
        base,
        patterns: Vec::new(),
    }
}

fn below(base: &LocalPath, patterns: Vec<String>) -> Option<Ignore> {
    (!patterns.is_empty()).then(|| Ignore {
        base: base.clone(),
        patterns,
    })
}

/// Everything is left out but these paths.
fn only_patterns(only: &[String]) -> Vec<String> {
    if only.is_empty() {
        return Vec::new();
    }
    let everything = std::iter::once("**".to_owned());
    let paths = only.iter();
    everything
        .chain(paths.map(|path| format!("!{}", escaped_pattern(path))))
        .collect()
}
