//! What is said to be healthy is healthy: Jobs by their conditions, workloads by all their pods.

use crate::support::Project;

const SUCCESS: &str = "SUCCESS. All workloads are healthy.";

#[track_caller]
fn check_fails(project: &Project, timeout: &str, expected: &str) -> String {
    let ci = project.tilt(&["ci", timeout]);
    assert_eq!(ci.status, Some(1), "{}", ci.text);
    assert!(!ci.text.contains(SUCCESS), "{}", ci.text);
    assert!(ci.since_line("Error: ").contains(expected), "{}", ci.text);
    ci.text
}

#[test]
fn a_job_is_not_done_when_one_of_its_pods_is() {
    let project = Project::new(
        "half-a-job",
        "
--- Tiltfile
allow_k8s_contexts('dev')
k8s_yaml('job.yaml')
--- job.yaml
apiVersion: batch/v1
kind: Job
metadata: {name: par}
spec:
  completions: 2
  parallelism: 2
  completionMode: Indexed
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers:
      - name: c
        image: localhost:5000/busybox:1
        command: [sh, -c, 'if [ $JOB_COMPLETION_INDEX = 0 ]; then sleep 3; exit 1; fi']
",
    );
    check_fails(&project, "--timeout=60s", "failed");
}

#[test]
fn a_workload_is_not_well_while_one_of_its_pods_crashes() {
    let project = Project::new(
        "short-of-pods",
        "
--- Tiltfile
allow_k8s_contexts('dev')
k8s_yaml('db.yaml')
--- db.yaml
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  replicas: 2
  podManagementPolicy: Parallel
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      containers:
      - name: c
        image: localhost:5000/busybox:1
        command: [sh, -c, 'case $HOSTNAME in *-0) exit 1;; esac; sleep 1000']
",
    );
    check_fails(&project, "--timeout=12s", "Timeout after 12s");
}

#[test]
fn a_job_that_failed_without_a_pod_ends_the_run_and_is_run_again_by_the_next() {
    let project = Project::new(
        "too-late",
        "
--- Tiltfile
allow_k8s_contexts('dev')
k8s_yaml('job.yaml')
--- job.yaml
apiVersion: batch/v1
kind: Job
metadata: {name: late}
spec:
  activeDeadlineSeconds: 3
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 0
      containers: [{name: c, image: 'localhost:5000/busybox:1', command: [sleep, '100']}]
",
    );
    check_fails(&project, "--timeout=60s", "Job/late failed: DeadlineExceeded: ");
    let again = check_fails(&project, "--timeout=60s", "Job/late failed: DeadlineExceeded: ");
    let line = "Job late failed earlier (DeadlineExceeded): it is deleted and run again";
    assert!(again.contains(line), "{again}");
}

#[test]
fn a_crash_loop_is_not_well_in_between() {
    let project = Project::new(
        "crash-loop",
        "
--- Tiltfile
allow_k8s_contexts('dev')
k8s_yaml('web.yaml')
--- web.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: c, image: 'localhost:5000/busybox:1', command: [sh, -c, 'sleep 1; exit 1']}]
",
    );
    check_fails(&project, "--timeout=25s", "Timeout after 25s");
}
