//! Which objects make which resource.
//!
//! Rule: `docs/rules/assembly.md`, "Grouping".

use std::collections::{BTreeSet, HashMap};

use super::images::Images;
use super::k8s_services::Services;
use super::naming::{self, Naming};
use super::object_images::{self, is_workload_by_kind};
use super::resources::Grouping;
use super::{DeclaredDeploy, DeclaredKind, DeclaredObject, deploys};
use crate::diag::Diagnostic;
use crate::k8s::Entity;
use crate::k8s::image_locator::template_labels;

/// Makes a resource of each workload, with the Services that select its pods; `None` when the names are not known.
pub(super) fn group(
    declared: Vec<DeclaredObject>,
    images: &mut Images,
    kinds: Vec<DeclaredKind>,
    deploys: Vec<DeclaredDeploy>,
    reserved: HashMap<String, &'static str>,
    naming: Option<Naming<'_>>,
    errors: &mut Vec<Diagnostic>,
) -> Option<Grouping> {
    let mut grouping = Grouping::of(declared, kinds, reserved);
    deploys::add(deploys, &mut grouping, images, errors);
    let services = Services::new(grouping.objects.iter().map(|object| &object.declared.entity));
    let mut workloads = Vec::new();
    for at in 0..grouping.objects.len() {
        let found = object_images::find(&grouping, at, images, errors);
        let is_of_kind = is_workload_by_kind(grouping.entity(at)) || grouping.kinds_of(at).next().is_some();
        grouping.deployed_images.extend(found.names);
        if is_of_kind || found.any {
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
        grouping.add_workload(at, name, built, errors);
        give_services(&mut grouping, at, &services, &positions);
    }
    for at in 0..grouping.objects.len() {
        let object = &grouping.objects[at];
        if object.owner.is_none() && template_labels(&object.declared.entity).is_some() {
            let name = object.declared.entity.name().to_owned();
            grouping.add_workload(at, name, Vec::new(), errors);
            give_services(&mut grouping, at, &services, &positions);
        }
    }
    Some(grouping)
}

/// Gives the Services for the pods of a workload to its resource, unless another one has them.
fn give_services(grouping: &mut Grouping, workload: usize, services: &Services, workloads: &BTreeSet<usize>) {
    let Some(resource) = grouping.objects[workload].owner else {
        return;
    };
    for service in services.of(grouping.entity(workload), |at| grouping.entity(at)) {
        if grouping.objects[service].owner.is_none() && !workloads.contains(&service) {
            grouping.give(service, resource);
        }
    }
}
