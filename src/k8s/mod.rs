//! Kubernetes objects as data: reading YAML, identifying, ordering, finding and injecting images. No client here.
//!
//! Start with [`Entity`], one object as it was written.

mod entity;

pub use entity::{Entity, Origin};
