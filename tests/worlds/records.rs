//! What must hold of the records of updates: each has a cause, and its waits and stages are all of its time.

use std::time::{Duration, Instant};

use tilt::history::{StageKind, StageTime, UpdateRecord};
use tilt::model::Timestamp;

use crate::rules::{Verdict, holds};
use crate::world::{Brain, World};

/// How many updates of each resource a reader gets at most.
const KEPT: usize = 20;

impl<B: Brain> World<B> {
    /// Judges what was kept since the last step, and what readers see.
    pub(crate) fn check_records(&mut self) -> Verdict {
        let new: Vec<_> = self.records.drain(..).collect();
        for record in &new {
            check(record)?;
            holds(record.ended.is_some() || self.exit.is_some(), || {
                format!("it is kept and goes on: {record:#?}")
            })?;
            holds(record.ended.is_none_or(|at| at <= self.time_now()), || {
                format!("it ended before it did: {record:#?}")
            })?;
        }
        let view = self.view();
        for resource in &view.resources {
            resource.going_on.iter().try_for_each(check)?;
            holds(resource.ended.len() <= KEPT, || {
                format!("{} keeps {} updates", resource.name, resource.ended.len())
            })?;
            let is_open = resource.building.is_some();
            let is_told = resource
                .going_on
                .iter()
                .any(|record| record.stages.is_empty() || record.ended.is_none());
            holds(!is_open || is_told, || {
                format!("{} is updated, and nothing tells of it", resource.name)
            })?;
            holds(resource.hold.is_some() <= resource.waiting.is_some(), || {
                format!(
                    "{} waits, and nothing tells of it: {:?}",
                    resource.name, resource.hold
                )
            })?;
        }
        Ok(())
    }

    pub(crate) fn time_now(&self) -> Timestamp {
        let since = self.now.duration_since(self.started_at).as_micros();
        Timestamp(Timestamp::from_secs(1_000).0 + i64::try_from(since).expect("a world is short"))
    }

    /// Returns what an update tells of its stages: mostly as they were, at times with gaps and overlaps.
    pub(crate) fn made_up_stages(&mut self) -> Vec<StageTime> {
        let kinds = [StageKind::Prepare, StageKind::Images, StageKind::Apply];
        let n = self.rng.below(kinds.len() + 1);
        let mut moment = || -> Instant {
            let back = Duration::from_millis(self.rng.below(3_000) as u64);
            self.now.checked_sub(back).unwrap_or(self.now)
        };
        kinds[..n]
            .iter()
            .map(|kind| StageTime::new(*kind, "", moment(), moment()))
            .collect()
    }
}

fn check(record: &UpdateRecord) -> Verdict {
    holds(!record.causes.is_empty(), || {
        format!("it has no cause: {record:#?}")
    })?;
    let waits = record.waits.iter().map(|wait| (wait.from, wait.until));
    let stages = record.stages.iter().map(|stage| (stage.from, stage.until));
    let mut times: Vec<_> = waits.chain(stages).collect();
    // What waits for nothing comes before what takes time from the same moment on.
    times.sort_by_key(|(from, until)| (*from, until.is_none(), *until));
    let mut at = record.wanted;
    let mut sum = Duration::ZERO;
    for (from, until) in times {
        holds(from == at, || {
            format!("a gap or an overlap at {from:?}: {record:#?}")
        })?;
        let Some(until) = until else {
            return holds(record.ended.is_none(), || {
                format!("a stage has no end: {record:#?}")
            });
        };
        sum += until.since(from);
        at = until;
    }
    let Some(ended) = record.ended else { return Ok(()) };
    holds(at == ended && sum == ended.since(record.wanted), || {
        format!(
            "{sum:?} of {:?} are told: {record:#?}",
            ended.since(record.wanted)
        )
    })
}
