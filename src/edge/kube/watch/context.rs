//! What each task of the watches needs.

use tokio::sync::{mpsc, watch};

use crate::edge::kube::connection::Cluster;
use crate::edge::kube::owners::Owners;
use crate::engine::{ClusterWatch, Event};
use crate::logs::LogWriter;
use crate::model::{ObjectUid, Timestamp};

/// What each task needs.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) cluster: Cluster,
    pub(super) owners: Owners,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) started: Timestamp,
    pub(super) log: LogWriter,
    pub(super) wanted: watch::Receiver<ClusterWatch>,
}

impl Context {
    /// Returns whether we deployed it: a look-up of owners can stop there.
    pub(super) fn is_ours(&self, uid: &ObjectUid) -> bool {
        self.wanted.borrow().uids.contains(uid)
    }
}
