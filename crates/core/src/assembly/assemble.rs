//! From declarations to manifests, step by step.

use std::time::Duration;

use super::compose::Services;
use super::dependencies::{self, DeclaredDeps};
use super::grouping::group;
use super::images::Images;
use super::naming::Naming;
use super::object_images::readiness_by_kind;
use super::resources::{Grouping, Resource};
use super::{Declarations, DeclaredLocal, StepLedger, live_update, options, unused};
use crate::diag::Diagnostic;
use crate::k8s::{Entity, KubeContext, order};
use crate::model::{
    DeployTarget, ImageLocator, K8sTarget, LocalPath, Manifest, ManifestName, OnChange, PodReadiness,
    TargetId, TriggerMode,
};

/// What the surroundings say about an assembly.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// The cluster that the kubeconfig means.
    pub kube: &'a KubeContext,
    /// Whether the context must be allowed: only the session's own Tiltfile is checked.
    pub checks_context: bool,
    /// Time allowed for applying one object.
    pub upsert_timeout: Duration,
}

/// What the declarations mean.
#[derive(Clone, Debug, Default)]
pub struct Assembled {
    /// All resources in definition order; not to be used when there are errors.
    pub manifests: Vec<Manifest>,
    /// What is probably not as meant.
    pub warnings: Vec<Diagnostic>,
    /// What is wrong, in the order of the steps.
    pub errors: Vec<Diagnostic>,
    /// Dockerignore files of the images that are built, existing or not.
    pub dockerignores: Vec<LocalPath>,
}

/// Turns declarations into manifests. Goes on after a fault, so that independent ones are found together.
///
/// Rule: `docs/rules/assembly.md`, "Order".
pub fn assemble(
    declared: Declarations,
    surroundings: Surroundings<'_>,
    naming: Option<Naming<'_>>,
) -> Assembled {
    let mut assembled = Assembled::default();
    let errors = &mut assembled.errors;
    let registry = declared.default_registry;
    let to_push = registry.as_ref().map(|(registry, _)| registry.clone());
    let mut images = Images::new(declared.images, to_push, errors);
    let grouping = group(
        declared.objects,
        &mut images,
        declared.kinds,
        declared.deploys,
        declared.names,
        naming,
        errors,
    );
    let Some(mut grouping) = grouping else {
        return assembled;
    };
    let n_errors = errors.len();
    options::apply(declared.resources, &mut grouping, &mut assembled.warnings, errors);
    if errors.len() == n_errors {
        errors.extend(grouping.resources.iter().filter_map(without_objects));
    }
    let services = Services::new(declared.projects, registry.as_ref(), &mut images, errors);
    let allowed = &declared.unused_images_allowed;
    assembled
        .warnings
        .extend(unused::warning(&images, &grouping, &services, allowed));
    let deploys = !grouping.objects.is_empty() || !grouping.resources.is_empty();
    let mut declared_deps = declared_deps(&grouping, &declared.locals);
    declared_deps.extend(services.declared_deps());
    let upsert_timeout = surroundings.upsert_timeout;
    let on_change = declared
        .on_change
        .map_or(OnChange::default(), |(on_change, _)| on_change);
    let mut built = build_manifests(&mut grouping, &images, on_change, upsert_timeout, &mut assembled);
    let of_services = services.manifests(&images, on_change, &mut assembled.errors);
    assembled.manifests.extend(of_services);
    built.extend(
        services
            .images()
            .flat_map(|at| images.with_bases(&[at]).unwrap_or_default()),
    );
    assembled.dockerignores = dockerignores(built, &images);
    let locals = declared.locals.into_iter();
    assembled
        .manifests
        .extend(locals.map(|local| local.manifest(on_change)));
    assembled
        .manifests
        .extend(uncategorized(&mut grouping, upsert_timeout));
    errors_of_live_updates(
        declared.live_update_steps,
        &grouping,
        &services,
        &images,
        &mut assembled.errors,
    );
    let is_allowed = declared.allowed_contexts.contains(&surroundings.kube.name);
    if deploys && !is_allowed {
        assembled.errors.extend(context_fault(surroundings));
    }
    dependencies::check(
        &mut assembled.manifests,
        &declared_deps,
        &mut assembled.warnings,
        &mut assembled.errors,
    );
    assembled
}

fn errors_of_live_updates(
    steps: StepLedger,
    grouping: &Grouping,
    services: &Services,
    images: &Images,
    errors: &mut Vec<Diagnostic>,
) {
    errors.extend(live_update::restarts(grouping, images));
    let of_workloads = grouping
        .resources
        .iter()
        .flat_map(|resource| resource.images.iter().copied());
    live_update::check_paths(of_workloads.chain(services.images()), images, errors);
    errors.extend(steps.unused());
}

fn without_objects(resource: &Resource) -> Option<Diagnostic> {
    let is_deployed = !resource.objects.is_empty() || resource.options.custom_deploy.is_some();
    (!is_deployed).then(|| {
        Diagnostic::error(format!(
            "resource \"{}\": could not associate any k8s_yaml() or k8s_custom_deploy() with this resource",
            resource.name
        ))
        .at(resource.site.place())
    })
}

fn declared_deps(grouping: &Grouping, locals: &[DeclaredLocal]) -> DeclaredDeps {
    let of_workloads = grouping.resources.iter().map(|resource| {
        let name = ManifestName::new(resource.name.as_str());
        (name, resource.resource_deps.clone())
    });
    let of_locals = locals.iter().map(|local| {
        let deps = local.resource_deps.iter();
        let deps = deps.map(|dep| (dep.clone(), local.site.clone())).collect();
        (ManifestName::new(local.name.as_str()), deps)
    });
    of_workloads.chain(of_locals).collect()
}

