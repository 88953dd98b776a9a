//! Pods: which count, how they are told of, and whose logs are read.

use std::time::Duration;

use super::script::*;
use crate::engine::{Event, LogId};
use crate::model::{ContainerExit, ContainerState, ObjectUid, Pod, PodPhase, PodReadiness, Timestamp};
use crate::view::RuntimeStatus;

/// Returns a script in which `web` is deployed.
fn deployed_web() -> Script {
    let mut script = Script::up(vec![manifest("web")]);
    script.finish(1, deployed(&[], &[object("Deployment", "web")]));
    script
}

fn shown_pod(script: &Script) -> Option<String> {
    script.resource("web").pod.map(|pod| pod.name)
}

#[test]
fn a_pod_tells_how_a_resource_is_doing_that_wants_one() {
    let with =
        |phase, readiness, state: ContainerState, ready| (phase, readiness, container("main", state, ready));
    let (wait, job) = (PodReadiness::Wait, PodReadiness::Succeeded);
    let run = || ContainerState::Running;
    let rows = [
        (with(PodPhase::Running, wait, run(), true), RuntimeStatus::Ok),
        (
            with(PodPhase::Running, wait, run(), false),
            RuntimeStatus::Pending,
        ),
        (with(PodPhase::Running, job, run(), true), RuntimeStatus::Pending),
        (
            with(PodPhase::Running, PodReadiness::Ignore, run(), false),
            RuntimeStatus::Ok,
        ),
        (
            with(PodPhase::Running, wait, waiting("CrashLoopBackOff"), false),
            RuntimeStatus::Pending,
        ),
        (
            with(PodPhase::Succeeded, job, terminated(0), false),
            RuntimeStatus::Ok,
        ),
        (
            with(PodPhase::Failed, job, terminated(6), false),
            RuntimeStatus::Error,
        ),
        (
            with(PodPhase::Pending, wait, waiting("ContainerCreating"), false),
            RuntimeStatus::Pending,
        ),
        (
            with(
                PodPhase::Pending,
                wait,
                waiting("CreateContainerConfigError"),
                false,
            ),
            RuntimeStatus::Pending,
        ),
        (
            with(PodPhase::Pending, wait, waiting("ErrImagePull"), false),
            RuntimeStatus::Error,
        ),
        (
            with(PodPhase::Unknown, wait, terminated(1), false),
            RuntimeStatus::Error,
        ),
    ];
    for ((phase, readiness, container), expected) in rows {
        let mut script = Script::up(vec![k8s(manifest("web"), |k8s| k8s.readiness = readiness)]);
        assert_eq!(
            script.resource("web").runtime_status,
            RuntimeStatus::Pending,
            "before the deploy"
        );
        script.finish(1, deployed(&[], &[object("Deployment", "web")]));
        let row = format!("{phase:?} {readiness:?} {:?}", container.state);
        script.see(Pod {
            phase,
            containers: vec![container],
            ..pod("web", "web-1", 1)
        });
        assert_eq!(script.resource("web").runtime_status, expected, "{row}");
    }
}

#[test]
fn a_pod_that_was_seen_before_the_deploy_is_found_after_it() {
    let mut script = Script::up(vec![manifest("web")]);
    script.see(pod("web", "web-1", 1));
    assert_eq!(shown_pod(&script), None);
    script.finish(1, deployed(&[], &[object("Deployment", "web")]));
    assert_eq!(shown_pod(&script).as_deref(), Some("web-1"));
    assert_eq!(script.resource("web").runtime_status, RuntimeStatus::Ok);
}

#[test]
fn pods_of_an_earlier_template_do_not_count() {
    let mut script = deployed_web();
    script.see(pod("web", "old", 1));
    script.edit_tiltfile();
    script.load(vec![k8s(manifest("web"), |k8s| {
        k8s.entities[0] = entity("Deployment", "web", "2")
    })]);
    let mut changed = object("Deployment", "web");
    changed.template_hashes = vec!["h2".to_owned()];
    script.finish(2, deployed(&[], &[changed]));
    assert_eq!(
        (shown_pod(&script), script.resource("web").runtime_status),
        (None, RuntimeStatus::Pending)
    );
    let labels = vec![("tilt.dev/pod-template-hash".to_owned(), "h2".to_owned())];
    script.see(Pod {
        labels,
        ..pod("web", "new", 2)
    });
    script.see(pod("web", "late-and-old", 3));
    assert_eq!(shown_pod(&script).as_deref(), Some("new"));
}

