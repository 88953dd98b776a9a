//! What a user asks for while a session runs.

use super::script::*;
use crate::engine::{Event, LoadOutcome, Mode};
use crate::model::{Command, CustomDeploy, Manifest, TargetId, TriggerMode, TriggerReason, UpdateSettings};
use crate::view::{RuntimeStatus, UpdateStatus};

fn triggered(name: &str, reason: TriggerReason) -> Event {
    Event::Triggered {
        manifest: name.into(),
        reason,
    }
}

fn by_cli(name: &str) -> Event {
    triggered(name, TriggerReason::Cli)
}

fn switched(name: &str, enabled: bool) -> Event {
    Event::EnablementChanged {
        manifest: name.into(),
        enabled,
    }
}

fn in_mode(mode: TriggerMode) -> Manifest {
    Manifest {
        trigger_mode: mode,
        ..with_images("web", &["app"])
    }
}

/// Returns resources that are all updated, with one slot for the next updates.
fn one_slot(names: &[&str]) -> Script {
    let mut script = Script::new(Mode::Up);
    script.send(Event::ClusterChanged(crate::engine::ClusterStatus::Connected));
    script.send(Event::Started);
    script.finish_load(LoadOutcome {
        update_settings: UpdateSettings {
            max_parallel_updates: 1,
            ..UpdateSettings::default()
        },
        ..loaded(names.iter().map(|name| with_images(name, &[name])).collect())
    });
    for (build, name) in (1..).zip(names) {
        script.finish(build, deployed(&[(name, "t1")], &[]));
    }
    script
}

#[test]
fn what_a_trigger_does_depends_on_the_mode_and_on_what_changed() {
    let full = "force, build app and push, deploy k8s:web";
    let changed = "\"1 File Changed: [app/a]\": build app and push, deploy k8s:web";
    let rows = [
        (
            "nothing changed, changes start by themselves",
            TriggerMode::Auto,
            false,
            format!("\"CLI Trigger\": {full}"),
        ),
        (
            "nothing changed, changes wait",
            TriggerMode::ManualWithAutoInit,
            false,
            format!("\"CLI Trigger\": {full}"),
        ),
        (
            "a change that waited is taken in, and no more",
            TriggerMode::ManualWithAutoInit,
            true,
            changed.to_owned(),
        ),
    ];
    for (what, mode, is_edited, expected) in rows {
        let mut script = Script::up(vec![in_mode(mode)]);
        script.finish(1, deployed(&[("app", "t1")], &[]));
        if is_edited {
            assert_eq!(script.edit(TargetId::image("app"), &["/src/app/a"]), "");
            assert!(script.resource("web").has_pending_changes);
        }
        assert_eq!(
            script.send(by_cli("web")),
            format!("start build:2 {expected}"),
            "{what}"
        );
        assert_eq!(
            script.resource("web").building.expect("it runs").reason,
            "CLI Trigger",
            "{what}"
        );
    }
}

#[test]
fn a_resource_that_never_ran_is_started_by_a_trigger_and_then_as_its_mode_says() {
    for (mode, on_change) in [
        (TriggerMode::Manual, false),
        (TriggerMode::AutoWithManualInit, true),
    ] {
        let mut script = Script::up(vec![in_mode(mode)]);
        assert_eq!(
            script.resource("web").update_status,
            UpdateStatus::None,
            "{mode:?}"
        );
        let started = script.send(by_cli("web"));
        assert!(
            started.contains("start build:1 \"CLI Trigger\""),
            "{mode:?}: {started}"
        );
        script.finish(1, deployed(&[("app", "t1")], &[]));
        let edited = script.edit(TargetId::image("app"), &["/src/app/a"]);
        assert_eq!(edited.contains("start build:2"), on_change, "{mode:?}: {edited}");
    }
}

#[test]
fn triggers_are_served_in_their_order_before_changes_and_each_once() {
    let mut script = one_slot(&["a", "b", "c", "d"]);
    script.edit(TargetId::image("a"), &["/src/a/1"]);
    script.edit(TargetId::image("b"), &["/src/b/1"]);
    for name in ["d", "c", "d"] {
        assert_eq!(script.send(by_cli(name)), "");
    }
    script.send(triggered("d", TriggerReason::Web));
    let order = ["d", "c", "b"].map(|name| {
        let build = script.view().resources.iter().position(|r| r.building.is_some());
        assert!(build.is_some(), "one runs");
        let running = script
            .engine
            .view()
            .resources
            .into_iter()
            .find_map(|r| r.building.clone())
            .expect("one runs");
        let number = running.span.as_str()["build:".len()..].parse().expect("a number");
        let started = script.finish(number, deployed(&[], &[]));
        assert!(
            started.contains(&format!("deploy k8s:{name}")),
            "{name}: {started}"
        );
        started
    });
    assert!(order[0].contains("\"Web Trigger | CLI Trigger\""), "{}", order[0]);
    let queued: Vec<bool> = script
        .view()
        .resources
        .iter()
        .map(|resource| resource.queued)
        .collect();
    assert_eq!(queued, [false; 4]);
}

