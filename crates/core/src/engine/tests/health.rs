//! When a resource is well: all its workloads are, each with all the pods that it wants.

use std::time::Duration;

use super::script::*;
use crate::engine::{AppliedObject, Event, LogId};
use crate::model::RuntimeStatus;
use crate::model::{
    CiSettings, ClusterEvent, Command, Container, ContainerExit, ContainerState, CustomDeploy, JobState,
    Manifest, ObjectUid, Owner, Pod, PodCounts, PodPhase, PodTrouble, Timestamp, Workload, WorkloadState,
};
use crate::view::report;

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Returns a script in which `web` has deployed these.
fn deployed_web(objects: &[AppliedObject]) -> Script {
    let mut script = Script::up(vec![manifest("web")]);
    script.finish(1, deployed(&[], objects));
    script
}

fn status(script: &Script) -> RuntimeStatus {
    script.resource("web").runtime_status
}

fn reason(script: &Script) -> String {
    report(&script.view(), Timestamp::from_secs(STARTED))[0]
        .reason
        .clone()
}

fn crashing(pod: Pod) -> Pod {
    Pod {
        status: "CrashLoopBackOff".to_owned(),
        containers: vec![container("main", waiting("CrashLoopBackOff"), false)],
        ..pod
    }
}

/// A resource that a command deploys, so that pods of earlier deploys cannot be told apart by their labels.
fn by_command() -> Manifest {
    let command = |word: &str| Command {
        argv: vec![word.to_owned()],
        ..Command::default()
    };
    k8s(manifest("web"), |k8s| {
        k8s.entities.clear();
        k8s.options.custom_deploy = Some(CustomDeploy {
            apply: command("apply"),
            delete: command("delete"),
            deps: Vec::new(),
            watch_ignores: Vec::new(),
        });
    })
}

/// Returns an object as a command printed it: without a hash of its template.
fn printed(kind: &str, name: &str, state: WorkloadState) -> AppliedObject {
    AppliedObject {
        template_hashes: Vec::new(),
        ..in_state(kind, name, state)
    }
}

fn unlabelled(pod: Pod) -> Pod {
    Pod {
        labels: Vec::new(),
        ..pod
    }
}

fn rolled_out(pods: u32) -> WorkloadState {
    WorkloadState::Pods(PodCounts {
        wanted: Some(pods),
        is_rolled_out: true,
    })
}

#[test]
fn a_workload_is_well_once_all_the_pods_that_it_wants_are() {
    let mut script = deployed_web(&[in_state("StatefulSet", "web", wants(3))]);
    let pod = |name: &str, second| pod_of("StatefulSet", "web", name, second);
    script.see(crashing(pod("web-0", 1)));
    script.see(crashing(pod("web-1", 2)));
    script.see(pod("web-2", 3));
    assert_eq!(status(&script), RuntimeStatus::Pending);
    assert_eq!(reason(&script), "CrashLoopBackOff");
    let culprit = script.resource("web").culprit.map(|pod| pod.name);
    assert_eq!(culprit.as_deref(), Some("web-1"));
    script.see(pod("web-0", 1));
    assert_eq!(status(&script), RuntimeStatus::Pending);
    script.see(pod("web-1", 2));
    assert_eq!(status(&script), RuntimeStatus::Ok);
    // It is scaled up beside us.
    let scaled = Workload {
        generation: 2,
        ..workload("StatefulSet", "web", wants(4))
    };
    script.see_workload(scaled);
    assert_eq!(status(&script), RuntimeStatus::Pending);
    assert_eq!(reason(&script), "StatefulSet/web has 3 of 4 pods ready");
}

#[test]
fn what_a_workload_says_of_pods_that_it_cannot_make_is_the_reason() {
    let mut script = deployed_web(&[in_state("Deployment", "web", wants(2))]);
    script.see(pod("web", "web-1", 1));
    script.see_workload(Workload {
        trouble: Some("FailedCreate: exceeded quota".to_owned()),
        ..workload("Deployment", "web", wants(2))
    });
    assert_eq!(
        reason(&script),
        "Deployment/web has 1 of 2 pods ready; FailedCreate: exceeded quota"
    );
}

