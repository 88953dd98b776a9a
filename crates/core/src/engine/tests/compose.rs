//! Services of Docker Compose: when they start, how they are doing, what is restarted and removed, and when `ci` ends.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::script::*;
use crate::engine::{Effect, Event, LogId, UpdateOutcome};
use crate::model::*;
use crate::view::RuntimeStatus;

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Returns a resource for a service of the project `shop`.
fn service(name: &str) -> Manifest {
    service_of("shop", name)
}

fn service_of(project: &str, name: &str) -> Manifest {
    let name = ManifestName::new(name);
    Manifest {
        deploy: DeployTarget::Compose(Box::new(ComposeTarget {
            id: TargetId::compose(&name),
            project: Arc::new(ComposeProject {
                command: vec!["docker".to_owned(), "compose".to_owned()],
                name: project.to_owned(),
                directory: LocalPath::new("/src"),
                config_paths: vec![LocalPath::new("/src/compose.yml")],
                env_file: None,
                profiles: Vec::new(),
                wait: false,
            }),
            service: ComposeService {
                name: name.as_str().to_owned(),
                image: "busybox".to_owned(),
                definition: json!({"image": "busybox"}),
                ..ComposeService::default()
            },
            images: Vec::new(),
            links: Vec::new(),
            infer_links: true,
        })),
        ..manifest(name.as_str())
    }
}

/// Returns the same resource after a change of its service.
fn with(mut manifest: Manifest, change: impl FnOnce(&mut ComposeService)) -> Manifest {
    if let DeployTarget::Compose(target) = &mut manifest.deploy {
        change(&mut target.service);
    }
    manifest
}

/// Returns the same resource, which needs another service to be so far.
fn needs(manifest: Manifest, other: &str, condition: ComposeCondition) -> Manifest {
    let mut manifest = with(manifest, |service| {
        service.depends_on.push(ComposeDependency {
            service: other.to_owned(),
            resource: other.into(),
            condition,
            restart: false,
            required: true,
        });
    });
    manifest.resource_deps.push(other.into());
    manifest
}

/// Returns a container of a service that runs.
fn container(service: &str) -> ServiceContainer {
    ServiceContainer {
        id: format!("id-{service}"),
        name: format!("shop-{service}-1"),
        service: ServiceId {
            project: "shop".to_owned(),
            service: service.to_owned(),
        },
        image: "busybox".to_owned(),
        directory: "/src".to_owned(),
        created: Timestamp::from_secs(STARTED + 1),
        state: ServiceState::Running,
        exit_code: 0,
        error: String::new(),
        started: Some(Timestamp::from_secs(STARTED + 1)),
        finished: None,
        restarts: 0,
        health: None,
        has_tty: false,
        ports: Vec::new(),
    }
}

fn exited(service: &str, exit_code: i32) -> ServiceContainer {
    ServiceContainer {
        state: ServiceState::Exited,
        exit_code,
        ..container(service)
    }
}

fn with_health(service: &str, health: Health) -> ServiceContainer {
    ServiceContainer {
        health: Some(health),
        ..container(service)
    }
}

fn unhealthy() -> Health {
    Health::Unhealthy("the door is shut".to_owned())
}

trait Docker {
    fn see_container(&mut self, container: ServiceContainer) -> String;
    /// Lets an update end well that left these containers.
    fn deploy(&mut self, build: u64, containers: &[ServiceContainer]) -> String;
    /// Lets the log of a container be read to its end.
    fn read_out(&mut self, container: &str) -> String;
}

impl Docker for Script {
    fn see_container(&mut self, container: ServiceContainer) -> String {
        self.send(Event::ServiceContainerSeen(Box::new(container)))
    }

    fn deploy(&mut self, build: u64, containers: &[ServiceContainer]) -> String {
        for container in containers {
            self.see_container(container.clone());
        }
        self.finish(build, deployed(&[], &[]))
    }

    fn read_out(&mut self, container: &str) -> String {
        self.send(Event::LogStreamEnded(LogId::Container {
            id: container.to_owned(),
            run: Timestamp::from_secs(STARTED + 1),
        }))
    }
}

fn ci(manifests: Vec<Manifest>) -> Script {
    let mut script = Script::ci(CiSettings::default(), manifests);
    script.pass(secs(1));
    script
}

