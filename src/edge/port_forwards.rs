//! Local ports that lead to pods: each is listened on from when it is asked for until it no longer is, and every
//! connection goes to the pod that is the right one at that moment.
//!
//! A connection to a port without a pod, or whose pod does not answer, is closed at once: nobody takes a dead path for
//! a healthy one.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use k8s_openapi::api::core::v1::Pod;
use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::port_holder::holder;
use crate::engine::{Forward, ForwardTarget};
use crate::logs::{LogStore, LogWriter};
use crate::model::{ManifestName, SpanId};

/// Keeps port-forwards.
pub(super) struct PortForwards {
    log: LogStore,
    /// The host to listen on where none is given.
    web_host: String,
    tasks: TaskTracker,
    shutdown: CancellationToken,
    open: HashMap<Key, Open>,
}

/// Whose port, which one, and where.
type Key = (ManifestName, u16, Option<String>);

struct Open {
    target: watch::Sender<Option<ForwardTarget>>,
    stop: CancellationToken,
}

impl PortForwards {
    /// Returns a keeper whose ports are free again after `shutdown`.
    pub(super) fn new(
        log: LogStore,
        web_host: String,
        tasks: TaskTracker,
        shutdown: CancellationToken,
    ) -> Self {
        Self {
            log,
            web_host,
            tasks,
            shutdown,
            open: HashMap::new(),
        }
    }

    /// Lets these ports lead to these pods, and no others anywhere.
    pub(super) fn set(&mut self, wanted: Vec<Forward>, client: Option<&kube::Client>) {
        let Some(client) = client else { return };
        let key = |forward: &Forward| (forward.manifest.clone(), forward.local_port, forward.host.clone());
        self.open.retain(|known, open| {
            let stays = wanted.iter().any(|forward| key(forward) == *known);
            if !stays {
                open.stop.cancel();
            }
            stays
        });
        for forward in wanted {
            if let Some(open) = self.open.get(&key(&forward)) {
                open.target.send_replace(forward.pod);
            } else {
                let opened = self.open(&forward, client.clone());
                self.open.insert(key(&forward), opened);
            }
        }
    }

    fn open(&self, forward: &Forward, client: kube::Client) -> Open {
        let (target, wanted) = watch::channel(forward.pod.clone());
        let stop = self.shutdown.child_token();
        let span = SpanId::new(format!("portforward:{}", forward.manifest));
        let port = Port {
            log: LogWriter::new(self.log.clone(), span, forward.manifest.clone()),
            manifest: forward.manifest.clone(),
            local_port: forward.local_port,
            host: forward.host.clone().unwrap_or_else(|| self.web_host.clone()),
            target: wanted,
            client,
            tasks: self.tasks.clone(),
            stop: stop.clone(),
        };
        self.tasks.spawn(port.serve());
        Open { target, stop }
    }
}

/// One local port.
#[derive(Clone)]
struct Port {
    log: LogWriter,
    manifest: ManifestName,
    local_port: u16,
    host: String,
    target: watch::Receiver<Option<ForwardTarget>>,
    client: kube::Client,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Port {
    async fn serve(self) {
        let listeners = match self.listen().await {
            Ok(listeners) => listeners,
            Err(error) => return self.log.error(&self.refused(&error)),
        };
        for listener in listeners {
            let port = self.clone();
            self.tasks.spawn(async move {
                loop {
                    let accepted = tokio::select! {
                        () = port.stop.cancelled() => return,
                        accepted = listener.accept() => accepted,
                    };
                    // Whoever gave up before we took the connection does not matter.
                    if let Ok((connection, _)) = accepted {
                        let port = port.clone();
                        port.tasks
                            .clone()
                            .spawn(async move { port.carry(connection).await });
                    }
                }
            });
        }
    }

    /// Listens on every address that the host means; `localhost` is both families, of which one is enough.
    async fn listen(&self) -> io::Result<Vec<TcpListener>> {
        let addresses: Vec<SocketAddr> = if self.host == "localhost" {
            let both = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
            both.map(|address| SocketAddr::new(address, self.local_port))
                .to_vec()
        } else {
            let found = tokio::net::lookup_host((self.host.as_str(), self.local_port)).await?;
            found.collect()
        };
        let (mut listeners, mut refused) = (Vec::new(), None);
        for address in addresses {
            match TcpListener::bind(address).await {
                Ok(listener) => listeners.push(listener),
                // The other family may be missing on this machine, but a port that is taken is taken.
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
                Err(error) => refused = Some(error),
            }
        }
        match refused {
            Some(error) if listeners.is_empty() => Err(error),
            _ => Ok(listeners),
        }
    }

    fn refused(&self, error: &io::Error) -> String {
        let (port, manifest) = (self.local_port, &self.manifest);
        let message = format!(
            "Error port-forwarding {manifest}: cannot listen on {}:{port}: {error}",
            self.host
        );
        if error.kind() != io::ErrorKind::AddrInUse {
            return message;
        }
        let who = holder(port).map_or_else(String::new, |who| format!(", which {who} holds"));
        format!("{message}\nhint: stop what uses port {port}{who}, or choose another port in port_forwards=")
    }

    /// Carries one connection to the pod of the moment, until either side ends it.
    async fn carry(&self, mut connection: TcpStream) {
        let Some(target) = self.target.borrow().clone() else {
            return;
        };
        let carried = tokio::select! {
            () = self.stop.cancelled() => Ok(()),
            carried = self.carry_to(&mut connection, &target) => carried,
        };
        if let Err(error) = carried {
            let (manifest, local, remote) = (&self.manifest, self.local_port, target.port);
            let line =
                format!("Reconnecting... Error port-forwarding {manifest} ({local} -> {remote}): {error}");
            self.log.info(&line);
        }
    }

    async fn carry_to(&self, connection: &mut TcpStream, target: &ForwardTarget) -> Result<(), String> {
        let pods: kube::Api<Pod> = kube::Api::namespaced(self.client.clone(), &target.namespace);
        let mut forwarder = pods
            .portforward(&target.pod_name, &[target.port])
            .await
            .map_err(|error| error.to_string())?;
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
            _ = copy_bidirectional(connection, &mut stream) => Ok(()),
        };
        // What is left of either side does not matter any more.
        let _ = stream.shutdown().await;
        outcome
    }
}
