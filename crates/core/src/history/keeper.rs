//! Keeps the updates that go on, and the last ones that ended.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use super::{At, Draft, Result, UpdateRecord, WaitReason, Waits};
use crate::model::{BuildId, LiveUpdateId, LoadId, ManifestName, TargetId, Timestamp};

/// How many ended updates of each resource are kept.
const OF_EACH: usize = 20;
/// How many are kept of all resources together, beside the last one of each.
const TOGETHER: usize = 1_000;

/// What the outside calls an update that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RunId {
    /// An update.
    Update(BuildId),
    /// Changes of running containers.
    Sync(LiveUpdateId),
    /// An evaluation of the Tiltfile.
    Load(LoadId),
}

/// The updates that go on, and the last ones that ended.
#[derive(Debug, Default)]
pub(crate) struct Keeper {
    /// Whether nobody will ask: then nothing is kept.
    pub(crate) is_off: bool,
    last_number: u64,
    /// What is being carried out.
    running: BTreeMap<RunId, Draft>,
    /// What was carried out and has to become ready.
    rolling: BTreeMap<ManifestName, Draft>,
    /// What is due and has not begun.
    waits: BTreeMap<ManifestName, Waits>,
    /// Who built an image last.
    builders: BTreeMap<TargetId, ManifestName>,
    ended: BTreeMap<ManifestName, Arc<Vec<Arc<UpdateRecord>>>>,
    /// Whose updates ended, the earliest first: one for each that is kept.
    by_age: VecDeque<ManifestName>,
    /// Those that ended since they were last taken.
    news: Vec<Arc<UpdateRecord>>,
}

impl Keeper {
    /// Returns the number of an update that begins.
    pub(crate) fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// Takes in that an update begins. Unless it only changes what is there, what the one before it deployed is not waited for
    /// any more.
    pub(crate) fn begin(
        &mut self,
        run: RunId,
        draft: Draft,
        keeps_rollout: bool,
        now: Instant,
        time_of: impl Fn(Instant) -> Timestamp,
    ) {
        if self.is_off {
            return;
        }
        let before = (!keeps_rollout).then(|| self.rolling.remove(&draft.resource));
        if let Some(mut before) = before.flatten() {
            if before.outcome.result == Result::RollingOut {
                before.outcome.result = Result::Replaced;
            }
            self.keep(&before, now, &time_of);
        }
        self.running.insert(run, draft);
    }

    /// Takes an update out that was carried out.
    pub(crate) fn take(&mut self, run: RunId) -> Option<Draft> {
        self.running.remove(&run)
    }

    /// Returns an update that is being carried out.
    pub(crate) fn running_mut(&mut self, run: RunId) -> Option<&mut Draft> {
        self.running.get_mut(&run)
    }

    /// Keeps an update until what it deployed is ready.
    pub(crate) fn roll_out(&mut self, mut draft: Draft, now: Instant) {
        draft.rollout = Some(now);
        draft.outcome.result = Result::RollingOut;
        self.rolling.insert(draft.resource.clone(), draft);
    }

    /// Returns what has to become ready of a resource.
    pub(crate) fn rolling_mut(&mut self, name: &ManifestName) -> Option<&mut Draft> {
        self.rolling.get_mut(name)
    }

    /// Takes out what has to become ready of a resource.
    pub(crate) fn take_rolling(&mut self, name: &ManifestName) -> Option<Draft> {
        self.rolling.remove(name)
    }

    /// Keeps an update that is over.
    pub(crate) fn keep(&mut self, draft: &Draft, ended: Instant, time_of: &impl Fn(Instant) -> Timestamp) {
        let record = Arc::new(draft.record(Some(ended), time_of));
        let kept = Arc::make_mut(self.ended.entry(draft.resource.clone()).or_default());
        kept.insert(0, Arc::clone(&record));
        if kept.len() > OF_EACH {
            kept.pop();
            // The oldest of this resource is the first that has its name.
            let oldest = self.by_age.iter().position(|name| *name == draft.resource);
            oldest.and_then(|at| self.by_age.remove(at));
        }
        self.by_age.push_back(draft.resource.clone());
        self.forget_oldest();
        self.news.push(record);
    }

