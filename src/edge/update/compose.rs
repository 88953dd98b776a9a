//! The update of a Compose service: its images, then its containers.
//!
//! Images of the Tiltfile are built here and named as compose expects; others compose builds itself, in the step that deploys.
//!
//! Rule: `docs/rules/compose.md`, "Updates".

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::image_steps::{ImagesOfUpdate, failure};
use super::image_tools::ImageTools;
use super::numbered_steps::{INDENT, Steps};
use crate::edge::compose::{ComposeCall, ComposeFault, ServiceWatch, Ups, remove, taken_port_hint};
use crate::edge::docker::{BuildError, Docker, unless_canceled};
use crate::edge::failure::Failure;
use crate::edge::stages::timed;
use crate::engine::{ImageStep, Transient, UpdateOutcome, UpdatePlan};
use crate::history::StageKind;
use crate::model::{
    BuiltImage, ComposeTarget, Health, ImageBuild, ImageRef, ImageTarget, ServiceContainer, ServiceState,
};

/// How often it is looked whether containers are healthy that a deployment waits for.
const LOOK: Duration = Duration::from_millis(150);

/// What an update of a service works with.
pub(in crate::edge) struct ServiceTools {
    pub(in crate::edge) images: ImageTools,
    pub(in crate::edge) ups: Ups,
    pub(in crate::edge) watch: ServiceWatch,
}

/// Carries out a plan for a service. Never fails as a call: what went wrong is part of the outcome.
pub(in crate::edge) async fn run(
    tools: ServiceTools,
    plan: &UpdatePlan,
    target: &ComposeTarget,
    cancel: CancellationToken,
) -> UpdateOutcome {
    let mut update = ServiceUpdate {
        target,
        ups: tools.ups,
        images: ImagesOfUpdate::new(tools.images, plan, cancel, None),
    };
    update.images.log.update_started(&plan.header);
    let result = update.carry_out(plan).await;
    // Whoever judges the outcome must know what there is now.
    let is_seen = tools.watch.look(&target.project.name).await;
    update.images.outcome.deployed &= is_seen;
    update.images.ended(result.and_then(|()| match is_seen {
        true => Ok(()),
        false => Err(unseen(target)),
    }))
}

/// Compose has ended well, but what came of that is not known.
fn unseen(target: &ComposeTarget) -> Failure {
    let name = &target.service.name;
    Failure {
        text: format!("service {name:?}: Docker does not tell which containers there are"),
        transient: Some(Transient::Unreachable),
    }
}

struct ServiceUpdate<'a> {
    target: &'a ComposeTarget,
    ups: Ups,
    images: ImagesOfUpdate,
}

