//! The rules of `tilt ci`, one row each: what ends a run, what does not, and how.
//!
//! Rule: `docs/rules/sessions.md`, "ci".

use std::time::Duration;

use super::script::*;
use crate::engine::{Event, LoadOutcome, Mode, ServerEnd, ServerStatus};
use crate::model::{
    CiSettings, ContainerExit, ContainerState, DeployTarget, Manifest, Pod, PodPhase, PodReadiness, Probe,
    ProbeAction, ServeId, TriggerMode,
};

/// What is to come of a run.
enum Expect {
    Success,
    /// Its last words.
    Failure(&'static str),
    /// It goes on.
    GoesOn,
}
use Expect::{Failure, GoesOn, Success};

/// What happens in a run once it has loaded.
type Story = fn(&mut Script) -> String;

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn settings() -> CiSettings {
    CiSettings {
        timeout: Some(secs(90)),
        readiness_timeout: secs(20),
        ..CiSettings::default()
    }
}

#[track_caller]
fn check(what: &str, settings: CiSettings, manifests: Vec<Manifest>, story: Story, expected: &Expect) {
    let mut script = Script::ci(settings, manifests);
    let told = story(&mut script);
    // What ended containers have to say is waited for.
    let told = if told.contains("exit ") {
        told
    } else {
        told + &script.pass(secs(2))
    };
    let exit = told.lines().find(|line| line.starts_with("exit "));
    let wanted = match expected {
        Success => Some("exit Succeeded".to_owned()),
        Failure(message) => Some(format!("exit Failed({message:?})")),
        GoesOn => None,
    };
    assert_eq!(exit, wanted.as_deref(), "{what}: {told}");
}

fn job(name: &str) -> Manifest {
    k8s(manifest(name), |k8s| k8s.readiness = PodReadiness::Succeeded)
}

fn ignored(name: &str) -> Manifest {
    k8s(manifest(name), |k8s| k8s.readiness = PodReadiness::Ignore)
}

fn asleep(mut manifest: Manifest) -> Manifest {
    manifest.trigger_mode = TriggerMode::Manual;
    manifest
}

fn probed(mut manifest: Manifest) -> Manifest {
    if let DeployTarget::Local(local) = &mut manifest.deploy {
        local.readiness_probe = Some(Probe {
            action: ProbeAction::TcpSocket {
                host: String::new(),
                port: 80,
            },
            initial_delay_secs: 0,
            timeout_secs: 0,
            period_secs: 0,
            success_threshold: 0,
            failure_threshold: 0,
        });
    }
    manifest
}

/// Deploys the only resource, `web`.
fn deploy(script: &mut Script) -> String {
    script.finish(1, deployed(&[], &[object("Deployment", "web")]))
}

/// Deploys the Job `web`, and shows its pod.
fn show_job(script: &mut Script, phase: PodPhase, state: ContainerState, ready: bool) -> String {
    let told = script.finish(1, deployed(&[], &[object("Job", "web")]));
    let owners = pod_of("Job", "web", "web-1", 1).owners;
    let pod = Pod {
        owners,
        ..a_pod(phase, state, ready)
    };
    told + "\n" + &script.see(pod)
}

/// Deploys `web`, and shows its pod.
fn show(script: &mut Script, phase: PodPhase, state: ContainerState, ready: bool) -> String {
    let told = deploy(script);
    told + "\n" + &script.see(a_pod(phase, state, ready))
}

/// Deploys a pod as it is, and shows it.
fn show_bare_pod(script: &mut Script, pod: Pod) -> String {
    let told = script.finish(1, deployed(&[], &[object("Pod", "web-1")]));
    let bare = Pod {
        owners: Vec::new(),
        labels: Vec::new(),
        ..pod
    };
    told + "\n" + &script.see(bare)
}

fn a_pod(phase: PodPhase, state: ContainerState, ready: bool) -> Pod {
    let status = match &state {
        ContainerState::Waiting { reason, .. } | ContainerState::Terminated { reason, .. } => reason.clone(),
        _ => format!("{phase:?}"),
    };
    Pod {
        phase,
        status,
        containers: vec![crate::model::Container {
            id: String::new(),
            ..container("main", state, ready)
        }],
        ..pod("web", "web-1", 1)
    }
}

fn killed() -> ContainerState {
    ContainerState::Terminated {
        reason: "OOMKilled".to_owned(),
        exit_code: 137,
    }
}

fn unscheduled() -> Pod {
    let why = ("Unschedulable", "0/1 nodes are available: 1 Insufficient cpu.");
    Pod {
        conditions: vec![condition("PodScheduled", "False", why, 1)],
        containers: Vec::new(),
        status: "Pending".to_owned(),
        ..a_pod(PodPhase::Pending, ContainerState::Unknown, false)
    }
}

fn serve(script: &mut Script, ready: bool) -> String {
    script.send(Event::ServerChanged {
        serve: ServeId(1),
        status: ServerStatus::Running {
            pid: 7,
            ready,
            fault: None,
        },
    })
}

fn die(script: &mut Script) -> String {
    script.send(Event::ServerChanged {
        serve: ServeId(1),
        status: ServerStatus::Exited {
            pid: 7,
            how: ServerEnd::Code(4),
        },
    })
}

#[test]
fn each_rule_of_success_holds() {
    let rows: Vec<(&str, Vec<Manifest>, Story, Expect)> = vec![
        (
            "an update that still runs",
            vec![manifest("web")],
            |_| String::new(),
            GoesOn,
        ),
        ("a deploy without a pod", vec![manifest("web")], deploy, GoesOn),
        (
            "a pod that is ready",
            vec![manifest("web")],
            |s| show(s, PodPhase::Running, ContainerState::Running, true),
            Success,
        ),
        (
            "a pod that is not ready",
            vec![manifest("web")],
            |s| show(s, PodPhase::Running, ContainerState::Running, false),
            GoesOn,
        ),
        (
            "a pod that ended well",
            vec![manifest("web")],
            |s| show_bare_pod(s, a_pod(PodPhase::Succeeded, terminated(0), false)),
            Success,
        ),
        (
            "a job whose pod runs and is ready",
            vec![job("web")],
            |s| show_job(s, PodPhase::Running, ContainerState::Running, true),
            GoesOn,
        ),
        (
            "a job whose pod runs and is ready, of which no more is wanted",
            vec![manifest("web")],
            |s| show_job(s, PodPhase::Running, ContainerState::Running, true),
            Success,
        ),
        (
            "a job of which a pod ended well",
            vec![job("web")],
            |s| show_job(s, PodPhase::Succeeded, terminated(0), false),
            GoesOn,
        ),
        (
            "a job of which a pod failed",
            vec![job("web")],
            |s| show_job(s, PodPhase::Failed, terminated(6), false),
            GoesOn,
        ),
        (
            "a job that is complete, though a pod of it failed",
            vec![job("web")],
            |s| {
                show_job(s, PodPhase::Failed, terminated(6), false);
                s.see_workload(workload("Job", "web", COMPLETE))
            },
            Success,
        ),
        (
            "a job that an earlier run completed",
            vec![job("web")],
            |s| s.finish(1, deployed(&[], &[in_state("Job", "web", COMPLETE)])),
            Success,
        ),
        (
            "what need not be ready, without pods",
            vec![ignored("web")],
            deploy,
            Success,
        ),
        (
            "what need not be ready, with a pod that is not",
            vec![ignored("web")],
            |s| show(s, PodPhase::Pending, waiting("ErrImagePull"), false),
            Success,
        ),
        (
            "a command that ended well",
            vec![local("a", "make", "")],
            |s| s.finish(1, deployed(&[], &[])),
            Success,
        ),
        (
            "a server that has not started",
            vec![local("a", "make", "serve")],
            |s| s.finish(1, deployed(&[], &[])),
            GoesOn,
        ),
        (
            "a server that runs",
            vec![local("a", "make", "serve")],
            |s| {
                s.finish(1, deployed(&[], &[]));
                serve(s, true)
            },
            Success,
        ),
        (
            "a server without anything before it",
            vec![local("a", "", "serve")],
            |s| {
                s.finish(1, deployed(&[], &[]));
                serve(s, true)
            },
            Success,
        ),
        (
            "a server whose probe has not succeeded",
            vec![probed(local("a", "", "serve"))],
            |s| {
                s.finish(1, deployed(&[], &[]));
                serve(s, false)
            },
            GoesOn,
        ),
        (
            "a server whose probe succeeds",
            vec![probed(local("a", "", "serve"))],
            |s| {
                s.finish(1, deployed(&[], &[]));
                serve(s, false);
                serve(s, true)
            },
            Success,
        ),
        (
            "what does not start by itself",
            vec![
                asleep(manifest("off")),
                asleep(local("b", "make", "serve")),
                ignored("web"),
            ],
            deploy,
            Success,
        ),
        (
            "a container that waits to be restarted, in a pod that runs",
            vec![manifest("web")],
            |s| show(s, PodPhase::Running, waiting("CrashLoopBackOff"), false),
            GoesOn,
        ),
        (
            "a pod that cannot be scheduled",
            vec![manifest("web")],
            |s| deploy(s) + &s.see(unscheduled()),
            GoesOn,
        ),
        (
            "a missing ConfigMap",
            vec![manifest("web")],
            |s| show(s, PodPhase::Pending, waiting("CreateContainerConfigError"), false),
            GoesOn,
        ),
    ];
    for (what, manifests, story, expected) in rows {
        check(what, settings(), manifests, story, &expected);
    }
}

#[test]
fn a_disabled_resource_keeps_no_run_from_ending_and_no_resource_at_all_is_none() {
    let mut script = Script::new(Mode::Ci {
        timeout_override: None,
        fail_fast: false,
    });
    script.send(Event::ClusterChanged(crate::engine::ClusterStatus::Connected));
    script.send(Event::Started);
    let told = script.finish_load(LoadOutcome {
        enabled: std::iter::once("web".into()).collect(),
        ..loaded(vec![
            ignored("web"),
            manifest("off"),
            local("server", "", "serve"),
        ])
    });
    assert!(
        told.contains("start build:1") && !told.contains("start build:2"),
        "{told}"
    );
    assert!(deploy(&mut script).ends_with("exit Succeeded"));
}

#[test]
fn each_rule_of_failure_holds() {
    const IMAGE: &str = "Pod web-1 in error state due to container main: ImagePullBackOff";
    let rows: Vec<(&str, Vec<Manifest>, Story, &'static str)> = vec![
        (
            "an update",
            vec![manifest("web")],
            |s| s.finish(1, failed("apply: no")),
            "apply: no",
        ),
        (
            "a command",
            vec![local("a", "make", "")],
            |s| s.finish(1, failed("Command \"make\" failed: exit status 2")),
            "Command \"make\" failed: exit status 2",
        ),
        (
            "the first by name of two",
            vec![manifest("b"), manifest("a")],
            |s| s.finish(1, failed("of b")),
            "of b",
        ),
        (
            "a pod that ended badly",
            vec![manifest("web")],
            |s| show_bare_pod(s, a_pod(PodPhase::Failed, terminated(6), false)),
            "Pod \"web-1\" failed",
        ),
        (
            "a job whose pods failed too often",
            vec![job("web")],
            |s| {
                show_job(s, PodPhase::Failed, terminated(6), false);
                s.see_workload(workload("Job", "web", job_failed("BackoffLimitExceeded")))
            },
            "Pod \"web-1\" failed",
        ),
        (
            "a job that failed without leaving a pod",
            vec![job("web")],
            |s| {
                s.finish(1, deployed(&[], &[object("Job", "web")]));
                s.see_workload(workload("Job", "web", job_failed("DeadlineExceeded")))
            },
            "Job/web failed: DeadlineExceeded: it is so",
        ),
        (
            "a job that an earlier deploy left failed",
            vec![job("web")],
            |s| {
                s.finish(
                    1,
                    deployed(&[], &[in_state("Job", "web", job_failed("DeadlineExceeded"))]),
                )
            },
            "Job/web failed: DeadlineExceeded: it is so",
        ),
        (
            "a pod that says why it ended badly",
            vec![manifest("web")],
            |s| {
                let errors = vec!["disk full ".to_owned(), " ".to_owned(), "really".to_owned()];
                let pod = Pod {
                    errors,
                    ..a_pod(PodPhase::Failed, terminated(6), false)
                };
                show_bare_pod(s, pod)
            },
            "disk full; really",
        ),
        (
            "an image that cannot be pulled",
            vec![manifest("web")],
            |s| show(s, PodPhase::Pending, waiting("ImagePullBackOff"), false),
            IMAGE,
        ),
        (
            "an init container that fails",
            vec![manifest("web")],
            |s| {
                let init = crate::model::Container {
                    id: String::new(),
                    ..container("init", terminated(1), false)
                };
                let web = a_pod(PodPhase::Pending, waiting("PodInitializing"), false);
                deploy(s)
                    + &s.see(Pod {
                        init_containers: vec![init],
                        status: "Init:Error".to_owned(),
                        ..web
                    })
            },
            "Pod web-1 in error state due to container init: Init:Error",
        ),
        (
            "a server that ends",
            vec![local("a", "", "serve"), manifest("web")],
            |s| {
                s.finish(1, deployed(&[], &[]));
                serve(s, true);
                die(s)
            },
            "Process 7 exited with non-zero status",
        ),
        (
            "a server that is not ready for long",
            vec![probed(local("a", "", "serve"))],
            |s| {
                s.finish(1, deployed(&[], &[]));
                serve(s, false);
                s.pass(secs(20))
            },
            "Readiness timeout after 20s: target a:serve not ready",
        ),
        (
            "a pod that is not ready for long",
            vec![manifest("web")],
            |s| {
                show(s, PodPhase::Running, ContainerState::Running, false);
                s.pass(secs(20))
            },
            "Readiness timeout after 20s: target web:runtime not ready",
        ),
        (
            "a job that takes too long",
            vec![job("web")],
            |s| {
                show_job(s, PodPhase::Running, ContainerState::Running, false);
                s.pass(secs(30)) + &s.pass(secs(60))
            },
            "Timeout after 1m30s: 1 resources not ready (web:runtime)",
        ),
        (
            "a pod that is never scheduled",
            vec![manifest("web")],
            |s| {
                deploy(s);
                s.see(unscheduled());
                s.pass(secs(90))
            },
            "Timeout after 1m30s: 1 resources waiting (web:runtime Pending)",
        ),
        (
            "what waits for others, and what waits to start",
            vec![manifest("a"), {
                let mut b = local("b", "make", "serve");
                b.resource_deps = vec!["a".into()];
                b
            }],
            |s| s.pass(secs(90)),
            "Timeout after 1m30s: 3 resources waiting (a:runtime waiting-for-pod,b:serve unknown,b:update is-unparallelizable-local), 1 resources not ready (a:update)",
        ),
    ];
    for (what, manifests, story, expected) in rows {
        check(what, settings(), manifests, story, &Failure(expected));
    }
}

#[test]
fn what_is_final_is_not_tolerated() {
    let graceful = || CiSettings {
        k8s_grace_period: secs(60),
        ..settings()
    };
    let rows: Vec<(&str, Story, &'static str)> = vec![
        (
            "a failed job",
            |s| {
                s.finish(
                    1,
                    deployed(&[], &[in_state("Job", "web", job_failed("DeadlineExceeded"))]),
                )
            },
            "Job/web failed: DeadlineExceeded: it is so",
        ),
        (
            "a pod that nobody makes again",
            |s| show_bare_pod(s, a_pod(PodPhase::Failed, terminated(6), false)),
            "Pod \"web-1\" failed",
        ),
    ];
    for (what, story, expected) in rows {
        check(what, graceful(), vec![job("web")], story, &Failure(expected));
    }
}

#[test]
fn a_readiness_time_out_of_zero_is_none() {
    let patient = CiSettings {
        readiness_timeout: Duration::ZERO,
        ..settings()
    };
    let story: Story = |s| {
        show(s, PodPhase::Running, ContainerState::Running, false);
        s.pass(secs(60))
    };
    check(
        "not ready for long",
        patient,
        vec![manifest("web")],
        story,
        &GoesOn,
    );
}

#[test]
fn a_server_without_a_probe_must_have_lived_for_a_moment() {
    let mut script = Script::ci(settings(), vec![local("a", "", "serve")]);
    script.finish(1, deployed(&[], &[]));
    assert_eq!(serve(&mut script, true), "");
    assert_eq!(script.wakes_in(), Some(secs(1)));
    assert_eq!(script.pass(secs(1)), "exit Succeeded");
    let mut script = Script::ci(settings(), vec![local("a", "", "serve")]);
    script.finish(1, deployed(&[], &[]));
    serve(&mut script, true);
    script.pass(Duration::from_millis(50));
    assert!(die(&mut script).contains("exit Failed"));
}

#[test]
fn what_is_wrong_with_a_server_is_told() {
    let rows = [
        (
            ServerStatus::NotStarted("serve failed to start: no such file".to_owned()),
            "serve failed to start: no such file",
        ),
        (
            ServerStatus::Exited {
                pid: 7,
                how: ServerEnd::Code(4),
            },
            "its server exited: exit code 4",
        ),
        (
            ServerStatus::Exited {
                pid: 7,
                how: ServerEnd::Code(0),
            },
            "its server exited: exit code 0, but a server is to run on",
        ),
        (
            ServerStatus::Exited {
                pid: 7,
                how: ServerEnd::Other("signal: killed".to_owned()),
            },
            "its server exited: signal: killed",
        ),
        (
            ServerStatus::Running {
                pid: 7,
                ready: false,
                fault: Some("HTTP probe failed with statuscode: 404".to_owned()),
            },
            "its server is not ready: readiness probe: HTTP probe failed with statuscode: 404",
        ),
        (
            ServerStatus::Running {
                pid: 7,
                ready: false,
                fault: None,
            },
            "its server is not ready",
        ),
    ];
    for (status, expected) in rows {
        let mut script = Script::ci(settings(), vec![probed(local("a", "", "serve"))]);
        script.finish(1, deployed(&[], &[]));
        script.send(Event::ServerChanged {
            serve: ServeId(1),
            status,
        });
        let rows = crate::view::report(&script.view(), script.time());
        assert_eq!(rows[0].reason, expected);
    }
}

#[test]
fn in_the_grace_period_errors_of_pods_are_tolerated_and_those_of_updates_are_not() {
    let graceful = || CiSettings {
        k8s_grace_period: secs(10),
        ..settings()
    };
    let rows: Vec<(&str, Story, Expect)> = vec![
        (
            "at first",
            |s| show(s, PodPhase::Pending, waiting("ErrImagePull"), false),
            GoesOn,
        ),
        (
            "in the end",
            |s| {
                show(s, PodPhase::Pending, waiting("ErrImagePull"), false);
                s.pass(secs(10))
            },
            Failure("exceeded grace period: Pod web-1 in error state due to container main: ErrImagePull"),
        ),
        (
            "when it recovers",
            |s| {
                show(s, PodPhase::Pending, waiting("ErrImagePull"), false);
                s.see(pod("web", "web-1", 1))
            },
            Success,
        ),
        ("an update", |s| s.finish(1, failed("no")), Failure("no")),
    ];
    for (what, story, expected) in rows {
        check(what, graceful(), vec![manifest("web")], story, &expected);
    }
    let longer = CiSettings {
        k8s_grace_period: secs(600),
        ..settings()
    };
    let story: Story = |s| {
        show(s, PodPhase::Pending, waiting("ErrImagePull"), false);
        s.pass(secs(90))
    };
    let expected = Failure("Timeout after 1m30s: 1 resources retrying (web:runtime)");
    check(
        "a grace period that outlasts the run",
        longer,
        vec![manifest("web")],
        story,
        &expected,
    );
}

#[test]
fn a_run_that_is_to_fail_fast_ends_at_the_first_reason_that_kubernetes_gives() {
    let fast = || CiSettings {
        fail_fast: true,
        ..settings()
    };
    let rows: Vec<(&str, Story, Expect)> = vec![
        (
            "no room on any node",
            |s| deploy(s) + &s.see(unscheduled()),
            Failure("Pod web-1 in error state: Unschedulable: 0/1 nodes are available: 1 Insufficient cpu."),
        ),
        (
            "a crash loop",
            |s| {
                let mut crashing = a_pod(PodPhase::Running, waiting("CrashLoopBackOff"), false);
                crashing.containers[0].last_exit = Some(ContainerExit {
                    id: "id-before".to_owned(),
                    ended: None,
                    reason: "OOMKilled".to_owned(),
                    message: String::new(),
                    exit_code: 137,
                });
                deploy(s) + &s.see(crashing)
            },
            Failure("Pod web-1 in error state: CrashLoopBackOff: it exited with 137 (OOMKilled)"),
        ),
        (
            "too little memory",
            |s| show(s, PodPhase::Running, killed(), false),
            Failure("Pod web-1 in error state: OOMKilled: container main exited with 137"),
        ),
        (
            "a missing ConfigMap",
            |s| show(s, PodPhase::Pending, waiting("CreateContainerConfigError"), false),
            Failure("Pod web-1 in error state: CreateContainerConfigError"),
        ),
        (
            "a first crash",
            |s| show(s, PodPhase::Running, terminated(1), false),
            GoesOn,
        ),
        (
            "a pod that comes up",
            |s| show(s, PodPhase::Pending, waiting("ContainerCreating"), false),
            GoesOn,
        ),
        (
            "a pod that is not ready",
            |s| show(s, PodPhase::Running, ContainerState::Running, false),
            GoesOn,
        ),
    ];
    for (what, story, expected) in rows {
        check(what, fast(), vec![manifest("web")], story, &expected);
    }
    let tolerant = CiSettings {
        k8s_grace_period: secs(10),
        ..fast()
    };
    let story: Story = |s| deploy(s) + &s.see(unscheduled());
    check(
        "within the grace period",
        tolerant.clone(),
        vec![manifest("web")],
        story,
        &GoesOn,
    );
    let story: Story = |s| {
        deploy(s);
        s.see(unscheduled());
        s.pass(secs(10))
    };
    let message = "exceeded grace period: Pod web-1 in error state: Unschedulable: 0/1 nodes are available: 1 Insufficient cpu.";
    check(
        "after it",
        tolerant,
        vec![manifest("web")],
        story,
        &Failure(message),
    );
}

#[test]
fn the_flag_asks_for_the_same_as_the_setting_and_the_failed_resource_is_named() {
    let mut script = Script::new(Mode::Ci {
        timeout_override: None,
        fail_fast: true,
    });
    script.send(Event::ClusterChanged(crate::engine::ClusterStatus::Connected));
    script.send(Event::Started);
    script.load(vec![manifest("web"), manifest("other")]);
    deploy(&mut script);
    let exits = script.effects(Event::PodSeen(Box::new(unscheduled())));
    let named = exits.iter().find_map(|effect| match effect {
        crate::engine::Effect::Exit(crate::engine::ExitOutcome::Failed(failure)) => Some(&failure.resources),
        _ => None,
    });
    assert_eq!(named, Some(&vec!["web".into()]), "{exits:?}");
}
