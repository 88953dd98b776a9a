//! What file watches saw: those of users, and those that resources have.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::disable::Disable;
use crate::engine::effect::WatchedTarget;
use crate::engine::moment::Seq;
use crate::model::{LocalPath, ManifestName, Timestamp};

/// What the watch of a target saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WatchEvents {
    /// Since when it is watched.
    pub(crate) since: Timestamp,
    /// The moment of the last event; 0 for none.
    pub(crate) last: Seq,
    pub(crate) seen: VecDeque<SeenFiles>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SeenFiles {
    pub(crate) time: Timestamp,
    pub(crate) files: Vec<LocalPath>,
}

/// A target of resources whose files are watched as long as one of them is switched on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeclaredWatch {
    /// The resources, in the order of their definition.
    pub(crate) resources: Vec<ManifestName>,
    /// Whether one of them is switched on.
    pub(crate) is_on: bool,
    pub(crate) watched: WatchedTarget,
    pub(crate) disable: Disable,
}

impl DeclaredWatch {
    /// Returns where it is written whether it is switched off.
    ///
    /// Rule: `docs/rules/api.md`, "Ownership".
    pub(crate) fn disable_source(&self) -> Value {
        let key = |name: &ManifestName| json!({"name": format!("{name}-disable"), "key": "isDisabled"});
        match &self.resources[..] {
            [one] => json!({"configMap": key(one)}),
            all => json!({"everyConfigMap": all.iter().map(key).collect::<Vec<_>>()}),
        }
    }
}