#[test]
fn what_the_cluster_warns_of_about_a_pod_that_says_nothing_itself_is_the_reason() {
    let mut script = deployed_web(&[in_state("Deployment", "web", wants(1))]);
    let starting = Pod {
        phase: PodPhase::Pending,
        containers: vec![container("main", waiting("ContainerCreating"), false)],
        ..pod("web", "web-1", 1)
    };
    let report_of = |kind: &str, reason: &str, message: &str| {
        Event::ClusterEventSeen(Box::new(ClusterEvent {
            uid: ObjectUid::new(reason),
            kind: kind.to_owned(),
            reason: reason.to_owned(),
            message: message.to_owned(),
            ..warning(&starting, 1)
        }))
    };
    script.see(starting.clone());
    script.send(report_of("Warning", "FailedMount", "secret \"nope\" not found"));
    assert_eq!(reason(&script), "FailedMount: secret \"nope\" not found");
    // It has come further since.
    script.send(report_of("Normal", "Pulling", "Pulling image \"web\""));
    assert_eq!(reason(&script), "Deployment/web has 0 of 1 pods ready");
    script.see(Pod {
        containers: vec![container("main", ContainerState::Running, false)],
        ..pod("web", "web-1", 1)
    });
    assert_eq!(reason(&script), "NotReady: container main is not ready");
    script.send(report_of(
        "Warning",
        "Unhealthy",
        "Readiness probe failed: not yet",
    ));
    assert_eq!(
        reason(&script),
        "NotReady: container main is not ready; Readiness probe failed: not yet"
    );
}

#[test]
fn a_pod_that_was_given_up_says_why_and_not_how_its_containers_ended() {
    let mut script = deployed_web(&[object("Pod", "web")]);
    let killed = ContainerState::Terminated {
        reason: "Error".to_owned(),
        exit_code: 137,
    };
    let evicted = PodTrouble::new("Evicted", "the node was low on memory".to_owned());
    script.see(Pod {
        phase: PodPhase::Failed,
        given_up: Some(evicted),
        containers: vec![container("main", killed, false)],
        owners: Vec::new(),
        ..unlabelled(pod("x", "web", 1))
    });
    assert_eq!(reason(&script), "Evicted: the node was low on memory");
}

#[test]
fn a_command_that_cannot_be_started_is_the_reason_while_its_pod_waits_to_try_again() {
    let mut script = deployed_web(&[in_state("Deployment", "web", wants(1))]);
    let last_exit = Some(ContainerExit {
        id: "run-1".to_owned(),
        ended: None,
        reason: "StartError".to_owned(),
        message: "exec: \"nope\": not found in $PATH\n".to_owned(),
        exit_code: 128,
    });
    script.see(Pod {
        containers: vec![Container {
            last_exit,
            ..container("main", waiting("CrashLoopBackOff"), false)
        }],
        ..pod("web", "web-1", 1)
    });
    assert_eq!(
        reason(&script),
        "CrashLoopBackOff: it could not be started: exec: \"nope\": not found in $PATH"
    );
}

#[test]
fn pods_that_are_being_deleted_or_have_failed_are_not_among_those_that_are_wanted() {
    let mut script = deployed_web(&[in_state("Deployment", "web", wants(2))]);
    script.see(pod("web", "web-1", 1));
    script.see(Pod {
        deleting: true,
        ..pod("web", "web-2", 2)
    });
    assert_eq!(status(&script), RuntimeStatus::Pending);
    // One that was evicted stays there, but another takes its place.
    script.see(Pod {
        phase: PodPhase::Failed,
        status: "Evicted".to_owned(),
        ..pod("web", "web-3", 3)
    });
    assert_eq!(status(&script), RuntimeStatus::Pending);
    script.see(pod("web", "web-4", 4));
    assert_eq!(status(&script), RuntimeStatus::Ok);
}

#[test]
fn a_pod_that_the_cluster_does_not_call_ready_is_not() {
    let mut script = deployed_web(&[object("Deployment", "web")]);
    let gate = condition("Ready", "False", ("ReadinessGatesNotReady", "not yet"), 1);
    script.see(Pod {
        conditions: vec![gate],
        ..pod("web", "web-1", 1)
    });
    assert_eq!(status(&script), RuntimeStatus::Pending);
}

#[test]
fn a_watch_that_lags_behind_what_was_applied_is_not_believed() {
    let applied = Workload {
        generation: 2,
        ..workload("Deployment", "web", wants(1))
    };
    let object = AppliedObject {
        workload: Some(applied.clone()),
        ..printed("Deployment", "web", wants(1))
    };
    let mut script = Script::up(vec![by_command()]);
    script.finish(1, deployed(&[], &[object]));
    script.see(unlabelled(pod("web", "old", 1)));
    script.see_workload(workload("Deployment", "web", rolled_out(1)));
    assert_eq!(status(&script), RuntimeStatus::Pending);
    script.see_workload(Workload {
        state: rolled_out(1),
        ..applied
    });
    assert_eq!(status(&script), RuntimeStatus::Ok);
}

