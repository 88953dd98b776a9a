//! What one event costs the engine, with 10 to 2,000 resources: it must not grow with their number.
//!
//! Each resource has a pod with two containers, whose logs are read, and there are as many local resources. Run with
//! `cargo bench -p tilt-core --bench handle`; numbers behind `--` are used in place of the usual ones.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark tells what it measured"
)]

mod session;

use std::time::{Duration, Instant};

use session::{
    Session, applied, container_id, event_seen, local_name, pod_in_run, pod_seen, service_name, uid,
};
use tilt_core::engine::{Effect, Event, FileChange, LogId, UpdateOutcome};
use tilt_core::model::{BuildId, LocalPath, ManifestName, TargetId, TriggerReason};

const COUNTS: [usize; 4] = [10, 100, 1_000, 2_000];
/// How many events of each kind are measured.
const EVENTS: usize = 2_000;

fn main() {
    let given: Vec<usize> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    let counts = if given.is_empty() { COUNTS.to_vec() } else { given };
    println!(
        "{:34}{}",
        "microseconds per event, resources:",
        counts.iter().map(|n| format!("{n:>9}")).collect::<String>()
    );
    let columns: Vec<Vec<(&str, f64)>> = counts.into_iter().map(measure).collect();
    for (row, (what, _)) in columns[0].iter().enumerate() {
        let shown: String = columns
            .iter()
            .map(|column| format!("{:9.2}", column[row].1))
            .collect();
        println!("{what:34}{shown}");
    }
}

/// Makes the event of a number.
type Make = fn(&Session, usize) -> Event;

/// Returns what each kind of event costs, in microseconds, view included.
fn measure(count: usize) -> Vec<(&'static str, f64)> {
    let begun = Instant::now();
    let mut session = Session::settled(count, true);
    let start = begun.elapsed().as_secs_f64() * 1e6 / count as f64;
    let kinds: [(&str, Make); 5] = [
        ("a pod becomes ready or unready", |session, i| {
            pod_seen(i % session.count, i % (2 * session.count) < session.count)
        }),
        ("a pod is seen again as it was", |session, i| {
            pod_seen(i % session.count, true)
        }),
        ("an event of the cluster", |session, i| {
            event_seen(i % session.count, i)
        }),
        ("a file of a local resource", |session, i| {
            Event::FilesChanged(vec![FileChange::new(
                TargetId::local(&local_name(i % session.count)),
                LocalPath::new(format!("/src/{i}")),
            )])
        }),
        ("nothing happens", |_, _| Event::Wake),
    ];
    let runs = |alone| {
        let begun = Instant::now();
        Session::runs_commands(count, alone);
        begun.elapsed().as_secs_f64() * 1e6 / count as f64
    };
    let mut costs = vec![
        ("a start, per resource", start),
        ("ci of commands, per command", runs(false)),
        ("the same, each alone", runs(true)),
    ];
    for (what, event) in kinds {
        costs.push((what, session.cost(event)));
    }
    let (restarted, read) = session.cost_of_restarts();
    costs.extend([
        ("a container restarts", restarted),
        ("the log of its last run ends", read),
    ]);
    let (asked, ended) = session.cost_of_updates(local_name, |_| UpdateOutcome::default());
    costs.extend([("a command is triggered", asked), ("its update ends", ended)]);
    let (asked, ended) = session.cost_of_updates(service_name, applied);
    costs.extend([("a Deployment is triggered", asked), ("its update ends", ended)]);
    costs
}

impl Session {
    /// Returns what it costs, in microseconds, that an update is asked for, and that it ends.
    fn cost_of_updates(
        &mut self,
        name: fn(usize) -> ManifestName,
        outcome: fn(usize) -> UpdateOutcome,
    ) -> (f64, f64) {
        let (mut asked, mut ended) = (Duration::ZERO, Duration::ZERO);
        for i in 0..EVENTS {
            let number = i % self.count;
            let (manifest, reason) = (name(number), TriggerReason::Web);
            let (cost, effects) = self.timed(Event::Triggered { manifest, reason });
            asked += cost;
            for build in effects.iter().filter_map(started) {
                let outcome = Box::new(outcome(number));
                ended += self.timed(Event::UpdateFinished { build, outcome }).0;
            }
        }
        (each(asked), each(ended))
    }

    /// Returns what it costs, in microseconds, that a container restarts, and that the log of its last run has been read.
    fn cost_of_restarts(&mut self) -> (f64, f64) {
        let (mut restarted, mut read) = (Duration::ZERO, Duration::ZERO);
        for i in 0..EVENTS {
            let (number, run) = (i % self.count, i / self.count);
            restarted += self.timed(pod_in_run(number, true, run + 1)).0;
            read += self.timed(log_ended(number, run)).0;
        }
        (each(restarted), each(read))
    }

    /// Returns what an event costs, in microseconds.
    fn cost(&mut self, event: fn(&Self, usize) -> Event) -> f64 {
        let events: Vec<Event> = (0..EVENTS).map(|i| event(self, i)).collect();
        let begun = Instant::now();
        for event in events {
            std::hint::black_box(self.timed(event));
        }
        begun.elapsed().as_secs_f64() * 1e6 / EVENTS as f64
    }
}

/// Returns the share of an event, in microseconds.
fn each(all: Duration) -> f64 {
    all.as_secs_f64() * 1e6 / EVENTS as f64
}

fn started(effect: &Effect) -> Option<BuildId> {
    match effect {
        Effect::StartUpdate(plan) => Some(plan.build),
        _ => None,
    }
}

fn log_ended(number: usize, run: usize) -> Event {
    Event::LogStreamEnded(LogId::Pod {
        pod: uid("pod", number),
        container_id: container_id("main", number, run),
    })
}
