//! A watch whose version the API server has forgotten (410), and what happened while nobody watched.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::{Project, Up};
use crate::{Mended, cluster, free_port, shop};

/// Warns of the deployment of the counter, as a controller would.
#[track_caller]
fn warn(project: &Project, message: &str) {
    let uid = project.kubectl(&["get", "deployment", "counter", "-o", "jsonpath={.metadata.uid}"]);
    let namespace = project.namespace();
    project.apply(&format!(
        "apiVersion: v1
kind: Event
metadata: {{name: {message}}}
type: Warning
reason: Odd
message: {message}-happened
involvedObject: {{apiVersion: apps/v1, kind: Deployment, name: counter, namespace: {namespace}, uid: {uid}}}
"
    ));
}

/// Removes an object from under the API server, which is stopped, and forgets all versions until then.
#[track_caller]
fn remove_and_compact(key: &str) {
    let script = r#"
        url=http://127.0.0.1:${DEV_CLUSTER_ETCD_PORT:-2379}/v3/kv
        key=$(printf %s "$0" | base64 -w0)
        gone=$(curl -fs "$url/deleterange" -d "{\"key\": \"$key\"}")
        case $gone in *'"deleted":"1"'*) ;; *) echo "not deleted: $gone" >&2; exit 1 ;; esac
        revision=$(echo "$gone" | sed 's/.*"revision":"\([0-9]*\)".*/\1/')
        curl -fs "$url/compaction" -d "{\"revision\": \"$revision\", \"physical\": true}" >/dev/null"#;
    let output = Command::new("sh")
        .args(["-c", script, key])
        .output()
        .expect("it runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
}

/// What the pods counted, in the order in which it came.
fn counts(up: &Up) -> Vec<u64> {
    let count = |line: &String| line.split_once("count ")?.1.trim().parse().ok();
    up.seen().iter().filter_map(count).collect()
}

/// How many pods began to count.
fn starts(up: &Up) -> usize {
    counts(up).into_iter().filter(|count| *count == 1).count()
}

#[test]
#[ignore = "stops a part of the cluster: make faults"]
fn a_watch_expires() {
    let project = Project::new("expired", &shop(free_port()));
    let mut up = project.up();
    up.wait_for("count 20");
    warn(&project, "before");
    up.wait_for("before-happened");
    let pod = project.kubectl(&[
        "get",
        "pods",
        "-l",
        "app=counter",
        "-o",
        "jsonpath={.items[0].metadata.name}",
    ]);
    let pods = format!("/api/v1/namespaces/{}/pods", project.namespace());
    let list = project.kubectl(&["get", "--raw", &format!("{pods}?limit=1")]);
    let (_, version) = list.split_once("\"resourceVersion\":\"").expect("a version");
    let (version, _) = version.split_once('"').expect("its end");
    let _mended = Mended;
    cluster(&["stop", "kube-apiserver"]);
    remove_and_compact(&format!("/registry/pods/{}/{pod}", project.namespace()));
    cluster(&["up"]);
    let back = Instant::now();
    warn(&project, "after");
    up.wait_for("after-happened");
    let seen = back.elapsed();
    let watch = format!("{pods}?watch=1&timeoutSeconds=1&resourceVersion={version}");
    let answer = project.kubectl(&["get", "--raw", &watch]);
    assert!(
        answer.contains("\"code\":410"),
        "the version had expired: {answer}"
    );
    while starts(&up) < 2 {
        up.wait_for("count ");
    }
    let replaced = back.elapsed();
    up.wait_for("count 20");
    let counts = counts(&up);
    let has_gap = |pair: &[u64]| pair[1] != 1 && pair[1] != pair[0] + 1;
    assert_eq!(starts(&up), 2, "the old pod and the new one: {counts:?}");
    assert!(
        !counts.windows(2).any(has_gap),
        "no line is lost, none comes twice: {counts:?}"
    );
    let before = up
        .seen()
        .iter()
        .filter(|line| line.contains("before-happened"))
        .count();
    assert_eq!(before, 1, "no event comes twice");
    eprintln!(
        "fault: watch expired: converged in {:.2} s (cluster {:.2} s), 0 edits, {} lines, 0 lost",
        replaced.as_secs_f64(),
        (replaced - seen).as_secs_f64(),
        counts.len()
    );
    assert!(seen < Duration::from_secs(5), "{seen:?}");
    up.stop("INT");
}
