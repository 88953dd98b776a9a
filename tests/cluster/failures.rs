//! What `tilt ci` says last when something outside refuses: the place, and what to do about it.

use insta::assert_snapshot;

use crate::support::Project;

#[test]
fn an_object_that_the_api_server_rejects_is_shown_in_its_yaml() {
    let project = Project::new(
        "rejected",
        "
--- Tiltfile
allow_k8s_contexts('dev')
k8s_yaml('web.yaml')
--- web.yaml
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  ports:
  - port: 123456
",
    );
    let ci = project.tilt(&["ci"]);
    assert_eq!(ci.status, Some(1));
    assert_snapshot!(ci.since_line("Error: "), @r#"
    Error: Service "web" is invalid: [spec.ports[0].port: Invalid value: 123456: must be between 1 and 65535, inclusive, spec.ports[0].targetPort: Invalid value: 123456: must be between 1 and 65535, inclusive]
     --> <project>/web.yaml:7:5
      |
    7 |   - port: 123456
      |     ^^^^^^^^^^^^
    "#);
}

#[test]
fn a_failing_run_step_is_shown_in_its_dockerfile() {
    let project = Project::new(
        "failing",
        "
--- Tiltfile
allow_k8s_contexts('dev')
docker_build('web', '.')
k8s_yaml('web.yaml')
--- Dockerfile
FROM localhost:5000/busybox:1
RUN echo mixing; exit 7
--- web.yaml
apiVersion: v1
kind: Pod
metadata: {name: web}
spec: {containers: [{name: web, image: web}]}
",
    );
    let ci = project.tilt(&["ci"]);
    assert_eq!(ci.status, Some(1));
    assert!(ci.text.contains("web │        → mixing"), "{}", ci.text);
    assert_snapshot!(ci.since_line("Error: "), @r#"
    Error: ImageBuild: executor failed running [/bin/sh -c echo mixing; exit 7]: exit code: 7
     --> <project>/Dockerfile:2:1
      |
    2 | RUN echo mixing; exit 7
      | ^^^^^^^^^^^^^^^^^^^^^^^
    hint: what it printed stands above, in the log of the build
      last lines of web:
               → mixing
    "#);
}

#[test]
fn a_failing_custom_build_is_told_with_the_last_lines_of_its_command() {
    let project = Project::new(
        "failing-command",
        "
--- Tiltfile
allow_k8s_contexts('dev')
custom_build('web', 'for i in $(seq 30); do echo mixing $i; done; echo; echo lumps >&2; exit 3', deps=[])
k8s_yaml('web.yaml')
--- web.yaml
apiVersion: v1
kind: Pod
metadata: {name: web}
spec: {containers: [{name: web, image: web}]}
",
    );
    let ci = project.tilt(&["ci"]);
    assert_eq!(ci.status, Some(1));
    assert!(ci.text.contains("\nweb       failed  "), "{}", ci.text);
    assert_snapshot!(ci.since_line("Error: "), @r#"
    Error: Custom build "for i in $(seq 30); do echo mixing $i; done; echo; echo lumps >&2; exit 3" failed: exit status 3
      last lines of web:
        mixing 22
        mixing 23
        mixing 24
        mixing 25
        mixing 26
        mixing 27
        mixing 28
        mixing 29
        mixing 30
        lumps
    "#);
}

#[test]
fn what_can_never_get_a_pod_is_told_when_it_is_deployed_and_at_the_end() {
    let project = Project::new(
        "podless",
        "
--- Tiltfile
allow_k8s_contexts('dev')
k8s_yaml('all.yaml')
--- all.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: empty}
spec:
  replicas: 0
  selector: {matchLabels: {app: empty}}
  template:
    metadata: {labels: {app: empty}}
    spec: {containers: [{name: c, image: 'localhost:5000/busybox:1'}]}
---
apiVersion: batch/v1
kind: Job
metadata: {name: later}
spec:
  suspend: true
  template:
    spec:
      restartPolicy: Never
      containers: [{name: c, image: 'localhost:5000/busybox:1', command: ['true']}]
",
    );
    let ci = project.tilt(&["ci", "--timeout=2s"]);
    assert_eq!(ci.status, Some(1));
    let warning = "empty │ WARNING: no pod will come: Deployment/empty asks for 0 replicas";
    assert!(ci.text.contains(warning), "{}", ci.text);
    assert_snapshot!(ci.since_line("Error: "), @"
    Error: Timeout after 2s: 2 resources waiting (empty:runtime waiting-for-pod,later:runtime waiting-for-pod)
      empty: no pod: Deployment/empty asks for 0 replicas; set its spec.replicas, or wait for none: k8s_resource('empty', pod_readiness='ignore')
      later: no pod: Job/later is suspended; take out its spec.suspend, or wait for none: k8s_resource('later', pod_readiness='ignore')
    ");
}
