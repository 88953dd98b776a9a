//! Compose projects as they were declared: what `docker_compose` read, and what `dc_resource` said about it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{CallSite, Ignorefile};
use crate::model::{ComposeBuild, ComposeProject, ComposeService, ImageRef, Link, LocalPath, OnChange};

/// A project that was given to `docker_compose`.
#[derive(Clone, Debug)]
pub struct DeclaredProject {
    /// What compose is called with.
    pub project: Arc<ComposeProject>,
    /// Its services, each after those that it needs.
    pub services: Vec<DeclaredService>,
    /// Services that are not part of it, each with the profiles that would make it one.
    pub left_out: Vec<(String, Vec<String>)>,
    /// The call that read it last.
    pub site: CallSite,
}

/// A service of a project, which is a resource.
#[derive(Clone, Debug)]
pub struct DeclaredService {
    /// The resource's name: that of the service, unless it was renamed.
    pub name: String,
    /// What compose says of it.
    pub service: ComposeService,
    /// The reference by which a declared image is found for it.
    pub image: ImageRef,
    /// How compose builds that image, if it does.
    pub build: Option<DeclaredComposeBuild>,
    /// What was said with `dc_resource`.
    pub options: ServiceOptions,
    /// Resources that it waits for, in the order in which they count, with the calls that said so.
    pub resource_deps: Vec<(String, CallSite)>,
    /// The call that made it a resource.
    pub site: CallSite,
}

/// What `dc_resource` says of a service, over several calls.
#[derive(Clone, Debug, Default)]
pub struct ServiceOptions {
    /// The reference by which a declared image is found, in place of its own.
    pub image: Option<ImageRef>,
    /// What a change does.
    pub on_change: Option<OnChange>,
    /// Whether the first update starts by itself.
    pub auto_init: Option<bool>,
    /// Whether its published ports are links.
    pub infer_links: Option<bool>,
    /// Links to show with it.
    pub links: Vec<Link>,
    /// Labels for grouping.
    pub labels: BTreeSet<String>,
}

/// A `build` section of a service.
#[derive(Clone, Debug)]
pub struct DeclaredComposeBuild {
    /// How compose builds it.
    pub build: ComposeBuild,
    /// The dockerignore file that holds for it, existing or not.
    pub dockerignore: Option<Ignorefile>,
    /// The directories that it is made of: its context first, where that is on this machine.
    pub contexts: Vec<LocalPath>,
}

impl DeclaredService {
    /// Returns the reference by which a declared image is found for it.
    pub(super) fn wanted_image(&self) -> &ImageRef {
        self.options.image.as_ref().unwrap_or(&self.image)
    }
}
