//! Images through the Docker Engine: building, tagging, pushing, and bringing them into a cluster.
//!
//! Start with [`Docker::connect`], then [`build_image`] and [`deliver_image`]: what an update does for one image. Which
//! images to build, step headers and summaries are left to the update pipeline.
//!
//! - `config`, `endpoint`, `http`, `patience`: where the engine is, and speaking with it.
//! - `context` (with `beneath`), `tarball`: what is sent. `session`: a BuildKit session, over which the engine fetches only
//!   what changed; `sent_times` makes it see that.
//! - `build`, `buildkit_output`, `stream_output`: making an image, and what is printed meanwhile. `custom`: by a command.
//! - `containers`: what they do, and what is done with them. `standing`: what there is of a Compose project.
//! - `auth`, `push`, `delivery`: registries, and whether an image must be pushed at all. `prune`: taking away old ones.

mod abort_on_drop;
mod api_error;
mod auth;
mod beneath;
mod build;
mod build_request;
mod buildkit_output;
mod client;
mod cluster_facts;
mod config;
mod containers;
mod context;
mod custom;
mod delivery;
mod endpoint;
mod error;
#[cfg(test)]
pub(in crate::edge) mod fake_engine;
mod hints;
mod http;
mod image;
mod image_request;
mod output_line;
mod patience;
mod prune;
mod push;
mod sent_times;
mod session;
mod sharing;
mod standing;
mod stream_output;
mod tarball;

pub use build::ImageId;
pub use build_request::BuildRequest;
pub use client::{ConnectError, Docker};
pub use cluster_facts::ClusterFacts;
pub(in crate::edge) use containers::{ContainerEvent, Exec, FileInContainer};
pub(in crate::edge) use context::{Stamp, Stamps, stamps};
pub use delivery::{Delivery, PushWish, delivery};
pub use error::BuildError;
pub(in crate::edge) use http::ApiError;
pub use image::{build_image, deliver_image};
pub use image_request::ImageRequest;
pub(in crate::edge) use image_request::unless_canceled;
pub use prune::{PruneError, Pruned};
pub use sharing::{Sharing, minikube_environment, sharing};
#[cfg(test)]
pub(in crate::edge) use standing::StandingPart;
pub(in crate::edge) use standing::{Standing, StandingContainer};
