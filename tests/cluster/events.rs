//! What the cluster says of what was deployed: under the right resource, and nothing of what others run.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::support::Project;

#[test]
fn what_the_cluster_says_is_in_the_log_of_the_resource_it_is_about() {
    let project = Project::example("events");
    let stranger = [
        "run",
        "stranger",
        "--image=localhost:5000/stranger:1",
        "--restart=Never",
    ];
    project.kubectl(&stranger);
    let mut up = project.up();
    up.wait_for_all(&[
        ("    too-picky │ [event: pod ", " nodes are available: "),
        (
            "     no-image │ [event: pod ",
            "Pulling image \"localhost:5000/nobody-built-this:1\"",
        ),
        ("     no-image │ [event: pod ", "Failed to pull image "),
        (
            "  never-ready │ [event: pod ",
            "Readiness probe failed: the oven is cold",
        ),
        (
            "      no-menu │ [event: pod ",
            "Error: configmap \"menu\" not found",
        ),
        ("       marvin │ [event: pod ", "secret \"plutonium\" not found"),
        ("       marvin │ ", "here I am"),
    ]);
    let strangers = up.seen().iter().filter(|line| line.contains("stranger"));
    assert_eq!(strangers.count(), 0, "{:#?}", up.seen());
    up.stop("INT");
    let down = project.tilt(&["down"]);
    assert_eq!(down.status, Some(0), "{}", down.text);
}

#[test]
fn a_pod_of_a_job_of_a_cron_job_belongs_to_the_cron_job() {
    let project = Project::new(
        "cron",
        "
--- Tiltfile
allow_k8s_contexts('dev')
k8s_yaml('nightly.yaml')
--- nightly.yaml
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec:
  schedule: '0 0 1 1 *'
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers:
          - {name: c, image: 'localhost:5000/busybox:1', envFrom: [{secretRef: {name: lamp}}]}
",
    );
    let mut up = project.up();
    up.wait_for("DONE IN");
    project.kubectl(&["create", "job", "tonight", "--from=cronjob/nightly"]);
    let line = up.wait_for("Error: secret \"lamp\" not found");
    assert!(line.starts_with("      nightly │ [event: pod "), "{line}");
    assert!(line.contains("/tonight-"), "{line}");
}

const PLAIN: &str = "
--- Tiltfile
allow_k8s_contexts('dev')
k8s_yaml('plain.yaml')
k8s_resource(new_name='plain', objects=['plain'])
--- plain.yaml
apiVersion: v1
kind: ConfigMap
metadata: {name: plain}
";

#[test]
fn an_old_event_counts_once_it_repeats_whatever_its_style() {
    let project = Project::new("repeats", PLAIN);
    project.kubectl(&["create", "configmap", "plain"]);
    let uid = project.kubectl(&["get", "configmap", "plain", "-o", "jsonpath={.metadata.uid}"]);
    let about = format!(
        "involvedObject: {{apiVersion: v1, kind: ConfigMap, name: plain, namespace: {}, uid: {uid}}}",
        project.namespace()
    );
    let old = "2026-01-01T00:00:00Z";
    project.apply(&format!(
        "{about}\napiVersion: v1\nkind: Event\nmetadata: {{name: counted}}\ntype: Warning\nreason: Odd\nmessage: counted\n\
         firstTimestamp: {old}\nlastTimestamp: {old}\ncount: 3\n\
         ---\n{about}\napiVersion: v1\nkind: Event\nmetadata: {{name: serial}}\ntype: Warning\nreason: Odd\nmessage: serial\n\
         eventTime: 2026-01-01T00:00:00.000000Z\nreportingComponent: test\nreportingInstance: test-1\naction: Look\n"
    ));
    let mut up = project.up();
    up.wait_for("DONE IN");
    let now = seconds_to_text();
    let patch = |event: &str, patch: &str| {
        project.kubectl(&["patch", "event", event, "--type=merge", "-p", patch]);
    };
    patch(
        "counted",
        &format!("{{\"count\": 4, \"lastTimestamp\": \"{now}Z\"}}"),
    );
    patch(
        "serial",
        &format!("{{\"series\": {{\"count\": 2, \"lastObservedTime\": \"{now}.000000Z\"}}}}"),
    );
    let line = |text: &str| format!("[event: configmap {}/plain] {text}", project.namespace());
    up.wait_for_all(&[
        ("        plain │ ", &line("counted")),
        ("        plain │ ", &line("serial")),
    ]);
    let shown = up.seen().iter().filter(|line| line.contains("[event: configmap"));
    assert_eq!(shown.count(), 2, "the old ones were left out: {:#?}", up.seen());
}

/// Returns the time as the API server writes it, without its zone.
fn seconds_to_text() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let time = k8s_openapi::jiff::Timestamp::from_second(i64::try_from(since.as_secs()).expect("small"));
    time.expect("a time").strftime("%Y-%m-%dT%H:%M:%S").to_string()
}
