//! Whether an object is switched off, and why.

use serde_json::{Value, json};

use crate::model::Timestamp;

/// Whether an object is switched off, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Disable {
    pub(crate) state: Option<Switch>,
    pub(crate) reason: String,
    pub(crate) since: Timestamp,
}

/// What config maps say of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Switch {
    On,
    Off,
    /// The config map is not there yet.
    Pending,
    /// What is there says neither.
    Error,
}

impl Disable {
    /// Returns whether it does not run.
    pub(crate) fn is_off(&self) -> bool {
        !matches!(self.state, None | Some(Switch::On))
    }

    /// Returns whether config maps say so, and not only that they do not say it yet.
    pub(crate) fn is_said_to_be_off(&self) -> bool {
        self.state == Some(Switch::Off)
    }

    /// Returns what is said of what nothing switches off.
    pub(crate) fn never(since: Timestamp) -> Self {
        let (switch, reason) = no_source();
        Self {
            state: Some(switch),
            reason,
            since,
        }
    }

    pub(crate) fn to_json(&self) -> Option<Value> {
        let state = match self.state? {
            Switch::On => "Enabled",
            Switch::Off => "Disabled",
            Switch::Pending => "",
            Switch::Error => "Error",
        };
        Some(json!({
            "disabled": self.is_off(),
            "lastUpdateTime": self.since.to_text(),
            "reason": self.reason,
            "state": state,
        }))
    }
}

/// Returns what is said of what nothing switches off.
pub(crate) fn no_source() -> (Switch, String) {
    (Switch::On, "object does not specify a DisableSource".to_owned())
}
