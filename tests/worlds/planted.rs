//! Faults that were planted on purpose: each must be found, or the rules are worth nothing.

use std::sync::Arc;
use std::time::Instant;

use tilt::engine::{
    AppliedObject, CiFailure, ClusterStatus, Effect, Engine, EngineConfig, Event, ExitOutcome, UnwantedObject,
};
use tilt::logs::LogEvent;
use tilt::model::{
    BuildId, DeleteId, DeployTarget, JobState, LoadId, ManifestName, SpanId, TriggerMode, WorkloadState,
};
use tilt::view::View;

use crate::ci::CI;
use crate::world::{Brain, Chaos, World};

/// An engine with something between it and the outside.
struct Faulty {
    engine: Engine,
    seen: Vec<Event>,
    spoil_event: fn(&mut Event),
    spoil_effects: fn(&[Event], &mut Vec<Effect>),
}

impl Brain for Faulty {
    fn handle(&mut self, now: Instant, mut event: Event) -> Vec<Effect> {
        (self.spoil_event)(&mut event);
        let mut effects = self.engine.handle(now, event.clone());
        self.seen.push(event);
        (self.spoil_effects)(&self.seen, &mut effects);
        effects
    }

    fn next_wake(&self) -> Option<Instant> {
        self.engine.next_wake()
    }

    fn view(&self) -> View {
        self.engine.view()
    }

    fn publish(&mut self) -> Arc<View> {
        self.engine.publish()
    }
}

fn as_it_is(_: &mut Event) {}

fn as_they_are(_: &[Event], _: &mut Vec<Effect>) {}

/// Expects that some world finds the fault, and says so in one of these words.
#[track_caller]
fn check_found(
    chaos: Chaos,
    spoil_event: fn(&mut Event),
    spoil_effects: fn(&[Event], &mut Vec<Effect>),
    expected: &str,
) {
    let verdict = |seed| {
        let brain = |config: EngineConfig| Faulty {
            engine: Engine::new(config),
            seen: Vec::new(),
            spoil_event,
            spoil_effects,
        };
        let mut world = World::new(seed, brain, chaos);
        let outcome = if chaos.mode == CI.mode {
            world.live_until_exit()
        } else {
            world.live()
        };
        outcome.err()
    };
    let mut said = (0..crate::WORLDS).filter_map(verdict).peekable();
    let first = said.peek().cloned();
    assert!(
        said.any(|said| said.contains(expected)),
        "no world speaks of {expected:?}, but {first:?}"
    );
}

#[test]
fn an_edit_that_is_swallowed_is_found() {
    let swallow = |event: &mut Event| {
        if let Event::FilesChanged(changes) = event
            && changes.len() == 2
        {
            changes.pop();
        }
    };
    check_found(Chaos::default(), swallow, as_they_are, "an edit is lost");
}

#[test]
fn an_edit_that_is_taken_for_one_that_a_load_has_compared_is_found() {
    let too_old = |event: &mut Event| {
        if let Event::FilesChanged(changes) = event {
            changes
                .iter_mut()
                .for_each(|change| change.after_load = LoadId(0));
        }
    };
    check_found(crate::RELOADS, too_old, as_they_are, "an older disk");
    check_found(crate::RELOADS, too_old, as_they_are, "resources are");
}

#[test]
fn an_answer_that_comes_before_the_edit_was_noticed_is_found() {
    let at_once = |event: &mut Event| {
        if let Event::CatchUpRequested { mark } = *event {
            *event = Event::FilesCaughtUp { mark };
        }
    };
    check_found(Chaos::default(), at_once, as_they_are, "an older disk");
}

#[test]
fn an_update_that_is_started_twice_is_found() {
    let twice = |_: &[Event], effects: &mut Vec<Effect>| {
        let again = effects.iter().find_map(|effect| match effect {
            Effect::StartUpdate(plan) => Some(plan.clone()),
            _ => None,
        });
        if let Some(mut plan) = again {
            plan.build = BuildId(plan.build.0 + 1);
            effects.push(Effect::StartUpdate(plan));
        }
    };
    check_found(Chaos::default(), as_it_is, twice, "at once");
}

