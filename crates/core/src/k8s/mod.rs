//! Kubernetes objects as data: reading YAML, identifying, ordering, finding and injecting images. No client here.
//!
//! Start with [`Entity`], one object as it was written.

pub mod api_kinds;
pub mod apply_input;
pub mod configured_images;
mod context;
pub mod convert;
mod deployable;
pub mod display;
mod documented_ports;
mod dormant;
pub mod field_place;
pub mod go_template;
pub mod identifier;
pub mod image_locator;
pub mod inject;
mod inject_configured;
mod injected_image;
pub mod json_path;
pub mod kind_order;
pub mod labels;
mod object_matcher;
mod old_versions;
pub mod order;
pub mod owned_fields;
pub mod ownership;
mod pod_parts;
mod pod_status;
pub(crate) mod schema;
mod secret_fields;
pub mod selector;
pub mod take_over;
pub(crate) mod typed;
pub mod workload;
pub mod yaml;

pub use crate::model::{Entity, Origin};
pub use context::{KubeContext, Product};
pub use deployable::deployable;
pub use documented_ports::{documented_ports, port_in_pod};
pub use dormant::Dormancy;
pub use object_matcher::ObjectMatcher;
pub use secret_fields::secret_fields;
