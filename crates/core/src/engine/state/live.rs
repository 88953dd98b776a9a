//! What is known of the containers of a resource that are changed in place.
//!
//! It is told what a container holds, not what happened to it: a container that is new, a file that changed while
//! something else ran, a connection that was lost are all the same question, what differs.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use crate::engine::moment::Seq;
use crate::model::{Backoff, ContainerAddress, LiveUpdateId, LocalPath, SpanId, TargetId, TriggerReason};

/// A live update of a resource, by its image, and one run of one container, by the runtime's id.
pub(crate) type InstanceKey = (TargetId, String);

/// What is known of the containers of one resource.
#[derive(Debug, Default)]
pub(crate) struct Live {
    /// The containers that are selected now.
    pub(crate) instances: BTreeMap<InstanceKey, Instance>,
    /// How each live update is doing, by its image.
    pub(crate) standing: BTreeMap<TargetId, Standing>,
    /// What is being done.
    pub(crate) rounds: BTreeMap<LiveUpdateId, Round>,
    /// Where changes wait until a user asks: the changes up to here do not wait any more.
    pub(crate) asked: Seq,
    /// Whether what is deployed is what the resource is now defined to be: only then can containers be changed in place.
    pub(crate) is_current: bool,
    /// Why each live update last gave up, so that it is said once.
    pub(crate) told: BTreeMap<TargetId, FallBack>,
    /// Live updates of which it was said that they match no container.
    pub(crate) told_unmatched: BTreeSet<TargetId>,
}

/// One run of one container.
#[derive(Debug, Default)]
pub(crate) struct Instance {
    /// Where it is, and the image that it was made from; `None` before it was created.
    pub(crate) made_of: Option<(ContainerAddress, String)>,
    /// The changes up to here are in it.
    pub(crate) holds: Seq,
    /// The changes up to here are in it, and what was to be run for them has succeeded.
    pub(crate) done: Seq,
    /// The changes up to here were dealt with, well or badly.
    pub(crate) tried: Seq,
    /// Files that changed before the image that is deployed now was built, but after this container was made, and when
    /// that was found out: it is an older container of an image with the same content.
    pub(crate) older: BTreeMap<LocalPath, Seq>,
    /// Whether all that is synced was looked at since it is known.
    pub(crate) whole_done: bool,
    /// What is being done to it.
    pub(crate) running: Option<Change>,
    /// Why the last commands failed.
    pub(crate) error: Option<String>,
    /// Why it cannot be changed at all.
    pub(crate) impossible: Option<FallBack>,
    /// When a change that did not come through is tried again, and how long that was waited for.
    pub(crate) retry: Option<(Instant, Backoff)>,
}

/// A change of a container that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// The round that it belongs to.
    pub(crate) update: LiveUpdateId,
    /// The changes up to here are taken in.
    pub(crate) upto: Seq,
    /// When it was begun.
    pub(crate) started: Seq,
    /// Whether it is the first copy into a container.
    pub(crate) is_initial: bool,
}

/// How a live update is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// No container is there yet.
    NoContainer,
    /// There are containers, but none that it selects.
    Unmatched,
    /// All that is to be done is done, or under way, or waited for.
    Well {
        /// Whether a container differs from the disk.
        is_behind: bool,
    },
    /// Only a full build helps.
    Failed(FallBack),
}

/// Why a container is not changed in place: in a word, and in a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FallBack {
    pub(crate) reason: &'static str,
    pub(crate) message: String,
}

/// Changes of containers that are under way.
#[derive(Debug)]
pub(crate) struct Round {
    pub(crate) span: SpanId,
    pub(crate) reason: String,
    pub(crate) started: Instant,
    /// Whether it only looks at containers that are older than the session.
    pub(crate) is_check: bool,
    /// Who asked for it.
    pub(crate) triggers: BTreeSet<TriggerReason>,
    /// The containers that have not answered.
    pub(crate) waits_for: BTreeSet<InstanceKey>,
    /// Their pods, as they are named in messages.
    pub(crate) pods: BTreeMap<String, String>,
    /// The first thing that went wrong.
    pub(crate) error: Option<String>,
    /// Whether any container was changed, or could not be for a reason that stays.
    pub(crate) is_news: bool,
}

impl Live {
    /// Returns whether something is being done, or is still to be done.
    pub(crate) fn is_behind(&self) -> bool {
        let behind = Standing::Well { is_behind: true };
        !self.rounds.is_empty() || self.standing.values().any(|standing| *standing == behind)
    }

    /// Returns why commands of a container failed and were not run again since.
    pub(crate) fn error(&self) -> Option<&String> {
        self.instances
            .values()
            .find_map(|instance| instance.error.as_ref())
    }

    /// Returns when a change is tried again that did not come through.
    pub(crate) fn next_retry(&self) -> Option<Instant> {
        let idle = self
            .instances
            .values()
            .filter(|instance| instance.running.is_none());
        idle.filter_map(|instance| instance.retry).map(|(at, _)| at).min()
    }

    /// Lets a change that did not come through be tried again at once.
    pub(crate) fn try_now(&mut self, now: Instant) {
        for (at, _) in self
            .instances
            .values_mut()
            .filter_map(|instance| instance.retry.as_mut())
        {
            *at = now;
        }
    }

    /// Forgets new attempts whose time has come and that were not begun: whatever keeps them from it, its end is an event.
    pub(crate) fn forget_retries(&mut self, now: Instant) {
        let idle = self
            .instances
            .values_mut()
            .filter(|instance| instance.running.is_none());
        for instance in idle {
            instance.retry = instance.retry.filter(|(at, _)| *at > now);
        }
    }

    /// Takes in that a deploy ended well: the changes that its images took in are forgotten. A container that survived,
    /// because its image came out the same, may have other content.
    pub(crate) fn deployed(&mut self, forgotten: &BTreeSet<LocalPath>, now: Seq) {
        self.is_current = true;
        for instance in self.instances.values_mut() {
            let files = forgotten.iter().map(|file| (file.clone(), now));
            instance.older.extend(files);
            instance.impossible = None;
        }
    }
}