#[test]
fn an_update_that_is_not_started_is_found() {
    let forget = |seen: &[Event], effects: &mut Vec<Effect>| {
        effects.retain(|effect| !seen.len().is_multiple_of(3) || !matches!(effect, Effect::StartUpdate(_)));
    };
    check_found(Chaos::default(), as_it_is, forget, "is still building");
}

fn unwanted(object: &AppliedObject) -> UnwantedObject {
    UnwantedObject {
        id: object.id.clone(),
        uid: Some(object.uid.clone()),
    }
}

#[test]
fn an_object_that_is_deleted_though_it_is_wanted_is_found() {
    let delete = |seen: &[Event], effects: &mut Vec<Effect>| {
        if let Some(Event::UpdateFinished { outcome, .. }) = seen.last()
            && outcome.deployed
        {
            effects.push(Effect::DeleteObjects {
                delete: DeleteId(u64::MAX),
                command: None,
                manifest: ManifestName::from("a"),
                span: SpanId::from("build:1"),
                reason: "garbage collecting Kubernetes objects",
                objects: outcome.applied.iter().map(unwanted).collect(),
            });
        }
    };
    check_found(Chaos::default(), as_it_is, delete, "wants it");
}

#[test]
fn an_object_that_is_forgotten_is_found() {
    let forget = |_: &[Event], effects: &mut Vec<Effect>| {
        effects.retain(|effect| !matches!(effect, Effect::DeleteObjects { .. }));
    };
    check_found(Chaos::default(), as_it_is, forget, "was forgotten");
}

#[test]
fn an_object_that_is_deployed_while_it_is_deleted_is_found() {
    let hurry = |event: &mut Event| {
        // The engine is told too early that what is being deleted is gone.
        if matches!(event, Event::ClusterEventSeen(_)) {
            *event = Event::ObjectsDeleted { delete: DeleteId(1) };
        }
    };
    check_found(crate::RELOADS, hurry, as_they_are, "is being deleted");
}

#[test]
fn a_line_of_a_resource_that_is_gone_is_found() {
    let speak = |_: &[Event], effects: &mut Vec<Effect>| {
        if effects
            .iter()
            .any(|effect| matches!(effect, Effect::DeleteObjects { .. }))
        {
            effects.push(Effect::Log(LogEvent::line(
                SpanId::from("x"),
                ManifestName::from("zombie"),
                "boo",
            )));
        }
    };
    check_found(Chaos::default(), as_it_is, speak, "zombie is gone");
}

#[test]
fn a_log_that_is_not_read_is_found() {
    let deaf = |_: &[Event], effects: &mut Vec<Effect>| {
        effects.retain(|effect| !matches!(effect, Effect::StreamLogs(_)));
    };
    check_found(Chaos::default(), as_it_is, deaf, "is not read");
}

#[test]
fn a_server_that_is_not_started_again_is_found() {
    let forget = |_: &[Event], effects: &mut Vec<Effect>| {
        effects.retain(|effect| !matches!(effect, Effect::Serve(_)));
    };
    check_found(Chaos::default(), as_it_is, forget, "serves");
}

#[test]
fn a_command_that_does_not_run_alone_is_found() {
    // The engine is made to believe that nothing runs alone.
    let share = |event: &mut Event| {
        let Event::TiltfileLoaded { outcome, .. } = event else {
            return;
        };
        for manifest in outcome.manifests.iter_mut().flatten() {
            if let DeployTarget::Local(local) = &mut manifest.deploy {
                local.allow_parallel = true;
            }
        }
    };
    check_found(Chaos::default(), share, as_they_are, "is not alone");
}

#[test]
fn a_run_that_does_not_end_is_found() {
    let stay = |_: &[Event], effects: &mut Vec<Effect>| {
        effects.retain(|effect| !matches!(effect, Effect::Exit(_)));
    };
    check_found(CI, as_it_is, stay, "the run never ends");
}

#[test]
fn a_success_that_is_none_is_found() {
    let lie = |_: &[Event], effects: &mut Vec<Effect>| {
        for effect in effects {
            if let Effect::Exit(outcome) = effect {
                *outcome = ExitOutcome::Succeeded;
            }
        }
    };
    check_found(CI, as_it_is, lie, "not all is well");
}

