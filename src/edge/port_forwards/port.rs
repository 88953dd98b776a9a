//! One local port: it takes connections and carries each to the pod of the moment, and tells what is wrong.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::edge::kube::{Cluster, error_message};
use crate::engine::{Event, ForwardId, ForwardPart, ForwardTarget};
use crate::logs::LogWriter;
use crate::model::ManifestName;

/// How long the way to a pod may take to open.
const OPENING: Duration = Duration::from_secs(2);

/// One local port.
pub(super) struct Port {
    pub(super) log: LogWriter,
    pub(super) events: mpsc::Sender<Event>,
    /// What is wrong, as it was told last.
    pub(super) errors: Mutex<BTreeMap<ForwardPart, String>>,
    pub(super) id: ForwardId,
    pub(super) host: String,
    /// The resource that asked for the same port before.
    pub(super) rival: Option<ManifestName>,
    pub(super) target: watch::Receiver<Option<ForwardTarget>>,
    pub(super) cluster: Cluster,
    pub(super) tasks: TaskTracker,
    pub(super) stop: CancellationToken,
}

impl Port {
    /// Serves until it is stopped.
    pub(super) async fn serve(self: &Arc<Self>) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = async {
                let listeners = self.listen_patiently().await;
                futures::future::join_all(listeners.iter().map(|listener| self.accept(listener))).await;
            } => {}
        }
    }

    async fn accept(self: &Arc<Self>, listener: &TcpListener) {
        loop {
            match listener.accept().await {
                Ok((connection, _)) => {
                    let port = Arc::clone(self);
                    self.tasks.spawn(async move { port.carry(connection).await });
                }
                // Whoever gave up before we took the connection does not matter; too many open files pass.
                Err(_) => sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// Carries one connection to the pod of the moment, until either side ends it.
    async fn carry(&self, mut connection: TcpStream) {
        let Some(target) = self.target.borrow().clone() else {
            return;
        };
        let carried = tokio::select! {
            () = self.stop.cancelled() => return,
            carried = self.carry_to(&mut connection, &target) => carried,
        };
        if let Err(error) = carried {
            // One that went to a pod that is no longer the right one says nothing about the next.
            let is_current = self
                .target
                .borrow()
                .as_ref()
                .is_some_and(|now| now.pod == target.pod);
            if is_current {
                self.tell(ForwardPart::Connection, Some(&error));
            }
            self.log.info(&self.broken(target.port, &error));
        }
    }

    async fn carry_to(&self, connection: &mut TcpStream, target: &ForwardTarget) -> Result<(), String> {
        let pods: kube::Api<Pod> = kube::Api::namespaced(self.cluster.client(), &target.namespace);
        let mut forwarder = timeout(OPENING, pods.portforward(&target.pod_name, &[target.port]))
            .await
            .map_err(|_| format!("no answer within {} s", OPENING.as_secs()))?
            .map_err(|error| error_message(&error))?;
        let mut stream = forwarder
            .take_stream(target.port)
            .ok_or_else(|| "the API server opened no stream".to_owned())?;
        let refused = forwarder.take_error(target.port);
        let refused = async {
            match refused {
                Some(refused) => refused.await,
                None => std::future::pending().await,
            }
        };
        let outcome = tokio::select! {
            Some(error) = refused => Err(error),
            // A side that goes away without a word ends the connection, as it would without us between.
            carried = copy_bidirectional(connection, &mut stream) => {
                if carried.is_ok_and(|(_, received)| received > 0) {
                    self.tell(ForwardPart::Connection, None);
                }
                Ok(())
            }
        };
        // What is left of either side does not matter any more.
        let _ = stream.shutdown().await;
        outcome
    }

    /// Rule: `reference/engine.md` 4.12, the loop's line.
    fn broken(&self, remote: u16, error: &str) -> String {
        let (manifest, local) = (&self.id.manifest, self.id.local_port);
        format!("Reconnecting... Error port-forwarding {manifest} ({local} -> {remote}): {error}")
    }

    /// Takes in what became of the way to its node.
    pub(super) fn path_changed(&self, remote: u16, error: Option<&str>) {
        if self.tell(ForwardPart::Path, error) {
            let (manifest, local) = (&self.id.manifest, self.id.local_port);
            match error {
                Some(error) => self.log.info(&self.broken(remote, error)),
                None => self.log.info(&format!(
                    "Port-forward of {manifest} ({local} -> {remote}) works again"
                )),
            }
        }
    }

    /// Tells the engine what is wrong, if that is another than before. Returns whether it has begun or ended to be wrong.
    pub(super) fn tell(&self, part: ForwardPart, error: Option<&str>) -> bool {
        let before = {
            let mut errors = self.errors.lock().expect("no panic while errors are held");
            match error {
                Some(error) => errors.insert(part, error.to_owned()),
                None => errors.remove(&part),
            }
        };
        if before.as_deref() != error {
            let event = Event::ForwardChanged {
                forward: self.id.clone(),
                part,
                error: error.map(str::to_owned),
            };
            let events = self.events.clone();
            // Whoever sets ports is whom the events are for: it must not wait for room in its own queue.
            if let Err(mpsc::error::TrySendError::Full(event)) = events.try_send(event) {
                self.tasks.spawn(async move {
                    // Nobody listens any more once the session ends.
                    let _ = events.send(event).await;
                });
            }
        }
        before.is_some() != error.is_some()
    }
}
