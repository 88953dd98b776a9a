//! Where the time of an update goes.

use std::time::Instant;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::time_text;
use crate::model::Timestamp;

/// What is done in a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StageKind {
    /// From the first change that was noticed until the engine heard of it: changes that belong together are gathered.
    Batch,
    /// What comes before the first step: finding out which changes are older, and which images are there.
    Prepare,
    /// Objects are deleted first, because somebody asked for everything anew.
    Delete,
    /// All images; its parts are the builds and the pushes, which run beside each other.
    Images,
    /// One image is built.
    Build,
    /// One image gets into the cluster.
    Push,
    /// Objects are applied.
    Apply,
    /// A command of the user's runs.
    Command,
    /// Running containers are changed.
    Sync,
    /// The Tiltfile is evaluated.
    Load,
    /// What was deployed becomes ready.
    Rollout,
}

/// A stage of an update. The stages and the waits of an update that ended follow one another without gaps; parts of a stage
/// may run beside each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stage {
    /// What was done.
    pub kind: StageKind,
    /// What it was done to, such as the name of an image or a command; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// When it began.
    #[serde(with = "time_text")]
    #[schemars(with = "String")]
    pub from: Timestamp,
    /// When it ended; `None` while it goes on.
    #[serde(with = "time_text::maybe", default)]
    #[schemars(with = "Option<String>")]
    pub until: Option<Timestamp>,
    /// What is known of it.
    #[serde(default, skip_serializing_if = "Facts::is_empty")]
    pub facts: Facts,
    /// What it consists of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Stage>,
}

/// What is known of a stage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Facts {
    /// Steps of the build that were carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps_built: Option<u32>,
    /// Steps of the build that were taken from the cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps_cached: Option<u32>,
    /// The first step that was not taken from the cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_built_step: Option<String>,
    /// Bytes of the build context that were sent to the engine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_bytes: Option<u64>,
    /// Bytes that were sent to the registry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pushed_bytes: Option<u64>,
    /// Why nothing was pushed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_pushed: Option<String>,
    /// Objects that were created.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub created: Vec<String>,
    /// Objects that were changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<String>,
    /// Objects that were as wanted already.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unchanged: Vec<String>,
    /// Files that were sent into a container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<u32>,
    /// Bytes that were sent into a container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

impl Facts {
    /// Returns whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A stage as whoever carried it out tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageTime {
    /// What was done.
    pub kind: StageKind,
    /// What it was done to.
    pub name: String,
    /// When it began.
    pub from: Instant,
    /// When it ended.
    pub until: Instant,
    /// What is known of it.
    pub facts: Facts,
    /// What it consists of.
    pub parts: Vec<StageTime>,
}

impl StageTime {
    /// Returns a stage of which nothing more is known.
    pub fn new(kind: StageKind, name: impl Into<String>, from: Instant, until: Instant) -> Self {
        Self {
            kind,
            name: name.into(),
            from,
            until,
            facts: Facts::default(),
            parts: Vec::new(),
        }
    }
}
