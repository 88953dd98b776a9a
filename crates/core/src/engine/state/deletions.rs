//! The deletions that have not answered yet: whoever would apply what is being deleted waits for their end.

use std::collections::BTreeMap;

use super::lists::Lists;
use crate::engine::object_id::ObjectId;
use crate::model::{DeleteId, ManifestName, ServiceId};

/// A deletion that has not answered yet.
#[derive(Debug)]
pub(crate) struct Deletion {
    /// Whose it was.
    pub(crate) manifest: ManifestName,
    /// What goes away.
    pub(crate) objects: Vec<ObjectId>,
    /// Whether a command of the user's does it.
    pub(crate) by_command: bool,
    /// The service whose containers go away.
    pub(crate) service: Option<ServiceId>,
}

/// What a deletion can be found by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Object { kind: String, name: String },
    CommandOf(ManifestName),
    Service(ServiceId),
}

/// The deletions that have not answered yet.
#[derive(Debug, Default)]
pub(crate) struct Deletions {
    running: BTreeMap<DeleteId, Deletion>,
    by_key: Lists<Key, DeleteId>,
    last: u64,
    /// Whether one began since this was last asked.
    has_begun: bool,
    /// Those that ended since this was last asked.
    ended: Vec<DeleteId>,
}

impl Deletion {
    fn keys(&self) -> impl Iterator<Item = Key> {
        let objects = self.objects.iter().map(|id| Key::object(&id.kind, &id.name));
        let command = self.by_command.then(|| Key::CommandOf(self.manifest.clone()));
        let service = self.service.clone().map(Key::Service);
        objects.chain(command).chain(service)
    }
}

impl Key {
    fn object(kind: &str, name: &str) -> Self {
        Self::Object {
            kind: kind.to_owned(),
            name: name.to_owned(),
        }
    }
}

impl Deletions {
    /// Takes in that something goes away.
    pub(crate) fn begin(&mut self, deletion: Deletion) -> DeleteId {
        self.last += 1;
        let id = DeleteId(self.last);
        for key in deletion.keys() {
            self.by_key.add(&key, &id);
        }
        self.running.insert(id, deletion);
        self.has_begun = true;
        id
    }

    /// Takes in that it is gone.
    pub(crate) fn end(&mut self, id: DeleteId) {
        let Some(deletion) = self.running.remove(&id) else {
            return;
        };
        for key in deletion.keys() {
            self.by_key.remove(&key, &id);
        }
        self.ended.push(id);
    }

    pub(crate) fn get(&self, id: DeleteId) -> Option<&Deletion> {
        self.running.get(&id)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// Returns the deletions of objects of this kind and name, in whatever namespace.
    pub(crate) fn of_object(&self, kind: &str, name: &str) -> impl Iterator<Item = DeleteId> {
        self.of(&Key::object(kind, name))
    }

    /// Returns the deletions by the command of a resource.
    pub(crate) fn by_command_of(&self, name: &ManifestName) -> impl Iterator<Item = DeleteId> {
        self.of(&Key::CommandOf(name.clone()))
    }

    /// Returns the deletions of the containers of a service.
    pub(crate) fn of_service(&self, service: &ServiceId) -> impl Iterator<Item = DeleteId> {
        self.of(&Key::Service(service.clone()))
    }

    fn of(&self, key: &Key) -> impl Iterator<Item = DeleteId> + use<'_> {
        self.by_key.of(key).copied()
    }

    /// Returns whether any began, and which ended, since this was last asked.
    pub(crate) fn take_news(&mut self) -> (bool, Vec<DeleteId>) {
        (
            std::mem::take(&mut self.has_begun),
            std::mem::take(&mut self.ended),
        )
    }
}
