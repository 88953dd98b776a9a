//! What an update waited for before it began.

use std::sync::Arc;
use std::time::Instant;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::time_text;
use crate::model::Timestamp;

/// What an update waited for, and for how long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Wait {
    /// Why it waited.
    pub reason: WaitReason,
    /// The names of what it waited for; may be empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on: Vec<String>,
    /// From when.
    #[serde(with = "time_text")]
    #[schemars(with = "String")]
    pub from: Timestamp,
    /// Until when; `None` while it waits.
    #[serde(with = "time_text::maybe", default)]
    #[schemars(with = "Option<String>")]
    pub until: Option<Timestamp>,
}

/// Why an update that is due does not start. Most of these words are those of `waiting.reason` in the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WaitReason {
    /// The Tiltfile is about to be, or being, evaluated again.
    TiltfileReload,
    /// A local resource runs that runs alone.
    WaitingForLocal,
    /// It runs alone, and something else runs.
    IsUnparallelizableLocal,
    /// The resource `uncategorized` is deployed first.
    WaitingForUncategorized,
    /// Targets of it are just built or deployed by another update.
    BuildingComponent,
    /// Resources that it depends on were never ready.
    WaitingForDep,
    /// There is no connection to the cluster.
    WaitingForCluster,
    /// Objects of it are being deleted.
    WaitingForDeletion,
    /// It could not reach something, and is tried again in a moment.
    WaitingForRetry,
    /// Its changes are taken into running containers.
    Reconciling,
    /// Its changes will be taken into containers that do not run yet.
    WaitingForDeploy,
    /// It goes round in a circle.
    WaitingForQuiet,
    /// As many updates run as may run at a time.
    WaitingForSlot,
    /// The update before it still runs.
    OwnUpdate,
}

impl WaitReason {
    /// Returns what is waited for, as the middle of a sentence.
    pub fn words(self) -> &'static str {
        match self {
            Self::TiltfileReload => "the Tiltfile is being evaluated",
            Self::WaitingForLocal => "a local resource that runs alone",
            Self::IsUnparallelizableLocal => "it runs alone: all others must end first",
            Self::WaitingForUncategorized => "objects without a workload are deployed first",
            Self::BuildingComponent => "another update is making a part of it",
            Self::WaitingForDep => "a dependency that was never ready",
            Self::WaitingForCluster => "the connection to the cluster",
            Self::WaitingForDeletion => "objects that are being deleted",
            Self::WaitingForRetry => "the next try: something could not be reached",
            Self::Reconciling => "its containers take the change in",
            Self::WaitingForDeploy => "the containers of its last deploy",
            Self::WaitingForQuiet => "a circle is slowed down",
            Self::WaitingForSlot => "a free slot (max_parallel_updates)",
            Self::OwnUpdate => "its own update before",
        }
    }
}

impl WaitReason {
    /// Returns what ends a wait for these.
    pub fn end(self, on: &[String]) -> String {
        let who = match on {
            [] => "it".to_owned(),
            on => on.join(", "),
        };
        match self {
            Self::TiltfileReload => "the Tiltfile is loaded".to_owned(),
            Self::WaitingForLocal | Self::WaitingForUncategorized | Self::BuildingComponent => {
                format!("{who} is done")
            }
            Self::IsUnparallelizableLocal => "all updates that run are done".to_owned(),
            Self::WaitingForDep => format!("{who} is ready; see `tilt why {who}`"),
            Self::WaitingForCluster => "the API server answers".to_owned(),
            Self::WaitingForDeletion => format!("{who} is gone; a finalizer may hold it"),
            Self::WaitingForRetry => "a few seconds have passed, or what was away is back".to_owned(),
            Self::Reconciling => "the containers have answered".to_owned(),
            Self::WaitingForDeploy => "its containers run".to_owned(),
            Self::WaitingForQuiet => "a few seconds have passed".to_owned(),
            Self::WaitingForSlot => "another update is done".to_owned(),
            Self::OwnUpdate => "its own update is done".to_owned(),
        }
    }
}

