//! Owns the state of a session: events in, effects out, time as an argument.
//!
//! Start with [`Event`] and [`Effect`]: together they are all that the engine and the outside say to each other.

mod effect;
mod event;

pub use effect::{
    ClusterWatch, Effect, ExitOutcome, ImageAction, ImageStep, LogStream, ObjectId, UpdatePlan, WatchSet,
    WatchedTarget,
};
pub use event::{AppliedObject, ClusterEvent, ClusterStatus, Event, FileChange, LoadOutcome, UpdateOutcome};
