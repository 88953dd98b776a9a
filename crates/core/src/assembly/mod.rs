//! Turns declarations into manifests: which objects make which resource, which images belong to it, what waits for what.
//!
//! Pure: [`Declarations`] come in with everything that had to be read; manifests and diagnostics go out. Start with
//! [`assemble`].

mod assemble;
mod call_site;
mod compose;
mod declarations;
mod declared_deploy;
mod declared_image;
mod declared_project;
mod dependencies;
mod deploys;
mod docker_site;
pub mod dockerfile;
mod grouping;
mod ignorefile;
mod ignores;
mod images;
mod k8s_services;
mod live_update;
mod locals;
mod naming;
mod object_images;
mod options;
mod resources;
mod step_ledger;
mod unused;

pub use assemble::{Assembled, Surroundings, assemble};
pub use call_site::{CallShape, CallSite};
pub use declarations::{Declarations, DeclaredKind, DeclaredObject, ResourceOptions, Subject};
pub use declared_deploy::DeclaredDeploy;
pub use declared_image::{DeclaredBuild, DeclaredCustomBuild, DeclaredDockerBuild, DeclaredImage};
pub use declared_project::{DeclaredComposeBuild, DeclaredProject, DeclaredService, ServiceOptions};
pub use ignorefile::Ignorefile;
pub use locals::DeclaredLocal;
pub use naming::Naming;
pub use step_ledger::StepLedger;
