//! What a file is to a project: which resources it belongs to, what keeps it out, and what saving it does.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Rule, rule_of};
use crate::model::{
    DeployTarget, Ignore, ImageBuild, K8sTarget, LiveUpdate, LocalPath, Manifest, ManifestName, TargetId,
    deciding,
};

/// What is known of the files of a project: definitions without their objects.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProjectFiles {
    manifests: Vec<Manifest>,
    config_files: Vec<LocalPath>,
    /// What no watch takes in.
    ignores: Vec<Ignore>,
}

/// What a file is to a project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FileAnswer {
    /// The file, with its whole path.
    pub file: String,
    /// Whether the Tiltfile has read it, so that saving it evaluates the Tiltfile again.
    pub reloads: bool,
    /// What it belongs to.
    pub uses: Vec<FileUse>,
    /// What it would belong to if nothing kept it out.
    pub ignored: Vec<IgnoredFile>,
}

/// A resource that a file belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileUse {
    /// Which resource.
    pub resource: String,
    /// The part of it, such as `image:web`.
    pub target: String,
    /// What makes it matter.
    pub rule: Rule,
    /// What saving it does.
    pub save: Save,
}

/// What saving a file does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Save {
    /// It is copied into running containers.
    Sync {
        /// Commands that run there then.
        commands: Vec<String>,
        /// Whether the containers are restarted then.
        restart: bool,
    },
    /// Images are built, pushed and deployed.
    Build {
        /// Which images, in order.
        images: Vec<String>,
    },
    /// A command runs on this machine.
    Command {
        /// Which.
        command: String,
    },
    /// Nothing.
    Nothing {
        /// Why.
        why: NoUpdate,
    },
}

/// Why saving a file does nothing by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NoUpdate {
    /// The resource is switched off.
    Disabled,
    /// Its changes wait until a user asks for an update.
    Manual,
}

/// A resource that a file would belong to if nothing kept it out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IgnoredFile {
    /// Which resource; `(all)` for what keeps it out of every watch.
    pub resource: String,
    /// The part of it.
    pub target: String,
    /// The pattern that keeps it out, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// Where that is written: `/src/.dockerignore:3`, `ignore=`, `only=`, or what is always left out.
    pub by: String,
}

impl ProjectFiles {
    /// Returns what matters of definitions.
    pub fn new<'a>(
        manifests: impl IntoIterator<Item = &'a Manifest>,
        config_files: Vec<LocalPath>,
        ignores: Vec<Ignore>,
    ) -> Self {
        Self {
            manifests: manifests.into_iter().map(without_objects).collect(),
            config_files,
            ignores,
        }
    }

    /// Returns the resources that there are.
    pub fn resources(&self) -> impl Iterator<Item = &ManifestName> {
        self.manifests.iter().map(|manifest| &manifest.name)
    }

    /// Returns what a file is to the project; `read` reads the files that may keep it out.
    pub fn explain(
        &self,
        file: &LocalPath,
        is_enabled: impl Fn(&ManifestName) -> bool,
        read: &dyn Fn(&LocalPath) -> Option<String>,
    ) -> FileAnswer {
        let mut answer = FileAnswer {
            file: file.to_string(),
            reloads: self.config_files.iter().any(|config| file.is_within(config)),
            uses: Vec::new(),
            ignored: Vec::new(),
        };
        let of_all = deciding(&self.ignores, file);
        if let Some((ignore, pattern)) = of_all {
            answer.ignored.push(IgnoredFile {
                resource: "(all)".to_owned(),
                target: String::new(),
                pattern: pattern.map(str::to_owned),
                by: written_in(ignore, pattern, None, read),
            });
        }
        for manifest in &self.manifests {
            for watched in watched(manifest) {
                if !watched.paths.iter().any(|path| file.is_within(path)) || of_all.is_some() {
                    continue;
                }
                let resource = manifest.name.to_string();
                let target = watched.target.to_string();
                match deciding(watched.ignores, file) {
                    Some((ignore, pattern)) => answer.ignored.push(IgnoredFile {
                        resource,
                        target,
                        pattern: pattern.map(str::to_owned),
                        by: written_in(ignore, pattern, watched.dockerfile, read),
                    }),
                    None => {
                        let rule = rule_of(manifest, watched.target, file);
                        let save = match is_enabled(&manifest.name) {
                            false => Save::Nothing {
                                why: NoUpdate::Disabled,
                            },
                            true => save(manifest, watched.target, file, &rule),
                        };
                        answer.uses.push(FileUse {
                            resource,
                            target,
                            rule,
                            save,
                        });
                    }
                }
            }
        }
        // A Dockerfile is read by the Tiltfile: that it is no part of its context is nothing to tell.
        if answer.reloads {
            answer.ignored.clear();
        }
        answer
    }
}

/// The files of one target.
struct Watched<'a> {
    target: &'a TargetId,
    paths: &'a [LocalPath],
    ignores: &'a [Ignore],
    dockerfile: Option<&'a LocalPath>,
}

