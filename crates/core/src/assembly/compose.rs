//! Compose services: which images they run, and the resources that they make.
//!
//! Rule: `docs/rules/compose.md`, "Images".

use super::dependencies::DeclaredDeps;
use super::images::Images;
use super::{CallSite, DeclaredBuild, DeclaredImage, DeclaredProject, DeclaredService};
use crate::diag::Diagnostic;
use crate::model::{
    ComposeTarget, DeployTarget, Injection, Manifest, ManifestName, OnChange, Registry, TargetId, TriggerMode,
};

/// The services of all projects, with the images that they run.
pub(super) struct Services {
    projects: Vec<DeclaredProject>,
    /// The image of each service, in order.
    images: Vec<Option<usize>>,
}

impl Services {
    /// Finds the image that is built for each service. One that only compose can build becomes an image of its own.
    pub(super) fn new(
        projects: Vec<DeclaredProject>,
        registry: Option<&(Registry, CallSite)>,
        images: &mut Images,
        errors: &mut Vec<Diagnostic>,
    ) -> Self {
        let mut found = Vec::new();
        for declared in projects.iter().flat_map(|project| &project.services) {
            let image = images.find(declared.wanted_image());
            found.push(image.or_else(|| Some(images.add(built_by_compose(declared)?))));
        }
        let services = Self {
            projects,
            images: found,
        };
        if let Some((_, site)) = registry.filter(|_| !services.is_empty()) {
            errors.push(
                Diagnostic::error("default_registry is not supported with docker compose")
                    .at(site.place())
                    .hint("compose runs images from the local engine; nothing is pushed for it"),
            );
        }
        services
    }

    /// Returns whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// Returns the positions of the images that services run.
    pub(super) fn images(&self) -> impl Iterator<Item = usize> {
        self.images.iter().flatten().copied()
    }

    /// Returns the names of the images that services run, as people write them.
    pub(super) fn image_names(&self) -> impl Iterator<Item = String> {
        self.all()
            .map(|(_, declared, _)| declared.wanted_image().familiar_name())
    }

    /// Returns where the dependencies of each service were declared.
    pub(super) fn declared_deps(&self) -> DeclaredDeps {
        let deps = self.all().map(|(_, declared, _)| {
            let name = ManifestName::new(declared.name.as_str());
            (name, declared.resource_deps.clone())
        });
        deps.collect()
    }

    /// Returns the resources, project by project.
    pub(super) fn manifests(
        &self,
        images: &Images,
        default: OnChange,
        errors: &mut Vec<Diagnostic>,
    ) -> Vec<Manifest> {
        let mut manifests = Vec::new();
        for (project, declared, image) in self.all() {
            let direct: Vec<usize> = image.into_iter().collect();
            let targets = match images.with_bases(&direct) {
                Ok(targets) => targets,
                Err(cycle) => {
                    errors.push(images.cycle_fault(&declared.name, &direct, &cycle));
                    continue;
                }
            };
            errors.extend(
                targets
                    .iter()
                    .find_map(|at| entrypoint_fault(images.declared(*at))),
            );
            let name = ManifestName::new(declared.name.as_str());
            let options = &declared.options;
            manifests.push(Manifest {
                images: targets.iter().map(|at| images.target(*at)).collect(),
                deploy: DeployTarget::Compose(Box::new(ComposeTarget {
                    id: TargetId::compose(&name),
                    project: project.project.clone(),
                    service: declared.service.clone(),
                    images: images.injected(&direct),
                    links: options.links.clone(),
                    infer_links: options.infer_links.unwrap_or(true),
                })),
                trigger_mode: TriggerMode::new(
                    options.on_change.unwrap_or(default),
                    options.auto_init.unwrap_or(true),
                ),
                resource_deps: declared
                    .resource_deps
                    .iter()
                    .map(|(dep, _)| ManifestName::new(dep.as_str()))
                    .collect(),
                labels: options.labels.clone(),
                name,
            });
        }
        manifests
    }

    fn all(&self) -> impl Iterator<Item = (&DeclaredProject, &DeclaredService, Option<usize>)> {
        let services = self.projects.iter();
        let services =
            services.flat_map(|project| project.services.iter().map(move |service| (project, service)));
        let services = services.zip(&self.images);
        services.map(|((project, service), image)| (project, service, *image))
    }
}

/// Returns the image that compose builds for a service; `None` where it has nothing to build from.
fn built_by_compose(declared: &DeclaredService) -> Option<DeclaredImage> {
    let build = declared.build.clone()?;
    let image = declared.wanted_image().clone();
    Some(DeclaredImage {
        written: image.familiar(),
        image,
        build: DeclaredBuild::Compose(Box::new(build)),
        ignore: Vec::new(),
        injection: Injection::default(),
        live_update: None,
        git_roots: Vec::new(),
        declared_in: crate::model::LocalPath::new(declared.site.source.file()),
        site: declared.site.clone(),
    })
}

fn entrypoint_fault(image: &DeclaredImage) -> Option<Diagnostic> {
    image.injection.command.as_ref()?;
    Some(
        Diagnostic::error("docker_build/custom_build.entrypoint not supported for Docker Compose resources")
            .at(image.site.argument("entrypoint", usize::MAX))
            .hint("write `entrypoint:` into the service of the Compose file"),
    )
}
