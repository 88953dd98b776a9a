//! How `tilt ci` ends.

use std::time::Duration;

use super::script::*;
use crate::engine::{ClusterStatus, Event, Mode};
use crate::model::{CiSettings, Manifest, ManifestName, Pod, PodPhase, PodReadiness, TriggerMode};

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
fn what_need_not_run_does_not_keep_a_run_from_ending() {
    let mut off = manifest("off");
    off.trigger_mode = TriggerMode::Manual;
    let ignored = k8s(manifest("ignored"), |k8s| k8s.readiness = PodReadiness::Ignore);
    let mut script = ci(vec![off, ignored]);
    assert!(
        script
            .finish(1, deployed(&[], &[object("Deployment", "ignored")]))
            .ends_with("exit Succeeded")
    );
}

#[test]
fn the_whole_log_of_a_job_is_read_before_the_end() {
    let mut script = ci(vec![job("exam")]);
    script.finish(1, deployed(&[], &[object("Deployment", "exam")]));
    script.see(pod("exam", "exam-1", 1));
    let done = with_container(
        Pod {
            phase: PodPhase::Succeeded,
            ..pod("exam", "exam-1", 1)
        },
        terminated(0),
    );
    assert!(!script.see(done.clone()).contains("exit"));
    let ended = Event::LogStreamEnded {
        pod: done.uid.clone(),
        container_id: "id-main".to_owned(),
    };
    assert_eq!(script.send(ended), "read logs []\nexit Succeeded");
    let mut script = ci(vec![job("exam")]);
    script.finish(1, deployed(&[], &[object("Deployment", "exam")]));
    script.see(done);
    assert_eq!(script.wakes_in(), Some(secs(2)), "but not for long");
    assert_eq!(script.pass(secs(2)), "exit Succeeded");
}

#[test]
fn a_job_that_an_earlier_run_completed_counts() {
    let mut script = ci(vec![job("seed")]);
    let mut outcome = deployed(&[], &[object("Job", "seed")]);
    outcome.job_complete = true;
    assert!(script.finish(1, outcome).ends_with("exit Succeeded"));
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
    });
    script.send(Event::ClusterChanged(ClusterStatus::Failed("refused".to_owned())));
    script.send(Event::Started);
    assert_eq!(
        script.load(vec![manifest("web")]),
        "exit Failed(\"cluster connection failed: refused\")"
    );
}

/// Deploys `web`, shows this pod, and expects this end, without waiting for logs.
#[track_caller]
fn check_end(manifest: Manifest, pod: Pod, expected: &str) {
    let mut script = ci(vec![manifest]);
    script.finish(1, deployed(&[], &[object("Deployment", "web")]));
    let mut effects = script.see(pod);
    effects.push_str(&script.pass(secs(2)));
    assert!(
        effects.contains(&format!("exit Failed({expected:?})")),
        "{effects}"
    );
}

#[test]
fn a_pod_that_fails_gives_the_reason() {
    let failed_pod = || Pod {
        phase: PodPhase::Failed,
        ..pod("web", "web-1", 1)
    };
    check_end(
        job("web"),
        with_container(failed_pod(), terminated(6)),
        "Pod \"web-1\" failed",
    );
    let errors = vec!["disk full".to_owned(), "really".to_owned()];
    check_end(
        job("web"),
        Pod {
            errors,
            ..failed_pod()
        },
        "disk full; really",
    );
    let pulling = Pod {
        phase: PodPhase::Pending,
        status: "ErrImagePull".to_owned(),
        ..pod("web", "web-1", 1)
    };
    let pulling = with_container(pulling, waiting("ErrImagePull"));
    let message = "Pod web-1 in error state due to container main: ErrImagePull";
    check_end(manifest("web"), pulling, message);
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
    });
    script.send(Event::Started);
    assert_eq!(script.wakes_in(), Some(secs(15)));
    assert_eq!(
        script.pass(secs(15)),
        r#"exit Failed("Timeout after 15s: 1 resources not ready (tiltfile:update)")"#
    );
    let mut script = Script::new(Mode::Ci {
        timeout_override: Some(Duration::ZERO),
    });
    script.send(Event::Started);
    assert_eq!(script.wakes_in(), None);
}

#[test]
fn a_server_may_be_unready_only_so_long() {
    let settings = CiSettings {
        readiness_timeout: secs(3),
        ..CiSettings::default()
    };
    let mut script = Script::ci(settings, vec![manifest("mule")]);
    script.finish(1, deployed(&[], &[object("Deployment", "mule")]));
    let unready = container("main", crate::model::ContainerState::Running, false);
    script.see(Pod {
        containers: vec![unready],
        ..pod("mule", "mule-1", 1)
    });
    assert_eq!(script.wakes_in(), Some(secs(3)));
    assert_eq!(script.pass(secs(2)), "");
    let expected = r#"exit Failed("Readiness timeout after 3s: target mule:runtime not ready")"#;
    assert_eq!(script.pass(secs(1)), expected);
}

#[test]
fn in_its_grace_period_a_faulty_pod_may_still_recover() {
    let settings = CiSettings {
        k8s_grace_period: secs(10),
        ..CiSettings::default()
    };
    let faulty = || {
        let pod = Pod {
            phase: PodPhase::Pending,
            status: "ErrImagePull".to_owned(),
            ..pod("web", "web-1", 1)
        };
        Pod {
            containers: vec![crate::model::Container {
                id: String::new(),
                ..container("main", waiting("ErrImagePull"), false)
            }],
            ..pod
        }
    };
    let mut script = Script::ci(settings.clone(), vec![manifest("web")]);
    script.finish(1, deployed(&[], &[object("Deployment", "web")]));
    assert!(!script.see(faulty()).contains("exit"));
    assert_eq!(script.wakes_in(), Some(secs(10)));
    let expected = "exceeded grace period: Pod web-1 in error state due to container main: ErrImagePull";
    assert_eq!(script.pass(secs(10)), format!("exit Failed({expected:?})"));
    let mut script = Script::ci(settings, vec![manifest("web")]);
    script.finish(1, deployed(&[], &[object("Deployment", "web")]));
    script.see(faulty());
    assert!(script.see(pod("web", "web-1", 1)).contains("exit Succeeded"));
}

#[test]
fn ctrl_c_interrupts_a_run() {
    let mut script = ci(vec![manifest("web")]);
    assert_eq!(script.send(Event::StopRequested), "cancel 1\nexit Interrupted");
}