impl ServiceUpdate<'_> {
    async fn carry_out(&mut self, plan: &UpdatePlan) -> Result<(), Failure> {
        let (by_compose, built_here) = plan.images.iter().partition(|step| is_built_by_compose(step));
        let sorted = self.images.sort(built_here).await?;
        let by_compose = self.images.sort(by_compose).await?.to_build;
        let total = 1 + self.images.n_steps(&sorted) + usize::from(plan.force);
        let mut steps = Steps::new(self.images.log.clone(), total, self.images.tools.has_colour);
        let docker = self.images.tools.docker()?;
        if plan.force {
            steps.begin("Force update");
            self.remove_first(&docker).await;
            steps.end();
        }
        self.images
            .build(&sorted, plan.parallel_images, &mut steps)
            .await?;
        for step in &plan.images {
            self.name_as_expected(step, &docker).await?;
        }
        steps.begin(match by_compose.is_empty() {
            true => "Deploying",
            false => "Building & deploying",
        });
        let deploying = self.deploy(by_compose, &docker);
        let (deployed, stage) = timed(StageKind::Apply, "", deploying).await;
        self.images.outcome.stages.push(stage);
        deployed?;
        steps.end();
        steps.finish();
        self.images.outcome.deployed = true;
        Ok(())
    }

    async fn deploy(&mut self, by_compose: Vec<&ImageStep>, docker: &Arc<Docker>) -> Result<(), Failure> {
        for step in by_compose {
            self.build_by_compose(&step.image).await?;
        }
        self.up(docker).await
    }

    /// Removes what there is of the service, so that nothing of it stays. What cannot be removed is logged.
    async fn remove_first(&self, docker: &Docker) {
        let log = self.images.log.indented(INDENT);
        match remove(docker, &self.target.service_id(), &log).await {
            Ok(0) => log.info("No stopped containers"),
            Ok(_) => {}
            Err(error) => log.error(&format!("Error force update: {error}")),
        }
    }

    /// Gives an image that was built here the name by which compose looks for it.
    async fn name_as_expected(&self, step: &ImageStep, docker: &Docker) -> Result<(), Failure> {
        if is_built_by_compose(step) || !self.target.images.contains(&step.image.id) {
            return Ok(());
        }
        let (Some(built), Some(expected)) = (self.images.built(step), expected_name(self.target)) else {
            return Ok(());
        };
        let tagging = docker.tag_image(&built.local_ref, &expected);
        unless_canceled(&self.images.cancel, tagging)
            .await
            .map_err(failure)
    }

    async fn build_by_compose(&mut self, image: &ImageTarget) -> Result<(), Failure> {
        let service = self.target.service.name.clone();
        let call = ComposeCall {
            project: &self.target.project,
            args: vec!["build".to_owned(), service],
            variables: &self.images.tools.commands,
            log: &self.images.log,
            cancel: &self.images.cancel,
        };
        call.run(|line| self.images.log.info(line))
            .await
            .map_err(|fault| self.told(fault))?;
        if let Some(name) = expected_name(self.target) {
            let built = BuiltImage {
                local_ref: name.clone(),
                cluster_ref: name,
            };
            self.images.outcome.built.push((image.id.clone(), built));
        }
        Ok(())
    }

    async fn up(&self, docker: &Arc<Docker>) -> Result<(), Failure> {
        let images = &self.images;
        let brought = self
            .ups
            .up(self.target, docker, &images.log, &images.cancel)
            .await;
        if let Err(fault) = brought {
            let hint = match &fault {
                ComposeFault::Failed { said, .. } => taken_port_hint(docker, said).await,
                ComposeFault::Canceled => None,
            };
            let mut failure = self.told(fault);
            hint.iter().for_each(|hint| {
                failure.text.push('\n');
                failure.text.push_str(hint);
            });
            return Err(failure);
        }
        match self.target.project.wait {
            true => self.wait(docker).await,
            false => Ok(()),
        }
    }

    /// Waits until the containers are healthy, or run where they have no health check, or have ended well.
    async fn wait(&self, docker: &Docker) -> Result<(), Failure> {
        let (id, log) = (self.target.service_id(), &self.images.log);
        let mut is_told = false;
        loop {
            let all = docker.service_containers(&id.project).await;
            let all = all.map_err(|error| Failure {
                transient: Transient::if_unreachable(error.is_unreachable()),
                text: error.to_string(),
            })?;
            let own: Vec<ServiceContainer> = all
                .into_iter()
                .filter(|container| container.service == id)
                .collect();
            if let Some(fault) = own.iter().find_map(what_is_wrong) {
                log.info(&fault);
                return Err(format!("service {:?}: {fault}", self.target.service.name).into());
            }
            let are_well = own.iter().all(is_well);
            let say = |word: &str| {
                own.iter()
                    .for_each(|container| log.info(&format!(" Container {}  {word}", container.name)));
            };
            if are_well {
                say("Healthy");
                return Ok(());
            }
            if !std::mem::replace(&mut is_told, true) {
                say("Waiting");
            }
            tokio::select! {
                () = self.images.cancel.cancelled() => return Err(BuildError::Canceled.to_string().into()),
                () = sleep(LOOK) => {}
            }
        }
    }

    fn told(&self, fault: ComposeFault) -> Failure {
        let transient = fault.transient();
        let text = match fault {
            ComposeFault::Canceled => BuildError::Canceled.to_string(),
            ComposeFault::Failed { said, ended, .. } => {
                let last = said.lines().last().map(|line| format!("{line}\n"));
                format!(
                    "service {:?}: {}{ended}",
                    self.target.service.name,
                    last.unwrap_or_default()
                )
            }
        };
        Failure { text, transient }
    }
}

fn is_built_by_compose(step: &ImageStep) -> bool {
    matches!(step.image.build, ImageBuild::Compose(_))
}

/// Returns the name by which compose looks for the image of a service.
fn expected_name(target: &ComposeTarget) -> Option<ImageRef> {
    let name = ImageRef::parse(&target.service.image).ok()?;
    Some(match name.tag() {
        Some(_) => name,
        None => name.with_tag("latest"),
    })
}

fn is_well(container: &ServiceContainer) -> bool {
    match container.state {
        ServiceState::Running => matches!(container.health, None | Some(Health::Healthy)),
        ServiceState::Exited => container.exit_code == 0,
        _ => false,
    }
}

fn what_is_wrong(container: &ServiceContainer) -> Option<String> {
    let name = &container.name;
    match (container.state, &container.health) {
        (ServiceState::Running, Some(Health::Unhealthy(_))) => Some(format!("container {name} is unhealthy")),
        (ServiceState::Exited | ServiceState::Dead, _) if container.exit_code != 0 => {
            Some(format!("container {name} exited ({})", container.exit_code))
        }
        _ => None,
    }
}