#[test]
fn of_several_replica_sets_the_newest_counts() {
    let mut script = deployed_web();
    let mut newer = pod("web", "newer", 1);
    newer.owners[0].uid = ObjectUid::from("set-2");
    newer.owners[0].created = Some(Timestamp::from_secs(STARTED + 9));
    script.see(newer);
    script.see(pod("web", "younger-of-the-older-set", 5));
    assert_eq!(shown_pod(&script).as_deref(), Some("newer"));
}

#[test]
fn of_equally_new_pods_the_last_by_name_counts() {
    let mut script = deployed_web();
    script.see(pod("web", "web-b", 1));
    script.see(pod("web", "web-a", 1));
    assert_eq!(shown_pod(&script).as_deref(), Some("web-b"));
}

#[test]
fn labels_can_claim_pods_that_nothing_of_ours_owns() {
    let selector = std::iter::once(("app".to_owned(), "db".to_owned())).collect();
    let mut script = Script::up(vec![k8s(manifest("web"), |k8s| {
        k8s.extra_pod_selectors = vec![selector]
    })]);
    let stranger = |label: &str| Pod {
        owners: Vec::new(),
        labels: vec![("app".to_owned(), label.to_owned())],
        ..pod("x", &format!("stranger-{label}"), 1)
    };
    script.see(stranger("db"));
    script.see(stranger("other"));
    script.finish(1, deployed(&[], &[object("Deployment", "web")]));
    assert_eq!(shown_pod(&script).as_deref(), Some("stranger-db"));
}

#[test]
fn a_completed_pod_is_remembered_until_there_is_another() {
    let mut script = deployed_web();
    script.see(Pod {
        phase: PodPhase::Succeeded,
        ..pod("web", "done", 1)
    });
    script.send(Event::PodGone("pod-done".into()));
    assert_eq!(shown_pod(&script).as_deref(), Some("done"));
    script.see(pod("web", "next", 2));
    script.send(Event::PodGone("pod-next".into()));
    assert_eq!(shown_pod(&script), None);
}

#[test]
fn pods_that_a_complete_list_lacks_are_gone() {
    let mut script = deployed_web();
    script.see(pod("web", "web-1", 1));
    script.see(pod("web", "web-2", 2));
    let pods = std::iter::once(ObjectUid::from("pod-web-1")).collect();
    script.send(Event::PodsListed {
        namespace: "default".to_owned(),
        pods,
    });
    assert_eq!(shown_pod(&script).as_deref(), Some("web-1"));
}

