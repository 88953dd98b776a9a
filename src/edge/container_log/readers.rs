//! A set of readers, one for each log that is wanted; each hears what of its log is wanted now, and when it has to stop.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

/// Time allowed for reading all logs to their present end.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// The readers of logs, by whose log each reads. Dropping it ends them.
pub(in crate::edge) struct Readers<K, L>(Mutex<HashMap<K, Reader<L>>>);

struct Reader<L> {
    wanted: watch::Sender<L>,
    drains: mpsc::Sender<oneshot::Sender<()>>,
}

/// What a reader hears of its log.
pub(in crate::edge) struct Wishes<L> {
    wanted: watch::Receiver<L>,
    drains: mpsc::Receiver<oneshot::Sender<()>>,
}

/// Why a reader is not to go on as before.
pub(in crate::edge) enum Interruption {
    /// Something else of its log is wanted now.
    Changed,
    /// Its log is wanted no more.
    Unwanted,
    /// It is to read to the present end, to say so, and to stop.
    Drain(oneshot::Sender<()>),
}

impl<K, L> Default for Readers<K, L> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Hash + Eq, L: PartialEq> Readers<K, L> {
    /// Lets a log be read from now on, or not any more; `start` starts the reader of one that was not read before.
    pub(in crate::edge) fn set(&self, key: K, wanted: Option<L>, start: impl FnOnce(Wishes<L>)) {
        let mut readers = self.0.lock().expect("no panic while readers are held");
        let Some(log) = wanted else {
            // Dropping a reader's sender tells it that it is wanted no more.
            readers.remove(&key);
            return;
        };
        if let Some(reader) = readers.get(&key) {
            reader.wanted.send_if_modified(|known| {
                let is_changed = *known != log;
                *known = log;
                is_changed
            });
            return;
        }
        let (wanted, changes) = watch::channel(log);
        let (drains, drain) = mpsc::channel(1);
        start(Wishes {
            wanted: changes,
            drains: drain,
        });
        readers.insert(key, Reader { wanted, drains });
    }

    /// Reads each log to its present end and ends the readers; returns after 2 s at the latest.
    pub(in crate::edge) async fn drain(&self) {
        let readers: Vec<Reader<L>> = {
            let mut readers = self.0.lock().expect("no panic while readers are held");
            readers.drain().map(|(_, reader)| reader).collect()
        };
        let ends = readers.iter().map(async |reader| {
            let (done, end) = oneshot::channel();
            if reader.drains.send(done).await.is_ok() {
                // A reader that is gone has nothing more to read.
                let _ = end.await;
            }
        });
        let _ = timeout(DRAIN_TIMEOUT, futures::future::join_all(ends)).await;
    }
}

impl<L: Clone> Wishes<L> {
    /// Returns what of the log is wanted now, without taking notice of it.
    pub(in crate::edge) fn peek(&self) -> L {
        self.wanted.borrow().clone()
    }

    /// Returns what of the log is wanted now. Only what changes later interrupts.
    pub(in crate::edge) fn take(&mut self) -> L {
        self.wanted.borrow_and_update().clone()
    }

    /// Returns when the reader is not to go on as before, and why.
    pub(in crate::edge) async fn interruption(&mut self) -> Interruption {
        tokio::select! {
            biased;
            Some(done) = self.drains.recv() => Interruption::Drain(done),
            changed = self.wanted.changed() => match changed {
                Ok(()) => Interruption::Changed,
                Err(_) => Interruption::Unwanted,
            },
        }
    }
}

impl Interruption {
    /// Says that nothing more is read, to whoever waits for that.
    pub(in crate::edge) fn obeyed(self) {
        if let Self::Drain(done) = self {
            // Nobody may be waiting any more.
            let _ = done.send(());
        }
    }
}
