//! What the cluster reports about an object.

use super::{ObjectUid, Timestamp};

/// An event that the cluster reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterEvent {
    /// The UID of the event object itself; a repeat has the same.
    pub uid: ObjectUid,
    /// How often it occurred.
    pub count: u32,
    /// `Normal`, `Warning`, ...
    pub kind: String,
    /// Why, in a word.
    pub reason: String,
    /// What happened.
    pub message: String,
    /// When it last occurred.
    pub last_seen: Timestamp,
    /// The object it is about: kind, namespace (may be empty) and name.
    pub about: (String, String, String),
    /// The UID of that object and of its owners, nearest first.
    pub owner_chain: Vec<ObjectUid>,
}