#[test]
fn services_start_at_once_in_the_order_of_the_project_and_their_projects_are_watched() {
    let mut script = Script::new(crate::engine::Mode::Up);
    script.send(Event::Started);
    let names = ["e", "d", "c", "b", "a"];
    let started = script.load(names.map(service).to_vec());
    let updates: Vec<&str> = started.lines().filter(|line| line.starts_with("start")).collect();
    assert_eq!(
        updates.len(),
        names.len(),
        "more than run at a time otherwise: {started}"
    );
    assert!(updates[0].ends_with("deploy docker-compose:e"), "{started}");
    assert!(started.contains("watch services [shop]"), "{started}");
}

#[test]
fn a_run_is_a_success_only_once_containers_have_run_for_a_moment() {
    let mut script = ci(vec![service("web")]);
    assert!(!script.deploy(1, &[container("web")]).contains("exit"));
    assert_eq!(
        script.wakes_in(),
        Some(Duration::from_secs(1)),
        "1.5 s after its start"
    );
    assert_eq!(script.pass(secs(1)), "exit Succeeded");
}

#[test]
fn a_run_fails_for_a_container_that_ends_with_an_error_soon_after_its_start_and_names_the_service() {
    let mut script = ci(vec![service("web")]);
    script.deploy(1, &[container("web")]);
    script.see_container(exited("web", 3));
    let failed = script.read_out("id-web");
    assert!(
        failed.ends_with("exit Failed(\"web: container shop-web-1 exited with 3\")"),
        "{failed}"
    );
}

#[test]
fn a_run_waits_for_a_health_check_and_fails_when_it_says_unhealthy() {
    let starting = || with_health("web", Health::Starting);
    let mut script = ci(vec![service("web")]);
    script.deploy(1, &[starting()]);
    assert_eq!(script.pass(secs(60)), "", "however long that takes");
    assert_eq!(
        script.see_container(with_health("web", Health::Healthy)),
        "exit Succeeded"
    );
    let mut script = ci(vec![service("web")]);
    script.deploy(1, &[starting()]);
    let failed = script.see_container(with_health("web", unhealthy()));
    assert!(
        failed.contains("exit Failed(\"web: container shop-web-1 is unhealthy: the door is shut\")"),
        "{failed}"
    );
}

#[test]
fn what_a_failing_health_check_prints_is_told_once() {
    let mut script = Script::up(vec![service("web")]);
    script.deploy(1, &[with_health("web", Health::Healthy)]);
    let told = script.see_container(with_health("web", unhealthy()));
    assert!(
        told.contains("Warn dc:web \"healthcheck: the door is shut\\n\""),
        "{told}"
    );
    assert!(
        !script
            .see_container(with_health("web", unhealthy()))
            .contains("healthcheck")
    );
    assert_eq!(script.resource("web").runtime_status, RuntimeStatus::Error);
    script.see_container(with_health("web", Health::Healthy));
    assert_eq!(script.resource("web").runtime_status, RuntimeStatus::Ok);
}

#[test]
fn a_service_that_ended_well_is_done() {
    let mut script = ci(vec![service("migrate")]);
    script.deploy(1, &[exited("migrate", 0)]);
    assert!(script.read_out("id-migrate").ends_with("exit Succeeded"));
}

#[test]
fn each_condition_of_a_dependency_waits_for_what_it_says() {
    use ComposeCondition::{Completed, Healthy, Started};
    for (condition, not_yet, at_last) in [
        (Started, None, with_health("db", Health::Starting)),
        (
            Healthy,
            Some(with_health("db", Health::Starting)),
            with_health("db", Health::Healthy),
        ),
        (Completed, Some(container("db")), exited("db", 0)),
        (Completed, Some(exited("db", 1)), exited("db", 0)),
    ] {
        let mut script = Script::up(vec![service("db"), needs(service("web"), "db", condition)]);
        let held = |script: &Script| script.resource("web").hold.map(|hold| hold.reason);
        assert_eq!(held(&script), Some("waiting-for-dep"), "{condition:?}");
        if let Some(not_yet) = not_yet {
            script.deploy(1, &[not_yet]);
            assert_eq!(held(&script), Some("waiting-for-dep"), "{condition:?}");
            script.see_container(at_last);
        } else {
            script.deploy(1, &[at_last]);
        }
        assert_eq!(held(&script), None, "{condition:?}");
    }
}

