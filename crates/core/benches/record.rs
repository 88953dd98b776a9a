//! What the record of updates costs the engine of a session of 1,000 resources: time beside an engine that keeps none, and memory.
//!
//! Each resource is deployed, then updated five times, and its pod becomes ready each time. Run with `cargo bench -p tilt-core --bench
//! record`. Goals: 2 % of the loop's time, 3 MB.

#![allow(
    unsafe_code,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark counts what is allocated, and tells what it measured"
)]

mod session;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use session::{Session, applied, builds, pod_seen, service_name};
use tilt_core::engine::{Event, UpdateOutcome};
use tilt_core::history::{Facts, StageKind, StageTime};
use tilt_core::model::TriggerReason;

const RESOURCES: usize = 1_000;
const UPDATES: usize = 5;
const RUNS: usize = 5;

/// Bytes that are allocated now.
static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: the system's allocator does the work; sizes are only counted.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: as for this function.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as for this function.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn main() {
    // The two take turns, so that both see the same machine; the best of each counts.
    let runs: Vec<[(Duration, usize); 2]> = (0..RUNS).map(|_| [true, false].map(lives)).collect();
    let best = |which: usize| {
        let times = runs.iter().map(|run| run[which].0);
        times.min().unwrap_or_default().as_secs_f64()
    };
    let (with, without) = (best(0), best(1));
    let bytes = runs[0][0].1.saturating_sub(runs[0][1].1);
    println!(
        "{} updates of {RESOURCES} resources: {with:.3} s with records, {without:.3} s without: {:.1} % (goal 2)",
        RESOURCES * UPDATES,
        (with - without) / with * 100.0
    );
    println!("memory of the records: {:.2} MB (goal 3)", bytes as f64 / 1e6);
}

/// Lets a session live; returns how long its engine took, and what is allocated then.
fn lives(with_records: bool) -> (Duration, usize) {
    let before = ALLOCATED.load(Ordering::Relaxed);
    let mut session = Session::settled(RESOURCES, with_records);
    drop(session.engine.publish());
    let mut took = Duration::ZERO;
    for _ in 0..UPDATES {
        for number in 0..RESOURCES {
            let manifest = service_name(number);
            let asked = Event::Triggered {
                manifest,
                reason: TriggerReason::Cli,
            };
            let (cost, effects) = session.timed(asked);
            took += cost;
            for (build, number) in builds(&effects) {
                let outcome = UpdateOutcome {
                    stages: stages(session.now),
                    ..applied(number)
                };
                let ended = Event::UpdateFinished {
                    build,
                    outcome: Box::new(outcome),
                };
                took += session.timed(ended).0;
            }
            for is_ready in [false, true] {
                took += session.timed(pod_seen(number, is_ready)).0;
            }
        }
    }
    (took, ALLOCATED.load(Ordering::Relaxed) - before)
}

/// Returns the stages of an update as whoever carries it out tells them.
fn stages(now: Instant) -> Vec<StageTime> {
    let stage = |kind, name: &str| StageTime::new(kind, name, now, now + Duration::from_millis(1));
    let mut images = stage(StageKind::Images, "");
    let mut build = stage(StageKind::Build, "shop/service");
    build.facts = Facts {
        steps_built: Some(2),
        steps_cached: Some(5),
        first_built_step: Some("[6/7] COPY . /src".to_owned()),
        ..Facts::default()
    };
    images.parts = vec![build, stage(StageKind::Push, "shop/service")];
    let mut apply = stage(StageKind::Apply, "");
    apply.facts.changed = vec!["Deployment/service".to_owned()];
    vec![stage(StageKind::Prepare, ""), images, apply]
}
