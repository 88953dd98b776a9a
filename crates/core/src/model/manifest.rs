//! The assembled definition of one resource.

use std::collections::BTreeSet;

use super::{DeployTarget, ImageTarget, ManifestName, TargetId};

/// The assembled definition of one resource: what to build, what to deploy, and when.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// The resource's name.
    pub name: ManifestName,
    /// Images to build, each after the images it is built on.
    pub images: Vec<ImageTarget>,
    /// What is deployed once the images are there.
    pub deploy: DeployTarget,
    /// When updates start.
    pub trigger_mode: TriggerMode,
    /// Resources that must have been ready once before the first update of this one.
    pub resource_deps: Vec<ManifestName>,
    /// Labels for grouping in a UI.
    pub labels: BTreeSet<String>,
}

impl Manifest {
    /// Returns the ids of all targets, images first.
    pub fn target_ids(&self) -> impl Iterator<Item = &TargetId> {
        self.images
            .iter()
            .map(|image| &image.id)
            .chain([self.deploy.id()])
    }
}

/// When updates of a resource start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TriggerMode {
    /// At start and on every change.
    #[default]
    Auto,
    /// At start, then only when a user asks.
    ManualWithAutoInit,
    /// Only when a user asks.
    Manual,
    /// On a change, but not at start.
    AutoWithManualInit,
}

/// What a change does to a resource: the half of [`TriggerMode`] that Tiltfiles name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OnChange {
    /// It starts an update.
    #[default]
    Update,
    /// It waits until a user asks.
    Wait,
}

impl TriggerMode {
    /// Returns the mode in which updates start on a change and, with `auto_init`, at start.
    pub fn new(on_change: OnChange, auto_init: bool) -> Self {
        match (on_change, auto_init) {
            (OnChange::Update, true) => Self::Auto,
            (OnChange::Update, false) => Self::AutoWithManualInit,
            (OnChange::Wait, true) => Self::ManualWithAutoInit,
            (OnChange::Wait, false) => Self::Manual,
        }
    }

    /// Returns whether the first update starts by itself.
    pub fn auto_init(self) -> bool {
        matches!(self, Self::Auto | Self::ManualWithAutoInit)
    }

    /// Returns whether a change starts an update.
    pub fn auto_on_change(self) -> bool {
        matches!(self, Self::Auto | Self::AutoWithManualInit)
    }
}
