//! Local ports that lead to pods: each is listened on from when it is asked for until it no longer is, and every
//! connection goes to the pod that is the right one at that moment.
//!
//! A connection to a port without a pod, or whose pod does not answer, is closed at once: nobody takes a dead path for
//! a healthy one. What is wrong with a port is told to the engine: that it is taken, that the last connection failed
//! (this file), that the node does not answer (`path`).

mod path;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::port_holder::holder;
use crate::engine::{Event, Forward, ForwardId, ForwardPart, ForwardTarget};
use crate::logs::{LogStore, LogWriter};
use crate::model::{ManifestName, SpanId};

/// How often it is tried to listen on a port that somebody else has; nothing tells when it becomes free.
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// How long the way to a pod may take to open.
const OPENING: Duration = Duration::from_secs(2);

/// Keeps port-forwards.
pub(super) struct PortForwards {
    log: LogStore,
    events: mpsc::Sender<Event>,
    /// The host to listen on where none is given.
    web_host: String,
    tasks: TaskTracker,
    shutdown: CancellationToken,
    open: HashMap<ForwardId, Open>,
    /// Ports that are being given up, each with when that is done.
    closing: Vec<(u16, CancellationToken)>,
    paths: Option<watch::Sender<Vec<Arc<Port>>>>,
}

struct Open {
    port: Arc<Port>,
    target: watch::Sender<Option<ForwardTarget>>,
    closed: CancellationToken,
}

impl PortForwards {
    /// Returns a keeper whose ports are free again after `shutdown`.
    pub(super) fn new(
        log: LogStore,
        events: mpsc::Sender<Event>,
        web_host: String,
        tasks: TaskTracker,
        shutdown: CancellationToken,
    ) -> Self {
        Self {
            log,
            events,
            web_host,
            tasks,
            shutdown,
            open: HashMap::new(),
            closing: Vec::new(),
            paths: None,
        }
    }

    /// Lets these ports lead to these pods, and no others anywhere.
    pub(super) fn set(&mut self, wanted: Vec<Forward>, client: Option<&kube::Client>) {
        let Some(client) = client else { return };
        self.closing.retain(|(_, closed)| !closed.is_cancelled());
        let closing = &mut self.closing;
        self.open.retain(|known, open| {
            let stays = wanted.iter().any(|forward| forward.id() == *known);
            if !stays {
                open.port.stop.cancel();
                closing.push((known.local_port, open.closed.clone()));
            }
            stays
        });
        for forward in wanted {
            let id = forward.id();
            match self.open.get(&id) {
                Some(open) => {
                    open.target.send_replace(forward.pod);
                    // Another pod, or one that has become ready, is another chance.
                    open.port.tell(ForwardPart::Connection, None);
                }
                None => {
                    let opened = self.open(id.clone(), forward.pod, client.clone());
                    self.open.insert(id, opened);
                }
            }
        }
        self.watch_paths(client);
    }

    fn open(&self, id: ForwardId, pod: Option<ForwardTarget>, client: kube::Client) -> Open {
        let (target, wanted) = watch::channel(pod);
        let span = SpanId::new(format!("portforward:{}", id.manifest));
        let rival = self.open.keys().find(|other| other.local_port == id.local_port);
        let port = Arc::new(Port {
            log: LogWriter::new(self.log.clone(), span, id.manifest.clone()),
            events: self.events.clone(),
            errors: Mutex::default(),
            host: id.host.clone().unwrap_or_else(|| self.web_host.clone()),
            rival: rival.map(|rival| rival.manifest.clone()),
            id,
            target: wanted,
            client,
            tasks: self.tasks.clone(),
            stop: self.shutdown.child_token(),
        });
        let closed = CancellationToken::new();
        let before = self
            .closing
            .iter()
            .filter(|(number, _)| *number == port.id.local_port);
        let before: Vec<CancellationToken> = before.map(|(_, closed)| closed.clone()).collect();
        let (serving, ended) = (Arc::clone(&port), closed.clone().drop_guard());
        self.tasks.spawn(async move {
            let _ended = ended;
            for closed in before {
                closed.cancelled().await;
            }
            serving.serve().await;
        });
        Open { port, target, closed }
    }

    fn watch_paths(&mut self, client: &kube::Client) {
        let ports: Vec<Arc<Port>> = self.open.values().map(|open| Arc::clone(&open.port)).collect();
        match &self.paths {
            Some(paths) => {
                paths.send_replace(ports);
            }
            None if ports.is_empty() => {}
            None => {
                let (paths, wanted) = watch::channel(ports);
                let (client, shutdown) = (client.clone(), self.shutdown.clone());
                self.tasks.spawn(async move {
                    tokio::select! {
                        () = shutdown.cancelled() => {}
                        () = path::watch(client, wanted) => {}
                    }
                });
                self.paths = Some(paths);
            }
        }
    }
}

