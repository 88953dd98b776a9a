//! Resources in the making: the objects, and which resource has which.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{CallSite, DeclaredKind, DeclaredObject};
use crate::diag::Diagnostic;
use crate::k8s::{Entity, identifier};
use crate::model::{K8sOptions, OnChange, PodReadiness};

/// The objects and the resources that they make.
#[derive(Default)]
pub(super) struct Grouping {
    /// All objects, in the order in which they were given.
    pub(super) objects: Vec<Object>,
    /// Resources, in the order in which they were made.
    pub(super) resources: Vec<Resource>,
    /// Names of the images that occur in the objects, as people write them.
    pub(super) deployed_images: BTreeSet<String>,
    /// Names of resources that are no workloads, each with the built-in that made it.
    reserved: HashMap<String, &'static str>,
    /// Positions of resources by name.
    by_name: HashMap<String, usize>,
    /// Kinds that the Tiltfile declares to be workloads.
    kinds: Vec<DeclaredKind>,
}

pub(super) struct Object {
    pub(super) declared: DeclaredObject,
    /// The position of the resource that has it.
    pub(super) owner: Option<usize>,
}

/// A resource in the making.
pub(super) struct Resource {
    pub(super) name: String,
    /// Positions of its objects, in the order in which they were added.
    pub(super) objects: Vec<usize>,
    /// The position of its workload; `None` for a group of objects.
    pub(super) workload: Option<usize>,
    /// Positions of the images that its workload uses, in the order found, each once.
    pub(super) images: Vec<usize>,
    pub(super) resource_deps: Vec<(String, CallSite)>,
    pub(super) labels: BTreeSet<String>,
    pub(super) readiness: Option<PodReadiness>,
    pub(super) extra_pod_selectors: Vec<BTreeMap<String, String>>,
    pub(super) options: K8sOptions,
    /// What a change does, if that was said.
    pub(super) on_change: Option<OnChange>,
    /// Whether the first update starts by itself, if that was said.
    pub(super) auto_init: Option<bool>,
    /// The call that made it.
    pub(super) site: CallSite,
}

impl Resource {
    pub(super) fn new(name: String, site: CallSite) -> Self {
        Self {
            name,
            objects: Vec::new(),
            workload: None,
            images: Vec::new(),
            resource_deps: Vec::new(),
            labels: BTreeSet::new(),
            readiness: None,
            extra_pod_selectors: Vec::new(),
            options: K8sOptions::default(),
            on_change: None,
            auto_init: None,
            site,
        }
    }
}

impl Grouping {
    /// Returns the objects, of which nobody has made resources yet.
    pub(super) fn of(
        declared: Vec<DeclaredObject>,
        kinds: Vec<DeclaredKind>,
        reserved: HashMap<String, &'static str>,
    ) -> Self {
        let objects = declared.into_iter().map(|declared| Object {
            declared,
            owner: None,
        });
        let mut grouping = Self {
            objects: objects.collect(),
            reserved,
            kinds,
            ..Self::default()
        };
        // These are resources from the start, and can be renamed.
        grouping.reserved.retain(|_, maker| *maker != "k8s_resource");
        grouping
    }

    pub(super) fn entity(&self, at: usize) -> &Entity {
        &self.objects[at].declared.entity
    }

    /// Takes an object away. Only for the end, when nothing asks about it any more.
    pub(super) fn take(&mut self, at: usize) -> Entity {
        self.objects[at].declared.entity.take()
    }

    /// Returns the position of the resource of this name.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// Adds a resource, whose name nobody else has, and returns its position.
    pub(super) fn add(&mut self, resource: Resource) -> usize {
        self.by_name.insert(resource.name.clone(), self.resources.len());
        self.resources.push(resource);
        self.resources.len() - 1
    }

    /// Renames a resource to a name that nobody else has.
    pub(super) fn rename(&mut self, at: usize, name: String) {
        self.by_name.remove(&self.resources[at].name);
        self.by_name.insert(name.clone(), at);
        self.resources[at].name = name;
    }

    /// Returns the declared kinds that an object is of.
    pub(super) fn kinds_of(&self, at: usize) -> impl Iterator<Item = &DeclaredKind> {
        let entity = self.entity(at);
        self.kinds.iter().filter(|kind| kind.objects.matches(entity))
    }

    /// Returns the built-in that made the resource of this name, if there is one.
    pub(super) fn maker_of(&self, name: &str) -> Option<&'static str> {
        let reserved = self.reserved.get(name).copied();
        reserved.or_else(|| self.find(name).map(|_| "k8s_resource"))
    }

    /// Adds an object to a resource.
    pub(super) fn give(&mut self, object: usize, resource: usize) {
        self.objects[object].owner = Some(resource);
        self.resources[resource].objects.push(object);
    }

    /// Makes a resource of a workload, if nobody else has its name.
    pub(super) fn add_workload(
        &mut self,
        at: usize,
        name: String,
        images: Vec<usize>,
        errors: &mut Vec<Diagnostic>,
    ) {
        if let Some(maker) = self.reserved.get(&name) {
            let id = identifier::full(self.entity(at));
            let message =
                format!("error making resource for workload {id}: {maker} named \"{name}\" already exists");
            errors.push(Diagnostic::error(message).at(self.objects[at].declared.site.place()));
            return;
        }
        if let Some(taken) = self.find(&name) {
            errors.push(self.name_taken(at, &name, taken));
            return;
        }
        if name.is_empty() {
            let message = format!(
                "[validate] manifest missing name: {}",
                identifier::full(self.entity(at))
            );
            errors.push(Diagnostic::error(message).at(self.objects[at].declared.site.place()));
            return;
        }
        let site = self.objects[at].declared.site.clone();
        let resource = self.add(Resource {
            images,
            workload: Some(at),
            ..Resource::new(name, site)
        });
        self.give(at, resource);
    }

    fn name_taken(&self, at: usize, name: &str, taken: usize) -> Diagnostic {
        let id = identifier::full(self.entity(at));
        let error = Diagnostic::error(format!(
            "error making resource for workload {id}: k8s_resource named \"{name}\" already exists"
        ))
        .at(self.objects[at].declared.site.place());
        match self.resources[taken].workload {
            Some(other) => {
                let both = [at, other].map(|at| shown(self.entity(at)));
                error.hint(format!(
                    "two workloads cannot make one resource: {} and {}",
                    both[1], both[0]
                ))
            }
            None => error,
        }
    }
}

/// Returns an object with where it was written.
pub(super) fn shown(entity: &Entity) -> String {
    let origin = &entity.origin;
    let source = origin.source.strip_prefix("file: ").unwrap_or(&origin.source);
    format!("{} ({source}:{})", identifier::full(entity), origin.line)
}
