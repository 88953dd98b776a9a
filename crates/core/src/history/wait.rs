//! What an update waited for before it began.

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

/// What an update that has not begun waited for until now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Waits {
    since: Instant,
    ended: Vec<(WaitReason, Vec<String>, Instant, Instant)>,
    current: (WaitReason, Vec<String>, Instant),
}

/// How many waits of one update are told apart; later ones are joined to the last.
const MOST: usize = 30;

impl Waits {
    pub(crate) fn new(now: Instant, reason: WaitReason, on: Vec<String>) -> Self {
        Self {
            since: now,
            ended: Vec::new(),
            current: (reason, on, now),
        }
    }

    /// Notes what it waits for now. Returns whether that is something else.
    pub(crate) fn note(&mut self, now: Instant, reason: WaitReason, on: Vec<String>) -> bool {
        if (self.current.0, &self.current.1) == (reason, &on) {
            return false;
        }
        let (before, before_on, from) = std::mem::replace(&mut self.current, (reason, on, now));
        if from == now {
            // It never took any time.
        } else if self.ended.len() < MOST {
            self.ended.push((before, before_on, from, now));
        } else if let Some((.., until)) = self.ended.last_mut() {
            *until = now;
        }
        true
    }

    /// Returns what it waited for from a moment on.
    pub(crate) fn since_then(&self, since: Instant) -> Self {
        let mut waits = self.clone();
        waits.since = self.since.max(since);
        waits.ended.retain(|(.., until)| *until > since);
        for (_, _, from, _) in &mut waits.ended {
            *from = since.max(*from);
        }
        waits.current.2 = since.max(waits.current.2);
        waits
    }

    /// Returns since when it is due.
    pub(crate) fn since(&self) -> Instant {
        self.since
    }

    /// Returns what it waited for until it began; without a moment, the last wait goes on.
    pub(crate) fn told(&self, until: Option<Instant>, time_of: impl Fn(Instant) -> Timestamp) -> Vec<Wait> {
        let ended = self.ended.iter().map(|(reason, on, from, until)| Wait {
            reason: *reason,
            on: on.clone(),
            from: time_of(*from),
            until: Some(time_of(*until)),
        });
        let (reason, on, from) = &self.current;
        let last = Wait {
            reason: *reason,
            on: on.clone(),
            from: time_of(*from),
            until: until.map(&time_of),
        };
        let is_empty = until.is_some_and(|until| until <= *from);
        ended.chain((!is_empty).then_some(last)).collect()
    }
}