#[test]
fn a_success_by_one_pod_of_several_is_found() {
    // The engine believes that every workload wants one pod.
    let belittle = |event: &mut Event| {
        let applied = match event {
            Event::UpdateFinished { outcome, .. } => outcome.applied.as_mut_slice(),
            _ => return,
        };
        for workload in applied.iter_mut().filter_map(|object| object.workload.as_mut()) {
            if let WorkloadState::Pods(counts) = &mut workload.state {
                counts.wanted = Some(1);
            }
        }
    };
    check_found(CI, belittle, as_they_are, "is short of pods");
}

#[test]
fn a_success_by_a_job_that_goes_on_is_found() {
    let hurry = |event: &mut Event| {
        if let Event::WorkloadSeen(workload) = event
            && matches!(workload.state, WorkloadState::Job(_))
        {
            workload.state = WorkloadState::Job(JobState::Complete);
        }
    };
    check_found(CI, hurry, as_they_are, "has failed, crashes");
}

#[test]
fn a_wish_that_is_not_heard_is_found() {
    let ignore = |event: &mut Event| {
        if matches!(event, Event::Triggered { .. }) {
            *event = Event::Wake;
        }
    };
    check_found(Chaos::default(), ignore, as_they_are, "a wish is lost");
}

#[test]
fn a_full_rebuild_that_is_none_is_found() {
    let save = |_: &[Event], effects: &mut Vec<Effect>| {
        for effect in effects {
            if let Effect::StartUpdate(plan) = effect {
                plan.force = false;
            }
        }
    };
    check_found(Chaos::default(), as_it_is, save, "is not made anew");
}

#[test]
fn a_resource_that_is_not_switched_off_is_found() {
    let ignore = |event: &mut Event| {
        if matches!(event, Event::EnablementChanged { enabled: false, .. }) {
            *event = Event::Wake;
        }
    };
    check_found(Chaos::default(), ignore, as_they_are, "disabled and serves");
    check_found(Chaos::default(), ignore, as_they_are, "disabled and built");
    check_found(Chaos::default(), ignore, as_they_are, "not as it was switched");
}

#[test]
fn another_trigger_mode_that_is_not_taken_over_is_found() {
    let ignore = |event: &mut Event| {
        if matches!(event, Event::TriggerModeOverridden { .. }) {
            *event = Event::Wake;
        }
    };
    // A wish, a change that is reported, and nothing that holds it: a short world seldom has all three.
    let long = Chaos {
        steps: 120,
        ..Chaos::default()
    };
    check_found(long, ignore, as_they_are, "starts by itself in mode");
}

#[test]
fn a_mode_that_waits_though_it_should_not_is_found() {
    // The engine believes that nothing starts on a change.
    let wait = |event: &mut Event| {
        if let Event::TiltfileLoaded { outcome, .. } = event {
            for manifest in outcome.manifests.iter_mut().flatten() {
                manifest.trigger_mode = TriggerMode::ManualWithAutoInit;
            }
        }
    };
    check_found(Chaos::default(), wait, as_they_are, "is not in mode");
}

#[test]
fn other_arguments_that_are_not_heeded_are_found() {
    let ignore = |event: &mut Event| {
        if matches!(event, Event::ArgsChanged(_)) {
            *event = Event::Wake;
        }
    };
    check_found(crate::RELOADS, ignore, as_they_are, "not as it was switched");
}

#[test]
fn a_hold_without_a_reason_and_a_wait_without_a_hold_are_found() {
    let never_connected = |event: &mut Event| {
        if matches!(event, Event::ClusterChanged(ClusterStatus::Connected)) {
            *event = Event::Wake;
        }
    };
    check_found(
        Chaos::default(),
        never_connected,
        as_they_are,
        "is held for no reason",
    );
    let forget = |_: &[Event], effects: &mut Vec<Effect>| {
        effects.retain(|effect| !matches!(effect, Effect::StartUpdate(_)));
    };
    check_found(Chaos::default(), as_it_is, forget, "is held for no reason");
}

#[test]
fn a_failure_that_is_none_is_found() {
    let lie = |_: &[Event], effects: &mut Vec<Effect>| {
        for effect in effects {
            if let Effect::Exit(outcome @ ExitOutcome::Succeeded) = effect {
                *outcome = ExitOutcome::Failed(CiFailure {
                    message: "Process 7 exited with non-zero status".to_owned(),
                    resources: Vec::new(),
                });
            }
        }
    };
    check_found(CI, as_it_is, lie, "a failure that is none");
}
