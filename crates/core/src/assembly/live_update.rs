//! What is checked of live updates once all is declared: steps that nothing uses, paths that nothing watches.
//!
//! Rule: `docs/rules/assembly.md`, "Live updates".

use super::DeclaredImage;
use super::images::Images;
use super::resources::Grouping;
use crate::diag::Diagnostic;
use crate::model::LocalPath;

/// Returns the resources of Kubernetes whose images restart their container, which only Docker Compose can do.
pub(super) fn restarts(grouping: &Grouping, images: &Images) -> Option<Diagnostic> {
    let restarts = |image: &DeclaredImage| image.live_update.as_ref().is_some_and(|update| update.restart);
    let mut names = Vec::new();
    let mut place = None;
    for resource in &grouping.resources {
        let targets = images.with_bases(&resource.images).unwrap_or_default();
        let declared = targets.into_iter().map(|at| images.declared(at));
        if let Some(image) = declared.into_iter().find(|image| restarts(image)) {
            names.push(resource.name.as_str());
            place.get_or_insert_with(|| image.site.argument("live_update", 6));
        }
    }
    let message = format!(
        "Found `restart_container()` LiveUpdate step in resource(s): [{}]. `restart_container()` has been deprecated for \
         k8s resources. We recommend the restart_process extension: \
         https://github.com/tilt-dev/tilt-extensions/tree/master/restart_process. For more information, see \
         https://docs.tilt.dev/live_update_reference.html#restarting-your-process",
        names.join(", ")
    );
    place.map(|place| Diagnostic::error(message).at(place))
}

/// Checks that what the deployed images sync, and what stops that, is watched.
pub(super) fn check_paths(
    deployed: impl Iterator<Item = usize>,
    images: &Images,
    errors: &mut Vec<Diagnostic>,
) {
    let mut deployed: Vec<usize> = deployed.collect();
    deployed.sort_unstable();
    deployed.dedup();
    for at in deployed {
        let image = images.declared(at);
        if image.live_update.is_none() || image.is_live_update_only() {
            continue;
        }
        let bases = images.with_bases(&[at]).unwrap_or_default();
        let watched: Vec<&LocalPath> = bases
            .iter()
            .rev()
            .flat_map(|at| images.declared(*at).watched())
            .collect();
        errors.extend(unwatched(image, &watched));
    }
}

fn unwatched(image: &DeclaredImage, watched: &[&LocalPath]) -> Vec<Diagnostic> {
    let Some(update) = &image.live_update else {
        return Vec::new();
    };
    let syncs = update.syncs.iter().map(|sync| ("sync step source", &sync.source));
    let stops = update.stop_paths.iter().map(|path| ("fall_back_on paths", path));
    let is_unwatched = |path: &LocalPath| !watched.iter().any(|parent| path.is_within(parent));
    let shown: Vec<String> = watched.iter().map(ToString::to_string).collect();
    let fault = |(what, path): (&str, &LocalPath)| {
        Diagnostic::error(format!(
            "{what} '{path}' is not a child of any watched filepaths ([{}])",
            shown.join(" ")
        ))
        .at(image.site.argument("live_update", 6))
        .hint("only the build context, or deps of a custom build, and those of base images are watched")
    };
    syncs
        .chain(stops)
        .filter(|(_, path)| is_unwatched(path))
        .map(fault)
        .collect()
}
