//! How `tilt ci` ends.

use std::time::Duration;

use super::script::*;
use crate::engine::{ClusterStatus, Event, LogId, Mode};
use crate::model::{CiSettings, Manifest, ManifestName, Pod, PodPhase, PodReadiness};

fn ci(manifests: Vec<Manifest>) -> Script {
    Script::ci(CiSettings::default(), manifests)
}

fn job(name: &str) -> Manifest {
    k8s(manifest(name), |k8s| k8s.readiness = PodReadiness::Succeeded)
}

fn with_container(pod: Pod, state: crate::model::ContainerState) -> Pod {
    Pod {
        containers: vec![container("main", state, false)],
        ..pod
    }
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

#[test]
fn a_run_succeeds_once_every_pod_is_ready() {
    let mut script = ci(vec![manifest("a"), manifest("b")]);
    script.finish(1, deployed(&[], &[object("Deployment", "a")]));
    script.finish(2, deployed(&[], &[object("Deployment", "b")]));
    assert!(!script.see(pod("a", "a-1", 1)).contains("exit"));
    assert!(script.see(pod("b", "b-1", 1)).ends_with("exit Succeeded"));
    assert_eq!(
        script.see(pod("b", "b-2", 1)),
        "",
        "after the end there is nothing to do"
    );
}

#[test]
fn a_deploy_whose_pods_were_not_seen_is_no_success_yet() {
    let mut script = ci(vec![manifest("web")]);
    assert!(
        !script
            .finish(1, deployed(&[], &[object("Deployment", "web")]))
            .contains("exit")
    );
    let mut script = ci(vec![manifest("web")]);
    script.see(pod("web", "web-1", -100));
    let ended = script.finish(1, deployed(&[], &[object("Deployment", "web")]));
    assert!(
        ended.contains("exit Succeeded"),
        "the pod of an unchanged Deployment counts: {ended}"
    );
}

#[test]
fn the_whole_log_of_a_job_is_read_before_the_end() {
    let mut script = ci(vec![job("exam")]);
    script.finish(1, deployed(&[], &[object("Job", "exam")]));
    script.see(pod_of("Job", "exam", "exam-1", 1));
    let done = with_container(
        Pod {
            phase: PodPhase::Succeeded,
            ..pod_of("Job", "exam", "exam-1", 1)
        },
        terminated(0),
    );
    assert!(!script.see(done.clone()).contains("exit"));
    assert!(
        !script
            .see_workload(workload("Job", "exam", COMPLETE))
            .contains("exit")
    );
    let ended = Event::LogStreamEnded(LogId::Pod {
        pod: done.uid.clone(),
        container_id: "id-main".to_owned(),
    });
    assert_eq!(script.send(ended), "read logs []\nexit Succeeded");
    let mut script = ci(vec![job("exam")]);
    script.finish(1, deployed(&[], &[object("Job", "exam")]));
    script.see(done);
    script.see_workload(workload("Job", "exam", COMPLETE));
    assert_eq!(script.wakes_in(), Some(secs(2)), "but not for long");
    assert_eq!(script.pass(secs(2)), "exit Succeeded");
}

#[test]
fn the_first_failure_ends_a_run() {
    let mut script = ci(vec![manifest("a"), manifest("b")]);
    insta::assert_snapshot!(script.finish(2, failed("ImageBuild: unknown instruction: FORM")), @r#"
    Error build:2 "Build Failed: ImageBuild: unknown instruction: FORM\n"
    cancel 1
    exit Failed("ImageBuild: unknown instruction: FORM")
    "#);
    let mut script = Script::new(Mode::Ci {
        timeout_override: None,
        fail_fast: false,
    });
    script.send(Event::Started);
    assert_eq!(
        script.finish_load(broken("no Tiltfile")),
        "exit Failed(\"no Tiltfile\")"
    );
}

#[test]
fn a_cluster_that_cannot_be_reached_ends_a_run() {
    let mut script = Script::new(Mode::Ci {
        timeout_override: None,
        fail_fast: false,
    });
    script.send(Event::ClusterChanged(ClusterStatus::Failed("refused".to_owned())));
    script.send(Event::Started);
    let ended = script.load(vec![manifest("web")]);
    assert!(
        ended.ends_with("\nexit Failed(\"cluster connection failed: refused\")"),
        "{ended}"
    );
}

#[test]
fn a_run_that_takes_too_long_says_what_it_waited_for() {
    let settings = CiSettings {
        timeout: Some(secs(90)),
        ..CiSettings::default()
    };
    let mut dependent = manifest("last");
    dependent.resource_deps = vec![ManifestName::from("crashing")];
    let mut script = Script::ci(
        settings,
        vec![
            manifest("crashing"),
            manifest("giant"),
            dependent,
            manifest("slow"),
        ],
    );
    script.finish(1, deployed(&[], &[object("Deployment", "crashing")]));
    script.finish(2, deployed(&[], &[object("Deployment", "giant")]));
    script.see(with_container(
        pod("crashing", "c-1", 1),
        waiting("CrashLoopBackOff"),
    ));
    let giant = Pod {
        phase: PodPhase::Pending,
        status: "Pending".to_owned(),
        containers: Vec::new(),
        ..pod("giant", "g-1", 1)
    };
    script.see(giant);
    assert_eq!(script.wakes_in(), Some(secs(90)));
    let effects = script.pass(secs(90)) + &script.pass(secs(2));
    let expected = "Timeout after 1m30s: 4 resources waiting (giant:runtime Pending,last:runtime waiting-for-pod,\
                    last:update waiting-for-dep,slow:runtime waiting-for-pod), 2 resources not ready \
                    (crashing:runtime,slow:update)";
    assert!(effects.contains(expected), "{effects}");
}

#[test]
fn a_typed_time_out_wins_over_the_tiltfile() {
    let mut script = Script::new(Mode::Ci {
        timeout_override: Some(secs(15)),
        fail_fast: false,
    });
    script.send(Event::Started);
    assert_eq!(script.wakes_in(), Some(secs(15)));
    assert_eq!(
        script.pass(secs(15)),
        r#"exit Failed("Timeout after 15s: 1 resources not ready (tiltfile:update)")"#
    );
    let mut script = Script::new(Mode::Ci {
        timeout_override: Some(Duration::ZERO),
        fail_fast: false,
    });
    script.send(Event::Started);
    assert_eq!(script.wakes_in(), None);
}

#[test]
fn ctrl_c_interrupts_a_run() {
    let mut script = ci(vec![manifest("web")]);
    assert_eq!(script.send(Event::StopRequested), "cancel 1\nexit Interrupted");
}
