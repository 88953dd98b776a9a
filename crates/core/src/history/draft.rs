//! An update that is not over: what is known of it until now, with the clock's own times.
//!
//! Whatever its stages say of themselves, what readers get of an update that ended has no gap and no overlap: each stage lasts until
//! the next one begins, the first from the beginning of the update on, and the last to its end.

use std::time::Instant;

use super::{
    At, Cause, LogRange, Outcome, Result, Stage, StageKind, StageTime, UpdateKind, UpdateRecord, Waits,
};
use crate::model::{ManifestName, SpanId, Timestamp};

/// An update that is not over.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) resource: ManifestName,
    pub(crate) number: u64,
    pub(crate) kind: UpdateKind,
    pub(crate) causes: Vec<Cause>,
    /// When the first change was noticed that led to it, if that is known.
    pub(crate) noticed: Option<Instant>,
    /// When it was due.
    pub(crate) due: Instant,
    pub(crate) waits: Option<Waits>,
    pub(crate) started: Instant,
    pub(crate) span: SpanId,
    pub(crate) stages: Vec<StageTime>,
    /// When its roll-out began, if what it deployed has to become ready.
    pub(crate) rollout: Option<Instant>,
    pub(crate) outcome: Outcome,
    pub(crate) logs: Option<(u64, u64)>,
}

/// How an update ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ending {
    /// Why it failed.
    pub(crate) error: Option<String>,
    /// In a word, where there is one.
    pub(crate) reason: Option<String>,
    pub(crate) is_canceled: bool,
}

impl Draft {
    /// Takes in that the work is done; what was deployed may still have to become ready.
    pub(crate) fn note_end(&mut self, ending: Ending) {
        let result = match &ending.error {
            _ if ending.is_canceled => Result::Canceled,
            Some(_) => Result::Failed,
            None => Result::Ok,
        };
        self.outcome = Outcome {
            result,
            reason: ending.reason,
            message: ending.error,
        };
    }

    /// Returns what readers get of it; without an end, it goes on.
    pub(crate) fn record(
        &self,
        ended: Option<Instant>,
        time_of: &impl Fn(Instant) -> Timestamp,
    ) -> UpdateRecord {
        let due = self.due.min(self.started);
        let wanted = self.noticed.map_or(due, |noticed| noticed.min(due));
        let waits = self.waits.as_ref();
        let started = At {
            moment: self.started,
            time: time_of(self.started),
        };
        let mut stages = Vec::new();
        if wanted < due {
            stages.push(StageTime::new(StageKind::Batch, "", wanted, due));
        }
        let mut record = UpdateRecord {
            resource: self.resource.clone(),
            number: self.number,
            kind: self.kind,
            causes: self.causes.clone(),
            wanted: time_of(wanted),
            started: time_of(self.started),
            ended: ended.map(time_of),
            waits: waits.map_or_else(Vec::new, |waits| waits.told_until(Some(started))),
            stages: stages.iter().map(|stage| told(stage, time_of)).collect(),
            outcome: self.outcome.clone(),
            logs: vec![LogRange {
                span: self.span.clone(),
                from: self.logs.map_or(0, |(from, _)| from),
                until: self.logs.map(|(_, until)| until),
            }],
        };
        record.stages.extend(self.work(ended, time_of));
        record
    }

    /// Returns the stages from the beginning of the update on.
    fn work(&self, ended: Option<Instant>, time_of: &impl Fn(Instant) -> Timestamp) -> Vec<Stage> {
        let work_ended = self.rollout.or(ended);
        let latest = work_ended.unwrap_or_else(|| {
            let ends = self.stages.iter().map(|stage| stage.until);
            ends.max().unwrap_or(self.started).max(self.started)
        });
        let mut stages: Vec<Stage> = Vec::new();
        let mut begins = self.started;
        for (at, stage) in self.stages.iter().enumerate() {
            let next = self.stages.get(at + 1).map(|next| next.from);
            let ends = next.or(work_ended).unwrap_or(stage.until).clamp(begins, latest);
            stages.push(Stage {
                from: time_of(begins),
                until: Some(time_of(ends)),
                ..told(stage, time_of)
            });
            begins = ends;
        }
        if stages.is_empty() && work_ended.is_some_and(|ended| ended > self.started) {
            let kind = match self.kind {
                UpdateKind::Full => StageKind::Prepare,
                UpdateKind::Sync => StageKind::Sync,
                UpdateKind::Load => StageKind::Load,
            };
            let ended = work_ended.unwrap_or(self.started);
            stages.push(told(&StageTime::new(kind, "", self.started, ended), time_of));
        }
        if let Some(rollout) = self.rollout {
            let mut stage = told(&StageTime::new(StageKind::Rollout, "", rollout, rollout), time_of);
            stage.until = ended.map(time_of);
            stages.push(stage);
        }
        stages
    }
}

fn told(stage: &StageTime, time_of: &impl Fn(Instant) -> Timestamp) -> Stage {
    Stage {
        kind: stage.kind,
        name: stage.name.clone(),
        from: time_of(stage.from),
        until: Some(time_of(stage.until)),
        facts: stage.facts.clone(),
        parts: stage.parts.iter().map(|part| told(part, time_of)).collect(),
    }
}
