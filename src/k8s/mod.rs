//! Kubernetes objects as data: reading YAML, identifying, ordering, finding and injecting images. No client here.
//!
//! Start with [`Entity`], one object as it was written.

mod context;
mod entity;

pub use context::{KubeContext, Product};
pub use entity::{Entity, Origin};
