//! What `tilt up` would do now. Nothing is done: the cluster is asked in dry runs, images and registries are only looked at.
//!
//! The engine says what it would begin with (`plan::updates`); here that is compared with what there is.

use std::collections::BTreeMap;

use futures::StreamExt;
use futures::stream;

use super::docker::{ClusterFacts, Docker};
use super::kube::{Cluster, ClusterAccess, Coming, plan_objects};
use super::process::Environment;
use super::session::{cluster_facts, platform};
use super::update::{Comparison, Inputs};
use crate::clock;
use crate::engine::{ImageStep, LoadOutcome, UpdatePlan};
use crate::k8s::Entity;
use crate::k8s::inject::{InjectedImage, inject};
use crate::k8s::labels::Ownership;
use crate::model::{
    BuiltImage, DeployTarget, ImageSelector, K8sTarget, LocalPath, LocalTarget, Registry, TargetId,
};
use crate::plan::{ImageAction, ImagePlan, PlanAnswer, ResourcePlan, updates};

/// Of how many resources the cluster is asked at a time.
const AT_ONCE: usize = 16;
/// The tag of images that are yet to be built.
const UNBUILT: &str = "tilt-to-be-built";

/// What a plan is made for.
pub struct PlanRequest {
    /// What the Tiltfile says.
    pub outcome: LoadOutcome,
    /// The Tiltfile.
    pub tiltfile: LocalPath,
    /// The namespace for objects that name none.
    pub default_namespace: String,
    /// How to reach the cluster, or why it cannot be reached.
    pub access: Result<ClusterAccess, String>,
    /// Who deploys.
    pub ownership: Ownership,
}

/// Returns what `tilt up` would do now.
///
/// # Errors
/// When the cluster is needed and cannot be reached.
pub async fn plan(request: PlanRequest) -> Result<PlanAnswer, String> {
    let manifests = request.outcome.manifests.as_deref().unwrap_or_default();
    let needs_cluster = manifests.iter().any(|manifest| manifest.deploy.k8s().is_some());
    let needs_docker = manifests.iter().any(|manifest| !manifest.images.is_empty());
    let cluster = match needs_cluster {
        true => Some(connect(request.access).await?),
        false => None,
    };
    let docker = match needs_docker {
        true => Docker::connect(Environment::inherited()).await.ok(),
        false => None,
    };
    let planner = Planner {
        facts: cluster.as_ref().map(cluster_facts).unwrap_or_default(),
        platform: cluster
            .as_ref()
            .and_then(|cluster| platform(&cluster.info().arch)),
        cluster,
        docker,
        ownership: request.ownership,
    };
    let built = |step: &ImageStep| planner.unbuilt(step);
    let plans = updates(
        request.outcome,
        &request.tiltfile,
        &request.default_namespace,
        clock::now(),
        &built,
    );
    let entities = plans
        .iter()
        .filter_map(|plan| plan.deploy.k8s())
        .flat_map(|k8s| &k8s.entities);
    let coming = Coming::of(entities);
    let mut images = BTreeMap::new();
    for step in plans.iter().flat_map(|plan| &plan.images) {
        if !images.contains_key(&step.image.id) {
            let planned = planner.image(step, &images).await;
            images.insert(step.image.id.clone(), planned);
        }
    }
    let asked = plans.iter().map(|plan| planner.resource(plan, &coming, &images));
    Ok(PlanAnswer {
        resources: stream::iter(asked).buffered(AT_ONCE).collect().await,
    })
}

async fn connect(access: Result<ClusterAccess, String>) -> Result<Cluster, String> {
    Cluster::connect(access?).await.map_err(|error| error.to_string())
}

/// What is known of an image: what it would be called, and what would be done for it.
type Planned = BTreeMap<TargetId, (ImageSelector, BuiltImage, ImagePlan)>;

struct Planner {
    cluster: Option<Cluster>,
    docker: Option<Docker>,
    facts: ClusterFacts,
    platform: Option<String>,
    ownership: Ownership,
}

impl Planner {
    async fn resource(&self, plan: &UpdatePlan, coming: &Coming, images: &Planned) -> ResourcePlan {
        let of_it = plan.images.iter().filter_map(|step| images.get(&step.image.id));
        let mut resource = ResourcePlan {
            name: plan.manifest.to_string(),
            images: of_it.map(|(_, _, planned)| planned.clone()).collect(),
            ..ResourcePlan::default()
        };
        match &plan.deploy {
            DeployTarget::K8s(k8s) => self.objects(plan, k8s, coming, images, &mut resource).await,
            DeployTarget::Local(local) => resource.commands = commands(local),
            DeployTarget::Compose(compose) => {
                let up = format!("docker compose up --detach {}", compose.service.name);
                resource.commands.push(up);
            }
        }
        resource
    }