#[test]
fn what_a_dependency_did_before_it_was_deployed_in_this_session_says_nothing() {
    let web = needs(service("web"), "db", ComposeCondition::Started);
    let mut script = Script::up(vec![service("db"), web]);
    assert!(!script.see_container(container("db")).contains("start"));
    assert!(script.deploy(1, &[]).contains("deploy docker-compose:web"));
}

#[test]
fn the_end_of_a_container_that_is_being_replaced_is_no_failure() {
    let mut script = ci(vec![service("web")]);
    let old = |container: ServiceContainer| ServiceContainer {
        id: "old".to_owned(),
        created: Timestamp::from_secs(STARTED - 60),
        ..container
    };
    assert!(!script.see_container(old(container("web"))).contains("exit"));
    assert!(!script.see_container(old(exited("web", 137))).contains("exit"));
    script.send(Event::ServiceContainerGone("old".to_owned()));
    assert!(!script.deploy(1, &[container("web")]).contains("exit"));
    script.read_out("old");
    assert_eq!(script.pass(secs(1)), "exit Succeeded");
}

#[test]
fn a_container_that_somebody_removes_is_missed_until_it_is_there_again() {
    let mut script = Script::up(vec![service("web")]);
    script.deploy(1, &[container("web")]);
    script.send(Event::ServiceContainersListed {
        project: "shop".to_owned(),
        containers: Vec::new(),
    });
    let web = script.resource("web");
    assert_eq!(web.runtime_status, RuntimeStatus::Error);
    assert_eq!(web.error().as_deref(), Some("its container was removed"));
    script.see_container(ServiceContainer {
        id: "other".to_owned(),
        ..container("web")
    });
    assert_eq!(script.resource("web").runtime_status, RuntimeStatus::Ok);
}

#[test]
fn a_service_that_is_to_have_no_containers_is_well_without() {
    let mut script = ci(vec![service("web")]);
    assert_eq!(script.deploy(1, &[]), "exit Succeeded");
}

#[test]
fn a_container_that_is_started_again_and_again_fails_a_run_only_after_a_while() {
    let crashed = |restarts| ServiceContainer {
        state: ServiceState::Restarting,
        exit_code: 1,
        restarts,
        ..container("web")
    };
    let mut script = ci(vec![service("web")]);
    script.deploy(1, &[container("web")]);
    assert!(!script.see_container(crashed(1)).contains("exit"));
    script.pass(secs(5));
    assert!(!script.see_container(crashed(2)).contains("exit"));
    script.pass(secs(15));
    let failed = script.read_out("id-web");
    assert!(
        failed.contains("exit Failed(\"web: container shop-web-1 exited with 1 and is started again\")"),
        "{failed}"
    );
}

#[test]
fn a_container_that_crashed_is_well_once_it_stays_up() {
    let mut script = Script::up(vec![service("web")]);
    script.deploy(1, &[container("web")]);
    let again = ServiceContainer {
        restarts: 1,
        started: Some(script.time()),
        ..container("web")
    };
    script.see_container(again);
    assert_eq!(script.resource("web").runtime_status, RuntimeStatus::Pending);
    script.pass(secs(10));
    assert_eq!(script.resource("web").runtime_status, RuntimeStatus::Ok);
}

#[test]
fn services_of_one_name_in_two_projects_do_not_meet() {
    let mut other = service_of("office", "desk");
    other = with(other, |service| service.name = "web".to_owned());
    let mut script = Script::up(vec![service("web"), other]);
    script.deploy(1, &[container("web")]);
    let desk = ServiceContainer {
        id: "desk".to_owned(),
        service: ServiceId {
            project: "office".to_owned(),
            service: "web".to_owned(),
        },
        ..container("web")
    };
    script.deploy(2, std::slice::from_ref(&desk));
    script.see_container(ServiceContainer {
        state: ServiceState::Exited,
        exit_code: 1,
        ..desk
    });
    assert_eq!(script.resource("web").runtime_status, RuntimeStatus::Ok);
    assert_eq!(script.resource("desk").runtime_status, RuntimeStatus::Error);
}

#[test]
fn a_service_that_leaves_the_tiltfile_is_removed_and_one_that_is_renamed_is_not() {
    let mut script = Script::up(vec![service("web")]);
    script.deploy(1, &[container("web")]);
    script.edit_tiltfile();
    let renamed = with(service("front"), |service| service.name = "web".to_owned());
    let told = script.load(vec![renamed]);
    assert!(!told.contains("remove"), "{told}");
    script.finish(2, deployed(&[], &[]));
    script.edit_tiltfile();
    let told = script.load(vec![service("other")]);
    assert!(told.contains("remove service shop/web"), "{told}");
}

