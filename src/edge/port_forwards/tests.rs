//! Local ports: who has them, what is said when somebody else has, what becomes of connections.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{BufMut, BytesMut};
use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Duration;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

use super::*;
use crate::edge::kube::Cluster;
use crate::engine::{Asker, ForwardTarget};
use crate::k8s::KubeContext;
use crate::logs::LogReader;
use crate::model::SpanId;

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

fn cluster() -> Cluster {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let nobody = "http://127.0.0.1:1".parse().expect("an address");
    let client = kube::Client::try_from(kube::Config::new(nobody)).expect("a client");
    Cluster::for_test(client, KubeContext::default())
}

fn forward(manifest: &str, local_port: u16, host: Option<&str>) -> Forward {
    Forward {
        asker: Asker::Resource(manifest.into()),
        manifest: Some(manifest.into()),
        span: SpanId::new(format!("portforward:{manifest}")),
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
    ports.set(
        Forward::all([forward("web", port, Some("127.0.0.1"))]),
        Some(&cluster()),
    );
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
    ports.set(Forward::all([forward("web", port, None)]), Some(&cluster()));
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
    ports.set(Forward::all([forward("web", port, None)]), Some(&cluster()));
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
        ports.set(Forward::all([forward(name, port, None)]), Some(&cluster()));
    }
    let last = CancellationToken::clone(&ports.open.values().next().expect("a port").closed);
    while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        tokio::task::yield_now().await;
    }
    ports.set(Forward::all([]), Some(&cluster()));
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
    ports.set(Forward::all([forward("one", port, None)]), Some(&cluster()));
    while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        tokio::task::yield_now().await;
    }
    ports.set(
        Forward::all([forward("one", port, None), forward("two", port, None)]),
        Some(&cluster()),
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
    ports.set(
        Forward::all([forward("web", 8080, Some("192.0.2.1"))]),
        Some(&cluster()),
    );
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
    dead.pod = Some(target());
    ports.set(Forward::all([dead]), Some(&cluster()));
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

/// Starts an API server that opens a way to a pod for each connection: the pod answers with what it was sent, once it
/// has had as many bytes. Where nothing listens in the pod, the node says so.
async fn pod_that_echoes(n_bytes: usize, listens: bool) -> Cluster {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let server = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", server.local_addr().expect("an address"));
    tokio::spawn(async move {
        while let Ok((stream, _)) = server.accept().await {
            tokio::spawn(echo(stream, n_bytes, listens));
        }
    });
    let client = kube::Client::try_from(kube::Config::new(url.parse().expect("a URL"))).expect("a client");
    Cluster::for_test(client, KubeContext::default())
}

async fn echo(stream: TcpStream, n_bytes: usize, listens: bool) {
    #[allow(clippy::result_large_err, reason = "the crate's own type")]
    let choose = |_: &Request, mut response: Response| {
        let protocol = "v4.channel.k8s.io".parse().expect("a header");
        response.headers_mut().insert("sec-websocket-protocol", protocol);
        Ok(response)
    };
    let mut way = tokio_tungstenite::accept_hdr_async(stream, choose)
        .await
        .expect("a way");
    let frame = |channel: u8, bytes: &[u8]| {
        let mut frame = BytesMut::with_capacity(bytes.len() + 1);
        frame.put_u8(channel);
        frame.put(bytes);
        Message::Binary(frame.freeze())
    };
    for channel in [0, 1] {
        let _ = way.send(frame(channel, &80u16.to_le_bytes())).await;
    }
    if !listens {
        let said = b"error forwarding port 80 to pod dac4f1, uid : failed to execute portforward in network namespace \
            \"/var/run/netns/cni-210b\": failed to connect to localhost:80 inside namespace \"dac4f1\", IPv4: dial tcp4 \
            127.0.0.1:80: connect: connection refused";
        let _ = way.send(frame(1, said)).await;
    }
    let mut heard = Vec::new();
    while heard.len() < n_bytes {
        match way.next().await {
            Some(Ok(Message::Binary(bytes))) => heard.extend_from_slice(&bytes[1..]),
            Some(Ok(_)) => {}
            _ => return,
        }
    }
    // Long enough for somebody to lose patience who takes the client's last word for the end.
    let ended = tokio::time::timeout(Duration::from_millis(100), way.next()).await;
    assert!(ended.is_err(), "{ended:?}");
    for part in heard.chunks(32 << 10) {
        let _ = way.send(frame(0, part)).await;
    }
    let _ = way.close(None).await;
}

fn target() -> ForwardTarget {
    ForwardTarget {
        pod: crate::model::ObjectUid::new("1"),
        pod_name: "web-1".to_owned(),
        namespace: "default".to_owned(),
        port: 80,
        container: "web".to_owned(),
        node: String::new(),
        ready: true,
    }
}

async fn connected(port: u16) -> TcpStream {
    loop {
        if let Ok(connection) = TcpStream::connect(("127.0.0.1", port)).await {
            return connection;
        }
        tokio::task::yield_now().await;
    }
}

fn free_port() -> u16 {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    free.local_addr().expect("an address").port()
}

#[tokio::test]
async fn a_client_that_has_said_all_gets_the_whole_answer() {
    for n_bytes in [10, 100_000, 3_000_000] {
        let port = free_port();
        let (mut ports, _told, _log) = keeper();
        let pod = Some(target());
        let cluster = pod_that_echoes(n_bytes, true).await;
        ports.set(
            Forward::all([Forward {
                pod,
                ..forward("web", port, None)
            }]),
            Some(&cluster),
        );
        let mut client = connected(port).await;
        client.write_all(&vec![b'x'; n_bytes]).await.expect("sent");
        client.shutdown().await.expect("half closed");
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.expect("an answer");
        assert_eq!(answer.len(), n_bytes);
    }
}

#[tokio::test]
async fn a_port_that_nothing_listens_on_is_told_once_and_in_short() {
    let port = free_port();
    let (mut ports, mut told, mut log) = keeper();
    let cluster = pod_that_echoes(1, false).await;
    let wanted = |ready| {
        let pod = Some(ForwardTarget { ready, ..target() });
        vec![Forward {
            pod,
            ..forward("web", port, None)
        }]
    };
    for ready in [false, false, true] {
        ports.set(Forward::all(wanted(ready)), Some(&cluster));
        let mut rest = Vec::new();
        let _ = connected(port).await.read_to_end(&mut rest).await;
    }
    assert_eq!(
        error(&mut told).await.as_deref(),
        Some("nothing listens on port 80 of pod web-1 yet")
    );
    let said = format!(
        "Reconnecting... Error port-forwarding web ({port} -> 80): nothing listens on port 80 of pod web-1 yet\n"
    );
    assert_eq!(text(&mut log), said);
}

#[tokio::test]
async fn each_of_two_resources_that_want_one_port_knows_of_the_other() {
    let port = free_port();
    let (mut ports, _told, _log) = keeper();
    ports.set(
        Forward::all([forward("one", port, None), forward("two", port, None)]),
        Some(&cluster()),
    );
    let rival = |name: &str| {
        let open = ports.open.values().find(|open| open.port.id.asker.name() == name);
        open.and_then(|open| open.port.rival())
            .expect("a rival")
            .asker
            .name()
            .to_owned()
    };
    assert_eq!((rival("one"), rival("two")), ("two".to_owned(), "one".to_owned()));
}

/// Returns after how many seconds the connection of a client that has said all is given up, by a pod that says this.
async fn given_up_after(answer: &'static [u8]) -> (u64, Vec<u8>) {
    let server = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let mut client = TcpStream::connect(server.local_addr().expect("an address"))
        .await
        .expect("a connection");
    let (mut taken, _) = server.accept().await.expect("a connection");
    client.write_all(b"PING").await.expect("sent");
    client.shutdown().await.expect("half closed");
    let (way, mut pod) = tokio::io::duplex(1024);
    let pod = tokio::spawn(async move {
        let mut heard = [0; 4];
        pod.read_exact(&mut heard).await.expect("all of it");
        pod.write_all(answer).await.expect("sent");
        // It keeps its side open.
        let _ = pod.read(&mut heard).await;
    });
    let (began, answered) = (tokio::time::Instant::now(), AtomicBool::new(false));
    super::carry::carry(&mut taken, way, || answered.store(true, Ordering::Relaxed)).await;
    let elapsed = began.elapsed().as_secs();
    assert_eq!(answered.into_inner(), !answer.is_empty());
    pod.await.expect("it ends");
    drop(taken);
    let mut got = Vec::new();
    client.read_to_end(&mut got).await.expect("an end");
    (elapsed, got)
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_waited_for_but_not_for_ever() {
    assert_eq!(given_up_after(b"+PONG").await, (2, b"+PONG".to_vec()));
    assert_eq!(given_up_after(b"").await, (11, Vec::new()));
}
