//! The engine in simulated worlds: a made-up outside edits files, answers late, fails, crashes and goes away, in an
//! order that a seed decides. Rules that must always hold are checked at every step, and once all is quiet.
//!
//! Start with `world`, which is the outside, with `cluster` as a part of it; `project` is what its Tiltfile says, `rules` what must hold. A failure
//! names the seed: `WORLD_SEED=7 cargo test --test worlds` runs that world alone.

mod ci;
mod cluster;
mod planted;
mod project;
mod pure;
mod rng;
mod rules;
mod world;

use tilt::engine::{Engine, ExitOutcome};
use world::{Chaos, World};

/// How many worlds are tried.
const WORLDS: u64 = 2_000;

/// Returns the seeds to try: all, or the one that the environment names.
fn seeds(all: u64) -> Vec<u64> {
    match std::env::var("WORLD_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
    {
        Some(seed) => vec![seed],
        None => (0..all).collect(),
    }
}

/// Lets worlds live, one per seed, and shows the story of the first that breaks a rule; returns how
/// each ended.
#[track_caller]
fn check_worlds(
    seeds: Vec<u64>,
    chaos: Chaos,
    live: fn(&mut World<Engine>) -> rules::Verdict,
) -> Vec<Option<ExitOutcome>> {
    let mut exits = Vec::new();
    for seed in seeds {
        let mut world = World::new(seed, Engine::new, chaos);
        if let Err(broken) = live(&mut world) {
            let mut again = World::new(seed, Engine::new, chaos).telling();
            let _ = live(&mut again);
            panic!("WORLD_SEED={seed}: {broken}\n{}", again.story());
        }
        exits.push(world.exit);
    }
    exits
}

#[test]
fn every_rule_holds_in_every_world() {
    check_worlds(seeds(WORLDS), Chaos::default(), World::live);
}

#[test]
fn the_same_seed_gives_the_same_world() {
    let story = |seed| {
        let mut world = World::new(seed, Engine::new, Chaos::default()).telling();
        world.live().map(|()| world.story().to_owned())
    };
    assert_eq!(story(11), story(11));
}
