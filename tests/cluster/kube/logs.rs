//! Reading logs of containers.

use serde_json::json;
use tilt::edge::kube::PodLogs;
use tilt::engine::{Event, LogStream, PodLog};
use tilt::model::{ManifestName, ObjectUid, SpanId};
use tokio::sync::mpsc;

use super::support::{IMAGE, PATIENCE, World};

fn pod(name: &str, restart_policy: &str, script: &str) -> String {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {
        "terminationGracePeriodSeconds": 0, "restartPolicy": restart_policy,
        "containers": [{"name": "c", "image": IMAGE, "command": ["sh", "-c", script]}]}})
    .to_string()
}

/// Returns the stream of a pod's container as it is now, `None` if it has not started.
fn stream(world: &World, name: &str) -> Option<PodLog> {
    let pod = world.get(&format!("pod/{name}"));
    let status = pod["status"]["containerStatuses"].get(0)?.clone();
    let id = status["containerID"].as_str()?;
    Some(PodLog {
        manifest: ManifestName::from("web"),
        span: SpanId::from("pod:web:x"),
        pod: ObjectUid::new(pod["metadata"]["uid"].as_str()?),
        pod_name: name.to_owned(),
        namespace: world.namespace.clone(),
        container: "c".to_owned(),
        container_id: id.rsplit('/').next()?.to_owned(),
        prefixed: false,
        since: None,
        missed_run: !status["lastState"]["terminated"].is_null(),
        terminated: status["state"]["running"].is_null(),
    })
}

/// Feeds the wanted streams from the pod's state until `done` says so.
async fn follow(world: &World, logs: &PodLogs, name: &str, mut done: impl FnMut(&str) -> bool) -> String {
    let followed = tokio::time::timeout(PATIENCE, async {
        loop {
            logs.set(&LogStream::all(stream(world, name).map(LogStream::from)));
            let text = text(world);
            if done(&text) {
                return text;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    });
    match followed.await {
        Ok(text) => text,
        Err(_) => panic!("it never came; the log holds {:?}", text(world)),
    }
}

/// Returns all text of the log.
fn text(world: &World) -> String {
    let mut reader = world.store.reader_from(0);
    let mut text = String::new();
    loop {
        let batch = reader.try_next_batch();
        if batch.is_empty() {
            return text;
        }
        text.extend(batch.iter().map(|segment| segment.text.as_str()));
    }
}

fn numbers(from: u32, to: u32) -> String {
    (from..=to).map(|n| format!("{n}\n")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_the_container_loses_and_repeats_no_line() {
    let world = World::new("restart").await;
    // Each run prints on from where the last one stopped, some of it in the last moment. The first waits until it is seen:
    // the cluster keeps no more than the run before the present one.
    let script = "n=$(cat /data/n 2>/dev/null || echo 0); while [ ! -e /data/seen ]; do usleep 10000; done; \
        i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo $((n+i)); done; echo $((n+300)) > /data/n; exit 0";
    let mut pod: serde_json::Value = serde_json::from_str(&pod("counter", "Always", script)).expect("JSON");
    pod["spec"]["volumes"] = json!([{"name": "data", "emptyDir": {}}]);
    pod["spec"]["containers"][0]["volumeMounts"] = json!([{"name": "data", "mountPath": "/data"}]);
    world.kubectl(&["apply", "-f", "-"], &pod.to_string());
    let (events, mut ends) = mpsc::channel(100);
    let logs = PodLogs::new(world.cluster.clone(), world.store.clone(), events);
    world.kubectl(
        &["wait", "--for=condition=ready", "pod/counter", "--timeout=60s"],
        "",
    );
    logs.set(&LogStream::all(stream(&world, "counter").map(LogStream::from)));
    // The container may end before the command that is run in it does.
    world.kubectl(
        &[
            "exec",
            "counter",
            "--",
            "sh",
            "-c",
            "(sleep 0.2; touch /data/seen) >/dev/null 2>&1 &",
        ],
        "",
    );
    let got = follow(&world, &logs, "counter", |text| text.lines().count() >= 900).await;
    assert_eq!(got, numbers(1, u32::try_from(got.lines().count()).expect("few")));
    assert!(matches!(ends.recv().await, Some(Event::LogStreamEnded(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_is_read_whole_and_its_end_is_told() {
    let world = World::new("burst").await;
    let script = "i=0; while [ $i -lt 50000 ]; do i=$((i+1)); echo $i; done; printf 'no newline'";
    world.kubectl(&["apply", "-f", "-"], &pod("burst", "Never", script));
    let (events, mut ends) = mpsc::channel(100);
    let logs = PodLogs::new(world.cluster.clone(), world.store.clone(), events);
    follow(&world, &logs, "burst", |_| !ends.is_empty()).await;
    assert!(matches!(ends.recv().await, Some(Event::LogStreamEnded(_))));
    // Of a container that ends in the middle of a burst, the runtime itself may lose the end, so the cluster is asked.
    let kept = world.kubectl(&["logs", "burst"], "");
    assert!(
        kept.starts_with(&numbers(1, 10_000)),
        "the runtime kept the start"
    );
    assert_eq!(text(&world), format!("{}\n", kept.trim_end_matches('\n')));
}

#[tokio::test(flavor = "multi_thread")]
async fn new_connections_lose_and_repeat_no_line() {
    let world = World::new("again").await;
    let script = "i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo $i; [ $((i % 100)) -ne 0 ] || usleep 50000; done; sleep 1000";
    world.kubectl(&["apply", "-f", "-"], &pod("again", "Never", script));
    let (events, _ends) = mpsc::channel(100);
    let logs = PodLogs::new(world.cluster.clone(), world.store.clone(), events);
    let start = follow(&world, &logs, "again", |text| !text.is_empty()).await;
    assert!(!start.is_empty());
    let mut wanted = stream(&world, "again").expect("it runs");
    let mut n_connections = 0;
    let all = tokio::time::timeout(PATIENCE, async {
        while text(&world).lines().count() < 3000 {
            // A stream that changes is connected anew. After some, it may read on in peace.
            if n_connections < 40 {
                n_connections += 1;
                wanted.since = Some(tilt::model::Timestamp::from_secs(n_connections));
                logs.set(&LogStream::all([wanted.clone().into()]));
            }
            tokio::time::sleep(std::time::Duration::from_millis(37)).await;
        }
    });
    assert!(
        all.await.is_ok(),
        "the log holds {:?}",
        text(&world).lines().last()
    );
    assert_eq!(text(&world), numbers(1, 3000));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_reads_to_the_present_end() {
    let world = World::new("drain").await;
    world.kubectl(
        &["apply", "-f", "-"],
        &pod("talker", "Never", "echo one; echo two; sleep 1000"),
    );
    world.kubectl(
        &["wait", "--for=condition=ready", "pod/talker", "--timeout=60s"],
        "",
    );
    let (events, _ends) = mpsc::channel(100);
    let logs = PodLogs::new(world.cluster.clone(), world.store.clone(), events);
    logs.set(&LogStream::all(stream(&world, "talker").map(LogStream::from)));
    logs.drain().await;
    assert_eq!(text(&world), "one\ntwo\n");
}
