//! What the Docker engine shows of the containers of Compose services, and which resource they belong to.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use crate::model::{ManifestName, Pod, ServiceContainer, ServiceId};

/// All that is known of containers of services.
#[derive(Debug, Default)]
pub(crate) struct Services {
    /// By service and id.
    pub(crate) containers: BTreeMap<ServiceId, BTreeMap<String, SeenContainer>>,
    /// Which resource stands for a service.
    pub(crate) rows: BTreeMap<ServiceId, ManifestName>,
    /// The projects that are watched.
    pub(crate) asked: BTreeSet<String>,
}

/// A container, and what was noticed of it.
#[derive(Debug)]
pub(crate) struct SeenContainer {
    pub(crate) container: ServiceContainer,
    /// The same as live update looks at it: a pod with one container.
    pub(crate) as_pod: Pod,
    /// Since when it ends badly and is started again, without having stayed up in between.
    pub(crate) crashing_since: Option<Instant>,
}

/// What a resource that stands for a service is to be known by.
#[derive(Debug, Default)]
pub(crate) struct RowService {
    /// The containers that the last deploy left.
    pub(crate) expected: BTreeSet<String>,
    /// What was ever true of it since it was first deployed in this session.
    pub(crate) reached: BTreeSet<Reached>,
    /// How many times it is being restarted just now.
    pub(crate) restarts: usize,
}

/// What other services may wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reached {
    Started,
    Healthy,
    Completed,
}

impl Services {
    /// Returns the containers of a service.
    pub(crate) fn of<'a>(
        &'a self,
        service: &ServiceId,
    ) -> impl Iterator<Item = &'a SeenContainer> + Clone + use<'a> {
        self.containers
            .get(service)
            .into_iter()
            .flat_map(BTreeMap::values)
    }

    /// Returns the resource that stands for a service.
    pub(crate) fn row_of(&self, service: &ServiceId) -> Option<&ManifestName> {
        self.rows.get(service)
    }

    /// Returns whether a container is known.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.containers
            .values()
            .any(|containers| containers.contains_key(id))
    }
}
