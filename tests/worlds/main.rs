//! The engine in simulated worlds: a made-up outside edits files, answers late, fails, crashes and goes away, in an
//! order that a seed decides. Rules that must always hold are checked at every step, and once all is quiet.
//!
//! Start with `world`, which is the outside, with `cluster`, `connection` and `servers` as parts of it; `project` is what its Tiltfile says, `rules` what must hold.
//! `live` and `services` are worlds of their own. A failure
//! names the seed: `WORLD_SEED=7 cargo test --test worlds` runs that world alone. Some seeds are those of the day, so that
//! something new is tried; `WORLD_DAY=20000` tries those of another day.

mod ci;
mod cluster;
mod connection;
mod coverage;
mod imports;
mod live;
mod planted;
mod project;
mod pure;
mod questions;
mod records;
mod rng;
mod rules;
mod servers;
mod services;
mod wishes;
mod world;

use coverage::Coverage;
use tilt::engine::{Engine, ExitOutcome, Mode};
use world::{Chaos, World};

/// How many worlds are tried.
const WORLDS: u64 = 2_000;

/// No two days have a seed in common.
const SEEDS_OF_A_DAY: u64 = 10_000;
const MICROSECONDS_OF_A_DAY: u64 = 24 * 3_600 * 1_000_000;

/// Worlds in which objects leave the Tiltfile and come back.
const RELOADS: Chaos = Chaos {
    mode: Mode::Up,
    steps: 120,
    many_reloads: true,
};

/// Returns the seeds to try: those that are always the same, and a tenth as many of today; or the one that the environment
/// names. What the seeds of a day find is kept by a test of its own.
fn seeds(all: u64) -> Vec<u64> {
    let number = |name| {
        std::env::var(name)
            .ok()
            .and_then(|number| number.parse::<u64>().ok())
    };
    if let Some(seed) = number("WORLD_SEED") {
        return vec![seed];
    }
    let today = number("WORLD_DAY")
        .unwrap_or_else(|| tilt::clock::timestamp().0.unsigned_abs() / MICROSECONDS_OF_A_DAY);
    let of_today = today * SEEDS_OF_A_DAY..today * SEEDS_OF_A_DAY + all / 10;
    #[allow(
        clippy::print_stdout,
        reason = "which worlds were tried must be known where one fails"
    )]
    {
        println!(
            "worlds 0 to {all}, and of day {today} worlds {} to {}",
            of_today.start, of_today.end
        );
    }
    (0..all).chain(of_today).collect()
}

/// Lets worlds live, one per seed, and shows the story of the first that breaks a rule; returns how
/// each ended, and what was tried in all of them.
#[track_caller]
fn check_worlds(
    seeds: Vec<u64>,
    chaos: Chaos,
    live: fn(&mut World<Engine>) -> rules::Verdict,
) -> (Vec<Option<ExitOutcome>>, Coverage) {
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
        let ended = ended.unwrap_or_else(|broken| panic!("{broken}"));
        let mut tried = Coverage::default();
        let mut exits = Vec::new();
        for (exit, coverage) in ended.into_iter().flatten() {
            exits.push(exit);
            tried.add(coverage);
        }
        (exits, tried)
    })
}

/// Returns how a world ended, or what happened in it until a rule was broken.
fn live_one(
    seed: u64,
    chaos: Chaos,
    live: fn(&mut World<Engine>) -> rules::Verdict,
) -> Result<(Option<ExitOutcome>, Coverage), String> {
    let mut world = World::new(seed, Engine::new, chaos);
    live(&mut world).map_err(|broken| {
        let mut again = World::new(seed, Engine::new, chaos).telling();
        let _ = live(&mut again);
        format!("WORLD_SEED={seed}: {broken}\n{}", again.story())
    })?;
    world.coverage.note_exit(world.exit.as_ref());
    Ok((world.exit, world.coverage))
}

#[test]
fn every_rule_holds_in_every_world() {
    let seeds = seeds(WORLDS);
    let is_one = seeds.len() == 1;
    let (_, tried) = check_worlds(seeds, Chaos::default(), World::live);
    if !is_one {
        tried.check(&EVERYTHING);
    }
}

/// What the worlds of `tilt up` must have tried.
const EVERYTHING: [&str; 33] = [
    "await: ok",
    "await: failed",
    "await: pending",
    "connecting fails",
    "something comes back",
    "hold tiltfile-reload",
    "hold waiting-for-local",
    "hold is-unparallelizable-local",
    "hold waiting-for-uncategorized",
    "hold building-component",
    "hold waiting-for-dep",
    "hold waiting-for-cluster",
    "hold waiting-for-deletion",
    "hold waiting-for-retry",
    "Auto: first",
    "Auto: changed files",
    "Auto: made anew",
    "Auto: Dependency Updated",
    "ManualWithAutoInit: first",
    "ManualWithAutoInit: changed files",
    "ManualWithAutoInit: made anew",
    "Manual: changed files",
    "Manual: made anew",
    "AutoWithManualInit: changed files",
    "AutoWithManualInit: made anew",
    "local resource updates",
    "local resource serves",
    "local resource has a probe",
    "local resource runs alone",
    "switched on",
    "switched off",
    "switched off while it is updated",
    "switched off while it serves",
];

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