#[test]
fn a_queued_resource_that_is_held_lets_the_next_one_pass() {
    let mut web = in_mode(TriggerMode::Manual);
    web.resource_deps = vec!["db".into()];
    let db = Manifest {
        name: "db".into(),
        ..in_mode(TriggerMode::Manual)
    };
    let db = k8s(db, |k8s| k8s.id = TargetId::k8s(&"db".into()));
    let mut script = Script::up(vec![web, db]);
    assert_eq!(script.send(by_cli("web")), "");
    let shown = script.resource("web");
    assert_eq!(shown.update_status, UpdateStatus::Pending);
    assert!(shown.queued);
    let hold = shown.hold.expect("it is held");
    assert_eq!((hold.reason, hold.on), ("waiting-for-dep", vec!["db".to_owned()]));
    let started = script.send(by_cli("db"));
    assert!(started.contains("deploy k8s:db"), "{started}");
}

#[test]
fn a_trigger_of_what_is_off_or_not_there_does_nothing() {
    let mut script = Script::new(Mode::Up);
    script.send(Event::Started);
    let mut outcome = loaded(vec![manifest("web")]);
    outcome.enabled.clear();
    script.finish_load(outcome);
    let before = script.view();
    assert_eq!(script.send(by_cli("web")), "");
    assert_eq!(script.send(by_cli("nobody")), "");
    assert_eq!(script.view().resources, before.resources);
}

#[test]
fn a_full_rebuild_builds_a_shared_image_only_for_the_one_that_was_asked_for() {
    let mut script = Script::up(vec![with_images("one", &["app"]), with_images("two", &["app"])]);
    script.finish(1, deployed(&[("app", "t1")], &[]));
    script.finish(2, deployed(&[], &[]));
    let started = script.send(by_cli("one"));
    assert_eq!(
        started,
        "start build:3 \"CLI Trigger\": force, build app and push, deploy k8s:one"
    );
    assert_eq!(script.send(by_cli("two")), "", "the image is just being built");
    let hold = script.resource("two").hold.expect("it is held");
    assert_eq!(
        (hold.reason, hold.on),
        ("building-component", vec!["image:app".to_owned()])
    );
    let started = script.finish(3, deployed(&[("app", "t2")], &[]));
    assert_eq!(
        started,
        "start build:4 \"CLI Trigger\": force, build app and push, deploy k8s:two"
    );
    assert_eq!(
        script.finish(4, deployed(&[("app", "t3")], &[])),
        "",
        "nobody asked for the other one"
    );
}

