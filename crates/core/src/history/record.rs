//! What readers get of an update.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Cause, Stage, Wait, time_text};
use crate::model::{ManifestName, SpanId, Timestamp};

/// One update of one resource, or one evaluation of the Tiltfile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UpdateRecord {
    /// Whose it is; `(Tiltfile)` for the Tiltfile.
    #[schemars(with = "String")]
    pub resource: ManifestName,
    /// Counted from 1 in a session, over all resources, in the order in which updates began.
    pub number: u64,
    /// What was done.
    pub kind: UpdateKind,
    /// Why.
    pub causes: Vec<Cause>,
    /// When it was first wanted: where files led to it, when the first of them was noticed.
    #[serde(with = "time_text")]
    #[schemars(with = "String")]
    pub wanted: Timestamp,
    /// When it began.
    #[serde(with = "time_text")]
    #[schemars(with = "String")]
    pub started: Timestamp,
    /// When it was over: failed, or what it deployed was ready; `None` while it goes on.
    #[serde(with = "time_text::maybe", default)]
    #[schemars(with = "Option<String>")]
    pub ended: Option<Timestamp>,
    /// What it waited for.
    #[serde(default)]
    pub waits: Vec<Wait>,
    /// Where the rest of its time went.
    #[serde(default)]
    pub stages: Vec<Stage>,
    /// How it ended, or how it is doing.
    pub outcome: Outcome,
    /// Where its lines are in the log.
    #[serde(default)]
    pub logs: Vec<LogRange>,
}

/// What an update does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum UpdateKind {
    /// Everything that the resource needs: images, objects, commands.
    Full,
    /// Running containers are changed in place.
    Sync,
    /// The Tiltfile is evaluated.
    Load,
}

/// How an update ended, or how it is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Outcome {
    /// In a word.
    pub result: Result,
    /// Why it is not well, in a word of Kubernetes', the engine's or ours, such as `CrashLoopBackOff`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why it is not well, as it was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// How an update ended, or how it is doing, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Result {
    /// It is being carried out.
    Running,
    /// It was carried out; what it deployed is not ready yet, or not well.
    RollingOut,
    /// All went well.
    Ok,
    /// It failed, or what it deployed did.
    Failed,
    /// Somebody, or something, stopped it.
    Canceled,
    /// The next one began before what this one deployed was ready.
    Replaced,
}

/// Lines of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogRange {
    /// The source of the lines.
    #[schemars(with = "String")]
    pub span: SpanId,
    /// The position of the first of them, or one before it.
    pub from: u64,
    /// The position after the last of them; `None` where that is not known, or still to come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
}

/// What is known of the updates of one resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ResourceHistory {
    /// Which resource.
    #[schemars(with = "String")]
    pub resource: ManifestName,
    /// What its next update waits for, if one is due; the last of them goes on.
    #[serde(default)]
    pub waiting: Vec<Wait>,
    /// Its updates, the last one first, also those that go on.
    #[serde(default)]
    pub updates: Vec<UpdateRecord>,
}

/// What is known of the updates of all resources of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionHistory {
    /// The time at which this was asked, for those who want ages.
    #[serde(with = "time_text")]
    #[schemars(with = "String")]
    pub now: Timestamp,
    /// Of each resource; the Tiltfile first.
    pub resources: Vec<ResourceHistory>,
}
