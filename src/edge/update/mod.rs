//! An update of a resource, carried out from its plan: images in order, then objects, with numbered steps in the log.
//!
//! `from_plan` puts it in a row, `images` has the images built and pushed, each at its time, and `custom_deploy` is a
//! command of the user's in the place of objects. What changes in running containers is `live_update`'s.

mod build_memos;
mod compose;
pub mod custom_deploy;
mod from_plan;
mod image_slots;
mod image_steps;
mod image_tools;
mod images;
mod numbered_steps;
#[cfg(test)]
mod tests;

pub(in crate::edge) use build_memos::{Comparison, Inputs};
pub(in crate::edge) use compose::{ServiceTools, run as run_service};
pub use from_plan::{UpdateTools, run};
pub(in crate::edge) use image_slots::ImageSlots;
pub use image_tools::ImageTools;