#[test]
fn a_trigger_of_the_tiltfile_loads_it() {
    let mut script = Script::up(vec![manifest("web")]);
    script.finish(1, deployed(&[], &[]));
    insta::assert_snapshot!(script.send(by_cli("(Tiltfile)")), @r#"
    Info tiltfile:(Tiltfile):2 (starts an update) "CLI Trigger\n"
    load 2 as tiltfile:(Tiltfile):2
    "#);
    assert_eq!(script.send(by_cli("(Tiltfile)")), "", "after this one");
    assert!(
        script
            .load(vec![manifest("web")])
            .ends_with("load 3 as tiltfile:(Tiltfile):3")
    );
    assert_eq!(script.load(vec![manifest("web")]), "");
}

#[test]
fn a_resource_that_is_switched_off_is_taken_away_and_forgotten() {
    let mut script = Script::up(vec![with_images("web", &["app"]), manifest("db")]);
    script.finish(1, deployed(&[], &[]));
    script.finish(2, deployed(&[("app", "t1")], &[object("Deployment", "web")]));
    script.see(pod("web", "web-1", 1));
    insta::assert_snapshot!(script.send(switched("web", false)), @r#"
    delete of web in build:2 (deleting disabled Kubernetes objects): Deployment/web
    Info disabletoggle-web "Resource \"web\" disabled. To enable/disable it, use the Tilt Web UI.\n"
    watch files {"configs:(Tiltfile)": 1}
    watch cluster {"default"} []
    read logs []
    "#);
    let web = script.resource("web");
    assert_eq!(
        (web.update_status, web.runtime_status),
        (UpdateStatus::None, RuntimeStatus::None)
    );
    assert!(!web.enabled && web.history.is_empty() && web.pod.is_none());
    assert_eq!(script.send(switched("web", false)), "", "it is off already");
    assert_eq!(script.edit(TargetId::image("app"), &["/src/app/a"]), "");
    // What is being deleted is waited for, then all is as at the start.
    insta::assert_snapshot!(script.send(switched("web", true)), @r#"
    Info disabletoggle-web "Resource \"web\" enabled. To enable/disable it, use the Tilt Web UI.\n"
    watch files {"configs:(Tiltfile)": 1, "image:app": 1}
    "#);
    let hold = script.resource("web").hold.expect("it is held");
    assert_eq!(
        (hold.reason, hold.on),
        ("waiting-for-deletion", vec!["Deployment/web".to_owned()])
    );
    let deleted = Event::ObjectsDeleted {
        delete: crate::model::DeleteId(1),
    };
    let started = script.send(deleted);
    assert!(
        started.ends_with("start build:3 \"Initial Build\": build app and push, deploy k8s:web"),
        "{started}"
    );
}

#[test]
fn the_update_of_a_resource_that_is_switched_off_is_cancelled_and_then_taken_away() {
    let mut script = Script::up(vec![manifest("web")]);
    insta::assert_snapshot!(script.send(switched("web", false)), @r#"
    cancel 1
    Info disabletoggle-web "Resource \"web\" disabled. To enable/disable it, use the Tilt Web UI.\n"
    watch cluster {} []
    "#);
    assert_eq!(script.resource("web").building, None);
    let back = script.send(switched("web", true));
    assert!(!back.contains("start"), "the cancelled update still runs: {back}");
    let hold = script.resource("web").hold.expect("it is held");
    assert_eq!(
        (hold.reason, hold.on),
        ("building-component", vec!["k8s:web".to_owned()])
    );
    script.send(switched("web", false));
    let mut outcome = failed("build canceled");
    outcome.applied = vec![object("Deployment", "web")];
    insta::assert_snapshot!(script.finish(1, outcome), @"delete of web in build:1 (deleting disabled Kubernetes objects): Deployment/web");
}

#[test]
fn the_commands_of_a_resource_that_is_switched_off_are_stopped() {
    let mut script = Script::up(vec![local("pump", "make", "echo pumping; exec sleep 300")]);
    script.finish(1, deployed(&[], &[]));
    insta::assert_snapshot!(script.send(switched("pump", false)), @r#"
    Info localserve:1 "Resource is disabled, stopping cmd [\"sh\" \"-c\" \"echo pumping; exec sleep 300\"]\n"
    Info disabletoggle-pump "Resource \"pump\" disabled. To enable/disable it, use the Tilt Web UI.\n"
    watch files {"configs:(Tiltfile)": 1}
    serve []
    "#);
    let started = script.send(switched("pump", true));
    assert!(started.contains("start build:2 \"Initial Build\""), "{started}");
    insta::assert_snapshot!(script.send(switched("pump", false)), @r#"
    Info cmd:pump:update "Resource is disabled, stopping cmd [\"sh\" \"-c\" \"make\"]\n"
    cancel 2
    Info disabletoggle-pump "Resource \"pump\" disabled. To enable/disable it, use the Tilt Web UI.\n"
    watch files {"configs:(Tiltfile)": 1}
    "#);
}

#[test]
fn what_a_command_deployed_is_taken_away_by_its_command_before_it_comes_back() {
    let custom = || {
        k8s(manifest("web"), |k8s| {
            k8s.options.custom_deploy = Some(CustomDeploy {
                apply: Command::default(),
                delete: Command::default(),
                deps: Vec::new(),
                watch_ignores: Vec::new(),
            })
        })
    };
    let mut script = Script::up(vec![custom()]);
    script.finish(1, deployed(&[], &[object("Deployment", "web")]));
    let off = script.send(switched("web", false));
    assert!(
        off.starts_with("delete of web in build:1 (deleting disabled Kubernetes objects): "),
        "{off}"
    );
    script.send(switched("web", true));
    let hold = script.resource("web").hold.expect("it is held");
    assert_eq!(
        (hold.reason, hold.on),
        ("waiting-for-deletion", vec!["web".to_owned()])
    );
}

#[test]
fn a_resource_that_is_switched_on_waits_for_its_dependencies_again() {
    let mut web = manifest("web");
    web.resource_deps = vec!["db".into()];
    let mut script = Script::up(vec![web, manifest("db")]);
    script.finish(1, deployed(&[], &[object("Deployment", "db")]));
    script.see(pod("db", "db-1", 1));
    script.finish(2, deployed(&[], &[]));
    script.send(switched("web", false));
    script.send(switched("db", false));
    script.send(Event::ObjectsDeleted {
        delete: crate::model::DeleteId(1),
    });
    script.send(switched("web", true));
    let hold = script.resource("web").hold.expect("it is held");
    assert_eq!((hold.reason, hold.on), ("waiting-for-dep", vec!["db".to_owned()]));
}

#[test]
fn a_file_that_two_resources_watch_is_watched_until_both_are_off() {
    let mut script = Script::up(vec![with_images("one", &["app"]), with_images("two", &["app"])]);
    assert!(!script.send(switched("one", false)).contains("watch files"));
    let watched = script.send(switched("two", false));
    assert!(
        watched.contains(r#"watch files {"configs:(Tiltfile)": 1}"#),
        "{watched}"
    );
}

#[test]
fn another_trigger_mode_holds_until_the_next_load() {
    let mut script = Script::up(vec![in_mode(TriggerMode::ManualWithAutoInit)]);
    script.finish(1, deployed(&[("app", "t1")], &[]));
    script.edit(TargetId::image("app"), &["/src/app/a"]);
    let overridden = Event::TriggerModeOverridden {
        manifest: "web".into(),
        mode: TriggerMode::Auto,
    };
    let started = script.send(overridden);
    assert!(
        started.contains("1 File Changed"),
        "what waited is taken in: {started}"
    );
    assert_eq!(script.resource("web").trigger_mode, TriggerMode::Auto);
    script.finish(2, deployed(&[("app", "t2")], &[]));
    script.edit_tiltfile();
    script.load(vec![in_mode(TriggerMode::ManualWithAutoInit)]);
    assert_eq!(script.edit(TargetId::image("app"), &["/src/app/a"]), "");
}

#[test]
fn other_arguments_load_the_tiltfile_and_say_anew_what_runs() {
    let both = || vec![manifest("web"), manifest("db")];
    let only = |name: &str| LoadOutcome {
        enabled: std::iter::once(name.into()).collect(),
        ..loaded(both())
    };
    let mut script = Script::up(both());
    script.finish(1, deployed(&[], &[]));
    script.finish(2, deployed(&[], &[]));
    let args = |args: &[&str]| Event::ArgsChanged(args.iter().map(|arg| (*arg).to_owned()).collect());
    assert_eq!(script.send(args(&[])), "", "they are the same");
    insta::assert_snapshot!(script.send(args(&["web", "--fast"])), @r#"
    Info tiltfile:(Tiltfile):2 (starts an update) "Tilt Args\n"
    Info tiltfile:(Tiltfile):2 "Tiltfile args changed to: [web --fast]\n"
    load 2 as tiltfile:(Tiltfile):2 with ["web", "--fast"]
    "#);
    let enabled = |script: &Script| -> Vec<bool> {
        script
            .view()
            .resources
            .iter()
            .map(|resource| resource.enabled)
            .collect()
    };
    script.finish_load(broken("unknown flag"));
    assert_eq!(
        enabled(&script),
        [true, true],
        "a load that fails leaves all as it is"
    );
    script.edit_tiltfile();
    script.finish_load(only("web"));
    assert_eq!(
        enabled(&script),
        [true, false],
        "the next good one heeds the arguments"
    );
    script.send(switched("db", true));
    script.edit_tiltfile();
    script.finish_load(only("web"));
    assert_eq!(
        enabled(&script),
        [true, true],
        "what a user chose since then is kept"
    );
}

#[test]
fn other_arguments_pass_objects_from_what_is_off_or_gone_to_what_is_on() {
    let same_objects = || {
        k8s(manifest("new"), |k8s| {
            k8s.entities = vec![entity("Deployment", "web", "1")]
        })
    };
    let only = |name: &str, manifests: Vec<Manifest>| LoadOutcome {
        enabled: std::iter::once(name.into()).collect(),
        ..loaded(manifests)
    };
    for later in [vec![same_objects()], vec![manifest("web"), same_objects()]] {
        let mut script = Script::up(Vec::new());
        script.edit_tiltfile();
        script.finish_load(only("web", vec![manifest("web"), same_objects()]));
        script.finish(1, deployed(&[], &[object("Deployment", "web")]));
        script.send(Event::ArgsChanged(vec!["new".to_owned()]));
        let effects = script.finish_load(only("new", later));
        assert!(effects.contains("start build:2"), "{effects}");
        assert!(!effects.contains("delete"), "{effects}");
    }
}

#[test]
fn an_update_and_a_load_can_be_cancelled_by_their_span() {
    let mut script = Script::up(vec![manifest("web")]);
    assert_eq!(script.send(Event::CancelRequested("build:7".into())), "");
    assert_eq!(script.send(Event::CancelRequested("build:1".into())), "cancel 1");
    let ended = script.finish(1, failed("build canceled"));
    assert_eq!(ended, "Error build:1 \"Build Failed: build canceled\\n\"");
    script.edit_tiltfile();
    insta::assert_snapshot!(script.send(Event::CancelRequested("tiltfile:(Tiltfile):2".into())), @r#"
    cancel load 2
    Error tiltfile:(Tiltfile):2 "build canceled\n"
    "#);
    assert_eq!(script.load(Vec::new()), "", "its answer is not waited for");
    assert_eq!(script.resource("web").name.as_str(), "web");
}