#[test]
fn a_resource_is_well_once_all_its_workloads_are() {
    let mut script = Script::up(vec![by_command()]);
    let objects = [
        printed("Deployment", "a", wants(1)),
        printed("Deployment", "b", wants(1)),
        printed("Job", "c", COMPLETE),
        printed("Deployment", "none", wants(0)),
        object("ConfigMap", "cm"),
    ];
    script.finish(1, deployed(&[], &objects));
    assert_eq!(
        status(&script),
        RuntimeStatus::Pending,
        "a complete Job speaks for itself only"
    );
    script.see(unlabelled(pod("a", "a-1", 1)));
    script.see_workload(workload("Deployment", "a", rolled_out(1)));
    assert_eq!(status(&script), RuntimeStatus::Pending);
    script.see(unlabelled(crashing(pod("b", "b-1", 0))));
    assert_eq!(reason(&script), "CrashLoopBackOff");
    script.see(unlabelled(pod("b", "b-1", 0)));
    assert_eq!(reason(&script), "Deployment/b is still being rolled out");
    script.see_workload(workload("Deployment", "b", rolled_out(1)));
    assert_eq!(status(&script), RuntimeStatus::Ok);
}

#[test]
fn a_job_beside_other_workloads_must_be_complete() {
    let mut script = Script::up(vec![by_command()]);
    let objects = [printed("Deployment", "a", rolled_out(1)), object("Job", "j")];
    script.finish(1, deployed(&[], &objects));
    script.see(unlabelled(pod("a", "a-1", 1)));
    script.see(pod_of("Job", "j", "j-1", 2));
    assert_eq!(status(&script), RuntimeStatus::Pending);
    script.see_workload(workload("Job", "j", COMPLETE));
    assert_eq!(status(&script), RuntimeStatus::Ok);
    let mut script = Script::up(vec![by_command()]);
    script.finish(1, deployed(&[], &objects));
    script.see(unlabelled(pod("a", "a-1", 1)));
    script.see_workload(workload("Job", "j", job_failed("PodFailurePolicy")));
    assert_eq!(status(&script), RuntimeStatus::Error);
    assert_eq!(reason(&script), "Job/j failed: PodFailurePolicy: it is so");
}

#[test]
fn a_job_is_retried_and_needs_all_its_completions() {
    let mut script = deployed_web(&[object("Job", "web")]);
    let ended = |name: &str, second, phase, code| Pod {
        phase,
        containers: vec![container("main", terminated(code), false)],
        ..pod_of("Job", "web", name, second)
    };
    script.see(ended("web-1", 1, PodPhase::Failed, 1));
    assert_eq!(status(&script), RuntimeStatus::Pending);
    script.see(ended("web-2", 2, PodPhase::Succeeded, 0));
    assert_eq!(status(&script), RuntimeStatus::Pending);
    // A container that is started again in place, or an init container that failed, is the Job's to judge too.
    script.see(Pod {
        phase: PodPhase::Pending,
        init_containers: vec![container("init", terminated(1), false)],
        ..pod_of("Job", "web", "web-3", 3)
    });
    assert_eq!(status(&script), RuntimeStatus::Pending);
    script.see_workload(workload("Job", "web", COMPLETE));
    assert_eq!(status(&script), RuntimeStatus::Ok);
}

#[test]
fn dependents_wait_for_all_of_it() {
    let mut last = manifest("last");
    last.resource_deps = vec!["web".into()];
    let mut script = Script::up(vec![manifest("web"), last]);
    script.finish(1, deployed(&[], &[in_state("Deployment", "web", wants(2))]));
    assert!(!script.see(pod("web", "web-1", 1)).contains("start"));
    assert!(script.see(pod("web", "web-2", 1)).contains("start build:2"));
}

/// Returns the pod in its n-th run; each run before ended.
fn run(n: u32, ready: bool) -> Pod {
    let state = if ready {
        ContainerState::Running
    } else {
        waiting("CrashLoopBackOff")
    };
    let last_exit = (n > 1).then(|| ContainerExit {
        id: format!("run-{}", n - 1),
        ended: Some(Timestamp::from_secs(STARTED + 1)),
        reason: "Error".to_owned(),
        message: String::new(),
        exit_code: 1,
    });
    Pod {
        containers: vec![Container {
            id: format!("run-{n}"),
            restarts: n - 1,
            last_exit,
            ..container("main", state, ready)
        }],
        ..pod("web", "web-1", 1)
    }
}

