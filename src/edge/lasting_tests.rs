//! Each kind of task that lasts as long as a session dies here: it is told by name and begun anew, or the session ends.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::kube::fake_api::{FakeApi, Reply};
use super::kube::{ClusterWatcher, PodLogs};
use super::local::{CommandVariables, Servers};
use super::planted::kill;
use super::port_forwards::PortForwards;
use super::session::{Session, keep_watching_health, run, way};
use crate::engine::{
    Asker, ClusterWatch, Event, ExitOutcome, Forward, ForwardTarget, LogStream, Mode, PodLog, Server,
    ServerStatus, WatchedKind,
};
use crate::k8s::labels::Ownership;
use crate::k8s::{KubeContext, Product};
use crate::logs::{LogStore, LogWriter};
use crate::model::{ApiObjects, Command, LocalPath, ObjectUid, ServeId, SpanId, Timestamp};
use crate::tiltfile::{LoadRequest, Memory, Program};

/// Lets a task panic, and the one that is begun in its place too; returns once a third one lives and the log tells of both.
async fn dies_twice(name: &str, log: &LogStore) {
    kill(name, log).await;
    kill(name, log).await;
    let line = format!("internal error: {name} died and is begun anew: a planted panic\n");
    let (mut reader, mut said) = (log.reader(), String::new());
    while said.matches(&line).count() < 2 {
        let batch = reader.next_batch().await.expect("the log goes on");
        said.extend(batch.iter().map(|segment| segment.text.as_str()));
    }
}

/// Returns what a channel brings, other than what is passed over.
async fn next<T>(events: &mut mpsc::Receiver<Event>, wanted: impl Fn(Event) -> Option<T>) -> T {
    let found = async {
        loop {
            let event = events.recv().await.expect("somebody reports");
            if let Some(found) = wanted(event) {
                return found;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), found)
        .await
        .expect("it comes")
}

fn pods_listed(event: Event) -> Option<()> {
    matches!(event, Event::PodsListed { .. }).then_some(())
}

fn job_seen(event: Event) -> Option<()> {
    matches!(event, Event::WorkloadSeen(_)).then_some(())
}

#[tokio::test]
async fn watches_of_the_cluster() {
    let api = FakeApi::start(|path| {
        let job = json!({"metadata": {"name": "j", "namespace": "ns", "uid": "j", "resourceVersion": "1"}, "spec": {}});
        let items = if path.contains("/jobs") { vec![job] } else { Vec::new() };
        match path.contains("watch=true") {
            true => Reply::Never,
            false => Reply::Json(json!({"metadata": {"resourceVersion": "1"}, "items": items})),
        }
    })
    .await;
    let (sender, mut events) = mpsc::channel(16);
    let log = LogStore::in_memory();
    let writer = LogWriter::global(log.clone());
    let watcher = ClusterWatcher::start(api.cluster(), sender, Timestamp::default(), writer);
    watcher.set(ClusterWatch {
        namespaces: BTreeSet::from(["ns".to_owned()]),
        ..ClusterWatch::default()
    });
    next(&mut events, pods_listed).await;
    dies_twice("the watch of namespace \"ns\"", &log).await;
    next(&mut events, pods_listed).await;
    watcher.set(ClusterWatch {
        kinds: BTreeSet::from([WatchedKind {
            api_version: "batch/v1".to_owned(),
            kind: "Job".to_owned(),
            namespace: Some("ns".to_owned()),
        }]),
        ..ClusterWatch::default()
    });
    next(&mut events, job_seen).await;
    dies_twice("the watch of jobs", &log).await;
    next(&mut events, job_seen).await;
    dies_twice("the watch of the cluster", &log).await;
    next(&mut events, job_seen).await;
}

#[tokio::test]
async fn the_watch_of_the_clusters_health() {
    let api = FakeApi::start(|_| Reply::Json(json!("ok"))).await;
    let (sender, _events) = mpsc::channel(16);
    let log = LogStore::in_memory();
    let health = keep_watching_health(api.cluster(), sender, LogWriter::global(log.clone()));
    let _health = tokio_util::task::AbortOnDropHandle::new(tokio::spawn(health));
    dies_twice("the watch of the cluster's health", &log).await;
}

#[tokio::test]
async fn the_reader_of_a_log() {
    let asked = std::sync::atomic::AtomicU32::new(0);
    let api = FakeApi::start(
        move |_| match asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
            0..=1 => Reply::Never,
            _ => Reply::Text("2099-01-01T00:00:00Z what comes later\n"),
        },
    )
    .await;
    let log = LogStore::in_memory();
    let (events, _events) = mpsc::channel(16);
    let pod_logs = PodLogs::new(api.cluster(), log.clone(), events);
    let web = PodLog {
        manifest: "web".into(),
        span: SpanId::from("pod:web:web-1"),
        pod: ObjectUid::new("u"),
        pod_name: "web-1".to_owned(),
        namespace: "ns".to_owned(),
        container: "web".to_owned(),
        container_id: "c".to_owned(),
        prefixed: false,
        since: None,
        missed_run: false,
        terminated: false,
    };
    pod_logs.set(&LogStream::all([web.into()]));
    let name = "the reader of the log of pod web-1";
    for n_readers in 1..=2 {
        while api.asked().len() < n_readers {
            tokio::task::yield_now().await;
        }
        kill(name, &log).await;
    }
    let (mut reader, mut said) = (log.reader(), String::new());
    while !said.contains("what comes later") {
        let batch = reader.next_batch().await.expect("the log goes on");
        said.extend(batch.iter().map(|segment| segment.text.as_str()));
    }
    assert_eq!(
        said.matches(&format!("internal error: {name} died")).count(),
        2,
        "{said}"
    );
}

