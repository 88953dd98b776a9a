//! One update of one resource, from its plan: images in order, then objects. Prints the steps as it goes.
//!
//! How images are built stands in `images`, how objects are applied in `kube`; this file only puts them in a row.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::image_steps::ImagesOfUpdate;
use super::image_tools::ImageTools;
use super::numbered_steps::{INDENT, Steps};
use crate::edge::failure::Failure;
use crate::edge::kube::{self, ApplyRequest, Cluster};
use crate::edge::stages::timed;
use crate::edge::update::custom_deploy;
use crate::engine::{AppliedObject, ImageStep, ObjectId, UnwantedObject, UpdateOutcome, UpdatePlan};
use crate::history::StageKind;
use crate::k8s::Entity;
use crate::k8s::inject::InjectedImage;
use crate::k8s::labels::Ownership;
use crate::k8s::order::rank;
use crate::model::{CustomDeploy, ImageRef, K8sTarget};

/// What an update of a cluster works with.
#[derive(Clone)]
pub struct UpdateTools {
    /// What has its images.
    pub images: ImageTools,
    /// The cluster.
    pub cluster: Cluster,
    /// Who deploys.
    pub ownership: Arc<Ownership>,
}

/// Carries out a plan. Never fails as a call: what went wrong is part of the outcome.
pub async fn run(tools: UpdateTools, plan: UpdatePlan, cancel: CancellationToken) -> UpdateOutcome {
    let default = &tools.cluster.context().namespace;
    let namespace = |entity: &Entity| entity.namespace().unwrap_or(default).to_owned();
    let entities = plan.deploy.k8s().into_iter().flat_map(|target| &target.entities);
    let namespaces: BTreeSet<String> = entities.map(namespace).collect();
    let to = Some((tools.cluster.clone(), namespaces));
    let mut update = Update {
        images: ImagesOfUpdate::new(tools.images, &plan, cancel, to),
        cluster: tools.cluster,
        ownership: tools.ownership,
    };
    update.images.log.update_started(&plan.header);
    let result = update.carry_out(&plan).await;
    update.images.ended(result)
}

struct Update {
    cluster: Cluster,
    ownership: Arc<Ownership>,
    images: ImagesOfUpdate,
}

impl Update {
    async fn carry_out(&mut self, plan: &UpdatePlan) -> Result<(), Failure> {
        let sorting = self.images.sort(plan.images.iter().collect());
        let (sorted, stage) = timed(StageKind::Prepare, "", sorting).await;
        self.images.outcome.stages.push(stage);
        let sorted = sorted?;
        let total = 1 + self.images.n_steps(&sorted) + usize::from(plan.force);
        let mut steps = Steps::new(self.images.log.clone(), total, self.images.tools.has_colour);
        let Some(target) = plan.deploy.k8s() else {
            return Err("only Kubernetes objects are deployed here".to_owned().into());
        };
        if plan.force {
            steps.begin("Force update");
            let ((), stage) = timed(StageKind::Delete, "", self.delete_first(target)).await;
            self.images.outcome.stages.push(stage);
            steps.end();
        }
        self.images
            .build(&sorted, plan.parallel_images, &mut steps)
            .await?;
        let (kind, name) = deploy_stage(target);
        let (deployed, stage) = timed(kind, name, self.deploy(plan, target, &mut steps)).await;
        self.images.outcome.stages.push(stage);
        deployed?;
        steps.finish();
        Ok(())
    }

    /// Deletes what was deployed, so that nothing of it stays. What cannot be deleted is logged, and then applied over.
    ///
    /// Rule: `docs/rules/deploy.md`, "Deletions".
    async fn delete_first(&self, target: &K8sTarget) {
        const REASON: &str = "force update";
        let log = self.images.log.indented(INDENT);
        let Some(custom) = &target.options.custom_deploy else {
            let objects = deletion_list(&target.entities);
            let (cluster, ownership) = (&self.cluster, &self.ownership);
            return kube::collect_garbage(cluster, REASON, &objects, ownership, &log, &self.images.cancel)
                .await;
        };
        log.info(&format!("Beginning {REASON}"));
        let (timeout, commands) = (target.upsert_timeout, &self.images.tools.commands);
        let deleted = async {
            self.cluster.confirm().await?;
            custom_deploy::delete(&custom.delete, timeout, commands, &log).await
        };
        if let Err(error) = deleted.await {
            log.error(&format!("Error {REASON}: {error}"));
        }
    }