#[test]
fn what_crashed_must_stay_up_before_it_counts_again() {
    let mut script = deployed_web(&[object("Deployment", "web")]);
    script.see(run(1, true));
    assert_eq!(status(&script), RuntimeStatus::Ok);
    script.see(run(1, false));
    script.see(run(2, true));
    assert_eq!(status(&script), RuntimeStatus::Pending);
    script.pass(secs(9));
    assert_eq!(script.wakes_in(), Some(secs(1)));
    script.see(run(2, true));
    assert_eq!(status(&script), RuntimeStatus::Pending);
    script.see(run(3, true));
    script.pass(secs(9));
    assert_eq!(status(&script), RuntimeStatus::Pending, "another run begins anew");
    script.pass(secs(1));
    assert_eq!(status(&script), RuntimeStatus::Ok);
}

#[test]
fn what_crashed_long_ago_counts_at_once() {
    for (began, expected) in [(-60, RuntimeStatus::Ok), (-6, RuntimeStatus::Pending)] {
        let mut script = deployed_web(&[object("Deployment", "web")]);
        let mut pod = run(2, true);
        pod.containers[0].started = Some(Timestamp::from_secs(STARTED + began));
        script.see(pod);
        assert_eq!(status(&script), expected, "since {began}");
    }
}

#[test]
fn a_pod_counts_once_it_was_ready_for_as_long_as_its_workload_says() {
    let applied = object("Deployment", "web");
    let slow = Workload {
        min_ready: secs(7),
        ..workload("Deployment", "web", wants(1))
    };
    let mut script = deployed_web(&[AppliedObject {
        workload: Some(slow),
        ..applied
    }]);
    script.see(pod("web", "web-1", 1));
    assert_eq!(status(&script), RuntimeStatus::Pending);
    script.pass(secs(6));
    assert_eq!(status(&script), RuntimeStatus::Pending);
    script.pass(secs(1));
    assert_eq!(status(&script), RuntimeStatus::Ok);
}

#[test]
fn a_run_believes_a_container_without_a_probe_only_after_a_moment() {
    let unprobed = |n| {
        let mut pod = run(n, true);
        pod.containers[0].has_probe = false;
        pod
    };
    let deploy = || {
        let mut script = Script::ci(CiSettings::default(), vec![manifest("web")]);
        script.finish(1, deployed(&[], &[object("Deployment", "web")]));
        script
    };
    let mut script = deploy();
    assert!(!script.see(unprobed(1)).contains("exit"));
    assert_eq!(script.wakes_in(), Some(secs(4)));
    assert_eq!(script.pass(secs(4)), "exit Succeeded");
    let mut script = deploy();
    script.see(unprobed(1));
    script.pass(secs(1));
    script.see(run(1, false));
    assert!(!script.pass(secs(30)).contains("exit"), "it has crashed");
    // The cluster told in which second it began, which may have been at its end.
    let mut script = deploy();
    script.pass(secs(2));
    let mut begun = unprobed(1);
    begun.containers[0].started = Some(Timestamp::from_secs(STARTED));
    script.see(begun);
    // The session began in the middle of that second.
    assert_eq!(script.wakes_in(), Some(Duration::from_millis(2_500)));
    // What has run for long is believed at once.
    let mut script = deploy();
    let mut old = unprobed(1);
    old.containers[0].started = Some(Timestamp::from_secs(STARTED - 60));
    assert!(script.see(old).contains("exit Succeeded"));
}

/// Returns a pod that a workload makes which something of a custom kind has made.
fn borrowed(kind: &str, api_version: &str, name: &str, second: i64) -> Pod {
    let mut pod = unlabelled(pod_of("Widget", "web", name, second));
    pod.owners.insert(
        0,
        Owner {
            uid: ObjectUid::new("made"),
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            name: "made".to_owned(),
            created: None,
        },
    );
    pod
}

fn made(state: WorkloadState) -> Workload {
    Workload {
        uid: "made".into(),
        owners: vec!["widget-web".into()],
        ..workload("StatefulSet", "made", state)
    }
}

fn widget() -> AppliedObject {
    let mut widget = object("Widget", "web");
    widget.id.api_version = "example.com/v1".to_owned();
    widget
}

#[test]
fn workloads_that_make_pods_for_a_custom_kind_are_watched_and_asked() {
    let mut script = deployed_web(&[widget()]);
    let effects = script.effects(Event::PodSeen(Box::new(borrowed(
        "StatefulSet",
        "apps/v1",
        "w-0",
        1,
    ))));
    let kinds = effects.iter().find_map(|effect| match effect {
        crate::engine::Effect::WatchCluster(watch) => Some(&watch.kinds),
        _ => None,
    });
    assert!(
        kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind.kind == "StatefulSet")),
        "{effects:?}"
    );
    assert_eq!(status(&script), RuntimeStatus::Pending);
    script.see_workload(made(wants(2)));
    assert_eq!(status(&script), RuntimeStatus::Pending);
    script.see(borrowed("StatefulSet", "apps/v1", "w-1", 2));
    script.see_workload(made(rolled_out(2)));
    assert_eq!(status(&script), RuntimeStatus::Ok);
    // Its pods are gone, but it is there.
    script.send(Event::PodGone("pod-w-0".into()));
    script.send(Event::PodGone("pod-w-1".into()));
    script.see_workload(made(wants(2)));
    assert_eq!(status(&script), RuntimeStatus::Pending);
}

