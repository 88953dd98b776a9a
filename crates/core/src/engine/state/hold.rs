//! Why updates that are due do not start.

use crate::history::WaitReason;
use crate::model::{ManifestName, TargetId};

/// Why an update that is due may not start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    /// The Tiltfile is about to be, or being, evaluated again.
    TiltfileReload,
    /// A local resource runs that runs alone.
    WaitingForLocal(ManifestName),
    /// It runs alone, and something else runs.
    IsUnparallelizableLocal,
    /// The resource `uncategorized` is deployed first.
    WaitingForUncategorized,
    /// These targets of it are just built or deployed by another update.
    BuildingComponent(Vec<TargetId>),
    /// These resources were never ready.
    WaitingForDep(Vec<ManifestName>),
    /// These resources define kinds of its objects, and are still to be deployed.
    WaitingForDefinition(Vec<ManifestName>),
    /// There is no connection to the cluster.
    WaitingForCluster,
    /// These objects of it are being deleted, or all that its command deletes: it was gone, or off, and is back.
    WaitingForDeletion(Vec<String>),
    /// It could not reach something, and is tried again in a moment.
    WaitingForRetry,
    /// Its changes are taken into running containers.
    Reconciling,
    /// Its changes will be taken into the containers of its last deploy, which do not run yet.
    WaitingForDeploy,
    /// It goes round in a circle: what it reads is written while it runs.
    WaitingForQuiet,
}

impl Hold {
    /// Returns the word that scripts know.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::TiltfileReload => "tiltfile-reload",
            Self::WaitingForLocal(_) => "waiting-for-local",
            Self::IsUnparallelizableLocal => "is-unparallelizable-local",
            Self::WaitingForUncategorized => "waiting-for-uncategorized",
            Self::BuildingComponent(_) => "building-component",
            Self::WaitingForDep(_) | Self::WaitingForDefinition(_) => "waiting-for-dep",
            Self::WaitingForCluster => "waiting-for-cluster",
            Self::WaitingForDeletion(_) => "waiting-for-deletion",
            Self::WaitingForRetry => "waiting-for-retry",
            Self::Reconciling => "reconciling",
            Self::WaitingForDeploy => "waiting-for-deploy",
            Self::WaitingForQuiet => "waiting-for-quiet",
        }
    }

    /// Returns it as a record says it.
    pub(crate) fn wait_reason(&self) -> WaitReason {
        match self {
            Self::TiltfileReload => WaitReason::TiltfileReload,
            Self::WaitingForLocal(_) => WaitReason::WaitingForLocal,
            Self::IsUnparallelizableLocal => WaitReason::IsUnparallelizableLocal,
            Self::WaitingForUncategorized => WaitReason::WaitingForUncategorized,
            Self::BuildingComponent(_) => WaitReason::BuildingComponent,
            Self::WaitingForDep(_) | Self::WaitingForDefinition(_) => WaitReason::WaitingForDep,
            Self::WaitingForCluster => WaitReason::WaitingForCluster,
            Self::WaitingForDeletion(_) => WaitReason::WaitingForDeletion,
            Self::WaitingForRetry => WaitReason::WaitingForRetry,
            Self::Reconciling => WaitReason::Reconciling,
            Self::WaitingForDeploy => WaitReason::WaitingForDeploy,
            Self::WaitingForQuiet => WaitReason::WaitingForQuiet,
        }
    }

    /// Returns the names of what it waits for.
    pub fn on(&self) -> Vec<String> {
        match self {
            Self::TiltfileReload => vec![ManifestName::TILTFILE.to_owned()],
            Self::WaitingForLocal(name) => vec![name.to_string()],
            Self::IsUnparallelizableLocal
            | Self::WaitingForRetry
            | Self::Reconciling
            | Self::WaitingForDeploy
            | Self::WaitingForQuiet => Vec::new(),
            Self::WaitingForUncategorized => vec![ManifestName::UNCATEGORIZED.to_owned()],
            Self::BuildingComponent(targets) => targets.iter().map(TargetId::to_string).collect(),
            Self::WaitingForDep(names) | Self::WaitingForDefinition(names) => {
                names.iter().map(ManifestName::to_string).collect()
            }
            Self::WaitingForCluster => vec!["default".to_owned()],
            Self::WaitingForDeletion(objects) => objects.clone(),
        }
    }
}