    /// Forgets the oldest updates that are not the last of their resources, until all fit.
    fn forget_oldest(&mut self) {
        let mut looked_at = 0;
        while self.by_age.len() > TOGETHER + self.ended.len() && looked_at < self.by_age.len() {
            let Some(name) = self.by_age.pop_front() else {
                return;
            };
            match self.ended.get_mut(&name).filter(|kept| kept.len() > 1) {
                Some(kept) => {
                    Arc::make_mut(kept).pop();
                }
                None => {
                    self.by_age.push_back(name);
                    looked_at += 1;
                }
            }
        }
    }

    /// Forgets resources that are not among these.
    pub(crate) fn retain(&mut self, is_there: impl Fn(&ManifestName) -> bool) {
        self.ended.retain(|name, _| is_there(name));
        self.by_age.retain(|name| is_there(name));
        self.waits.retain(|name, _| is_there(name));
    }

    /// Returns the updates of a resource that ended, the last one first.
    pub(crate) fn ended(&self, name: &ManifestName) -> Arc<Vec<Arc<UpdateRecord>>> {
        self.ended.get(name).map(Arc::clone).unwrap_or_default()
    }

    /// Returns the updates of a resource that go on.
    pub(crate) fn going_on(
        &self,
        name: &ManifestName,
        time_of: impl Fn(Instant) -> Timestamp,
    ) -> Vec<UpdateRecord> {
        let running = self.running.values().filter(|draft| draft.resource == *name);
        let mut open: Vec<&Draft> = running.chain(self.rolling.get(name)).collect();
        open.sort_by_key(|draft| std::cmp::Reverse(draft.number));
        open.into_iter()
            .map(|draft| draft.record(None, &time_of))
            .collect()
    }

    /// Returns all updates that go on.
    pub(crate) fn all_going_on(&self, time_of: impl Fn(Instant) -> Timestamp) -> Vec<UpdateRecord> {
        let mut open: Vec<&Draft> = self.running.values().chain(self.rolling.values()).collect();
        open.sort_by_key(|draft| draft.number);
        open.into_iter()
            .map(|draft| draft.record(None, &time_of))
            .collect()
    }

    /// Returns what ended since this was last asked.
    pub(crate) fn take_news(&mut self) -> Vec<Arc<UpdateRecord>> {
        std::mem::take(&mut self.news)
    }

    /// Notes what the update of a resource that is due waits for. Returns whether that is something else than before.
    pub(crate) fn note_wait(
        &mut self,
        now: At,
        name: &ManifestName,
        reason: WaitReason,
        on: &Arc<[String]>,
    ) -> bool {
        if self.is_off {
            return false;
        }
        match self.waits.get_mut(name) {
            Some(waits) => waits.note(now, reason, on),
            None => {
                self.waits.insert(name.clone(), Waits::new(now, reason, on));
                true
            }
        }
    }

    /// Forgets what a resource waited for that is not due any more.
    pub(crate) fn forget_waits(&mut self, name: &ManifestName) {
        self.waits.remove(name);
    }

    /// Returns what the update of a resource waits for, if it is due.
    pub(crate) fn waits(&self, name: &ManifestName) -> Option<&Waits> {
        self.waits.get(name)
    }

    /// Takes what an update that begins waited for.
    pub(crate) fn take_waits(&mut self, name: &ManifestName) -> Option<Waits> {
        self.waits.remove(name)
    }

    /// Notes who built an image.
    pub(crate) fn note_built(&mut self, image: TargetId, by: ManifestName) {
        self.builders.insert(image, by);
    }

    /// Returns who built an image last, for others.
    pub(crate) fn builder(&self, image: &TargetId) -> Option<&ManifestName> {
        self.builders.get(image)
    }
}
