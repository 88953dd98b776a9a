//! One update of one resource, from its plan: images in order, then objects. Prints the steps as it goes.
//!
//! How images are built stands in `images`, how objects are applied in `kube`; this file only puts them in a row.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::images::{ImageBuilds, ImageSlots, Images};
use super::numbered_steps::{INDENT, Steps};
use crate::edge::docker::{BuildError, ClusterFacts, Docker, unless_canceled};
use crate::edge::kube::{self, ApplyRequest, Cluster};
use crate::edge::live_update::ImageContents;
use crate::edge::local::CommandVariables;
use crate::edge::retry::Failure;
use crate::edge::stages::timed;
use crate::edge::update::custom_deploy;
use crate::engine::{
    AppliedObject, ImageAction, ImageStep, ObjectId, UnwantedObject, UpdateOutcome, UpdatePlan,
};
use crate::history::{StageKind, StageTime};
use crate::k8s::Entity;
use crate::k8s::inject::InjectedImage;
use crate::k8s::labels::Ownership;
use crate::k8s::order::rank;
use crate::logs::{LogStore, LogWriter};
use crate::model::{BuiltImage, CustomDeploy, ImageBuild, ImageRef, K8sTarget, OutputMode};

/// What an update works with.
#[derive(Clone)]
pub struct UpdateTools {
    /// The Docker engine; there is one whenever a plan has images.
    pub docker: Option<Arc<Docker>>,
    /// The cluster.
    pub cluster: Cluster,
    /// What of it matters to images.
    pub facts: Arc<ClusterFacts>,
    /// The platform to build for; `None` is the engine's own.
    pub platform: Option<String>,
    /// How many images all updates build together.
    pub image_slots: ImageSlots,
    /// What images were made of.
    pub image_contents: ImageContents,
    /// Who deploys.
    pub ownership: Arc<Ownership>,
    /// What commands find in their environment.
    pub commands: Arc<CommandVariables>,
    /// Where lines go.
    pub log: LogStore,
    /// Whether lines may have colour.
    pub has_colour: bool,
}

/// Carries out a plan. Never fails as a call: what went wrong is part of the outcome.
pub async fn run(tools: UpdateTools, plan: UpdatePlan, cancel: CancellationToken) -> UpdateOutcome {
    let log = LogWriter::new(tools.log.clone(), plan.span.clone(), plan.manifest.clone());
    log.update_started(&plan.header);
    let mut update = Update {
        tools,
        log,
        cancel,
        outcome: UpdateOutcome::default(),
        images: BTreeMap::new(),
    };
    let result = update.carry_out(&plan).await;
    let mut outcome = update.outcome;
    if let Err(failure) = result {
        (outcome.error, outcome.unreachable) = (Some(failure.text), failure.unreachable);
    }
    outcome
}

struct Update {
    tools: UpdateTools,
    log: LogWriter,
    cancel: CancellationToken,
    outcome: UpdateOutcome,
    /// Every image of the plan that is there, built or reused.
    images: Images,
}

impl Update {
    async fn carry_out(&mut self, plan: &UpdatePlan) -> Result<(), Failure> {
        let (sorted, stage) = timed(StageKind::Prepare, "", self.sort_images(&plan.images)).await;
        self.outcome.stages.push(stage);
        let (reused, to_build) = sorted?;
        let total = 1 + 2 * to_build.len() + usize::from(!reused.is_empty()) + usize::from(plan.force);
        let mut steps = Steps::new(self.log.clone(), total, self.tools.has_colour);
        let Some(target) = plan.deploy.k8s() else {
            return Err("only Kubernetes objects are deployed here".to_owned().into());
        };
        if plan.force {
            steps.begin("Force update");
            let ((), stage) = timed(StageKind::Delete, "", self.delete_first(target)).await;
            self.outcome.stages.push(stage);
            steps.end();
        }
        if !reused.is_empty() {
            steps.begin("Loading cached images");
            for reference in &reused {
                self.log.indented(INDENT).info(&format!("- {reference}"));
            }
            steps.end();
        }
        if !to_build.is_empty() {
            let building = self.build(&to_build, plan.parallel_images, target, &mut steps);
            let (built, stage) = timed(StageKind::Images, "", building).await;
            let (built, parts) = built?;
            self.outcome.stages.push(StageTime { parts, ..stage });
            built?;
        }
        let (kind, name) = deploy_stage(target);
        let (deployed, stage) = timed(kind, name, self.deploy(plan, target, &mut steps)).await;
        self.outcome.stages.push(stage);
        deployed?;
        steps.finish();
        Ok(())
    }

    /// Deletes what was deployed, so that nothing of it stays. What cannot be deleted is logged, and then applied over.
    ///
    /// Rule: `docs/rules/deploy.md`, "Deletions".
    async fn delete_first(&self, target: &K8sTarget) {
        const REASON: &str = "force update";
        let log = self.log.indented(INDENT);
        let Some(custom) = &target.options.custom_deploy else {
            let objects = deletion_list(&target.entities);
            let (cluster, ownership) = (&self.tools.cluster, &self.tools.ownership);
            return kube::collect_garbage(cluster, REASON, &objects, ownership, &log, &self.cancel).await;
        };
        log.info(&format!("Beginning {REASON}"));
        let (timeout, commands) = (target.upsert_timeout, &self.tools.commands);
        let deleted = async {
            self.tools.cluster.confirm().await?;
            custom_deploy::delete(&custom.delete, timeout, commands, &log).await
        };
        if let Err(error) = deleted.await {
            log.error(&format!("Error {REASON}: {error}"));
        }
    }

