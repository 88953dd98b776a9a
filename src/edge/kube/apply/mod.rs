//! Objects are made as wanted, and taken away.
//!
//! `resource` applies all objects of a resource, `object` one of them. `delete` takes away what is wanted no more,
//! `take_down` all of a project. The others say why not: `rejection` what the API server minds, `never_deleted` what is
//! kept because of what it holds, `who_holds` who keeps an object from going.

mod delete;
mod dry_run;
mod never_deleted;
mod object;
mod rejection;
mod resource;
mod take_down;
#[cfg(test)]
mod tests;
mod who_holds;

pub use delete::{collect_garbage, delete};
pub(in crate::edge) use dry_run::{Coming, plan_objects};
pub(in crate::edge) use never_deleted::what_it_holds;
pub use resource::{ApplyOutcome, ApplyRequest, applied_object, apply};
pub use take_down::{Patience, still_there, take_down};
