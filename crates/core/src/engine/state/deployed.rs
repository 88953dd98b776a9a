//! What a resource has in the cluster, and how it is taken away again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::engine::event::AppliedObject;
use crate::engine::object_id::ObjectId;
use crate::model::{Command, ObjectUid, ServiceId};

/// What a resource has in the cluster.
#[derive(Debug, Default)]
pub(crate) struct Deployed {
    /// When a deploy last ended well.
    pub(crate) at: Option<Instant>,
    /// The objects of that deploy: they own the pods.
    pub(crate) objects: Vec<AppliedObject>,
    /// Those of them that somebody else has deleted since.
    pub(crate) gone: BTreeSet<ObjectUid>,
    /// Those of `gone` that were told.
    pub(crate) told_gone: BTreeSet<ObjectUid>,
    /// What takes it away again, where a command deployed it or tried to.
    pub(crate) delete_command: Option<DeleteCommand>,
    /// Everything that it may have left there, also by deploys that failed.
    pub(crate) owned: BTreeMap<ObjectId, AppliedObject>,
    /// The service of which it may have containers.
    pub(crate) service: Option<ServiceId>,
}

impl Deployed {
    /// Returns every object that it may have in the cluster.
    pub(crate) fn all(&self) -> impl Iterator<Item = &AppliedObject> {
        self.owned.values().chain(&self.objects)
    }
}

/// A command that takes away what another one deployed, and how long that may take.
pub(crate) type DeleteCommand = (Command, Duration);

/// What a resource that is gone, or off, leaves in the cluster.
#[derive(Debug)]
pub(crate) struct Remains {
    pub(crate) deployed: Deployed,
    /// Why it is deleted, as shown.
    pub(crate) reason: &'static str,
}
