//! Which objects make which resource.
//!
//! Rule: `reference/tiltfile-api.md` 3.3; `seeds/000`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Map, Value};

use super::images::Images;
use super::naming::{self, Naming};
use super::{CallSite, DeclaredDeploy, DeclaredKind, DeclaredObject, deploys};
use crate::diag::Diagnostic;
use crate::k8s::image_locator::{self, env_values, template_labels};
use crate::k8s::{Entity, configured_images, identifier};
use crate::model::{ImageRef, K8sOptions, OnChange, PodReadiness};

/// The objects and the resources that they make.
#[derive(Default)]
pub(super) struct Grouping {
    /// All objects, in the order in which they were given.
    pub(super) objects: Vec<Object>,
    /// Resources, in the order in which they were made.
    pub(super) resources: Vec<Resource>,
    /// Names of the images that occur in the objects, as people write them.
    pub(super) deployed_images: BTreeSet<String>,
    /// Positions of Services by the first pair of their selector: only these can select pods with that label.
    services: BTreeMap<(String, String), Vec<usize>>,
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
    /// Makes a resource of each workload, with the Services that select its pods; `None` when the names are not known.
    pub(super) fn new(
        declared: Vec<DeclaredObject>,
        images: &mut Images,
        kinds: Vec<DeclaredKind>,
        deploys: Vec<DeclaredDeploy>,
        reserved: HashMap<String, &'static str>,
        naming: Option<Naming<'_>>,
        errors: &mut Vec<Diagnostic>,
    ) -> Option<Self> {
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
        deploys::add(deploys, &mut grouping, images, errors);
        grouping.index_services();
        let mut workloads = Vec::new();
        for at in 0..grouping.objects.len() {
            let found = grouping.find_images(at, images, errors);
            let entity = grouping.entity(at);
            if is_workload_by_kind(entity) || found.any || grouping.kinds_of(at).next().is_some() {
                workloads.push((at, found.built));
            }
        }
        let entities: Vec<&Entity> = workloads.iter().map(|(at, _)| grouping.entity(*at)).collect();
        let names = match naming::names(&entities, naming) {
            Ok(names) => names,
            Err(error) => {
                errors.push(error);
                return None;
            }
        };
        let positions: BTreeSet<usize> = workloads.iter().map(|(at, _)| *at).collect();
        for ((at, built), name) in workloads.into_iter().zip(names) {
            grouping.add_workload(at, name, built, &positions, errors);
        }
        for at in 0..grouping.objects.len() {
            let object = &grouping.objects[at];
            if object.owner.is_none() && template_labels(&object.declared.entity).is_some() {
                let name = object.declared.entity.name().to_owned();
                grouping.add_workload(at, name, Vec::new(), &positions, errors);
            }
        }
        Some(grouping)
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

    fn add_workload(
        &mut self,
        at: usize,
        name: String,
        images: Vec<usize>,
        workloads: &BTreeSet<usize>,
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
        for service in self.services_of(at) {
            if self.objects[service].owner.is_none() && !workloads.contains(&service) {
                self.give(service, resource);
            }
        }
    }

    fn index_services(&mut self) {
        for at in 0..self.objects.len() {
            let selector = selector(self.entity(at)).and_then(|selector| selector.iter().next());
            if let Some((key, Value::String(value))) = selector {
                let pair = (key.clone(), value.clone());
                self.services.entry(pair).or_default().push(at);
            }
        }
    }

    /// Returns the positions of all Services for the pods of a workload, in the order in which they were declared.
    fn services_of(&self, workload: usize) -> BTreeSet<usize> {
        let Some(labels) = template_labels(self.entity(workload)) else {
            return BTreeSet::new();
        };
        let pairs = labels
            .iter()
            .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
        let candidates = pairs.filter_map(|pair| self.services.get(&pair)).flatten();
        candidates
            .copied()
            .filter(|at| selects(self.entity(*at), self.entity(workload), labels))
            .collect()
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

    /// Parses the images of an object. The workloads that we build are found by theirs.
    fn find_images(&mut self, at: usize, images: &mut Images, errors: &mut Vec<Diagnostic>) -> FoundImages {
        let mut found = FoundImages::default();
        let mut deployed = Vec::new();
        let object = &self.objects[at].declared;
        for text in image_locator::images(&object.entity) {
            found.any = true;
            match ImageRef::parse(text) {
                Ok(image) => {
                    deployed.push(image.familiar_name());
                    found.add(images.find(&image));
                }
                Err(error) => {
                    errors.push(invalid_image(object, text, &error.to_string()));
                    break;
                }
            }
        }
        for (locator, path) in self.kinds_of(at).flat_map(|kind| &kind.locators) {
            match configured_images::at(&object.entity, locator, path) {
                Ok(places) => {
                    for place in places {
                        found.any = true;
                        deployed.push(place.image.familiar_name());
                        found.add(images.find(&place.image));
                    }
                }
                Err(why) => {
                    errors.push(unfit_place(object, &why));
                    break;
                }
            }
        }
        if images.any_in_env_vars() {
            for image in env_values(&object.entity)
                .into_iter()
                .filter_map(|value| ImageRef::parse(value).ok())
            {
                found.add(images.find_in_env_var(&image));
            }
        }
        self.deployed_images.extend(deployed);
        found
    }
}

#[derive(Default)]
struct FoundImages {
    /// Whether there is any image at all.
    any: bool,
    /// Positions of those that are built, each once.
    built: Vec<usize>,
}

impl FoundImages {
    fn add(&mut self, built: Option<usize>) {
        if let Some(built) = built
            && !self.built.contains(&built)
        {
            self.built.push(built);
        }
    }
}

fn unfit_place(object: &DeclaredObject, why: &str) -> Diagnostic {
    let entity = &object.entity;
    Diagnostic::error(format!(
        "finding image in {}/{}: {why}",
        entity.kind(),
        entity.name()
    ))
    .at(object.site.place())
    .hint(format!("the object is {}", shown(entity)))
}

fn invalid_image(object: &DeclaredObject, image: &str, error: &str) -> Diagnostic {
    let entity = &object.entity;
    let subject = if is_workload_by_kind(entity) {
        format!("finding image in {}/{}", entity.kind(), entity.name())
    } else {
        format!("finding images in {}", entity.name())
    };
    Diagnostic::error(format!("{subject}: parsing {image}: {error}"))
        .at(object.site.place())
        .hint(format!("the object is {}", shown(entity)))
}

/// Returns whether an object makes a resource although it may have no images: Jobs and CronJobs.
pub(super) fn is_workload_by_kind(entity: &Entity) -> bool {
    readiness_by_kind(entity).is_some()
}

/// Returns when a resource with this object counts as ready, where its kind decides that.
pub(super) fn readiness_by_kind(entity: &Entity) -> Option<PodReadiness> {
    const BATCH: &[u8] = b"batch/v1";
    let version = entity.api_version().as_bytes();
    if !version
        .windows(BATCH.len())
        .any(|part| part.eq_ignore_ascii_case(BATCH))
    {
        return None;
    }
    let kind = entity.kind().to_lowercase();
    if kind.contains("cronjob") {
        Some(PodReadiness::Ignore)
    } else if kind.contains("job") {
        Some(PodReadiness::Succeeded)
    } else {
        None
    }
}

/// Returns whether an object is a Service for the pods of a workload.
fn selects(service: &Entity, workload: &Entity, labels: &Map<String, Value>) -> bool {
    let of_service = service.namespace().unwrap_or("default");
    let same_namespace = of_service == "default" || of_service == workload.namespace().unwrap_or("default");
    same_namespace && selector(service).is_some_and(|selector| is_subset(selector, labels))
}

/// Returns the selector of a Service that has one.
fn selector(service: &Entity) -> Option<&Map<String, Value>> {
    if service.kind() != "Service" || service.api_version() != "v1" {
        return None;
    }
    let selector = service.get(&["spec", "selector"]).and_then(Value::as_object);
    selector.filter(|selector| !selector.is_empty())
}

fn is_subset(selector: &Map<String, Value>, labels: &Map<String, Value>) -> bool {
    selector.iter().all(|(key, value)| labels.get(key) == Some(value))
}

/// Returns an object with where it was written.
pub(super) fn shown(entity: &Entity) -> String {
    let origin = &entity.origin;
    let source = origin.source.strip_prefix("file: ").unwrap_or(&origin.source);
    format!("{} ({source}:{})", identifier::full(entity), origin.line)
}