#[test]
fn a_service_that_was_never_deployed_here_is_left_alone() {
    let mut manual = service("web");
    manual.trigger_mode = TriggerMode::Manual;
    let mut script = Script::up(vec![manual]);
    script.see_container(container("web"));
    script.edit_tiltfile();
    assert!(!script.load(vec![service("other")]).contains("remove"));
}

#[test]
fn a_service_that_is_switched_off_is_removed_and_comes_back_only_after_that() {
    let mut script = Script::up(vec![service("web")]);
    script.deploy(1, &[container("web")]);
    let switch = |enabled| Event::EnablementChanged {
        manifest: "web".into(),
        enabled,
    };
    assert!(script.send(switch(false)).contains("remove service shop/web"));
    assert!(!script.send(switch(true)).contains("start"));
    let hold = script.resource("web").hold.expect("it waits");
    assert_eq!(
        (hold.reason, hold.on),
        ("waiting-for-deletion", vec!["docker-compose:web".to_owned()])
    );
    let gone = script.send(Event::ObjectsDeleted { delete: DeleteId(1) });
    assert!(gone.contains("deploy docker-compose:web"), "{gone}");
}

#[test]
fn a_service_follows_the_restart_of_what_it_needs_only_where_that_is_said() {
    let mut follower = needs(service("web"), "db", ComposeCondition::Started);
    follower = with(follower, |service| service.depends_on[0].restart = true);
    let other = needs(service("api"), "db", ComposeCondition::Started);
    let mut script = Script::up(vec![service("db"), follower, other]);
    script.deploy(1, &[container("db")]);
    script.deploy(2, &[container("web")]);
    script.deploy(3, &[container("api")]);
    script.send(Event::Triggered {
        manifest: "db".into(),
        reason: TriggerReason::Cli,
    });
    script.send(Event::ServiceContainerGone("id-db".to_owned()));
    let anew = ServiceContainer {
        id: "new".to_owned(),
        ..container("db")
    };
    let told = script.deploy(4, &[anew]);
    assert!(told.contains("restart service shop/web"), "{told}");
    assert!(!told.contains("shop/api"), "{told}");
    script.see_container(exited("web", 137));
    assert_eq!(script.resource("web").runtime_status, RuntimeStatus::Pending);
    script.see_container(container("web"));
    script.send(Event::ServiceRestarted("web".into()));
    assert_eq!(script.resource("web").runtime_status, RuntimeStatus::Ok);
}

#[test]
fn services_in_the_network_of_a_container_that_was_replaced_are_made_anew_one_after_the_other() {
    let within = |name: &str, other: &str| {
        with(
            needs(service(name), other, ComposeCondition::Started),
            |service| {
                service.depends_on[0].restart = true;
                service.definition = json!({"image": "busybox", "network_mode": format!("service:{other}")});
            },
        )
    };
    let mut script = Script::up(vec![
        service("vpn"),
        within("torrent", "vpn"),
        within("debug", "torrent"),
    ]);
    script.deploy(1, &[container("vpn")]);
    script.deploy(2, &[container("torrent")]);
    script.deploy(3, &[container("debug")]);
    script.send(Event::Triggered {
        manifest: "vpn".into(),
        reason: TriggerReason::Cli,
    });
    let anew = |name: &str| ServiceContainer {
        id: format!("new-{name}"),
        ..container(name)
    };
    script.send(Event::ServiceContainerGone("id-vpn".to_owned()));
    let told = script.deploy(4, &[anew("vpn")]);
    assert!(
        told.contains("deploy service shop/torrent in place of a restart"),
        "{told}"
    );
    assert!(!told.contains("shop/debug"), "{told}");
    script.send(Event::ServiceContainerGone("id-torrent".to_owned()));
    script.see_container(anew("torrent"));
    let told = script.send(Event::ServiceRestarted("torrent".into()));
    assert!(
        told.contains("deploy service shop/debug in place of a restart"),
        "{told}"
    );
}

