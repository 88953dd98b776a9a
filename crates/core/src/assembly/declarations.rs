//! What a Tiltfile declared: plain data, with places. It decides nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{CallSite, DeclaredDeploy, DeclaredImage, DeclaredLocal, DeclaredProject, StepLedger};
use crate::k8s::json_path::JsonPath;
use crate::k8s::{Entity, ObjectMatcher};
use crate::model::{DiscoveryStrategy, ImageLocator, Link, OnChange, PodReadiness, PortForward, Registry};

/// Everything that a Tiltfile, and what it loaded, declared; each list in the order of the calls.
#[derive(Clone, Debug, Default)]
pub struct Declarations {
    /// Objects given to `k8s_yaml`.
    pub objects: Vec<DeclaredObject>,
    /// Images.
    pub images: Vec<DeclaredImage>,
    /// Where the image of a reference is among them.
    pub image_positions: HashMap<String, usize>,
    /// Where images are pushed, and the call that said so.
    pub default_registry: Option<(Registry, CallSite)>,
    /// Calls of `k8s_kind` and `k8s_image_json_path`.
    pub kinds: Vec<DeclaredKind>,
    /// Calls of `k8s_resource`.
    pub resources: Vec<ResourceOptions>,
    /// Steps of live updates that no live update has yet.
    pub live_update_steps: StepLedger,
    /// Calls of `k8s_custom_deploy`.
    pub deploys: Vec<DeclaredDeploy>,
    /// Projects given to `docker_compose`.
    pub projects: Vec<DeclaredProject>,
    /// Calls of `local_resource`.
    pub locals: Vec<DeclaredLocal>,
    /// Names of resources that are taken when the call runs, each with the built-in that made the resource.
    pub names: HashMap<String, &'static str>,
    /// What a change does where a resource does not say it, and the call that set this.
    pub on_change: Option<(OnChange, CallSite)>,
    /// Contexts that `allow_k8s_contexts` names.
    pub allowed_contexts: BTreeSet<String>,
    /// Images whose disuse is deliberate.
    pub unused_images_allowed: Vec<String>,
}

/// An object given to `k8s_yaml`.
#[derive(Clone, Debug)]
pub struct DeclaredObject {
    /// The object.
    pub entity: Entity,
    /// The call that gave it.
    pub site: CallSite,
}

/// A `k8s_kind` or `k8s_image_json_path` call: objects that are workloads, and where their images are.
#[derive(Clone, Debug)]
pub struct DeclaredKind {
    /// Which objects.
    pub objects: ObjectMatcher,
    /// Where their images are.
    pub locators: Vec<(ImageLocator, JsonPath)>,
    /// When resources with such an object count as ready, if that was said.
    pub readiness: Option<PodReadiness>,
}

/// A `k8s_resource` call.
#[derive(Clone, Debug)]
pub struct ResourceOptions {
    /// Which resource it is about.
    pub subject: Subject,
    /// Its new name.
    pub new_name: Option<String>,
    /// Selectors of objects to move into it.
    pub objects: Vec<String>,
    /// Local ports that lead to its pods.
    pub port_forwards: Vec<PortForward>,
    /// Resources that it waits for.
    pub resource_deps: Vec<String>,
    /// Labels for grouping.
    pub labels: BTreeSet<String>,
    /// When it counts as ready.
    pub pod_readiness: Option<PodReadiness>,
    /// Labels that claim pods which none of its objects owns.
    pub extra_pod_selectors: Vec<BTreeMap<String, String>>,
    /// Links that a UI shows.
    pub links: Vec<Link>,
    /// How its pods are found.
    pub discovery_strategy: Option<DiscoveryStrategy>,
    /// What a change does.
    pub on_change: Option<OnChange>,
    /// Whether the first update starts by itself.
    pub auto_init: Option<bool>,
    /// The call.
    pub site: CallSite,
}

/// Which resource a `k8s_resource` call is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The resource that has this name by now.
    Resource(String),
    /// The resource of the workload that this identifier means.
    Entity(String),
    /// A new resource made of objects, with the call's `new_name`.
    Group,
}
