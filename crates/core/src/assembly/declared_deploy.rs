//! What a Tiltfile declared of a resource that commands deploy: plain data.

use super::CallSite;
use crate::model::{CustomDeploy, ImageRef};

/// A `k8s_custom_deploy` call.
#[derive(Clone, Debug)]
pub struct DeclaredDeploy {
    /// The resource's name.
    pub name: String,
    /// What deploys it and takes it away.
    pub deploy: CustomDeploy,
    /// Images that must be built before.
    pub image_deps: Vec<ImageRef>,
    /// The image whose containers are changed in place, if any are.
    pub live_update_image: Option<ImageRef>,
    /// The call.
    pub site: CallSite,
}
