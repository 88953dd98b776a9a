//! Who asked for an update.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who asked for an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TriggerReason {
    /// The web page.
    Web,
    /// `tilt trigger`.
    Cli,
    /// The full-screen terminal UI.
    Hud,
    /// Somebody who does not say.
    Unknown,
}

impl TriggerReason {
    /// Returns the words for it that an update shows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Web => "Web Trigger",
            Self::Cli => "CLI Trigger",
            Self::Hud => "HUD Trigger",
            Self::Unknown => "Unknown Trigger",
        }
    }
}
