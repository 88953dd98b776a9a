//! What a kind of deploy answers: how a resource is doing, and what a run of `ci` still waits for.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Instant;

use crate::engine::state::Health;
use crate::model::{ObjectUid, RuntimeStatus, WorkloadKind};

/// What a look at a resource gave.
pub(in crate::engine) struct Judgement {
    pub(in crate::engine) status: RuntimeStatus,
    pub(in crate::engine) health: Health,
    /// Workloads that make pods for what was applied, with kind and namespace.
    pub(in crate::engine) makers: BTreeMap<ObjectUid, (WorkloadKind, String)>,
}

impl Judgement {
    /// Returns a status that says all.
    pub(in crate::engine) fn plain(status: RuntimeStatus) -> Self {
        Self {
            status,
            health: Health::default(),
            makers: BTreeMap::new(),
        }
    }
}

/// What a resource deployed, as far as a run waits for it.
pub(in crate::engine) struct Runtime<'a> {
    /// What it is called behind the resource's name.
    pub(in crate::engine) part: &'static str,
    /// Whether it has to end, and not only to be ready.
    pub(in crate::engine) is_job: bool,
    /// How it is doing.
    pub(in crate::engine) state: TargetState<'a>,
}

/// How a target is doing.
pub(in crate::engine) enum TargetState<'a> {
    /// Not to run by itself, or not at all.
    Idle,
    Waiting(Cow<'a, str>),
    /// Running; `since` is when it was last ready, or else when it was deployed.
    Active {
        ready: bool,
        since: Option<Instant>,
    },
    /// Ready, but so new that this says little.
    Unproven {
        until: Instant,
    },
    Done,
    Failed {
        error: String,
        grace: Grace,
    },
}

/// Whether a fault of a pod is final.
#[derive(Clone, Copy, PartialEq)]
pub(in crate::engine) enum Grace {
    None,
    Tolerated { until: Instant },
    Exceeded,
}
