//! Images through the Docker Engine: building, tagging, pushing, and bringing them into a cluster.
//!
//! Start with [`Docker::connect`], then [`build_image`] and [`deliver_image`]: what an update does for one image. Which
//! images to build, step headers and summaries are left to the update pipeline.
//!
//! - `config`, `endpoint`, `http`, `patience`: where the engine is, and speaking with it.
//! - `context` (with `beneath`), `tarball`: what is sent. `session`: a BuildKit session, over which the engine fetches only
//!   what changed; `sent_times` makes it see that.
//! - `build`, `buildkit_output`, `stream_output`: making an image, and what is printed meanwhile. `custom`: by a command.
//! - `containers`: what they do, and what is done with them.
//! - `auth`, `push`, `delivery`: registries, and whether an image must be pushed at all. `prune`: taking away old ones.

mod auth;
mod beneath;
mod build;
mod buildkit_output;
mod client;
mod config;
mod containers;
mod context;
mod custom;
mod delivery;
mod endpoint;
mod error;
#[cfg(test)]
pub(in crate::edge) mod fake_engine;
mod http;
mod image;
mod output_line;
mod patience;
mod prune;
mod push;
mod sent_times;
mod session;
mod sharing;
mod stream_output;
mod tarball;

pub use build::{BuildRequest, ImageId};
pub use client::{ConnectError, Docker};
pub(in crate::edge) use containers::{ContainerEvent, Exec};
pub(in crate::edge) use context::{Stamp, Stamps, stamps};
pub use delivery::{ClusterFacts, Delivery, PushWish, delivery};
pub use error::BuildError;
pub(in crate::edge) use http::ApiError;
pub(in crate::edge) use image::unless_canceled;
pub use image::{ImageRequest, build_image, deliver_image};
pub use prune::{PruneError, Pruned};
pub use sharing::{Sharing, minikube_environment, sharing};
