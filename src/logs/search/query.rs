//! What a reader of pages of the log asks for, and gets.

use std::sync::Arc;
use std::time::Duration;

use super::term::Term;
use crate::logs::{LogFilter, LogSource, Segment};

/// What a reader wants to see.
#[derive(Clone, Debug, Default)]
pub struct LogQuery {
    /// Of which resource, level and source.
    pub filter: LogFilter,
    /// What their text has.
    pub term: Option<Term>,
    /// How many lines of the same source are shown before and after each.
    pub context: usize,
}

/// A piece that was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The piece.
    pub segment: Arc<Segment>,
    /// Whether it is shown only because of a line beside it.
    pub is_context: bool,
    /// Whether lines of the same resources are left out before it.
    pub after_gap: bool,
}

/// Some of what is wanted, in order.
#[derive(Clone, Debug, Default)]
pub struct LogPage {
    /// The pieces.
    pub found: Vec<Found>,
    /// The part of the log that was gone through: from this position
    pub from: u64,
    /// up to before this one.
    pub to: u64,
    /// Whether there is more to go through.
    pub more: bool,
    /// The first position that is still there.
    pub first: u64,
}

/// How far a search goes.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How many pieces are wanted; about.
    pub limit: usize,
    /// How long it may take; about.
    pub patience: Duration,
}

impl LogQuery {
    /// Returns whether all lines are wanted.
    pub fn is_all(&self) -> bool {
        self.term.is_none() && self.filter == LogFilter::default()
    }

    /// Returns whether lines are left out within a resource.
    pub(super) fn leaves_out(&self) -> bool {
        self.term.is_some() || self.filter.level.is_some() || self.filter.source != LogSource::All
    }
}
