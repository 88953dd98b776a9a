//! What is known of the ports of an object.

use std::collections::BTreeMap;

use crate::engine::event::ForwardPart;
use crate::model::{ObjectUid, Timestamp};

/// What is known of the ports of an object.
#[derive(Debug, Default)]
pub(crate) struct Ports {
    pub(crate) errors: BTreeMap<(usize, ForwardPart), String>,
    /// The ports that were opened where any was asked for.
    pub(crate) opened: BTreeMap<usize, u16>,
    /// Since when they are asked for, or lead to this pod.
    pub(crate) since: Option<Timestamp>,
    /// The pod that they lead to.
    pub(crate) pod: Option<ObjectUid>,
}
