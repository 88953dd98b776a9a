//! Local ports: who has them, what is said when somebody else has, what becomes of connections.

use tokio::net::TcpStream;

use super::*;
use crate::edge::kube::Cluster;
use crate::engine::ForwardTarget;
use crate::k8s::KubeContext;
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

fn cluster() -> Cluster {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let nobody = "http://127.0.0.1:1".parse().expect("an address");
    let client = kube::Client::try_from(kube::Config::new(nobody)).expect("a client");
    Cluster::for_test(client, KubeContext::default())
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
    ports.set(vec![forward("web", port, Some("127.0.0.1"))], Some(&cluster()));
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
    ports.set(vec![forward("web", port, None)], Some(&cluster()));
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
    ports.set(vec![forward("web", port, None)], Some(&cluster()));
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
        ports.set(vec![forward(name, port, None)], Some(&cluster()));
    }
    let last = CancellationToken::clone(&ports.open.values().next().expect("a port").closed);
    while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        tokio::task::yield_now().await;
    }
    ports.set(Vec::new(), Some(&cluster()));
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
    ports.set(vec![forward("one", port, None)], Some(&cluster()));
    while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        tokio::task::yield_now().await;
    }
    ports.set(
        vec![forward("one", port, None), forward("two", port, None)],
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
    ports.set(vec![forward("web", 8080, Some("192.0.2.1"))], Some(&cluster()));
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
    ports.set(vec![dead], Some(&cluster()));
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
