//! The engine in simulated worlds: a made-up outside edits files, answers late, fails, crashes and goes away, in an
//! order that a seed decides. Rules that must always hold are checked at every step, and once all is quiet.
//!
//! Start with `world`, which is the outside, with `cluster` and `servers` as parts of it; `project` is what its Tiltfile says, `rules` what must hold. A failure
//! names the seed: `WORLD_SEED=7 cargo test --test worlds` runs that world alone.

mod ci;
mod cluster;
mod planted;
mod project;
mod pure;
mod rng;
mod rules;
mod servers;
mod world;

use tilt::engine::{Engine, ExitOutcome, Mode};
use world::{Chaos, World};

/// How many worlds are tried.
const WORLDS: u64 = 2_000;

/// Worlds in which objects leave the Tiltfile and come back.
const RELOADS: Chaos = Chaos {
    mode: Mode::Up,
    steps: 120,
    many_reloads: true,
};

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
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = seeds.len().div_ceil(threads).max(1);
    let live_all = |seeds: &[u64]| seeds.iter().map(|seed| live_one(*seed, chaos, live)).collect();
    std::thread::scope(|scope| {
        let started: Vec<_> = seeds
            .chunks(share)
            .map(|seeds| scope.spawn(move || live_all(seeds)))
            .collect();
        let ended: Result<Vec<Vec<_>>, String> = started
            .into_iter()
            .map(|thread| thread.join().expect("a world does not panic"))
            .collect();
        ended.unwrap_or_else(|broken| panic!("{broken}")).concat()
    })
}

/// Returns how a world ended, or what happened in it until a rule was broken.
fn live_one(
    seed: u64,
    chaos: Chaos,
    live: fn(&mut World<Engine>) -> rules::Verdict,
) -> Result<Option<ExitOutcome>, String> {
    let mut world = World::new(seed, Engine::new, chaos);
    live(&mut world).map_err(|broken| {
        let mut again = World::new(seed, Engine::new, chaos).telling();
        let _ = live(&mut again);
        format!("WORLD_SEED={seed}: {broken}\n{}", again.story())
    })?;
    Ok(world.exit)
}

#[test]
fn every_rule_holds_in_every_world() {
    check_worlds(seeds(WORLDS), Chaos::default(), World::live);
}

#[test]
fn every_rule_holds_where_the_tiltfile_changes_all_the_time() {
    check_worlds(seeds(400), RELOADS, World::live);
}

#[test]
fn the_same_seed_gives_the_same_world() {
    let story = |seed| {
        let mut world = World::new(seed, Engine::new, Chaos::default()).telling();
        world.live().map(|()| world.story().to_owned())
    };
    assert_eq!(story(11), story(11));
}
