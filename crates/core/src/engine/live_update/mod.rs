//! Changes of running containers in place: a save is in the container without a build.
//!
//! What a container holds is state: the changes since the image that is deployed was begun to be built, and up to which of
//! them each run of a container has taken in. [`plan`] answers from that what is to be done about one container, `select`
//! which containers are meant, `rounds` starts and ends what is done, `hold` says whether a build waits for it. What is
//! sent, and what of it the container has already, is for the edge.

mod hold;
pub(crate) mod plan;
mod rounds;
mod select;

pub(super) use hold::hold;
pub(super) use rounds::{due, expect_containers, next_retry, on_came_back, on_updated, refresh};
pub(super) use select::takes_what_changed;
