//! What has passed when something changes: so it is known who has read the change.

use std::sync::{Arc, Mutex, PoisonError};

use crate::engine::Moment;
use crate::model::LoadId;

/// The latest of what has passed; what changes is after it.
#[derive(Clone, Debug, Default)]
pub(super) struct Passed(Arc<Mutex<After>>);

/// What had passed when something changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct After {
    /// The latest moment; see [`crate::engine::FileChange::after`].
    pub(super) moment: Moment,
    /// The latest load that had read all.
    pub(super) load: LoadId,
}

impl Default for After {
    fn default() -> Self {
        Self {
            moment: 0,
            load: LoadId(0),
        }
    }
}

impl After {
    /// At a moment, before any load has read all.
    pub(super) fn moment(moment: Moment) -> Self {
        Self {
            moment,
            ..Self::default()
        }
    }

    /// When a load has read all.
    pub(super) fn load(load: LoadId) -> Self {
        Self {
            load,
            ..Self::default()
        }
    }

    /// Returns what had passed at the later one of both.
    pub(super) fn max(self, other: Self) -> Self {
        Self {
            moment: self.moment.max(other.moment),
            load: self.load.max(other.load),
        }
    }
}

impl Passed {
    pub(super) fn latest(&self) -> After {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn pass(&self, after: After) {
        let mut latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *latest = latest.max(after);
    }
}
