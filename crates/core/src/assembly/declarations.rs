//! What a Tiltfile declared: plain data, with places. It decides nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::live_update::StepLedger;
use super::{CallSite, DeclaredDeploy, DeclaredImage, DeclaredLocal, DeclaredProject};
use crate::k8s::json_path::JsonPath;
use crate::k8s::{Entity, ObjectMatcher};
use crate::model::{
    DiscoveryStrategy, Ignore, ImageLocator, Link, LocalPath, OnChange, PodReadiness, PortForward, Registry,
    go_path,
};

/// Everything that a Tiltfile, and what it loaded, declared; each list in the order of the calls.
#[derive(Clone, Debug, Default)]
pub struct Declarations {
    /// Objects given to `k8s_yaml`.
    pub objects: Vec<DeclaredObject>,
    /// Images.
    pub images: Vec<DeclaredImage>,
    /// Where the image of a reference is among them.
    pub image_positions: HashMap<String, usize>,
    /// Where images are pushed, and the call that said so.
    pub default_registry: Option<(Registry, CallSite)>,
    /// Calls of `k8s_kind` and `k8s_image_json_path`.
    pub kinds: Vec<DeclaredKind>,
    /// Calls of `k8s_resource`.
    pub resources: Vec<ResourceOptions>,
    /// Steps of live updates that no live update has yet.
    pub live_update_steps: StepLedger,
    /// Calls of `k8s_custom_deploy`.
    pub deploys: Vec<DeclaredDeploy>,
    /// Projects given to `docker_compose`.
    pub projects: Vec<DeclaredProject>,
    /// Calls of `local_resource`.
    pub locals: Vec<DeclaredLocal>,
    /// Names of resources that are taken when the call runs, each with the built-in that made the resource.
    pub names: HashMap<String, &'static str>,
    /// What a change does where a resource does not say it, and the call that set this.
    pub on_change: Option<(OnChange, CallSite)>,
    /// Contexts that `allow_k8s_contexts` names.
    pub allowed_contexts: BTreeSet<String>,
    /// Images whose disuse is deliberate.
    pub unused_images_allowed: Vec<String>,
}

/// An object given to `k8s_yaml`.
#[derive(Clone, Debug)]
pub struct DeclaredObject {
    /// The object.
    pub entity: Entity,
    /// The call that gave it.
    pub site: CallSite,
}

/// A `k8s_kind` or `k8s_image_json_path` call: objects that are workloads, and where their images are.
#[derive(Clone, Debug)]
pub struct DeclaredKind {
    /// Which objects.
    pub objects: ObjectMatcher,
    /// Where their images are.
    pub locators: Vec<(ImageLocator, JsonPath)>,
    /// When resources with such an object count as ready, if that was said.
    pub readiness: Option<PodReadiness>,
}

/// A file of ignore patterns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ignorefile {
    /// Where it is, or would be.
    pub path: LocalPath,
    /// Its patterns; none when there is no such file.
    pub patterns: Vec<String>,
}

impl Ignorefile {
    /// Reads patterns: comments, blank lines and `.` are dropped, the others trimmed and cleaned as paths, without a `/` in
    /// front.
    ///
    /// Rule: <https://docs.docker.com/build/concepts/context/#dockerignore-files>, "the pattern `.` is ignored".
    pub fn parse(path: LocalPath, text: &str) -> Self {
        let clean = |line: &str| {
            let line = line.trim();
            let (not, pattern) = match line.strip_prefix('!') {
                Some(pattern) => ("!", pattern.trim()),
                None => ("", line),
            };
            if line.is_empty() || pattern.is_empty() {
                return (!line.is_empty()).then(|| not.to_owned());
            }
            let pattern = go_path::clean(pattern);
            if pattern == "." && not.is_empty() {
                return None;
            }
            let pattern = pattern
                .strip_prefix('/')
                .filter(|rest| !rest.is_empty())
                .unwrap_or(&pattern);
            Some(format!("{not}{pattern}"))
        };
        let patterns = text
            .trim_start_matches('\u{feff}')
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(clean)
            .collect();
        Self { path, patterns }
    }

    /// Returns the patterns as an ignore of everything below `base`; `None` when there are none.
    pub fn ignore_below(&self, base: &LocalPath) -> Option<Ignore> {
        (!self.patterns.is_empty()).then(|| Ignore {
            base: base.clone(),
            patterns: self.patterns.clone(),
        })
    }
}

/// A `k8s_resource` call.
#[derive(Clone, Debug)]
pub struct ResourceOptions {
    /// Which resource it is about.
    pub subject: Subject,
    /// Its new name.
    pub new_name: Option<String>,
    /// Selectors of objects to move into it.
    pub objects: Vec<String>,
    /// Local ports that lead to its pods.
    pub port_forwards: Vec<PortForward>,
    /// Resources that it waits for.
    pub resource_deps: Vec<String>,
    /// Labels for grouping.
    pub labels: BTreeSet<String>,
    /// When it counts as ready.
    pub pod_readiness: Option<PodReadiness>,
    /// Labels that claim pods which none of its objects owns.
    pub extra_pod_selectors: Vec<BTreeMap<String, String>>,
    /// Links that a UI shows.
    pub links: Vec<Link>,
    /// How its pods are found.
    pub discovery_strategy: Option<DiscoveryStrategy>,
    /// What a change does.
    pub on_change: Option<OnChange>,
    /// Whether the first update starts by itself.
    pub auto_init: Option<bool>,
    /// The call.
    pub site: CallSite,
}

/// Which resource a `k8s_resource` call is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The resource that has this name by now.
    Resource(String),
    /// The resource of the workload that this identifier means.
    Entity(String),
    /// A new resource made of objects, with the call's `new_name`.
    Group,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_blanks_and_outer_slashes_are_dropped_from_an_ignorefile() {
        let file = Ignorefile::parse(
            LocalPath::new("/a/.dockerignore"),
            "# c\n\n  *.md \n/node_modules/\n!/keep\na/./b/../c\n/\n.\n./\na/..\n",
        );
        assert_eq!(file.patterns, ["*.md", "node_modules", "!keep", "a/c", "/"]);
    }
}
