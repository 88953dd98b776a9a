//! Lets an engine run on a project, with an outside that says at once that all went well and does nothing: what it asks for is
//! what a session would do first.

use std::time::{Duration, Instant};

use crate::engine::{
    ClusterStatus, Effect, Engine, EngineConfig, Event, ImageAction, LoadOutcome, Mode, UpdateOutcome,
    UpdatePlan,
};
use crate::model::{BuiltImage, LocalPath, ManifestName, Timestamp};

/// Returns the updates that a session would begin with, in order; each after those of what it depends on.
///
/// `built` says what an image that is to be built would be called.
pub fn updates(
    outcome: LoadOutcome,
    tiltfile: &LocalPath,
    default_namespace: &str,
    at: Instant,
    built: &dyn Fn(&crate::engine::ImageStep) -> BuiltImage,
) -> Vec<UpdatePlan> {
    let mut engine = Engine::new(EngineConfig {
        mode: Mode::Up,
        started: Timestamp::from_secs(0),
        started_at: at,
        tiltfile: tiltfile.clone(),
        args: Vec::new(),
        cwd: tiltfile.parent(),
        forwards_ports: false,
        updates_containers: true,
        default_namespace: default_namespace.to_owned(),
        has_cluster: true,
        kubeconfig: Vec::new(),
    })
    .without_records();
    let outcome = in_order_of_dependencies(outcome);
    let mut events = vec![Event::Started, Event::ClusterChanged(ClusterStatus::Connected)];
    let mut outcome = Some(outcome);
    let (mut now, mut plans) = (at, Vec::new());
    while let Some(event) = (!events.is_empty()).then(|| events.remove(0)) {
        now += Duration::from_millis(1);
        for effect in engine.handle(now, event) {
            match effect {
                Effect::LoadTiltfile { load, .. } => {
                    let outcome = outcome.take().map(Box::new).unwrap_or_default();
                    events.push(Event::TiltfileLoaded { load, outcome });
                }
                Effect::StartUpdate(plan) => {
                    events.push(Event::UpdateFinished {
                        build: plan.build,
                        outcome: Box::new(all_went_well(&plan, built)),
                    });
                    plans.push(*plan);
                }
                _ => {}
            }
        }
    }
    plans
}

/// Nothing becomes ready here, so what waits for that would wait for ever: dependencies only order what begins.
fn in_order_of_dependencies(mut outcome: LoadOutcome) -> LoadOutcome {
    if let Some(manifests) = &mut outcome.manifests {
        let mut sorted = Vec::with_capacity(manifests.len());
        let mut left = std::mem::take(manifests);
        while !left.is_empty() {
            let waits = |needs: &[ManifestName]| {
                needs
                    .iter()
                    .any(|need| left.iter().any(|other| other.name == *need))
            };
            // A cycle was refused by the load; should there be one, it is not followed.
            let at = left
                .iter()
                .position(|manifest| !waits(&manifest.resource_deps))
                .unwrap_or(0);
            let mut manifest = left.remove(at);
            manifest.resource_deps.clear();
            sorted.push(manifest);
        }
        *manifests = sorted;
    }
    outcome.update_settings.max_parallel_updates = 1;
    outcome
}

fn all_went_well(
    plan: &UpdatePlan,
    built: &dyn Fn(&crate::engine::ImageStep) -> BuiltImage,
) -> UpdateOutcome {
    let to_build = plan
        .images
        .iter()
        .filter(|step| step.action == ImageAction::Build);
    UpdateOutcome {
        built: to_build
            .map(|step| (step.image.id.clone(), built(step)))
            .collect(),
        deploy_began: true,
        deployed: true,
        ..UpdateOutcome::default()
    }
}