/// One local port.
struct Port {
    log: LogWriter,
    events: mpsc::Sender<Event>,
    /// What is wrong, as it was told last.
    errors: Mutex<BTreeMap<ForwardPart, String>>,
    id: ForwardId,
    host: String,
    /// The resource that asked for the same port before.
    rival: Option<ManifestName>,
    target: watch::Receiver<Option<ForwardTarget>>,
    client: kube::Client,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Port {
    /// Serves until it is stopped.
    async fn serve(self: &Arc<Self>) {
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

    async fn listen_patiently(&self) -> Vec<TcpListener> {
        loop {
            match self.listen().await {
                Ok(listeners) => {
                    if self.tell(ForwardPart::Listening, None) {
                        let (port, manifest) = (self.id.local_port, &self.id.manifest);
                        self.log
                            .info(&format!("Port {port} is free now and leads to {manifest}"));
                    }
                    return listeners;
                }
                Err(error) => {
                    let message = self.refused(&self.host, &error);
                    if self.tell(ForwardPart::Listening, Some(&message)) {
                        self.log.error(&message);
                    }
                }
            }
            sleep(TRY_AGAIN).await;
        }
    }

    /// Listens on every address that the host means; `localhost` is both families, of which one is enough.
    ///
    /// Rule: `reference/engine.md` 4.12.
    async fn listen(&self) -> io::Result<Vec<TcpListener>> {
        let port = self.id.local_port;
        let addresses: Vec<SocketAddr> = if self.host == "localhost" {
            let both = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
            both.map(|address| SocketAddr::new(address, port)).to_vec()
        } else {
            tokio::net::lookup_host((self.host.as_str(), port))
                .await?
                .collect()
        };
        let (mut listeners, mut refused) = (Vec::new(), None);
        for address in addresses {
            match TcpListener::bind(address).await {
                Ok(listener) => listeners.push(listener),
                // A port that is taken says more than a family that is missing on this machine.
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => refused = Some((address, error)),
                Err(error) => {
                    refused.get_or_insert((address, error));
                }
            }
        }
        match refused {
            Some((_, error)) if listeners.is_empty() => Err(error),
            Some((address, error)) if error.kind() == io::ErrorKind::AddrInUse => {
                self.log.warn(&self.refused(&address.ip().to_string(), &error));
                Ok(listeners)
            }
            _ => Ok(listeners),
        }
    }

    fn refused(&self, host: &str, error: &io::Error) -> String {
        let (port, manifest) = (self.id.local_port, &self.id.manifest);
        let message = format!("Error port-forwarding {manifest}: cannot listen on {host}:{port}: {error}");
        let hint = match error.kind() {
            io::ErrorKind::AddrInUse => match &self.rival {
                Some(rival) => format!(
                    "port {port} is also forwarded to \"{rival}\": choose another one for one of them in port_forwards="
                ),
                None => {
                    let addresses = (host, port).to_socket_addrs().into_iter().flatten();
                    let who = addresses
                        .filter_map(holder)
                        .next()
                        .map_or_else(String::new, |who| format!(", which {who} holds"));
                    format!(
                        "stop what uses port {port}{who}, or choose another port in port_forwards=; it is taken as \
                         soon as it is free"
                    )
                }
            },
            io::ErrorKind::PermissionDenied => {
                format!(
                    "ports below 1024 are for administrators: choose another one than {port} in port_forwards="
                )
            }
            io::ErrorKind::AddrNotAvailable => {
                format!(
                    "\"{host}\" is no address of this machine: choose another host in port_forward(host=)"
                )
            }
            _ => format!("check host and port in port_forward({port}, host=\"{host}\")"),
        };
        format!("{message}\nhint: {hint}")
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
        let pods: kube::Api<Pod> = kube::Api::namespaced(self.client.clone(), &target.namespace);
        let mut forwarder = timeout(OPENING, pods.portforward(&target.pod_name, &[target.port]))
            .await
            .map_err(|_| format!("no answer within {} s", OPENING.as_secs()))?
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
    fn path_changed(&self, remote: u16, error: Option<&str>) {
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
    fn tell(&self, part: ForwardPart, error: Option<&str>) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::LogReader;

    /// A keeper, what it tells, and its log.
    fn keeper() -> (PortForwards, mpsc::Receiver<Event>, LogReader) {
        let (events, told) = mpsc::channel(8);
        let log = LogStore::in_memory();
        let reader = log.reader();
        let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
        (
            PortForwards::new(log, events, "localhost".to_owned(), tasks, shutdown),
            told,
            reader,
        )
    }

    fn client() -> kube::Client {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let nobody = "http://127.0.0.1:1".parse().expect("an address");
        kube::Client::try_from(kube::Config::new(nobody)).expect("a client")
    }

    fn forward(manifest: &str, local_port: u16, host: Option<&str>) -> Forward {
        Forward {
            manifest: manifest.into(),
            local_port,
            host: host.map(str::to_owned),
            pod: None,
        }
    }

    async fn error(told: &mut mpsc::Receiver<Event>) -> Option<String> {
        match told.recv().await {
            Some(Event::ForwardChanged { error, .. }) => error,
            other => panic!("{other:?}"),
        }
    }

    fn text(reader: &mut LogReader) -> String {
        let segments = reader.try_next_batch();
        segments.iter().map(|segment| segment.text.as_str()).collect()
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_told_with_who_has_it_and_taken_when_it_is_free() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = taken.local_addr().expect("an address").port();
        let (mut ports, mut told, mut log) = keeper();
        ports.set(vec![forward("web", port, Some("127.0.0.1"))], Some(&client()));
        let message = error(&mut told).await.expect("it is taken");
        let pid = std::process::id();
        let named = message
            .replace(&port.to_string(), "PORT")
            .replace(&pid.to_string(), "PID");
        let (who, rest) = named.split_once(", which ").expect("a holder");
        let rest = rest.split_once(' ').expect("its name").1;
        insta::assert_snapshot!(format!("{who}, which NAME {rest}"), @r"
        Error port-forwarding web: cannot listen on 127.0.0.1:PORT: Address already in use (os error 98)
        hint: stop what uses port PORT, which NAME (pid PID) holds, or choose another port in port_forwards=; it is taken as soon as it is free
        ");
        assert!(text(&mut log).contains("cannot listen"));
        drop(taken);
        assert_eq!(error(&mut told).await, None);
        let line = text(&mut log);
        assert_eq!(line, format!("Port {port} is free now and leads to web\n"));
    }

    #[tokio::test]
    async fn localhost_is_both_families_of_which_one_is_enough() {
        let taken = std::net::TcpListener::bind("[::1]:0").expect("a port");
        let port = taken.local_addr().expect("an address").port();
        let (mut ports, _told, mut log) = keeper();
        ports.set(vec![forward("web", port, None)], Some(&client()));
        let lines = log.next_batch().await.expect("a warning");
        let expected = format!("Error port-forwarding web: cannot listen on ::1:{port}");
        assert!(lines[0].text.starts_with(&expected), "{}", lines[0].text);
        TcpStream::connect(("127.0.0.1", port))
            .await
            .expect("the other family is ours");
        drop(taken);
        let (mut ports, _told, _log) = keeper();
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        ports.set(vec![forward("web", port, None)], Some(&client()));
        for host in ["127.0.0.1", "::1"] {
            while TcpStream::connect((host, port)).await.is_err() {
                tokio::task::yield_now().await;
            }
        }
    }

    #[tokio::test]
    async fn a_port_goes_from_one_resource_to_another_without_a_fault() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        let (mut ports, mut told, mut log) = keeper();
        for name in ["one", "two", "three"] {
            ports.set(vec![forward(name, port, None)], Some(&client()));
        }
        let last = CancellationToken::clone(&ports.open.values().next().expect("a port").closed);
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            tokio::task::yield_now().await;
        }
        ports.set(Vec::new(), Some(&client()));
        last.cancelled().await;
        assert_eq!(text(&mut log), "");
        assert!(told.try_recv().is_err(), "nothing was wrong");
        assert!(
            TcpStream::connect(("127.0.0.1", port)).await.is_err(),
            "it is free"
        );
    }

    #[tokio::test]
    async fn two_resources_that_want_one_port_are_both_named() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        let (mut ports, mut told, _log) = keeper();
        ports.set(vec![forward("one", port, None)], Some(&client()));
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            tokio::task::yield_now().await;
        }
        ports.set(
            vec![forward("one", port, None), forward("two", port, None)],
            Some(&client()),
        );
        let message = error(&mut told).await.expect("it is taken");
        insta::assert_snapshot!(message.replace(&port.to_string(), "PORT"), @r#"
        Error port-forwarding two: cannot listen on localhost:PORT: Address already in use (os error 98)
        hint: port PORT is also forwarded to "one": choose another one for one of them in port_forwards=
        "#);
    }

    #[tokio::test]
    async fn an_address_of_another_machine_is_told_apart() {
        let (mut ports, mut told, _log) = keeper();
        ports.set(vec![forward("web", 8080, Some("192.0.2.1"))], Some(&client()));
        let message = error(&mut told).await.expect("it is none of ours");
        insta::assert_snapshot!(message, @r#"
        Error port-forwarding web: cannot listen on 192.0.2.1:8080: Cannot assign requested address (os error 99)
        hint: "192.0.2.1" is no address of this machine: choose another host in port_forward(host=)
        "#);
    }

    #[tokio::test]
    async fn a_connection_whose_pod_cannot_be_reached_is_closed_and_told() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        let (mut ports, mut told, _log) = keeper();
        let mut dead = forward("web", port, None);
        dead.pod = Some(ForwardTarget {
            pod: crate::model::ObjectUid::new("1"),
            pod_name: "web-1".to_owned(),
            namespace: "default".to_owned(),
            port: 80,
            container: "web".to_owned(),
            node: "node1".to_owned(),
            ready: true,
        });
        ports.set(vec![dead], Some(&client()));
        let mut connection = loop {
            if let Ok(connection) = TcpStream::connect(("127.0.0.1", port)).await {
                break connection;
            }
            tokio::task::yield_now().await;
        };
        let mut rest = Vec::new();
        let _ = tokio::io::AsyncReadExt::read_to_end(&mut connection, &mut rest).await;
        assert_eq!(rest, b"", "it is closed");
        assert!(error(&mut told).await.is_some());
    }
}