fn watched(manifest: &Manifest) -> Vec<Watched<'_>> {
    let images = manifest.images.iter().map(|image| Watched {
        target: &image.id,
        paths: &image.watched,
        ignores: &image.watch_ignores,
        dockerfile: match &image.build {
            ImageBuild::Docker(build) => Some(&build.dockerfile),
            ImageBuild::Compose(build) => build.dockerfile.as_ref(),
            ImageBuild::Custom(_) => None,
        },
    });
    let deploy = match &manifest.deploy {
        DeployTarget::Local(local) => local
            .deps
            .as_ref()
            .map(|deps| (&local.id, &deps[..], &local.watch_ignores[..])),
        DeployTarget::K8s(k8s) => {
            let custom = k8s.options.custom_deploy.as_ref();
            custom.map(|custom| (&k8s.id, &custom.deps[..], &custom.watch_ignores[..]))
        }
        DeployTarget::Compose(_) => None,
    };
    let deploy = deploy.map(|(target, paths, ignores)| Watched {
        target,
        paths,
        ignores,
        dockerfile: None,
    });
    images.chain(deploy).collect()
}

fn save(manifest: &Manifest, target: &TargetId, file: &LocalPath, rule: &Rule) -> Save {
    if !manifest.trigger_mode.auto_on_change() {
        return Save::Nothing {
            why: NoUpdate::Manual,
        };
    }
    let is_image = manifest.images.iter().any(|image| image.id == *target);
    if let (true, Rule::Sync { .. }) = (is_image, rule)
        && let Some(update) = manifest
            .images
            .iter()
            .filter_map(|image| image.live_update.as_ref())
            .find(|update| update.syncs.iter().any(|sync| file.is_within(&sync.source)))
    {
        return Save::Sync {
            commands: commands(update, file),
            restart: update.restart,
        };
    }
    if is_image {
        return Save::Build {
            images: built_for(manifest, target),
        };
    }
    let command = match &manifest.deploy {
        DeployTarget::Local(local) => local.update_cmd.as_ref().unwrap_or(&local.serve_cmd).display(),
        DeployTarget::K8s(k8s) => {
            let custom = k8s.options.custom_deploy.as_ref();
            custom.map_or_else(String::new, |custom| custom.apply.display())
        }
        DeployTarget::Compose(_) => String::new(),
    };
    Save::Command { command }
}

/// Returns the commands of a live update that run for a file.
fn commands(update: &LiveUpdate, file: &LocalPath) -> Vec<String> {
    let is_due = |triggers: &[String]| {
        triggers.is_empty()
            || triggers
                .iter()
                .any(|trigger| file.is_within(&update.base.join(trigger)))
    };
    let due = update.execs.iter().filter(|exec| is_due(&exec.triggers));
    due.map(|exec| exec.argv.join(" ")).collect()
}

/// Returns the images that are built when one of them changed: it, and what is built on it.
fn built_for(manifest: &Manifest, target: &TargetId) -> Vec<String> {
    let mut built: BTreeSet<&TargetId> = BTreeSet::from([target]);
    let mut names = Vec::new();
    for image in &manifest.images {
        if built.contains(&image.id) || image.base_images.iter().any(|base| built.contains(base)) {
            built.insert(&image.id);
            names.push(image.selector.image.familiar());
        }
    }
    names
}

/// Returns where an ignore is written: the line of a file that has the pattern, or what else makes it.
fn written_in(
    ignore: &Ignore,
    pattern: Option<&str>,
    dockerfile: Option<&LocalPath>,
    read: &dyn Fn(&LocalPath) -> Option<String>,
) -> String {
    let Some(pattern) = pattern else {
        return match ignore.base.file_name().as_deref() {
            Some(".git") => "what is always left out: .git".to_owned(),
            _ => format!("what is always left out: {}", ignore.base),
        };
    };
    let own = dockerfile.map(|file| LocalPath::new(format!("{file}.dockerignore")));
    let beside = [".dockerignore", ".tiltignore"].map(|name| ignore.base.join(name));
    for file in own.into_iter().chain(beside) {
        let text = read(&file).unwrap_or_default();
        let is_it = |line: &str| {
            let line = line.trim();
            line == pattern || line.trim_start_matches("./").trim_matches('/') == pattern.trim_matches('/')
        };
        if let Some(at) = text.lines().position(is_it) {
            return format!("{file}:{}", at + 1);
        }
    }
    match pattern {
        "**" => "only=".to_owned(),
        _ => "ignore=".to_owned(),
    }
}

fn without_objects(manifest: &Manifest) -> Manifest {
    let deploy = match &manifest.deploy {
        DeployTarget::K8s(k8s) => DeployTarget::K8s(K8sTarget {
            id: k8s.id.clone(),
            entities: Vec::new(),
            images: k8s.images.clone(),
            readiness: k8s.readiness,
            extra_pod_selectors: Vec::new(),
            upsert_timeout: k8s.upsert_timeout,
            options: k8s.options.clone(),
        }),
        other => other.clone(),
    };
    Manifest {
        name: manifest.name.clone(),
        images: manifest.images.clone(),
        deploy,
        trigger_mode: manifest.trigger_mode,
        resource_deps: Vec::new(),
        labels: BTreeSet::new(),
    }
}
