//! Local resources: commands on this machine as manifests.

use std::collections::BTreeSet;

use super::CallSite;
use crate::model::{
    Command, DeployTarget, Ignore, Link, LocalPath, LocalTarget, Manifest, ManifestName, OnChange, Probe,
    TargetId, TriggerMode,
};

/// A `local_resource` call.
#[derive(Clone, Debug)]
pub struct DeclaredLocal {
    /// The resource's name.
    pub name: String,
    /// What an update runs, if anything.
    pub update_cmd: Option<Command>,
    /// What keeps running; empty for nothing.
    pub serve_cmd: Command,
    /// What is watched; `None` where nothing was given.
    pub deps: Option<Vec<LocalPath>>,
    /// What is left out when watching.
    pub watch_ignores: Vec<Ignore>,
    /// What a change does; `None` is the default of the Tiltfile.
    pub on_change: Option<OnChange>,
    /// Whether the first update starts by itself.
    pub auto_init: bool,
    /// Whether updates run beside those of other resources.
    pub allow_parallel: bool,
    /// Links to show with the resource.
    pub links: Vec<Link>,
    /// How to find out whether what serves is ready.
    pub readiness_probe: Option<Probe>,
    /// Resources that it waits for.
    pub resource_deps: Vec<String>,
    /// Labels for grouping.
    pub labels: BTreeSet<String>,
    /// The call.
    pub site: CallSite,
}

impl DeclaredLocal {
    /// Returns the resource that the call makes.
    pub(super) fn manifest(self, default: OnChange) -> Manifest {
        let name = ManifestName::new(self.name);
        Manifest {
            images: Vec::new(),
            trigger_mode: TriggerMode::new(self.on_change.unwrap_or(default), self.auto_init),
            resource_deps: self.resource_deps.into_iter().map(ManifestName::new).collect(),
            labels: self.labels,
            deploy: DeployTarget::Local(Box::new(LocalTarget {
                id: TargetId::local(&name),
                update_cmd: self.update_cmd,
                serve_cmd: self.serve_cmd,
                deps: self.deps,
                watch_ignores: self.watch_ignores,
                allow_parallel: self.allow_parallel,
                links: self.links,
                readiness_probe: self.readiness_probe,
            })),
            name,
        }
    }
}
