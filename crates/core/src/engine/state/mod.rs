//! The truth about a session, as plain data: what is defined, what runs, what is pending, what was seen.
//!
//! Start with [`State`], which has all of it, and [`Row`], one resource. Here are only small questions about the data itself.
//! What is concluded from it and what changes it stands in the files beside this room, which read it; nothing here knows
//! them. Log text is not here.

mod builds;
mod candidates;
mod connection;
pub(crate) mod cycle;
pub(crate) mod deletions;
mod deployed;
mod hold;
mod known_pods;
pub(crate) mod lists;
pub(crate) mod live;
pub(crate) mod objects;
mod progress;
mod pruning;
mod reasons;
mod retry;
mod row;
pub(crate) mod rows;
mod runtime;
mod server;
mod services;
mod session;
mod streams;
mod target;
mod tiltfile;
pub(crate) mod timers;
mod unclaimed;
pub(crate) mod wanted;
mod watched;

pub(crate) use super::moment::Seq;
pub(crate) use builds::Running;
pub(crate) use candidates::{Candidate, Candidates, Facts, FirstKind, Gate, Rank, Standing};
pub(crate) use connection::{Connection, Wish};
pub(crate) use cycle::Runs;
pub(crate) use deletions::Deletion;
pub(crate) use deployed::{DeleteCommand, Deployed, Remains};
pub use hold::Hold;
pub(crate) use known_pods::SeenPod;
pub(crate) use progress::{Judged, Progress};
pub(crate) use reasons::Reasons;
pub(crate) use retry::Retry;
pub(crate) use row::{BuildRecord, Row};
pub(crate) use rows::Touched;
pub(crate) use runtime::{GraveTrouble, Health, Printed, RolloutLine};
pub(crate) use server::RowServer;
pub(crate) use services::{Reached, SeenContainer};
pub(crate) use session::State;
pub(crate) use streams::{Stream, StreamKey};
pub(crate) use target::{Edit, TargetState};
pub(crate) use tiltfile::{Loading, Tiltfile};
pub(crate) use watched::Share;