    /// Returns what can be reused and what is to be built: what the plan says, what the engine no longer has, and
    /// what stands on either.
    async fn sort_images<'p>(
        &mut self,
        plan: &'p [ImageStep],
    ) -> Result<(Vec<String>, Vec<&'p ImageStep>), Failure> {
        let (mut reused, mut to_build) = (Vec::new(), Vec::new());
        let mut fresh = BTreeSet::new();
        for step in plan {
            let base_is_fresh = step.image.base_images.iter().any(|base| fresh.contains(base));
            match &step.action {
                ImageAction::Reuse(built) if !base_is_fresh => {
                    if is_remote(step) || self.has_image(&built.local_ref).await? {
                        reused.push(built.local_ref.familiar());
                        self.remember(step, built.clone());
                        continue;
                    }
                    let reference = built.local_ref.familiar();
                    self.log.info(&format!(
                        "Rebuilding {reference} because image not found in image store"
                    ));
                }
                ImageAction::Reuse(_) | ImageAction::Build => {}
            }
            fresh.insert(step.image.id.clone());
            to_build.push(step);
        }
        Ok((reused, to_build))
    }

    async fn has_image(&self, image: &ImageRef) -> Result<bool, Failure> {
        let docker = self.docker()?;
        let asked = unless_canceled(&self.cancel, docker.has_image(image)).await;
        asked.map_err(|error: BuildError| Failure {
            text: error.to_string(),
            unreachable: error.is_unreachable(),
        })
    }

    async fn build(
        &mut self,
        to_build: &[&ImageStep],
        max_parallel: usize,
        target: &K8sTarget,
        steps: &mut Steps,
    ) -> Result<(Result<(), Failure>, Vec<StageTime>), Failure> {
        let default = &self.tools.cluster.context().namespace;
        let namespace = |entity: &Entity| entity.namespace().unwrap_or(default).to_owned();
        let namespaces: BTreeSet<String> = target.entities.iter().map(namespace).collect();
        let builds = ImageBuilds {
            tools: &self.tools,
            docker: self.docker()?,
            log: &self.log,
            cancel: &self.cancel,
            max_parallel,
            namespaces: &namespaces,
        };
        let images = builds.build(to_build, &mut self.images, steps).await;
        (self.outcome.built, self.outcome.older) = (images.built, images.older);
        self.outcome.explained_by_log = images.explained_by_log;
        Ok((images.error.map_or(Ok(()), Err), images.stages))
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
            ownership: &self.tools.ownership,
            timeout: target.upsert_timeout,
        };
        let applied = kube::apply(&self.tools.cluster, request, &self.log, &self.cancel).await;
        steps.end();
        self.outcome.applied = applied.applied;
        self.outcome.deployed = applied.error.is_none();
        let unreachable = applied.unreachable;
        let failed = |text| Err(Failure { text, unreachable });
        applied.error.map_or(Ok(()), failed)
    }

    async fn deploy_by_command(&mut self, custom: &CustomDeploy, target: &K8sTarget) -> Result<(), Failure> {
        self.tools.cluster.confirm().await?;
        let log = self.log.indented(INDENT);
        let built = target.images.iter().filter_map(|id| self.images.get(id));
        let images: Vec<(ImageRef, ImageRef)> = built
            .map(|(selector, built)| (selector.image.clone(), built.cluster_ref.clone()))
            .collect();
        let (timeout, commands) = (target.upsert_timeout, &self.tools.commands);
        self.outcome.deploy_began = true;
        self.outcome.explained_by_log = true;
        let applied =
            custom_deploy::apply(&custom.apply, &images, timeout, commands, &log, &self.cancel).await?;
        let list: String = applied
            .iter()
            .map(|object| format!("\n  → {}", shown(object)))
            .collect();
        log.info(&format!("Objects applied to cluster:{list}"));
        self.outcome.applied = applied;
        self.outcome.deployed = true;
        Ok(())
    }

    fn injected(&self, step: &ImageStep) -> Option<InjectedImage> {
        let (selector, built) = self.images.get(&step.image.id)?.clone();
        let injection = step.image.injection.clone();
        Some(InjectedImage {
            selector,
            built,
            injection,
        })
    }

    fn remember(&mut self, step: &ImageStep, built: BuiltImage) {
        self.images
            .insert(step.image.id.clone(), (step.image.selector.clone(), built));
    }

    fn docker(&self) -> Result<Arc<Docker>, String> {
        self.tools
            .docker
            .clone()
            .ok_or_else(|| "there is no Docker engine to build images with".to_owned())
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

/// Returns whether the image is only in a registry, so that the engine cannot be asked for it.
fn is_remote(step: &ImageStep) -> bool {
    matches!(&step.image.build, ImageBuild::Custom(build) if build.output == OutputMode::Remote)
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
