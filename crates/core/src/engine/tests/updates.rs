//! What starts, when, with which steps.

use std::time::Duration;

use super::script::*;
use crate::engine::{ClusterStatus, Event, LoadOutcome, Mode, Transient, UpdateOutcome};
use crate::model::{
    Command, CustomBuild, ImageBuild, LocalPath, ManifestName, OnChange, OutputMode, TargetId, TriggerMode,
    TriggerReason, UpdateSettings,
};
use crate::view::UpdateStatus;

#[test]
fn a_session_begins_with_a_load_and_then_builds() {
    let mut script = Script::new(Mode::Up);
    insta::assert_snapshot!(script.send(Event::Started), @r#"
    watch files {"configs:(Tiltfile)": 1}
    Info tiltfile:(Tiltfile):1 (starts an update) "Initial Build\n"
    load 1 as tiltfile:(Tiltfile):1
    "#);
    insta::assert_snapshot!(script.load(vec![with_images("web", &["base", "app"])]), @r#"
    connect the cluster
    watch files {"configs:(Tiltfile)": 1, "image:app": 1, "image:base": 1}
    "#);
    insta::assert_snapshot!(script.send(Event::ClusterChanged(ClusterStatus::Connected)), @r#"
    watch cluster {"default"} []
    start build:1 "Initial Build": build base, build app and push, deploy k8s:web
    "#);
}

#[test]
fn what_a_command_writes_about_its_image_is_watched_for_nobody() {
    let mut script = Script::up(vec![with_images("web", &["app"])]);
    let mut made = with_images("made", &["by-command"]);
    made.images[0].build = ImageBuild::Custom(CustomBuild {
        command: Command::default(),
        deps: None,
        output: OutputMode::LocalDocker,
        tag: None,
        image_ref_file: Some(LocalPath::new("/src/out/ref")),
        live_update_only: false,
    });
    script.edit_tiltfile();
    let loaded = script.load(vec![with_images("web", &["app"]), made]);
    assert!(loaded.contains(r#"} but ["/src/out/ref"]"#), "{loaded}");
}

#[test]
fn ci_watches_no_files() {
    let mut script = Script::new(Mode::Ci {
        timeout_override: None,
        fail_fast: false,
    });
    script.send(Event::Started);
    insta::assert_snapshot!(script.load(vec![with_images("web", &["app"])]), @"connect the cluster");
}

#[test]
fn only_what_is_stale_and_what_is_built_on_it_is_built_again() {
    let mut script = Script::up(vec![with_images("web", &["base", "app"])]);
    script.finish(
        1,
        deployed(&[("base", "t1"), ("app", "t1")], &[object("Deployment", "web")]),
    );
    insta::assert_snapshot!(script.edit(TargetId::image("app"), &["/src/app/a.py"]), @r#"start build:2 "1 File Changed: [app/a.py]": reuse base:t1, build app and push, deploy k8s:web"#);
    script.finish(2, deployed(&[("app", "t2")], &[object("Deployment", "web")]));
    insta::assert_snapshot!(script.edit(TargetId::image("base"), &["/src/base/b", "/src/base/a"]), @r#"start build:3 "2 Files Changed: [base/a base/b]": build base, build app and push, deploy k8s:web"#);
}

#[test]
fn an_image_is_pushed_where_any_resource_deploys_it_and_a_mere_base_is_not() {
    let both = vec![
        with_images("web", &["base", "app"]),
        with_images("tool", &["base"]),
    ];
    for (manifests, expected) in [
        (both[..1].to_vec(), "build base, build app and push"),
        (both, "build base and push, build app and push"),
    ] {
        let mut script = Script::new(Mode::Up);
        script.send(Event::ClusterChanged(ClusterStatus::Connected));
        script.send(Event::Started);
        let started = script.load(manifests);
        assert!(started.contains(expected), "{started}");
    }
}

#[test]
fn at_most_five_files_are_named() {
    let mut script = Script::up(vec![with_images("web", &["app"])]);
    script.finish(1, deployed(&[("app", "t1")], &[]));
    let files = [
        "/src/app/1",
        "/src/app/2",
        "/src/app/3",
        "/src/app/4",
        "/src/app/5",
        "/elsewhere/6",
    ];
    let started = script.edit(TargetId::image("app"), &files);
    assert!(
        started.contains("6 Files Changed: [/elsewhere/6 app/1 app/2 app/3 app/4 ...]"),
        "{started}"
    );
}

#[test]
fn an_edit_during_a_build_leads_to_another_build_with_just_that_file() {
    let mut script = Script::up(vec![with_images("web", &["app"])]);
    script.finish(1, deployed(&[("app", "t1")], &[]));
    script.edit(TargetId::image("app"), &["/src/app/a"]);
    assert_eq!(script.edit(TargetId::image("app"), &["/src/app/b"]), "");
    let again = script.finish(2, deployed(&[("app", "t2")], &[]));
    assert!(
        again.contains("start build:3 \"1 File Changed: [app/b]\""),
        "{again}"
    );
}

#[test]
fn a_failed_build_is_told_and_not_tried_again_until_something_changes() {
    let mut script = Script::up(vec![with_images("web", &["base", "app"])]);
    script.finish(1, deployed(&[("base", "t1"), ("app", "t1")], &[]));
    script.edit(TargetId::image("base"), &["/src/base/a"]);
    insta::assert_snapshot!(script.finish(2, failed("ImageBuild: no space")), @r#"Error build:2 "Build Failed: ImageBuild: no space\n""#);
    assert_eq!(script.resource("web").update_status, UpdateStatus::Error);
    // What failed to build counts as stale, whatever is edited next.
    let again = script.edit(TargetId::image("app"), &["/src/app/a"]);
    assert!(again.contains("build base, build app"), "{again}");
}

#[test]
fn a_shared_image_is_built_once_and_deployed_by_both() {
    let both = vec![with_images("one", &["app"]), with_images("two", &["app"])];
    let mut script = Script::new(Mode::Up);
    script.send(Event::ClusterChanged(ClusterStatus::Connected));
    script.send(Event::Started);
    let started = script.load(both);
    assert!(
        started.contains("start build:1") && !started.contains("start build:2"),
        "{started}"
    );
    let hold = script.resource("two").hold.expect("two waits");
    assert_eq!(
        (hold.reason, hold.on),
        ("building-component", vec!["image:app".to_owned()])
    );
    let started = script.finish(1, deployed(&[("app", "t1")], &[]));
    assert!(
        started.contains("start build:2 \"Initial Build\": reuse app:t1, deploy k8s:two"),
        "{started}"
    );
    script.finish(2, deployed(&[], &[]));
    let started = script.edit(TargetId::image("app"), &["/src/app/a"]);
    assert!(
        started.contains("start build:3") && !started.contains("start build:4"),
        "{started}"
    );
    let started = script.finish(3, deployed(&[("app", "t2")], &[]));
    assert!(
        started.contains("start build:4 \"Dependency Updated\": reuse app:t2, deploy k8s:two"),
        "{started}"
    );
}

#[test]
fn first_updates_go_by_kind_and_then_by_definition() {
    let mut script = Script::new(Mode::Up);
    script.send(Event::ClusterChanged(ClusterStatus::Connected));
    script.send(Event::Started);
    let manifests = vec![
        with_images("image", &["app"]),
        manifest("yaml"),
        manifest("uncategorized"),
        manifest("more"),
    ];
    let started = script.load(manifests);
    assert!(
        started.ends_with("start build:1 \"Initial Build\": deploy k8s:uncategorized"),
        "{started}"
    );
    assert_eq!(
        script.resource("yaml").hold.map(|hold| hold.reason),
        Some("waiting-for-uncategorized")
    );
    insta::assert_snapshot!(script.finish(1, deployed(&[], &[])), @r#"
    start build:2 "Initial Build": deploy k8s:yaml
    start build:3 "Initial Build": deploy k8s:more
    start build:4 "Initial Build": build app and push, deploy k8s:image
    "#);
}

#[test]
fn no_more_updates_run_at_once_than_are_allowed() {
    let mut script = Script::new(Mode::Up);
    script.send(Event::ClusterChanged(ClusterStatus::Connected));
    script.send(Event::Started);
    let settings = UpdateSettings {
        max_parallel_updates: 1,
        ..UpdateSettings::default()
    };
    let outcome = LoadOutcome {
        update_settings: settings,
        ..loaded(vec![manifest("a"), manifest("b")])
    };
    let started = script.finish_load(outcome);
    assert!(
        started.contains("k8s:a") && !started.contains("k8s:b"),
        "{started}"
    );
    assert!(script.finish(1, deployed(&[], &[])).contains("k8s:b"));
}

#[test]
fn the_earliest_change_goes_first() {
    let manifests = vec![
        with_images("a", &["x"]),
        with_images("b", &["y"]),
        with_images("c", &["z"]),
    ];
    let mut script = Script::new(Mode::Up);
    script.send(Event::ClusterChanged(ClusterStatus::Connected));
    script.send(Event::Started);
    let settings = UpdateSettings {
        max_parallel_updates: 1,
        ..UpdateSettings::default()
    };
    script.finish_load(LoadOutcome {
        update_settings: settings,
        ..loaded(manifests)
    });
    for (build, image) in [(1, "x"), (2, "y"), (3, "z")] {
        script.finish(build, deployed(&[(image, "t1")], &[]));
    }
    script.edit(TargetId::image("y"), &["/src/y/1"]);
    script.edit(TargetId::image("z"), &["/src/z/1"]);
    script.edit(TargetId::image("x"), &["/src/x/1"]);
    assert!(
        script
            .finish(4, deployed(&[("y", "t2")], &[]))
            .contains("deploy k8s:c")
    );
    assert!(
        script
            .finish(5, deployed(&[("z", "t2")], &[]))
            .contains("deploy k8s:a")
    );
}

#[test]
fn a_first_update_waits_for_what_it_depends_on_and_a_later_one_does_not() {
    let mut web = with_images("web", &["app"]);
    web.resource_deps = vec![ManifestName::from("db")];
    let mut script = Script::up(vec![web, manifest("db")]);
    let hold = script.resource("web").hold.expect("web waits");
    assert_eq!((hold.reason, hold.on), ("waiting-for-dep", vec!["db".to_owned()]));
    script.finish(1, deployed(&[], &[object("Deployment", "db")]));
    assert!(script.resource("web").hold.is_some(), "deployed is not ready");
    let started = script.see(pod("db", "db-1", 1));
    assert!(started.contains("deploy k8s:web"), "{started}");
    script.finish(2, deployed(&[("app", "t1")], &[]));
    script.send(Event::PodGone("pod-db-1".into()));
    assert!(
        script
            .edit(TargetId::image("app"), &["/src/app/a"])
            .contains("start build:3")
    );
}

#[test]
fn the_trigger_mode_says_what_starts_an_update() {
    let rows = [
        (TriggerMode::Auto, true, true),
        (TriggerMode::ManualWithAutoInit, true, false),
        (TriggerMode::Manual, false, false),
        (TriggerMode::AutoWithManualInit, false, true),
    ];
    for (mode, at_start, on_change) in rows {
        let mut web = with_images("web", &["app"]);
        web.trigger_mode = mode;
        let mut script = Script::new(Mode::Up);
        script.send(Event::ClusterChanged(ClusterStatus::Connected));
        script.send(Event::Started);
        assert_eq!(
            script.load(vec![web]).contains("start build:1"),
            at_start,
            "{mode:?} at start"
        );
        script.finish(1, deployed(&[("app", "t1")], &[]));
        let started = script.edit(TargetId::image("app"), &["/src/app/a"]);
        assert_eq!(
            started.contains("1 File Changed"),
            on_change,
            "{mode:?} on a change"
        );
    }
}

#[test]
fn a_kubeconfig_that_changes_is_looked_at_and_rebuilds_nothing() {
    let mut script = Script::with_kubeconfig(Mode::Up, vec![LocalPath::new("/home/kubeconfig")]);
    script.send(Event::ClusterChanged(ClusterStatus::Connected));
    script.send(Event::Started);
    let started = script.load(vec![manifest("web")]);
    assert!(started.contains("\"configs:(kubeconfig)\": 1"), "{started}");
    script.finish(1, deployed(&[], &[]));
    let files = ["/home/kubeconfig", "/home/kubeconfig.lock"];
    assert_eq!(
        script.edit(TargetId::kubeconfig(), &files),
        "check the kubeconfig"
    );
}

#[test]
fn a_disabled_resource_is_neither_built_nor_watched() {
    let mut script = Script::new(Mode::Up);
    script.send(Event::ClusterChanged(ClusterStatus::Connected));
    script.send(Event::Started);
    let mut outcome = loaded(vec![with_images("web", &["app"])]);
    outcome.enabled.clear();
    assert_eq!(
        script.finish_load(outcome),
        "",
        "only the Tiltfile is watched, as before"
    );
    assert_eq!(script.resource("web").update_status, UpdateStatus::None);
}

#[test]
fn nothing_starts_while_the_cluster_cannot_be_reached() {
    let mut script = Script::new(Mode::Up);
    script.send(Event::Started);
    script.load(vec![manifest("web")]);
    assert_eq!(
        script.resource("web").hold.map(|hold| hold.reason),
        Some("waiting-for-cluster")
    );
    let failed = ClusterStatus::Failed("connection refused".to_owned());
    insta::assert_snapshot!(script.send(Event::ClusterChanged(failed)), @r#"Error - "Cluster status error: connection refused\n""#);
}

#[test]
fn what_is_wrong_with_the_cluster_is_told_once_a_resource_needs_it() {
    let failed = || ClusterStatus::Failed("connection refused".to_owned());
    let mut script = Script::new(Mode::Up);
    script.send(Event::Started);
    let mut idle = manifest("idle");
    idle.trigger_mode = TriggerMode::new(OnChange::Update, false);
    script.load(vec![idle]);
    assert_eq!(script.send(Event::ClusterChanged(failed())), "");
    script.edit_tiltfile();
    let told = script.load(vec![manifest("web")]);
    assert!(
        told.contains("Cluster status error: connection refused"),
        "{told}"
    );
    assert_eq!(script.send(Event::ClusterChanged(failed())), "", "once");
    let back = script.send(Event::ClusterChanged(ClusterStatus::Connected));
    assert!(back.contains("The cluster answers again"), "{back}");
}

#[test]
fn an_answer_that_is_not_waited_for_changes_nothing() {
    let mut script = Script::up(vec![manifest("web")]);
    let before = script.view();
    assert_eq!(script.finish(7, failed("late")), "");
    let late = Event::TiltfileLoaded {
        load: crate::model::LoadId(9),
        outcome: Box::new(broken("late")),
    };
    assert_eq!(script.send(late), "");
    assert_eq!(script.view().resources, before.resources);
}

#[test]
fn a_wish_to_stop_cancels_what_runs_and_ends_everything() {
    let mut script = Script::up(vec![manifest("web")]);
    insta::assert_snapshot!(script.send(Event::StopRequested), @r"
    cancel 1
    exit Stopped
    ");
    assert_eq!(script.finish(1, failed("build canceled")), "");
    assert_eq!(script.wakes_in(), None);
}

#[test]
fn paths_are_shown_relative_to_the_working_directory() {
    let files = [LocalPath::new("/src/a/b"), LocalPath::new("/elsewhere/c")];
    let line = crate::engine::file_names::files_changed_line(&LocalPath::new("/src"), &files);
    assert_eq!(line, "2 Files Changed: [a/b /elsewhere/c]");
}

fn unreachable() -> UpdateOutcome {
    UpdateOutcome {
        transient: Some(Transient::Unreachable),
        ..failed("connection refused")
    }
}

fn killed() -> UpdateOutcome {
    UpdateOutcome {
        transient: Some(Transient::Killed),
        ..failed("signal: killed")
    }
}

#[test]
fn an_update_that_could_not_reach_something_is_tried_again_with_pauses_that_grow() {
    let mut script = Script::up(vec![manifest("web")]);
    for (number, pause) in [(1, 1), (2, 2), (3, 4), (4, 4)] {
        let failed = script.finish(number, unreachable());
        assert!(failed.contains(&format!("Trying again in {pause}s")), "{failed}");
        assert_eq!(
            script.resource("web").hold.map(|hold| hold.reason),
            Some("waiting-for-retry")
        );
        let pause = Duration::from_secs(pause);
        assert_eq!(script.wakes_in(), Some(pause));
        let again = script.pass(pause);
        assert!(again.contains("Initial Build"), "{again}");
    }
    script.finish(5, deployed(&[], &[object("Deployment", "web")]));
    assert_eq!(script.wakes_in(), None);
}

#[test]
fn an_update_whose_program_is_killed_again_and_again_is_tried_so_often_and_then_not_until_something_changes()
{
    let mut script = Script::up(vec![with_images("web", &["web"])]);
    for (number, pause) in (1..).zip([1, 2, 4, 4, 4, 4, 4]) {
        let told = script.finish(number, killed());
        assert!(told.contains(&format!("Trying again in {pause}s")), "{told}");
        assert!(!told.contains("look out"), "nothing is away: {told}");
        let again = script.pass(Duration::from_secs(pause));
        assert!(again.contains("Initial Build"), "{again}");
    }
    let told = script.finish(8, killed());
    assert!(!told.contains("Trying again"), "{told}");
    assert_eq!(script.wakes_in(), None);
    let edited = script.edit(TargetId::image("web"), &["/src/a"]);
    assert!(edited.contains("1 File Changed"), "{edited}");
    let told = script.finish(9, killed());
    assert!(
        told.contains("Trying again in 1s"),
        "what is new begins anew: {told}"
    );
}

#[test]
fn what_answers_again_is_used_at_once() {
    let mut script = Script::up(vec![manifest("web")]);
    for number in 1..=4 {
        script.finish(number, unreachable());
        let again = script.send(Event::CameBack);
        assert!(again.contains("Initial Build"), "{again}");
    }
    script.finish(5, deployed(&[], &[object("Deployment", "web")]));
    assert_eq!(script.send(Event::CameBack), "");
}

#[test]
fn an_edit_does_not_wait_for_the_next_attempt() {
    let mut script = Script::up(vec![with_images("web", &["web"])]);
    script.finish(1, unreachable());
    let started = script.edit(TargetId::image("web"), &["/src/a"]);
    assert!(started.contains("1 File Changed"), "{started}");
}

#[test]
fn what_a_user_asked_for_is_tried_again_as_it_was_asked_for() {
    let mut script = Script::up(vec![with_images("web", &["web"])]);
    script.finish(1, deployed(&[("web", "t1")], &[object("Deployment", "web")]));
    let ask = || Event::Triggered {
        manifest: ManifestName::from("web"),
        reason: TriggerReason::Cli,
    };
    let is_forced = |effects: &str| effects.contains("force, ");
    assert!(is_forced(&script.send(ask())));
    script.finish(2, unreachable());
    assert_eq!(script.pass(Duration::from_millis(900)), "");
    // Who asks again need not wait.
    assert!(is_forced(&script.send(ask())));
    script.finish(3, unreachable());
    assert!(is_forced(&script.pass(Duration::from_secs(2))));
}
