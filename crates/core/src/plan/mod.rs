//! What `tilt up` would do now: images, objects and commands, as plain values, and how they are told.
//!
//! What an update would do the engine says itself: [`updates`] lets one run on a project, with an outside that answers at once and
//! does nothing. What of that differs from the cluster is found out at the edge; `fields` says in which fields.

mod fields;
mod rehearsal;
mod text;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use fields::{FieldChange, field_changes};
pub use rehearsal::updates;
pub use text::plan_text;

/// What `tilt up` would do now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlanAnswer {
    /// What it would do for each resource, in the order in which it would begin.
    pub resources: Vec<ResourcePlan>,
}

/// What would be done for one resource.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ResourcePlan {
    /// Which resource.
    pub name: String,
    /// Its images, each after those that it is built on.
    #[serde(default)]
    pub images: Vec<ImagePlan>,
    /// Its objects.
    #[serde(default)]
    pub objects: Vec<ObjectPlan>,
    /// Commands that would run on this machine, in order.
    #[serde(default)]
    pub commands: Vec<String>,
    /// Why that cannot be told, if it cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What would be done for one image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ImagePlan {
    /// Its name.
    pub image: String,
    /// What would be done.
    pub action: ImageAction,
    /// Why, in a line.
    pub why: String,
    /// Files that changed since it was built last; some of them where they are many.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// Whether it would be sent to a registry, as far as that is known.
    pub push: bool,
}

/// What would be done for an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ImageAction {
    /// It would be built, and come out otherwise than what was built last, as far as can be told.
    Build,
    /// Building it gives what there is.
    UpToDate,
}

/// What would be done to one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ObjectPlan {
    /// Which, such as `Deployment/web`.
    pub object: String,
    /// Its namespace, `None` for a cluster-wide object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// What would be done.
    pub action: ObjectAction,
    /// Fields that would change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldChange>,
    /// Why, where the API server said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What would be done to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectAction {
    /// It is not there.
    Create,
    /// Fields of it change.
    Change,
    /// It is as wanted.
    Unchanged,
    /// A field changes that cannot: it would be deleted and made anew.
    Recreate,
    /// It would be deleted: its resource is no longer wanted.
    Delete,
    /// The API server would refuse it.
    Refused,
}

impl PlanAnswer {
    /// Returns whether anything would be done that changes anything.
    pub fn has_changes(&self) -> bool {
        self.resources.iter().any(ResourcePlan::has_changes)
    }

    /// Returns whether it could not be told of every resource.
    pub fn has_errors(&self) -> bool {
        self.resources.iter().any(|resource| {
            let refused = |object: &ObjectPlan| object.action == ObjectAction::Refused;
            resource.error.is_some() || resource.objects.iter().any(refused)
        })
    }
}

impl ResourcePlan {
    /// Returns whether anything would be done that changes anything.
    pub fn has_changes(&self) -> bool {
        let is_built = |image: &ImagePlan| image.action == ImageAction::Build;
        let is_written = |object: &ObjectPlan| object.action != ObjectAction::Unchanged;
        self.images.iter().any(is_built) || self.objects.iter().any(is_written) || !self.commands.is_empty()
    }
}
