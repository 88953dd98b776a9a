//! What identifies an object in a cluster.

use crate::model::ObjectUid;

/// What identifies an object in a cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    /// Its apiVersion, such as `apps/v1`.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Its namespace, `None` for a cluster-wide object.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl ObjectId {
    /// Returns the id of an object as written; its namespace stays open where none is written.
    pub fn of(entity: &crate::k8s::Entity) -> Self {
        Self {
            api_version: entity.api_version().to_owned(),
            kind: entity.kind().to_owned(),
            namespace: entity.namespace().map(str::to_owned),
            name: entity.name().to_owned(),
        }
    }
}

impl std::fmt::Display for ObjectId {
    /// As in `Deployment/web`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

/// An object that is to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnwantedObject {
    /// Which one.
    pub id: ObjectId,
    /// Its UID, where it is known: an object of the same name with another one was made by somebody else, and stays.
    pub uid: Option<ObjectUid>,
}

impl From<ObjectId> for UnwantedObject {
    fn from(id: ObjectId) -> Self {
        Self { id, uid: None }
    }
}
