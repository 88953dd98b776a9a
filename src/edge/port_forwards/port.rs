//! One local port: it takes connections and carries each to the pod of the moment, and tells what is wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::carry::carry;
use crate::edge::kube::{Cluster, error_message};
use crate::engine::{Event, ForwardId, ForwardPart, ForwardTarget};
use crate::logs::LogWriter;

/// How long the way to a pod may take to open.
const OPENING: Duration = Duration::from_secs(2);

/// How long it may take to close.
const CLOSING: Duration = Duration::from_secs(2);

/// One local port.
pub(super) struct Port {
    pub(super) log: LogWriter,
    pub(super) events: mpsc::Sender<Event>,
    /// What is wrong, as it was told last.
    pub(super) errors: Mutex<BTreeMap<ForwardPart, String>>,
    pub(super) id: ForwardId,
    pub(super) host: String,
    /// The failures of connections that were said since one was answered.
    pub(super) told: Mutex<BTreeSet<String>>,
    /// All ports that are wanted.
    pub(super) wanted: Arc<Mutex<BTreeSet<ForwardId>>>,
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
            self.say_broken(target.port, &error);
        }
    }

    async fn carry_to(&self, connection: &mut TcpStream, target: &ForwardTarget) -> Result<(), String> {
        let pods: kube::Api<Pod> = kube::Api::namespaced(self.cluster.client(), &target.namespace);
        let mut forwarder = timeout(OPENING, pods.portforward(&target.pod_name, &[target.port]))
            .await
            .map_err(|_| format!("no answer within {} s", OPENING.as_secs()))?
            .map_err(|error| error_message(&error))?;
        let stream = forwarder
            .take_stream(target.port)
            .ok_or_else(|| "the API server opened no stream".to_owned())?;
        let refused = forwarder.take_error(target.port);
        let refused = async {
            match refused {
                Some(refused) => refused.await,
                None => std::future::pending().await,
            }
        };
        let is_answered = AtomicBool::new(false);
        let carrying = carry(connection, stream, || {
            is_answered.store(true, Ordering::Relaxed);
            self.works();
        });
        tokio::pin!(carrying);
        let outcome = tokio::select! {
            Some(error) = refused => {
                // What the pod said before is still handed on.
                if is_answered.load(Ordering::Relaxed) {
                    carrying.await;
                }
                Err(refusal(&error, target))
            }
            () = &mut carrying => Ok(()),
        };
        let _ = timeout(CLOSING, forwarder.join()).await;
        outcome
    }

    /// Takes in that a connection was answered.
    fn works(&self) {
        self.tell(ForwardPart::Connection, None);
        self.told.lock().expect("no panic while it is held").clear();
    }

    /// Says that a connection failed, once until one is answered.
    fn say_broken(&self, remote: u16, error: &str) {
        let is_news = self
            .told
            .lock()
            .expect("no panic while it is held")
            .insert(error.to_owned());
        if is_news {
            self.log.info(&self.broken(remote, error));
        }
    }

    /// Rule: `docs/rules/runtime.md`, "Port-forwards".
    fn broken(&self, remote: u16, error: &str) -> String {
        let (manifest, local) = (self.id.asker.name(), self.id.local_port);
        format!("Reconnecting... Error port-forwarding {manifest} ({local} -> {remote}): {error}")
    }

    /// Takes in what became of the way to its node.
    pub(super) fn path_changed(&self, remote: u16, error: Option<&str>) {
        if self.tell(ForwardPart::Path, error) {
            let (manifest, local) = (self.id.asker.name(), self.id.local_port);
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
            self.send(Event::ForwardChanged {
                forward: self.id.clone(),
                part,
                error: error.map(str::to_owned),
            });
        }
        before.is_some() != error.is_some()
    }

    /// Whoever sets ports is whom the events are for: it must not wait for room in its own queue.
    pub(super) fn send(&self, event: Event) {
        let events = self.events.clone();
        if let Err(mpsc::error::TrySendError::Full(event)) = events.try_send(event) {
            self.tasks.spawn(async move {
                // Nobody listens any more once the session ends.
                let _ = events.send(event).await;
            });
        }
    }
}

/// Returns in short what a node says of a connection that it could not make.
fn refusal(error: &str, target: &ForwardTarget) -> String {
    if error.to_lowercase().contains("connection refused") {
        return format!(
            "nothing listens on port {} of pod {} yet",
            target.port, target.pod_name
        );
    }
    // What comes before are the names that the runtime has for the pod and its network.
    let causes = ["inside namespace", "in network namespace", ", uid : "];
    let cause = causes.iter().find_map(|cause| error.split_once(cause));
    let rest = cause.map_or(error, |(_, rest)| rest);
    let rest = match rest.trim_start().strip_prefix('"') {
        Some(quoted) => quoted.split_once('"').map_or(quoted, |(_, rest)| rest),
        None => rest,
    };
    rest.trim_start_matches([',', ':', ' ']).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ObjectUid;

    #[test]
    fn what_a_node_says_is_told_without_its_own_names() {
        let target = ForwardTarget {
            pod: ObjectUid::new("1"),
            pod_name: "late-1".to_owned(),
            namespace: "default".to_owned(),
            port: 8080,
            container: "late".to_owned(),
            node: "node1".to_owned(),
            ready: true,
        };
        let pod = "error forwarding port 8080 to pod dac4f1, uid : ";
        let namespace = "failed to execute portforward in network namespace \"/var/run/netns/cni-210b\": failed to connect to \
                         localhost:8080 inside namespace \"dac4f1\", ";
        let refused = "IPv4: dial tcp4 127.0.0.1:8080: connect: connection refused IPv6 dial tcp6: address localhost: no \
                       suitable address found";
        let rows = [
            (
                format!("{pod}{namespace}{refused}"),
                "nothing listens on port 8080 of pod late-1 yet",
            ),
            (
                format!("{pod}exit status 1: socat E connect(5): Connection refused\n"),
                "nothing listens on port 8080 of pod late-1 yet",
            ),
            (
                format!("{pod}{namespace}IPv4: dial tcp4: i/o timeout"),
                "IPv4: dial tcp4: i/o timeout",
            ),
            (
                format!(
                    "{pod}failed to execute portforward in network namespace \"/var/run/netns/cni-1\": readfrom: broken pipe"
                ),
                "readfrom: broken pipe",
            ),
            (
                format!("{pod}container not running (dac4)"),
                "container not running (dac4)",
            ),
            ("no space left on device".to_owned(), "no space left on device"),
        ];
        for (said, expected) in rows {
            assert_eq!(refusal(&said, &target), expected, "{said}");
        }
    }
}