#[test]
fn a_service_is_updated_for_another_definition_and_not_for_other_dependencies() {
    let mut script = Script::up(vec![service("db"), service("web")]);
    script.deploy(1, &[container("db")]);
    script.deploy(2, &[container("web")]);
    script.edit_tiltfile();
    let other = needs(service("web"), "db", ComposeCondition::Healthy);
    assert!(!script.load(vec![service("db"), other]).contains("start build"));
    script.edit_tiltfile();
    let other = with(service("web"), |service| {
        service.definition = json!({"image": "busybox", "tty": true})
    });
    let told = script.load(vec![service("db"), other]);
    assert!(
        told.contains("start build:3 \"1 File Changed: [Tiltfile]\""),
        "{told}"
    );
}

#[test]
fn a_reload_that_only_names_another_file_updates_nothing_and_the_next_update_is_given_that_file() {
    let mut script = Script::up(vec![service("web")]);
    script.deploy(1, &[container("web")]);
    script.edit_tiltfile();
    let mut moved = service("web");
    if let DeployTarget::Compose(target) = &mut moved.deploy {
        let files = ["/src/compose.yml", "/src/more.yml"].map(LocalPath::new);
        Arc::make_mut(&mut target.project).config_paths = files.to_vec();
    }
    let told = script.load(vec![moved]);
    assert!(
        !told.contains("start build") && !told.contains("remove"),
        "{told}"
    );
    let triggered = script.effects(Event::Triggered {
        manifest: "web".into(),
        reason: TriggerReason::Cli,
    });
    let argv = triggered.iter().find_map(|effect| match effect {
        Effect::StartUpdate(plan) => plan
            .deploy
            .compose()
            .map(|target| target.project.argv().join(" ")),
        _ => None,
    });
    let argv = argv.expect("an update begins");
    assert!(argv.ends_with("-f /src/compose.yml -f /src/more.yml"), "{argv}");
}

#[test]
fn the_log_of_a_container_is_read_over_its_runs_from_the_beginning_of_the_session() {
    let mut script = Script::up(vec![service("web")]);
    let old = ServiceContainer {
        created: Timestamp::from_secs(STARTED - 60),
        ..container("web")
    };
    let reading = script.see_container(old.clone());
    let run = (STARTED + 1) * 1_000_000;
    let since = STARTED * 1_000_000 + 500_000;
    assert_eq!(reading, format!("read logs [id-web run {run} since {since}]"));
    script.finish(
        1,
        UpdateOutcome {
            deployed: true,
            ..UpdateOutcome::default()
        },
    );
    let ended = ServiceContainer {
        state: ServiceState::Exited,
        ..old
    };
    let reading = script.see_container(ended);
    assert_eq!(
        reading,
        format!("read logs [id-web run {run} since {since} ended]")
    );
    assert_eq!(
        script.read_out("id-web"),
        "",
        "it goes on where the container is started again"
    );
    let again = ServiceContainer {
        started: Some(Timestamp::from_secs(STARTED + 9)),
        ..container("web")
    };
    let run = (STARTED + 9) * 1_000_000;
    assert!(
        script
            .see_container(again)
            .contains(&format!("id-web run {run}]"))
    );
}

/// Returns a service that is made of an image which is changed in place, and restarted after that.
fn changed_in_place() -> Manifest {
    let mut made = with_images("web", &["web-image"]);
    let mut image = made.images.remove(0);
    image.live_update = Some(LiveUpdate {
        base: LocalPath::new("/src"),
        initial_sync: false,
        stop_paths: Vec::new(),
        syncs: vec![Sync {
            source: LocalPath::new("/src/web-image"),
            destination: "/app".to_owned(),
        }],
        execs: vec![Exec {
            argv: vec!["reload".to_owned()],
            triggers: Vec::new(),
            echo_off: false,
        }],
        restart: true,
        container: None,
    });
    let mut web = service("web");
    web.images.push(image);
    if let DeployTarget::Compose(target) = &mut web.deploy {
        target.images.push(TargetId::image("web-image"));
    }
    web
}

fn in_state(state: ServiceState) -> Event {
    Event::ServiceContainerSeen(Box::new(ServiceContainer {
        state,
        ..container("web")
    }))
}

#[test]
fn the_next_edit_makes_a_container_anew_that_will_not_run_again() {
    for gone in [
        in_state(ServiceState::Dead),
        Event::ServiceContainerSeen(Box::new(exited("web", 137))),
        Event::ServiceContainerSeen(Box::new(exited("web", 0))),
        Event::ServiceContainerGone("id-web".to_owned()),
    ] {
        let mut script = Script::up(vec![changed_in_place()]);
        script.see_container(container("web"));
        script.finish(1, deployed(&[("web-image", "1")], &[]));
        let told = script.send(gone.clone());
        assert!(!told.contains("start"), "only an edit does: {told}");
        let edited = script.edit(TargetId::image("web-image"), &["/src/web-image/app.py"]);
        assert!(
            edited.contains("build web-image, deploy docker-compose:web"),
            "{gone:?}: {edited}"
        );
    }
}

