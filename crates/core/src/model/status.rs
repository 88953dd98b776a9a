//! How a resource is doing, in the words that scripts know: how its last update went, and how what it deployed is.

use serde::Serialize;

/// How the last update of a resource went.
///
/// Rule: `docs/rules/updates.md`, "Statuses".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UpdateStatus {
    /// An update runs.
    InProgress,
    /// An update is due.
    Pending,
    /// The last update failed.
    Error,
    /// The last update ended well.
    Ok,
    /// There is nothing to update: a resource that only serves.
    NotApplicable,
    /// There was none, and none is due.
    None,
}

/// How what was deployed is doing.
///
/// Rule: `docs/rules/updates.md`, "Statuses"; `docs/rules/runtime.md`, "Runtime status".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RuntimeStatus {
    /// Ready, or done.
    Ok,
    /// Not yet ready.
    Pending,
    /// Something is wrong.
    Error,
    /// There is nothing that runs: a resource with an update command only.
    NotApplicable,
    /// Nothing is deployed, and nothing is about to be.
    None,
}

impl UpdateStatus {
    /// Returns the word that scripts know.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Pending => "pending",
            Self::Error => "error",
            Self::Ok => "ok",
            Self::NotApplicable => "not_applicable",
            Self::None => "none",
        }
    }
}

impl RuntimeStatus {
    /// Returns the word that scripts know.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Pending => "pending",
            Self::Error => "error",
            Self::NotApplicable => "not_applicable",
            Self::None => "none",
        }
    }
}
