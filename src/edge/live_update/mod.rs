//! Changes of running containers.
//!
//! `rounds` takes up what the engine wants to have in containers and reports what became of it, `report_lines` says it in
//! words. `container` is the way into one container. `image_contents` remembers what an image was made of, so that
//! what a container has from it is not sent; `image_records` keeps it from one session to the next.

pub mod container;
mod image_contents;
mod image_records;
mod report_lines;
mod rounds;

pub(in crate::edge) use image_contents::{ImageContents, Reading};
pub(in crate::edge) use image_records::{Older, RecordPlace};
pub(in crate::edge) use rounds::ContainerUpdates;