#[test]
fn an_edit_waits_for_a_container_that_may_run_again_and_for_none_that_is_given_up_then() {
    for waiting in [ServiceState::Paused, ServiceState::Restarting] {
        let begin = || {
            let mut script = Script::up(vec![changed_in_place()]);
            script.see_container(container("web"));
            script.finish(1, deployed(&[("web-image", "1")], &[]));
            script.send(in_state(waiting));
            let edited = script.edit(TargetId::image("web-image"), &["/src/web-image/app.py"]);
            assert!(
                !edited.contains("start") && !edited.contains("update"),
                "{edited}"
            );
            script
        };
        let again = begin().send(in_state(ServiceState::Running));
        assert!(again.contains("[/src/web-image/app.py->/app/app.py]"), "{again}");
        let given_up = begin().send(Event::ServiceContainerSeen(Box::new(exited("web", 137))));
        assert!(
            given_up.contains("build web-image, deploy docker-compose:web"),
            "{given_up}"
        );
    }
}

#[test]
fn a_container_that_ended_and_is_started_again_for_the_same_image_gets_what_it_has_otherwise() {
    let mut script = Script::up(vec![changed_in_place()]);
    script.see_container(container("web"));
    script.finish(1, deployed(&[("web-image", "1")], &[]));
    let target = || TargetId::image("web-image");
    script.edit(target(), &["/src/web-image/app.py"]);
    script.send(Event::ContainerUpdated {
        update: LiveUpdateId(1),
        container_id: "id-web".to_owned(),
        outcome: Ok(Box::default()),
    });
    script.see_container(exited("web", 137));
    // The file is as the image has it, so compose starts the container that has it otherwise.
    let edited = script.edit(target(), &["/src/web-image/app.py"]);
    assert!(
        edited.contains("build web-image, deploy docker-compose:web"),
        "{edited}"
    );
    let started = script.see_container(container("web"));
    assert!(
        started.contains("[/src/web-image/app.py->/app/app.py]"),
        "{started}"
    );
}

#[test]
fn an_edit_that_met_a_container_at_its_end_is_in_the_next_one() {
    let mut script = Script::up(vec![changed_in_place()]);
    script.see_container(container("web"));
    script.finish(1, deployed(&[("web-image", "1")], &[]));
    let edited = script.edit(TargetId::image("web-image"), &["/src/web-image/app.py"]);
    assert!(
        edited.contains("[/src/web-image/app.py->/app/app.py]"),
        "{edited}"
    );
    script.see_container(exited("web", 137));
    let ended = script.send(Event::ContainerUpdated {
        update: LiveUpdateId(1),
        container_id: "id-web".to_owned(),
        outcome: Err(SyncFailure::ContainerGone("it is not running".to_owned())),
    });
    assert!(
        ended.contains("build web-image, deploy docker-compose:web"),
        "{ended}"
    );
}

#[test]
fn what_a_container_sees_by_a_mount_is_not_copied_into_it_but_its_commands_run() {
    let web = with(changed_in_place(), |service| {
        service.mounts.push(ComposeMount {
            kind: "bind".to_owned(),
            source: Some("/src/web-image/lib".to_owned()),
            target: ContainerPath::new("/app/lib"),
            read_only: false,
        });
    });
    let mut script = Script::up(vec![web]);
    script.see_container(container("web"));
    script.finish(1, deployed(&[("web-image", "1")], &[]));
    let target = || TargetId::image("web-image");
    let changed = script.edit(target(), &["/src/web-image/app.py"]);
    assert!(
        changed.contains("[/src/web-image/app.py->/app/app.py] run reload"),
        "{changed}"
    );
    let update = LiveUpdateId(1);
    script.send(Event::ContainerUpdated {
        update,
        container_id: "id-web".to_owned(),
        outcome: Ok(Box::default()),
    });
    let changed = script.edit(target(), &["/src/web-image/lib/a.py"]);
    assert!(changed.contains("[] run reload due"), "{changed}");
}