    async fn deploy(
        &mut self,
        plan: &UpdatePlan,
        target: &K8sTarget,
        steps: &mut Steps,
    ) -> Result<(), Failure> {
        steps.begin("Deploying");
        if let Some(custom) = &target.options.custom_deploy {
            let deployed = self.deploy_by_command(custom, target).await;
            steps.end();
            return deployed;
        }
        let images: Vec<InjectedImage> = plan
            .images
            .iter()
            .filter(|step| target.images.contains(&step.image.id))
            .filter_map(|step| self.injected(step))
            .collect();
        let request = ApplyRequest {
            manifest: &plan.manifest,
            entities: target.entities.clone(),
            images: &images,
            locators: &target.options.image_locators,
            ownership: &self.ownership,
            timeout: target.upsert_timeout,
        };
        let applied = kube::apply(&self.cluster, request, &self.images.log, &self.images.cancel).await;
        steps.end();
        self.images.outcome.applied = applied.applied;
        self.images.outcome.deployed = applied.error.is_none();
        let transient = applied.transient;
        let failed = |text| Err(Failure { text, transient });
        applied.error.map_or(Ok(()), failed)
    }

    async fn deploy_by_command(&mut self, custom: &CustomDeploy, target: &K8sTarget) -> Result<(), Failure> {
        self.cluster.confirm().await?;
        let log = self.images.log.indented(INDENT);
        let built = target.images.iter().filter_map(|id| self.images.images.get(id));
        let images: Vec<(ImageRef, ImageRef)> = built
            .map(|(selector, built)| (selector.image.clone(), built.cluster_ref.clone()))
            .collect();
        let (timeout, commands) = (target.upsert_timeout, &self.images.tools.commands);
        self.images.outcome.deploy_began = true;
        self.images.outcome.explained_by_log = true;
        let applied = custom_deploy::apply(
            &custom.apply,
            &images,
            timeout,
            commands,
            &log,
            &self.images.cancel,
        )
        .await?;
        let list: String = applied
            .iter()
            .map(|object| format!("\n  → {}", shown(object)))
            .collect();
        log.info(&format!("Objects applied to cluster:{list}"));
        self.images.outcome.applied = applied;
        self.images.outcome.deployed = true;
        Ok(())
    }

    fn injected(&self, step: &ImageStep) -> Option<InjectedImage> {
        let built = self.images.built(step)?.clone();
        let (selector, injection) = (step.image.selector.clone(), step.image.injection.clone());
        Some(InjectedImage {
            selector,
            built,
            injection,
        })
    }
}

/// Returns what deploying is, for the record, and of what.
fn deploy_stage(target: &K8sTarget) -> (StageKind, String) {
    match &target.options.custom_deploy {
        Some(custom) => (StageKind::Command, custom.apply.display()),
        None => (StageKind::Apply, String::new()),
    }
}

fn shown(object: &AppliedObject) -> String {
    format!("{}:{}", object.id.name, object.id.kind).to_lowercase()
}

/// Returns what is deleted before a forced update, in reverse order of kinds: everything but what holds data or other
/// objects.
fn deletion_list(entities: &[Entity]) -> Vec<UnwantedObject> {
    let mut deletable: Vec<&Entity> = entities
        .iter()
        .rev()
        .filter(|entity| kube::what_it_holds(entity.api_version(), entity.kind()).is_none())
        .collect();
    deletable.sort_by_key(|entity| std::cmp::Reverse(rank(entity.kind())));
    deletable
        .into_iter()
        .map(|entity| ObjectId::of(entity).into())
        .collect()
}
