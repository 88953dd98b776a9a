//! The images of an update: which of them are used again, and which are built.

use std::collections::{BTreeMap, BTreeSet};

use tokio_util::sync::CancellationToken;

use super::image_tools::ImageTools;
use super::images::{ImageBuilds, Images};
use super::numbered_steps::{INDENT, Steps};
use crate::edge::docker::{BuildError, unless_canceled};
use crate::edge::failure::Failure;
use crate::edge::kube::Cluster;
use crate::edge::stages::timed;
use crate::engine::{ImageAction, ImageStep, Transient, UpdateOutcome, UpdatePlan};
use crate::history::{StageKind, StageTime};
use crate::logs::LogWriter;
use crate::model::{BuiltImage, ImageBuild, ImageRef, OutputMode};

/// The images of one update.
pub(super) struct ImagesOfUpdate {
    pub(super) tools: ImageTools,
    pub(super) log: LogWriter,
    pub(super) cancel: CancellationToken,
    /// The cluster that what is built is brought to, and the namespaces of it that it is for.
    pub(super) cluster: Option<(Cluster, BTreeSet<String>)>,
    /// Every image of the plan that is there, built or reused.
    pub(super) images: Images,
    pub(super) outcome: UpdateOutcome,
}

/// What is to be done about the images of a plan.
pub(super) struct Sorted<'p> {
    /// The references of those that are used again.
    pub(super) reused: Vec<String>,
    pub(super) to_build: Vec<&'p ImageStep>,
}

impl ImagesOfUpdate {
    pub(super) fn new(
        tools: ImageTools,
        plan: &UpdatePlan,
        cancel: CancellationToken,
        cluster: Option<(Cluster, BTreeSet<String>)>,
    ) -> Self {
        Self {
            log: LogWriter::new(tools.log.clone(), plan.span.clone(), plan.manifest.clone()),
            tools,
            cancel,
            cluster,
            images: BTreeMap::new(),
            outcome: UpdateOutcome::default(),
        }
    }

    /// Returns what can be reused and what is to be built: what the plan says, what the engine no longer has, and
    /// what stands on either.
    pub(super) async fn sort<'p>(&mut self, plan: Vec<&'p ImageStep>) -> Result<Sorted<'p>, Failure> {
        let (mut reused, mut to_build) = (Vec::new(), Vec::new());
        let mut fresh = BTreeSet::new();
        for step in plan {
            let base_is_fresh = step.image.base_images.iter().any(|base| fresh.contains(base));
            match &step.action {
                ImageAction::Reuse(built) if !base_is_fresh => {
                    if is_remote(step) || self.has_image(&built.local_ref).await? {
                        reused.push(built.local_ref.familiar());
                        self.images.insert(
                            step.image.id.clone(),
                            (step.image.selector.clone(), built.clone()),
                        );
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
        Ok(Sorted { reused, to_build })
    }

    /// Returns how many steps that takes.
    pub(super) fn n_steps(&self, sorted: &Sorted<'_>) -> usize {
        let each = if self.cluster.is_some() { 2 } else { 1 };
        each * sorted.to_build.len() + usize::from(!sorted.reused.is_empty())
    }

    /// Has the images.
    pub(super) async fn build(
        &mut self,
        sorted: &Sorted<'_>,
        max_parallel: usize,
        steps: &mut Steps,
    ) -> Result<(), Failure> {
        if !sorted.reused.is_empty() {
            steps.begin("Loading cached images");
            for reference in &sorted.reused {
                self.log.indented(INDENT).info(&format!("- {reference}"));
            }
            steps.end();
        }
        if sorted.to_build.is_empty() {
            return Ok(());
        }
        let builds = ImageBuilds {
            tools: &self.tools,
            docker: self.tools.docker()?,
            log: &self.log,
            cancel: &self.cancel,
            max_parallel,
            cluster: self
                .cluster
                .as_ref()
                .map(|(cluster, namespaces)| (cluster, namespaces)),
        };
        let building = builds.build(&sorted.to_build, &mut self.images, steps);
        let (images, stage) = timed(StageKind::Images, "", building).await;
        let parts = images.stages;
        self.outcome.stages.push(StageTime { parts, ..stage });
        (self.outcome.built, self.outcome.older) = (images.built, images.older);
        self.outcome.explained_by_log = images.explained_by_log;
        images.error.map_or(Ok(()), Err)
    }

    /// Returns what became of the update.
    pub(super) fn ended(self, result: Result<(), Failure>) -> UpdateOutcome {
        let mut outcome = self.outcome;
        if let Err(failure) = result {
            (outcome.error, outcome.transient) = (Some(failure.text), failure.transient);
        }
        outcome
    }

    pub(super) async fn has_image(&self, image: &ImageRef) -> Result<bool, Failure> {
        let docker = self.tools.docker()?;
        let asked = unless_canceled(&self.cancel, docker.has_image(image)).await;
        asked.map_err(failure)
    }

    /// Returns an image of the plan that is there.
    pub(super) fn built(&self, step: &ImageStep) -> Option<&BuiltImage> {
        self.images.get(&step.image.id).map(|(_, built)| built)
    }
}

/// Returns what is told of an engine that did not do what it was asked to.
pub(super) fn failure(error: BuildError) -> Failure {
    Failure {
        transient: Transient::if_unreachable(error.is_unreachable()),
        text: error.to_string(),
    }
}

/// Returns whether the image is only in a registry, so that the engine cannot be asked for it.
fn is_remote(step: &ImageStep) -> bool {
    matches!(&step.image.build, ImageBuild::Custom(build) if build.output == OutputMode::Remote)
}