#[test]
fn pods_of_a_workload_of_which_nothing_is_heard_speak_for_themselves() {
    let mut script = deployed_web(&[widget()]);
    script.see(borrowed("StatefulSet", "apps/v1", "w-0", 1));
    assert_eq!(script.wakes_in(), Some(secs(5)));
    script.pass(secs(5));
    assert_eq!(status(&script), RuntimeStatus::Ok);
    // A kind of the same name from somewhere else is no workload that one could ask.
    let mut script = deployed_web(&[widget()]);
    script.see(borrowed("Job", "batch.volcano.sh/v1alpha1", "w-0", 1));
    assert_eq!(status(&script), RuntimeStatus::Ok);
}

#[test]
fn of_pods_that_nobody_answers_for_each_must_be_ready() {
    let mut script = deployed_web(&[widget()]);
    script.see(unlabelled(pod_of("Widget", "web", "w-1", 1)));
    assert_eq!(status(&script), RuntimeStatus::Ok);
    script.see(unlabelled(crashing(pod_of("Widget", "web", "w-0", 0))));
    assert_eq!(status(&script), RuntimeStatus::Pending);
    assert_eq!(reason(&script), "CrashLoopBackOff");
}

#[test]
fn a_custom_resource_that_gives_no_pod_is_told_with_how_to_wait_for_none() {
    let script = deployed_web(&[widget()]);
    insta::assert_snapshot!(reason(&script), @"no pod: Widget/web has given none; if its kind gives none, wait for none: k8s_kind('Widget', pod_readiness='ignore') or k8s_resource('web', pod_readiness='ignore')");
    let script = deployed_web(&[object("ConfigMap", "cm")]);
    insta::assert_snapshot!(reason(&script), @"no pod: nothing that was deployed makes pods; wait for none: k8s_resource('web', pod_readiness='ignore')");
}

#[test]
fn jobs_that_run_at_their_times_are_nobodys_readiness_but_their_own() {
    let mut cron = object("CronJob", "cron");
    cron.id.api_version = "batch/v1".to_owned();
    let mut script = deployed_web(&[object("Deployment", "web"), cron]);
    script.see(pod("web", "web-1", 1));
    let mut of_cron = pod_of("CronJob", "cron", "cron-1", 2);
    of_cron.phase = PodPhase::Failed;
    script.see(of_cron);
    assert_eq!(status(&script), RuntimeStatus::Ok);
}

#[test]
fn a_job_says_how_many_pods_of_it_should_run_where_it_need_only_be_ready() {
    let two = WorkloadState::Job(JobState::Running { wanted: 2 });
    let mut script = deployed_web(&[in_state("Job", "web", two)]);
    script.see(pod_of("Job", "web", "web-1", 1));
    assert_eq!(status(&script), RuntimeStatus::Pending);
    script.see(pod_of("Job", "web", "web-2", 1));
    assert_eq!(status(&script), RuntimeStatus::Ok);
}

#[test]
fn two_resources_that_claim_one_pod_both_look_at_it_and_show_its_log() {
    let selector = std::iter::once(("app".to_owned(), "web".to_owned())).collect();
    let other = k8s(manifest("other"), |k8s| k8s.extra_pod_selectors = vec![selector]);
    let mut script = Script::up(vec![manifest("web"), other]);
    script.finish(1, deployed(&[], &[object("Deployment", "web")]));
    script.finish(2, deployed(&[], &[object("ConfigMap", "other")]));
    let mut shared = pod("web", "web-1", 1);
    shared.labels.push(("app".to_owned(), "web".to_owned()));
    let told = script.see(shared);
    assert!(
        told.contains("read logs [web-1/id-main, web-1/id-main]"),
        "{told}"
    );
    let ended = || {
        Event::LogStreamEnded(LogId::Pod {
            pod: "pod-web-1".into(),
            container_id: "id-main".to_owned(),
        })
    };
    assert_eq!(script.send(ended()), "read logs [web-1/id-main]");
    assert_eq!(script.send(ended()), "read logs []");
}