    async fn objects(
        &self,
        plan: &UpdatePlan,
        k8s: &K8sTarget,
        coming: &Coming,
        images: &Planned,
        resource: &mut ResourcePlan,
    ) {
        if let Some(custom) = &k8s.options.custom_deploy {
            resource.commands.push(custom.apply.display());
            return;
        }
        let Some(cluster) = &self.cluster else { return };
        let injected: Vec<InjectedImage> = plan
            .images
            .iter()
            .filter(|step| k8s.images.contains(&step.image.id))
            .filter_map(|step| {
                let (selector, built, _) = images.get(&step.image.id)?.clone();
                let injection = step.image.injection.clone();
                Some(InjectedImage {
                    selector,
                    built,
                    injection,
                })
            })
            .collect();
        let mut entities: Vec<Entity> = k8s.entities.clone();
        let locators = &k8s.options.image_locators;
        match inject(
            &mut entities,
            &plan.manifest,
            &injected,
            locators,
            &self.ownership,
        ) {
            Ok(()) => resource.objects = plan_objects(cluster, &entities, coming).await,
            Err(error) => resource.error = Some(error.to_string()),
        }
    }

    async fn image(&self, step: &ImageStep, images: &Planned) -> (ImageSelector, BuiltImage, ImagePlan) {
        let selector = step.image.selector.clone();
        let bases: Vec<(ImageSelector, BuiltImage)> = step
            .image
            .base_images
            .iter()
            .filter_map(|base| images.get(base))
            .map(|(selector, built, _)| (selector.clone(), built.clone()))
            .collect();
        let registry = self.registry(step).map(|registry| registry.host);
        let (step_for_reading, platform) = (step.clone(), self.platform.clone());
        let compared = tokio::task::spawn_blocking(move || {
            let registry = registry.as_deref();
            Inputs::of(&step_for_reading, &bases, registry, platform.as_deref(), None).compare()
        });
        let compared = compared.await.unwrap_or_else(|error| {
            Comparison::Other(format!("its files cannot be compared: {error}"), Vec::new())
        });
        let is_fresh_base = step.image.base_images.iter().any(|base| {
            images
                .get(base)
                .is_some_and(|(_, _, plan)| plan.action == ImageAction::Build)
        });
        let mut plan = ImagePlan {
            image: selector.image.familiar(),
            action: ImageAction::Build,
            why: String::new(),
            files: Vec::new(),
            push: step.needs_push,
        };
        match compared {
            Comparison::Same(_) if is_fresh_base => {
                plan.why = "what it is built on is built anew".to_owned();
            }
            Comparison::Same(built) if self.has_image(&built).await => {
                plan.action = ImageAction::UpToDate;
                plan.push = false;
                plan.why = format!("built from the same before: {}", built.cluster_ref.familiar());
                return (selector, built, plan);
            }
            Comparison::Same(_) => plan.why = "the Docker engine has it no more".to_owned(),
            Comparison::Other(why, files) => (plan.why, plan.files) = (why, files),
        }
        (selector, self.unbuilt(step), plan)
    }

    async fn has_image(&self, built: &BuiltImage) -> bool {
        let Some(docker) = &self.docker else { return false };
        docker.has_image(&built.local_ref).await.unwrap_or(false)
    }

    fn registry(&self, step: &ImageStep) -> Option<Registry> {
        self.facts
            .registry
            .clone()
            .or_else(|| step.image.registry.clone())
    }

    /// Returns what an image is called that is yet to be built.
    fn unbuilt(&self, step: &ImageStep) -> BuiltImage {
        let name = &step.image.selector.image;
        let plain = || BuiltImage {
            local_ref: name.with_tag(UNBUILT),
            cluster_ref: name.with_tag(UNBUILT),
        };
        let rewritten = self.registry(step).and_then(|registry| {
            let (local, cluster) = registry.rewrite(name).ok()?;
            let tag = registry.tag(name, UNBUILT);
            Some(BuiltImage {
                local_ref: local.with_tag(&tag),
                cluster_ref: cluster.with_tag(&tag),
            })
        });
        rewritten.unwrap_or_else(plain)
    }
}

fn commands(local: &LocalTarget) -> Vec<String> {
    let serve = (!local.serve_cmd.is_empty()).then(|| format!("serve: {}", local.serve_cmd.display()));
    let update = local.update_cmd.as_ref().map(crate::model::Command::display);
    update.into_iter().chain(serve).collect()
}