/// Rule: `docs/rules/tiltfile.md`, "Contexts".
fn context_fault(surroundings: Surroundings<'_>) -> Option<Diagnostic> {
    let kube = surroundings.kube;
    let safe = !surroundings.checks_context || kube.name.is_empty() || kube.product.is_local();
    (!safe).then(|| {
        let name = &kube.name;
        Diagnostic::error(format!(
            "Stop! {name} might be production.\nIf you're sure you want to deploy there, add:\n\
             \tallow_k8s_contexts('{name}')\nto your Tiltfile. Otherwise, switch k8s contexts and restart Tilt."
        ))
    })
}

/// Makes the resources of Kubernetes, and returns the positions of the images that are built for them.
fn build_manifests(
    grouping: &mut Grouping,
    images: &Images,
    on_change: OnChange,
    upsert_timeout: Duration,
    assembled: &mut Assembled,
) -> Vec<usize> {
    let mut built = Vec::new();
    let mut resources = std::mem::take(&mut grouping.resources);
    for resource in &mut resources {
        let targets = match images.with_bases(&resource.images) {
            Ok(targets) => targets,
            Err(cycle) => {
                let fault = images.cycle_fault(&resource.name, &resource.images, &cycle);
                assembled.errors.push(fault);
                continue;
            }
        };
        built.extend(targets.iter().copied());
        let readiness = readiness(resource, grouping);
        let mut options = std::mem::take(&mut resource.options);
        options.image_locators = image_locators(resource, grouping);
        let objects = resource.objects.iter();
        let mut entities: Vec<Entity> = objects.map(|at| grouping.take(*at)).collect();
        entities.sort_by_key(|entity| order::rank(entity.kind()));
        let name = ManifestName::new(resource.name.as_str());
        assembled.manifests.push(Manifest {
            deploy: DeployTarget::K8s(K8sTarget {
                id: TargetId::k8s(&name),
                entities,
                images: images.injected(&resource.images),
                readiness,
                extra_pod_selectors: resource.extra_pod_selectors.clone(),
                upsert_timeout,
                options: Box::new(options),
            }),
            images: targets.into_iter().map(|at| images.target(at)).collect(),
            trigger_mode: TriggerMode::new(
                resource.on_change.unwrap_or(on_change),
                resource.auto_init.unwrap_or(true),
            ),
            resource_deps: resource
                .resource_deps
                .iter()
                .map(|(dep, _)| ManifestName::new(dep.as_str()))
                .collect(),
            labels: resource.labels.clone(),
            name,
        });
    }
    grouping.resources = resources;
    built
}

/// Returns the dockerignore files of images.
fn dockerignores(mut built: Vec<usize>, images: &Images) -> Vec<LocalPath> {
    built.sort_unstable();
    built.dedup();
    let declared = built.into_iter().map(|at| images.declared(at));
    declared
        .flat_map(super::DeclaredImage::dockerignores)
        .cloned()
        .collect()
}

/// Returns every configured place of images that is for one of the resource's objects.
fn image_locators(resource: &Resource, grouping: &Grouping) -> Vec<ImageLocator> {
    let kinds = resource.objects.iter().flat_map(|at| grouping.kinds_of(*at));
    let mut locators: Vec<ImageLocator> = Vec::new();
    for (locator, _) in kinds.flat_map(|kind| &kind.locators) {
        if !locators.contains(locator) {
            locators.push(locator.clone());
        }
    }
    locators
}

/// Rule: `docs/rules/assembly.md`, "Readiness".
fn readiness(resource: &Resource, grouping: &Grouping) -> PodReadiness {
    let declared = resource.objects.iter().flat_map(|at| grouping.kinds_of(*at));
    let declared = declared.filter_map(|kind| kind.readiness);
    let entities = resource.objects.iter().map(|at| grouping.entity(*at));
    let by_kind: Vec<PodReadiness> = entities.filter_map(readiness_by_kind).chain(declared).collect();
    let of_kinds = [PodReadiness::Wait, PodReadiness::Ignore, PodReadiness::Succeeded]
        .into_iter()
        .find(|readiness| by_kind.contains(readiness));
    let is_group = resource.workload.is_none() && resource.options.custom_deploy.is_none();
    let has_pods = !resource.extra_pod_selectors.is_empty() || !resource.images.is_empty();
    let by_default = if is_group && !has_pods {
        PodReadiness::Ignore
    } else {
        PodReadiness::Wait
    };
    resource.readiness.or(of_kinds).unwrap_or(by_default)
}

/// Objects that belong to no resource make one of their own.
fn uncategorized(grouping: &mut Grouping, upsert_timeout: Duration) -> Option<Manifest> {
    let left = grouping
        .objects
        .iter_mut()
        .filter(|object| object.owner.is_none());
    let mut entities: Vec<Entity> = left.map(|object| object.declared.entity.take()).collect();
    if entities.is_empty() {
        return None;
    }
    entities.sort_by_key(|entity| order::rank(entity.kind()));
    let name = ManifestName::new(ManifestName::UNCATEGORIZED);
    Some(Manifest {
        deploy: DeployTarget::K8s(K8sTarget {
            id: TargetId::k8s(&name),
            entities,
            images: Vec::new(),
            readiness: PodReadiness::Ignore,
            extra_pod_selectors: Vec::new(),
            upsert_timeout,
            options: Box::default(),
        }),
        images: Vec::new(),
        trigger_mode: TriggerMode::Auto,
        resource_deps: Vec::new(),
        labels: std::collections::BTreeSet::new(),
        name,
    })
}
