//! The way into running containers: files are written and deleted there, commands run, each batch as a whole.
//!
//! Start with [`Containers::sync`]. A shell is kept open in each container (`channel`); what the container holds is known by
//! content, from a journal that is in the container itself (`journal`), and from what its image is said to be made of (`claims`).
//! `differences` compares that with the disk, `stage` sends what differs beside its place, `commit` renames all of it at once.
//! Where an image lacks what that takes, `without_channel` does with less. Which containers, files and commands, and what a
//! failure leads to, is the engine's part.

mod channel;
mod claims;
mod commit;
mod differences;
mod failure;
mod journal;
mod marked_output;
mod output;
mod program;
mod progress;
mod quoting;
mod settled_read;
mod shared_reads;
mod socket;
mod stage;
mod staging_place;
mod target;
#[cfg(test)]
mod tests;
mod without_channel;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use imbl::ordmap::DiffItem;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::differences::content_here;
pub use self::journal::{Content, ImageContent, Known, content_of, journal_of};
use self::program::{AnyWay, DockerExec, PodExec};
pub use self::progress::Progress;
pub use self::quoting::{decode, encode};
pub use self::shared_reads::SharedReads;
pub use self::target::Job;
use self::target::Target;
use crate::edge::docker::Docker;
use crate::edge::kube::Cluster;
use crate::engine::ExpectedContainers;
use crate::model::{ContainerAddress, SyncFailure, Synced};

/// The containers that live updates go to. Cheap to clone.
#[derive(Clone, Default)]
pub struct Containers {
    targets: Arc<Mutex<Targets>>,
}

#[derive(Default)]
struct Targets {
    entries: BTreeMap<ContainerAddress, Arc<Entry>>,
    /// The containers that were last said to be there, as far as anything leads there.
    asked: ExpectedContainers,
    /// Others that may have an entry.
    unasked: BTreeSet<ContainerAddress>,
}

/// A container, held by one batch at a time: so the lock is one that is waited for without blocking a thread.
struct Entry {
    target: tokio::sync::Mutex<Target>,
    /// Cancelled once nobody wants the container any more.
    gone: CancellationToken,
}

impl Containers {
    /// Says which containers there are, and what their images were made of. Channels to new ones are opened ahead, so that the
    /// first save does not wait for that; those to others are closed, and what was known of them is forgotten.
    pub fn expect(
        &self,
        wanted: &ExpectedContainers,
        content: impl Fn(&str) -> ImageContent,
        ways: &Ways,
        tasks: &TaskTracker,
    ) {
        let mut targets = self.targets.lock().expect("no panic while it is held");
        let Targets {
            entries,
            asked,
            unasked,
        } = &mut *targets;
        let mut now = wanted.clone();
        for difference in asked.diff(wanted) {
            match difference {
                DiffItem::Remove(address, _) => drop(unasked.insert(address.clone())),
                DiffItem::Update { .. } => {}
                DiffItem::Add(address, _) if entries.contains_key(address) => {}
                DiffItem::Add(address, image) => {
                    let Some(way) = ways.to(address) else {
                        now.remove(address);
                        continue;
                    };
                    let entry = Arc::new(Entry::new(way, content(image)));
                    entries.insert(address.clone(), Arc::clone(&entry));
                    tasks.spawn(async move {
                        tokio::select! {
                            () = entry.gone.cancelled() => {}
                            // Who wants to use it opens it again, and then hears what is wrong.
                            _ = async { entry.target.lock().await.open().await } => {}
                        }
                    });
                }
            }
        }
        for address in std::mem::take(unasked) {
            if !wanted.contains_key(&address)
                && let Some(entry) = entries.remove(&address)
            {
                entry.gone.cancel();
            }
        }
        *asked = now;
    }

    /// Makes a batch true in a container, after what was begun there before. What it holds already is not sent.
    ///
    /// # Errors
    /// See [`SyncFailure`]: each says whether files have arrived, and what comes next.
    pub async fn sync(
        &self,
        ways: &Ways,
        address: &ContainerAddress,
        job: Job<'_>,
    ) -> Result<Synced, SyncFailure> {
        let way = ways.to(address);
        let way = way.ok_or_else(|| SyncFailure::ConnectionLost("cluster not ready".to_owned()))?;
        let entry = {
            let mut targets = self.targets.lock().expect("no panic while it is held");
            if !targets.asked.contains_key(address) {
                targets.unasked.insert(address.clone());
            }
            let new = || Arc::new(Entry::new(way, ImageContent::default()));
            Arc::clone(targets.entries.entry(address.clone()).or_insert_with(new))
        };
        let mut target = tokio::select! {
            biased;
            () = job.cancel.cancelled() => return Err(SyncFailure::Canceled),
            target = entry.target.lock() => target,
        };
        target.sync(job).await
    }
}

impl Containers {
    /// Restarts a container, without waiting for what runs in it, and gets ready to change it again.
    ///
    /// # Errors
    /// When the engine does not. Containers of pods are not restarted.
    pub async fn restart(
        &self,
        ways: &Ways,
        address: &ContainerAddress,
        tasks: &TaskTracker,
    ) -> Result<(), SyncFailure> {
        let docker = ways.docker.as_ref().filter(|_| address.namespace.is_none());
        let docker = docker.ok_or_else(|| SyncFailure::Other("only services are restarted".to_owned()))?;
        let restarted = docker.restart_container(&address.id, Some(0)).await;
        restarted.map_err(|error| SyncFailure::ConnectionLost(format!("restarting: {error}")))?;
        let targets = self.targets.lock().expect("no panic while it is held");
        if let Some(entry) = targets.entries.get(address).cloned() {
            tasks.spawn(async move {
                tokio::select! {
                    () = entry.gone.cancelled() => {}
                    () = async { entry.target.lock().await.open_anew().await } => {}
                }
            });
        }
        Ok(())
    }
}

impl Entry {
    fn new(way: AnyWay, image: ImageContent) -> Self {
        Self {
            target: tokio::sync::Mutex::new(Target::new(way, image)),
            gone: CancellationToken::new(),
        }
    }
}

/// What leads to containers.
#[derive(Clone, Default)]
pub struct Ways {
    /// The cluster, once it is connected.
    pub cluster: Option<Cluster>,
    /// The Docker engine, where services run.
    pub docker: Option<Arc<Docker>>,
}

impl Ways {
    fn to(&self, address: &ContainerAddress) -> Option<AnyWay> {
        Some(match address.namespace {
            Some(_) => Arc::new(PodExec {
                cluster: self.cluster.clone()?,
                address: address.clone(),
            }),
            None => Arc::new(DockerExec {
                docker: self.docker.clone()?,
                container: address.id.clone(),
            }),
        })
    }
}