#[tokio::test]
async fn port_forwards() {
    let free = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = free.local_addr().expect("an address").port();
    drop(free);
    let api = FakeApi::start(|_| Reply::Text("")).await;
    let log = LogStore::in_memory();
    let (events, _events) = mpsc::channel(16);
    let shutdown = CancellationToken::new();
    let _ends = shutdown.clone().drop_guard();
    let mut ports = PortForwards::new(
        log.clone(),
        events,
        "localhost".to_owned(),
        TaskTracker::new(),
        shutdown,
    );
    let pod = ForwardTarget {
        pod: ObjectUid::new("1"),
        pod_name: "web-1".to_owned(),
        namespace: "ns".to_owned(),
        port: 80,
        container: "web".to_owned(),
        node: "node1".to_owned(),
        ready: true,
    };
    let forward = Forward {
        asker: Asker::Resource("web".into()),
        manifest: Some("web".into()),
        span: SpanId::from("portforward:web"),
        local_port: port,
        host: Some("127.0.0.1".to_owned()),
        pod: Some(pod),
    };
    ports.set(Forward::all([forward]), Some(&api.cluster()));
    dies_twice(&format!("the port-forward of web at {port}"), &log).await;
    dies_twice("the watch of port-forwards", &log).await;
    // It listens a moment after it was begun.
    while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_keeper_of_a_server() {
    let log = LogStore::in_memory();
    let (sender, mut events) = mpsc::channel(16);
    let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
    let variables = Arc::new(CommandVariables::default());
    let mut servers = Servers::new(log.clone(), sender, variables, tasks.clone(), shutdown.clone());
    servers.set(Server::all([Server {
        serve: ServeId(1),
        asker: Asker::Resource("web".into()),
        manifest: Some("web".into()),
        span: SpanId::from("localserve:web"),
        command: Command {
            argv: vec!["sleep".to_owned(), "60".to_owned()],
            dir: Some(LocalPath::new("/")),
            env: Vec::new(),
        },
        probe: None,
    }]));
    let running = |event| match event {
        Event::ServerChanged {
            status: ServerStatus::Running { pid, .. },
            ..
        } => Some(pid),
        _ => None,
    };
    let first = next(&mut events, running).await;
    kill("what runs \"sleep 60\"", &log).await;
    let second = next(&mut events, running).await;
    assert_ne!(
        first, second,
        "its process ended with it, and another one was started"
    );
    shutdown.cancel();
    tasks.close();
    tasks.wait().await;
}

/// Runs a session without any resource until it ends by itself.
async fn ends_when_this_dies(name: &str) -> String {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("Tiltfile"), "print('loaded')\n").expect("a file");
    let cwd = LocalPath::new(dir.path());
    let log = LogStore::in_memory();
    let session = Session {
        mode: Mode::Up,
        request: LoadRequest {
            file: cwd.join("Tiltfile"),
            args: Vec::new(),
            subcommand: "up",
            kube: KubeContext {
                name: "kind-test".to_owned(),
                cluster: "kind-test".to_owned(),
                namespace: "default".to_owned(),
                product: Product::Kind,
            },
            web_host: "localhost".to_owned(),
            is_main: true,
            program: Program::default(),
            memory: Memory::default(),
            extensions: ApiObjects::default(),
            clock: None,
        },
        access: Err("there is none".to_owned()),
        ownership: Ownership::default(),
        commands: CommandVariables::default(),
        log: log.clone(),
        forwards_ports: false,
        updates_containers: false,
        has_colour: false,
        cwd,
    };
    let (_handle, way) = way();
    let running = tokio::spawn(run(session, way, CancellationToken::new()));
    kill(name, &log).await;
    match running.await.expect("it returns") {
        (ExitOutcome::Failed(failure), _) => failure.message,
        (other, _) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_watch_of_files_ends_the_session_with_its_name() {
    assert_eq!(
        ends_when_this_dies("the watch of files").await,
        "internal error: the watch of files died: a planted panic\n\
         hint: start tilt again; what runs in the cluster stays as it is"
    );
}
