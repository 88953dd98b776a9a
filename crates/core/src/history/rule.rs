//! What makes a file matter to a resource.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{DeployTarget, ImageBuild, ImageTarget, LiveUpdate, LocalPath, Manifest, TargetId};

/// What makes a file matter to a resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Rule {
    /// It is part of what an image is built from.
    Context {
        /// The file or directory that is watched for it.
        path: String,
    },
    /// It is one of the declared dependencies of a command.
    Dependency {
        /// The dependency as declared, with its whole path.
        path: String,
    },
    /// It is copied into running containers.
    Sync {
        /// What is copied.
        source: String,
        /// Where it goes.
        destination: String,
    },
    /// It is among the paths that stop live updates.
    StopPath {
        /// The path as declared, with its whole path.
        path: String,
    },
    /// It is part of an image that another one of the resource is built on.
    BaseImage {
        /// The image that it is part of.
        image: String,
        /// The file or directory that is watched for it.
        path: String,
    },
    /// The Tiltfile has read it.
    Config,
}

/// Returns what makes a file of a target matter to a resource; the file was noticed by the watch on that target.
pub fn rule_of(manifest: &Manifest, target: &TargetId, file: &LocalPath) -> Rule {
    let deployed: &[TargetId] = manifest.deploy.k8s().map_or(&[], |k8s| &k8s.images);
    if let Some(image) = manifest.images.iter().find(|image| image.id == *target) {
        if let Some(update) = live_update(manifest, image)
            && let Some(rule) = of_live_update(update, file)
        {
            return rule;
        }
        let path = closest(&image.watched, file);
        let is_base = manifest
            .images
            .iter()
            .any(|other| other.base_images.contains(target));
        return match &image.build {
            _ if is_base && !deployed.contains(target) => Rule::BaseImage {
                image: image.selector.image.familiar(),
                path,
            },
            ImageBuild::Docker(_) | ImageBuild::Compose(_) => Rule::Context { path },
            ImageBuild::Custom(_) => Rule::Dependency { path },
        };
    }
    let path = match &manifest.deploy {
        DeployTarget::Local(local) => closest(local.deps.as_deref().unwrap_or_default(), file),
        DeployTarget::K8s(k8s) => {
            let custom = k8s.options.custom_deploy.as_ref();
            closest(custom.map_or(&[], |custom| &custom.deps), file)
        }
        DeployTarget::Compose(_) => file.to_string(),
    };
    Rule::Dependency { path }
}

/// Returns the live update that takes in files of an image: its own, or that of an image that is built on it.
fn live_update<'a>(manifest: &'a Manifest, image: &'a ImageTarget) -> Option<&'a LiveUpdate> {
    let own = image.live_update.as_ref();
    own.or_else(|| {
        let above = manifest
            .images
            .iter()
            .filter(|other| other.base_images.contains(&image.id));
        above.filter_map(|other| other.live_update.as_ref()).next()
    })
}

fn of_live_update(update: &LiveUpdate, file: &LocalPath) -> Option<Rule> {
    if let Some(stop) = update.stop_paths.iter().find(|stop| file.is_within(stop)) {
        return Some(Rule::StopPath {
            path: stop.to_string(),
        });
    }
    let sync = update.syncs.iter().find(|sync| file.is_within(&sync.source))?;
    Some(Rule::Sync {
        source: sync.source.to_string(),
        destination: sync.destination.clone(),
    })
}

/// Returns the innermost of the watched paths that hold a file.
fn closest(watched: &[LocalPath], file: &LocalPath) -> String {
    let holders = watched.iter().filter(|path| file.is_within(path));
    let innermost = holders.max_by_key(|path| path.as_path().components().count());
    innermost.unwrap_or(file).to_string()
}
