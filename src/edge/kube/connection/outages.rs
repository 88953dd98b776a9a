//! What is known of outages of the API server.

use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use futures::future::{BoxFuture, WeakShared};
use tokio::sync::{Notify, watch};

use crate::model::Backoff;

/// The pauses before each probe.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));

/// What is known of outages of one API server.
pub(in crate::edge::kube) struct Outages {
    pub(super) current: Mutex<Current>,
    pub(super) began: Notify,
    /// Whether something hung.
    pub(super) suspected: AtomicBool,
    /// How often all connections were made anew.
    renewals: watch::Sender<u64>,
}

/// The outage that is on, or the last one.
pub(super) struct Current {
    /// The probe, while somebody waits for it.
    pub(super) probe: Option<WeakShared<BoxFuture<'static, ()>>>,
    pub(super) waiting: u32,
    /// The pauses before the first probes of outages that follow one another.
    pub(super) pauses: Backoff,
    pub(super) began: Option<Instant>,
}

impl Default for Outages {
    fn default() -> Self {
        Self {
            current: Mutex::new(Current {
                probe: None,
                waiting: 0,
                pauses: PAUSES,
                began: None,
            }),
            began: Notify::new(),
            suspected: AtomicBool::new(false),
            renewals: watch::Sender::new(0),
        }
    }
}

impl Outages {
    /// Returns how often all connections were made anew, and goes on telling.
    pub(in crate::edge::kube) fn renewals(&self) -> watch::Receiver<u64> {
        self.renewals.subscribe()
    }

    /// Returns once somebody got no answer.
    pub(in crate::edge::kube) async fn began(&self) {
        self.began.notified().await;
    }

    pub(super) fn connections_renewed(&self) {
        self.renewals.send_modify(|count| *count += 1);
    }
}