#[test]
fn the_rollout_of_a_new_pod_is_told_step_by_step() {
    let mut script = deployed_web();
    let scheduled = || condition("PodScheduled", "True", ("", ""), 1);
    let with = |conditions| Pod {
        conditions,
        containers: Vec::new(),
        ..pod("web", "web-1", 1)
    };
    insta::assert_snapshot!(script.see(with(vec![scheduled()])), @r#"
    Info monitor:web:web-1 "\nTracking new pod rollout (web-1):\n"
    Info monitor:web:web-1 "     ┊ Scheduled       - <1s\n"
    Info monitor:web:web-1 "     ┊ Initialized     - (…) Pending\n"
    Info monitor:web:web-1 "     ┊ Ready           - (…) Pending\n"
    "#);
    let unready = ("ContainersNotReady", "containers with unready status: [x]");
    let conditions = || vec![scheduled(), condition("Initialized", "True", ("", ""), 3)];
    let not_ready = [conditions(), vec![condition("Ready", "False", unready, 1)]].concat();
    insta::assert_snapshot!(script.see(with(not_ready.clone())), @r#"
    Info monitor:web:web-1 "     ┊ Scheduled       - <1s\n"
    Info monitor:web:web-1 "     ┊ Initialized     - 2s\n"
    Info monitor:web:web-1 "     ┃ Not Ready       - (ContainersNotReady): containers with unready status: [x]\n"
    "#);
    assert_eq!(script.see(with(not_ready)), "", "nothing new");
    let ready = [conditions(), vec![condition("Ready", "True", ("", ""), 8)]].concat();
    assert!(script.see(with(ready)).contains("┊ Ready           - 5s"));
    let completed = [
        conditions(),
        vec![condition("Ready", "False", ("PodCompleted", ""), 15)],
    ]
    .concat();
    assert!(script.see(with(completed)).contains("┊ Completed       - 12s"));
}

#[test]
fn a_pod_from_before_the_session_is_attached_to_and_one_of_its_first_second_is_new() {
    for (second, expected) in [
        (
            -1,
            "\\nAttaching to existing pod (web-1). Only new logs will be streamed.\\n",
        ),
        (0, "\\nTracking new pod rollout (web-1):\\n"),
    ] {
        let mut script = deployed_web();
        let shown = script.see(Pod {
            containers: Vec::new(),
            ..pod("web", "web-1", second)
        });
        assert!(shown.contains(expected), "{shown}");
        assert_eq!(shown.contains("Ready"), second == 0, "{shown}");
    }
}

#[test]
fn a_container_that_was_restarted_is_told() {
    let mut script = deployed_web();
    script.see(pod("web", "web-1", 1));
    let mut again = pod("web", "web-1", 1);
    (again.containers[0].restarts, again.containers[0].id) = (1, "id-2".to_owned());
    insta::assert_snapshot!(script.see(again), @r#"
    Warn pod:web:web-1 "Detected container restart. Pod: web-1. Container: main.\n"
    read logs [web-1/id-2, web-1/id-main ended]
    "#);
}

#[test]
fn the_logs_of_containers_that_ran_are_read() {
    let mut script = deployed_web();
    let mut several = pod("web", "web-1", -5);
    several.init_containers = vec![container("init", terminated(0), false)];
    several.containers = vec![
        container("main", ContainerState::Running, true),
        container("istio-proxy", ContainerState::Running, true),
        container("crashed", waiting("CrashLoopBackOff"), false),
    ];
    several.containers.push(crate::model::Container {
        id: String::new(),
        ..container("coming", waiting("PodInitializing"), false)
    });
    let effects = script.see(several);
    let logs = effects.lines().find(|line| line.starts_with("read logs"));
    assert_eq!(
        logs,
        Some(
            "read logs [web-1/id-crashed prefixed since 1000500000 ended, \
             web-1/id-init prefixed since 1000500000 ended, web-1/id-main prefixed since 1000500000]"
        )
    );
}

#[test]
fn a_single_container_needs_no_prefix_and_the_log_of_a_new_pod_is_read_from_its_beginning() {
    let mut script = deployed_web();
    let effects = script.see(pod("web", "web-1", 0));
    assert!(effects.ends_with("read logs [web-1/id-main]"), "{effects}");
}

#[test]
fn a_log_is_read_to_its_end_once() {
    let mut script = deployed_web();
    let over = || Pod {
        containers: vec![container("main", terminated(0), false)],
        ..pod("web", "web-1", 1)
    };
    script.see(over());
    let ended = Event::LogStreamEnded(LogId::Pod {
        pod: "pod-web-1".into(),
        container_id: "id-main".to_owned(),
    });
    assert_eq!(script.send(ended.clone()), "read logs []");
    assert_eq!(
        script.see(Pod {
            status: "Completed".to_owned(),
            ..over()
        }),
        ""
    );
    assert_eq!(script.send(ended), "");
}

#[test]
fn a_run_that_ended_before_it_was_seen_is_read_too() {
    let after = |id: &str, before: &str, ended: i64| {
        let mut container = container("main", ContainerState::Running, true);
        container.id = id.to_owned();
        container.last_exit = Some(ContainerExit {
            id: before.to_owned(),
            ended: Some(Timestamp::from_secs(STARTED + ended)),
            reason: "Completed".to_owned(),
            message: String::new(),
            exit_code: 0,
        });
        Pod {
            containers: vec![container],
            ..pod("web", "web-1", 1)
        }
    };
    let mut script = deployed_web();
    let effects = script.see(after("second", "first", 2));
    assert!(
        effects.ends_with("read logs [web-1/second after a missed run]"),
        "{effects}"
    );
    // A run that is being read is not missed.
    let effects = script.see(after("third", "second", 3));
    assert!(
        effects.ends_with("read logs [web-1/second after a missed run ended, web-1/third]"),
        "{effects}"
    );
    // What ended before the session is of no interest.
    let mut script = deployed_web();
    let effects = script.see(after("second", "first", -9));
    assert!(effects.ends_with("read logs [web-1/second]"), "{effects}");
}

#[test]
fn the_rest_of_the_log_of_a_pod_that_is_gone_is_waited_for_but_not_for_ever() {
    let mut script = deployed_web();
    script.see(pod("web", "web-1", 1));
    assert_eq!(
        script.send(Event::PodGone("pod-web-1".into())),
        "read logs [web-1/id-main ended]"
    );
    assert_eq!(script.wakes_in(), Some(Duration::from_secs(5)));
    assert_eq!(script.pass(Duration::from_secs(5)), "read logs []");
    assert_eq!(script.wakes_in(), None);
}