/// What an update that has not begun waited for until now. Many wait for the same, so what does not change is shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waits {
    since: Instant,
    ended: Arc<Vec<Ended>>,
    /// Until when the last of them goes on, with those that are joined to it.
    joined: Option<At>,
    current: Current,
}

/// A moment, and the time of day then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct At {
    pub(crate) moment: Instant,
    pub(crate) time: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Current {
    reason: WaitReason,
    on: Arc<[String]>,
    from: At,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Ended {
    wait: Current,
    until: At,
}

/// How many waits of one update are told apart; later ones are joined to the last.
const MOST: usize = 30;

impl Waits {
    pub(crate) fn new(now: At, reason: WaitReason, on: &Arc<[String]>) -> Self {
        Self {
            since: now.moment,
            ended: Arc::default(),
            joined: None,
            current: Current {
                reason,
                on: Arc::clone(on),
                from: now,
            },
        }
    }

    /// Notes what it waits for now. Returns whether that is something else.
    pub(crate) fn note(&mut self, now: At, reason: WaitReason, on: &Arc<[String]>) -> bool {
        if (self.current.reason, &self.current.on) == (reason, on) {
            return false;
        }
        let current = Current {
            reason,
            on: Arc::clone(on),
            from: now,
        };
        let before = std::mem::replace(&mut self.current, current);
        if before.from.moment == now.moment {
            // It never took any time.
        } else if self.ended.len() < MOST {
            let ended = Ended {
                wait: before,
                until: now,
            };
            Arc::make_mut(&mut self.ended).push(ended);
        } else {
            self.joined = Some(now);
        }
        true
    }

    /// Returns what it waited for from a moment on.
    pub(crate) fn since_then(&self, since: At) -> Self {
        let mut waits = self.clone();
        waits.since = self.since.max(since.moment);
        let last = self.joined.filter(|_| !self.ended.is_empty());
        let ended = Arc::make_mut(&mut waits.ended);
        if let (Some(ended), Some(until)) = (ended.last_mut(), last) {
            ended.until = until;
        }
        waits.joined = None;
        ended.retain(|ended| ended.until.moment > since.moment);
        let froms = ended.iter_mut().map(|ended| &mut ended.wait.from);
        for from in froms.chain([&mut waits.current.from]) {
            if from.moment < since.moment {
                *from = since;
            }
        }
        waits
    }

    /// Returns since when it is due.
    pub(crate) fn since(&self) -> Instant {
        self.since
    }

    /// Returns why it waits now.
    pub fn reason(&self) -> WaitReason {
        self.current.reason
    }

    /// Returns the names of what it waits for now.
    pub fn on(&self) -> &[String] {
        &self.current.on
    }

    /// Returns what it waited for until now; the last wait goes on.
    pub fn told(&self) -> Vec<Wait> {
        self.told_until(None)
    }

    /// Returns what it waited for until it began; without a moment, the last wait goes on.
    pub(crate) fn told_until(&self, until: Option<At>) -> Vec<Wait> {
        let mut waits: Vec<Wait> = self
            .ended
            .iter()
            .map(|ended| ended.wait.told(Some(ended.until)))
            .collect();
        if let (Some(last), Some(joined)) = (waits.last_mut(), self.joined) {
            last.until = Some(joined.time);
        }
        let is_empty = until.is_some_and(|until| until.moment <= self.current.from.moment);
        waits.extend((!is_empty).then(|| self.current.told(until)));
        waits
    }
}

impl Current {
    fn told(&self, until: Option<At>) -> Wait {
        Wait {
            reason: self.reason,
            on: self.on.to_vec(),
            from: self.from.time,
            until: until.map(|until| until.time),
        }
    }
}

#[cfg(test)]
impl Waits {
    /// Returns one that has waited for something since any moment.
    pub(crate) fn of_a_test(reason: WaitReason, on: &str) -> Self {
        #[allow(clippy::disallowed_methods, reason = "any moment will do")]
        let moment = Instant::now();
        let time = Timestamp::from_secs(1);
        Self::new(At { moment, time }, reason, &Arc::from([on.to_owned()]))
    }
}
