//! A world of Compose services: a file that changes, an engine with containers, and what happens to them.
//!
//! Containers end, fail their health checks, are started again, killed and removed by hand; the Docker engine itself is
//! restarted, and then its stream of events ends, so that what happened is learnt from the next list. `outside` is all that,
//! `rules` what must hold at each step and at rest.

mod outside;
mod rules;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use tilt::engine::{Effect, Engine, EngineConfig, Event, ExitOutcome, Mode};
use tilt::model::{Health, ServiceContainer, ServiceState};
use tilt::view::View;

use crate::world::Brain;
use outside::Shop;

const CI: Mode = Mode::Ci {
    timeout_override: None,
    fail_fast: false,
};

/// What was tried in some worlds, and how their runs ended.
#[derive(Default)]
struct Tried {
    what: BTreeSet<&'static str>,
    successes: usize,
    failures: usize,
}

/// Returns what breaks a rule in a world, with its story.
fn broken<B: Brain>(
    seed: u64,
    mode: Mode,
    brain: impl FnOnce(EngineConfig) -> B,
    tried: &mut Tried,
) -> Option<String> {
    let mut shop = Shop::new(seed, mode, brain);
    let verdict = shop.live();
    tried.what.extend(shop.tried.iter().copied());
    match &shop.exit {
        Some(ExitOutcome::Succeeded) => tried.successes += 1,
        Some(ExitOutcome::Failed(_)) => tried.failures += 1,
        _ => {}
    }
    let why = verdict.err()?;
    Some(format!("WORLD_SEED={seed}: {why}\n{}", shop.story))
}

/// Lets worlds live; the first that breaks a rule fails the test.
#[track_caller]
fn check_worlds(mode: Mode, worlds: u64) -> Option<Tried> {
    let seeds = crate::seeds(worlds);
    let is_one = seeds.len() == 1;
    let mut tried = Tried::default();
    for seed in seeds {
        if let Some(broken) = broken(seed, mode, Engine::new, &mut tried) {
            panic!("{broken}");
        }
    }
    (!is_one).then_some(tried)
}

#[test]
fn services_are_as_their_file_says_and_shown_as_they_are() {
    let Some(tried) = check_worlds(Mode::Up, 1_000) else {
        return;
    };
    let expected = [
        "a condition is waited for",
        "a container ends badly",
        "a container is replaced",
        "a health check fails",
        "a restart after what it needs",
        "a service comes back",
        "a service is removed",
        "an update fails",
        "compose is killed",
        "killed before it is started again",
        "killed by hand",
        "removed by hand",
        "started again by its policy",
        "the engine is restarted",
    ];
    let missing: Vec<_> = expected
        .iter()
        .filter(|what| !tried.what.contains(**what))
        .collect();
    assert!(missing.is_empty(), "no world has tried {missing:?}");
}

#[test]
fn a_run_is_a_success_only_where_every_service_is_well() {
    let Some(tried) = check_worlds(CI, 1_000) else {
        return;
    };
    let (well, badly) = (tried.successes, tried.failures);
    assert!(well > 100 && badly > 100, "{well} well, {badly} badly");
}

/// An engine with something between it and the outside.
struct Faulty {
    engine: Engine,
    spoil_event: fn(&mut Event),
    spoil_effects: fn(&mut Vec<Effect>),
}

impl Brain for Faulty {
    fn handle(&mut self, now: Instant, mut event: Event) -> Vec<Effect> {
        (self.spoil_event)(&mut event);
        let mut effects = self.engine.handle(now, event);
        (self.spoil_effects)(&mut effects);
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

/// Expects that some world finds a fault, and says so in these words.
#[track_caller]
fn check_found(mode: Mode, spoil_event: fn(&mut Event), spoil_effects: fn(&mut Vec<Effect>), expected: &str) {
    let found = (0..300).any(|seed| {
        let brain = |config| Faulty {
            engine: Engine::new(config),
            spoil_event,
            spoil_effects,
        };
        let broken = broken(seed, mode, brain, &mut Tried::default());
        broken.is_some_and(|why| why.lines().next().is_some_and(|line| line.contains(expected)))
    });
    assert!(found, "no world speaks of {expected:?}");
}

fn mislead_of_health(event: &mut Event) {
    let claim = |health: &mut Option<Health>| {
        if health.is_some() {
            *health = Some(Health::Healthy);
        }
    };
    match event {
        Event::ServiceContainerSeen(container) => claim(&mut container.health),
        Event::ServiceContainersListed { containers, .. } => {
            containers
                .iter_mut()
                .for_each(|container| claim(&mut container.health));
        }
        _ => {}
    }
}

#[test]
fn a_health_check_that_is_not_looked_at_is_found() {
    check_found(CI, mislead_of_health, |_| {}, "a success, but");
    check_found(Mode::Up, mislead_of_health, |_| {}, "is shown as well");
}

#[test]
fn an_exit_code_that_is_not_looked_at_is_found() {
    let mislead = |event: &mut Event| {
        let claim = |container: &mut ServiceContainer| {
            if container.state == ServiceState::Exited {
                container.exit_code = 0;
            }
        };
        match event {
            Event::ServiceContainerSeen(container) => claim(container),
            Event::ServiceContainersListed { containers, .. } => containers.iter_mut().for_each(claim),
            _ => {}
        }
    };
    check_found(CI, mislead, |_| {}, "is shown as well");
}

#[test]
fn a_changed_file_that_starts_no_update_is_found() {
    let forget = |effects: &mut Vec<Effect>| {
        effects.retain(|effect| match effect {
            Effect::StartUpdate(plan) => !plan.header.contains("Changed: ["),
            _ => true,
        });
    };
    check_found(Mode::Up, |_| {}, forget, "is still building");
}

#[test]
fn a_service_that_is_never_removed_is_found() {
    let keep = |effects: &mut Vec<Effect>| {
        for effect in effects {
            if let Effect::RemoveService { service, .. } = effect {
                service.service = "nothing".to_owned();
            }
        }
    };
    check_found(Mode::Up, |_| {}, keep, "is still there");
}

#[test]
fn an_update_that_was_killed_and_is_not_tried_again_is_found() {
    let give_up = |event: &mut Event| {
        if let Event::UpdateFinished { outcome, .. } = event {
            outcome.transient = None;
        }
    };
    check_found(Mode::Up, give_up, |_| {}, "not tried again");
}

#[test]
fn a_dependency_that_is_not_waited_for_is_found() {
    let mislead = |event: &mut Event| {
        if let Event::TiltfileLoaded { outcome, .. } = event {
            let manifests = outcome.manifests.iter_mut().flatten();
            manifests.for_each(|manifest| manifest.resource_deps.clear());
        }
    };
    check_found(Mode::Up, mislead, |_| {}, "starts before");
}
