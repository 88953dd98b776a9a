//! What an edit of the Tiltfile changes, and what it leaves alone.

use super::script::*;
use crate::engine::{Effect, Event, LoadOutcome, Mode};
use crate::model::{
    Command, CustomDeploy, DiscoveryStrategy, Ignore, LoadId, LocalPath, PodReadiness, TargetId, TriggerMode,
};
use crate::view::UpdateStatus;

#[test]
fn what_a_load_was_told_to_pass_over_holds_also_when_it_fails() {
    let ignore = |name: &str| Ignore {
        base: LocalPath::new("/src"),
        patterns: vec![name.to_owned()],
    };
    let ignores_after = |outcome: LoadOutcome, script: &mut Script| {
        let load = LoadId(script.begin_load());
        let effects = script.effects(Event::TiltfileLoaded {
            load,
            outcome: Box::new(outcome),
        });
        let mut watched = effects.into_iter().filter_map(|effect| match effect {
            Effect::WatchFiles(set) => Some(set.ignores),
            _ => None,
        });
        watched.next().expect("files are watched")
    };
    let failing = |ignores: &[&str]| LoadOutcome {
        watch_ignores: ignores.iter().map(|name| ignore(name)).collect(),
        ..broken("no")
    };
    let mut script = Script::new(Mode::Up);
    script.send(Event::Started);
    assert_eq!(ignores_after(failing(&["a"]), &mut script), [ignore("a")]);
    script.edit_tiltfile();
    let both = [ignore("a"), ignore("b")];
    assert_eq!(ignores_after(failing(&["a", "b"]), &mut script), both);
    script.edit_tiltfile();
    let good = LoadOutcome {
        watch_ignores: vec![ignore("c")],
        ..loaded(vec![manifest("web")])
    };
    assert_eq!(ignores_after(good, &mut script), [ignore("c")]);
}

#[test]
fn a_change_of_the_tiltfile_holds_updates_until_it_is_loaded() {
    let mut script = Script::up(vec![with_images("web", &["app"])]);
    script.finish(1, deployed(&[("app", "t1")], &[]));
    insta::assert_snapshot!(script.edit_tiltfile(), @r#"
    Info tiltfile:(Tiltfile):2 (starts an update) "1 File Changed: [Tiltfile]\n"
    load 2 as tiltfile:(Tiltfile):2
    "#);
    assert_eq!(script.edit(TargetId::image("app"), &["/src/app/a"]), "");
    assert_eq!(
        script.resource("web").hold.map(|hold| hold.reason),
        Some("tiltfile-reload")
    );
    insta::assert_snapshot!(script.load(vec![with_images("web", &["app"])]), @r#"start build:2 "1 File Changed: [app/a]": build app and push, deploy k8s:web"#);
}

#[test]
fn a_change_during_a_load_leads_to_another_load() {
    let mut script = Script::up(vec![manifest("web")]);
    script.finish(1, deployed(&[], &[]));
    script.edit_tiltfile();
    assert_eq!(script.edit(TargetId::configs(), &["/src/web.yaml"]), "");
    insta::assert_snapshot!(script.load(vec![manifest("web")]), @r#"
    Info tiltfile:(Tiltfile):3 (starts an update) "1 File Changed: [web.yaml]\n"
    load 3 as tiltfile:(Tiltfile):3
    "#);
}

#[test]
fn a_failed_load_keeps_what_runs_and_watches_what_it_read() {
    let mut script = Script::up(vec![manifest("web")]);
    script.finish(1, deployed(&[], &[object("Deployment", "web")]));
    script.edit_tiltfile();
    let mut outcome = broken("/src/Tiltfile:3:6: got identifier");
    outcome.config_files.push(LocalPath::new("/src/lib"));
    insta::assert_snapshot!(script.finish_load(outcome), @r#"watch files {"configs:(Tiltfile)": 2}"#);
    let view = script.view();
    assert_eq!(
        (view.resources.len(), view.tiltfile.update_status),
        (1, UpdateStatus::Error)
    );
    script.edit_tiltfile();
    let healed = script.load(vec![manifest("web")]);
    assert!(
        !healed.contains("start"),
        "going back to what was there builds nothing: {healed}"
    );
}

#[test]
fn what_an_update_would_do_differently_is_deployed_again() {
    type Change = fn() -> crate::model::Manifest;
    let rows: [(&str, Change, bool); 11] = [
        ("nothing", || with_images("web", &["app"]), false),
        (
            "its YAML",
            || {
                k8s(with_images("web", &["app"]), |k8s| {
                    k8s.entities[0] = entity("Deployment", "web", "2")
                })
            },
            true,
        ),
        (
            "where its YAML stands",
            || {
                k8s(with_images("web", &["app"]), |k8s| {
                    k8s.entities[0].origin.line = 7
                })
            },
            false,
        ),
        (
            "its readiness",
            || {
                k8s(with_images("web", &["app"]), |k8s| {
                    k8s.readiness = PodReadiness::Ignore
                })
            },
            true,
        ),
        (
            "its Dockerfile",
            || {
                let mut web = with_images("web", &["app"]);
                if let crate::model::ImageBuild::Docker(docker) = &mut web.images[0].build {
                    docker.dockerfile_contents.push_str("\nRUN x");
                }
                web
            },
            true,
        ),
        (
            "its trigger mode",
            || {
                let mut web = with_images("web", &["app"]);
                web.trigger_mode = TriggerMode::ManualWithAutoInit;
                web
            },
            false,
        ),
        (
            "its dependencies",
            || {
                let mut web = with_images("web", &["app"]);
                web.resource_deps = vec!["db".into()];
                web
            },
            false,
        ),
        (
            "how its pods are found",
            || {
                k8s(with_images("web", &["app"]), |k8s| {
                    k8s.options.discovery_strategy = Some(DiscoveryStrategy::SelectorsOnly)
                })
            },
            false,
        ),
        (
            "the command that deploys it",
            || {
                k8s(with_images("web", &["app"]), |k8s| {
                    k8s.options.custom_deploy = Some(CustomDeploy {
                        apply: Command::default(),
                        delete: Command::default(),
                        deps: Vec::new(),
                        watch_ignores: Vec::new(),
                    })
                })
            },
            true,
        ),
        (
            "where Docker may find layers",
            || {
                let mut web = with_images("web", &["app"]);
                let crate::model::ImageBuild::Docker(docker) = &mut web.images[0].build else {
                    return web;
                };
                docker.options.cache_from.push("cache".to_owned());
                web
            },
            false,
        ),
        (
            "its labels",
            || {
                let mut web = with_images("web", &["app"]);
                web.labels.insert("front".to_owned());
                web
            },
            false,
        ),
    ];
    for (what, change, is_deployed) in rows {
        let mut script = Script::up(vec![with_images("web", &["app"])]);
        script.finish(1, deployed(&[("app", "t1")], &[]));
        script.edit_tiltfile();
        let started = script.load(vec![change()]);
        let expected = r#"start build:2 "1 File Changed: [Tiltfile]": build app and push, deploy k8s:web"#;
        assert_eq!(
            started.contains(expected),
            is_deployed,
            "{what} changed: {started}"
        );
        assert_eq!(
            started.contains("start build"),
            is_deployed,
            "{what} changed: {started}"
        );
    }
}

#[test]
fn what_was_built_from_an_old_definition_is_built_again() {
    let mut script = Script::up(vec![with_images("web", &["app"])]);
    script.edit_tiltfile();
    let mut changed = with_images("web", &["app"]);
    changed.images[0].watched.push(LocalPath::new("/src/more"));
    script.load(vec![changed]);
    let started = script.finish(1, deployed(&[("app", "old")], &[]));
    assert!(started.contains("build app"), "{started}");
}

#[test]
fn a_resource_that_is_gone_takes_its_objects_with_it() {
    let mut script = Script::up(vec![manifest("web"), manifest("db")]);
    script.finish(
        1,
        deployed(
            &[],
            &[
                object("Service", "web"),
                object("Deployment", "web"),
                object("ConfigMap", "web"),
            ],
        ),
    );
    script.finish(2, deployed(&[], &[object("Deployment", "db")]));
    script.see(pod("web", "web-1", 1));
    script.edit_tiltfile();
    insta::assert_snapshot!(script.load(vec![manifest("db")]), @r#"
    delete of web in build:1 (garbage collecting removed Kubernetes objects): Deployment/web Service/web ConfigMap/web
    watch cluster {"default"} ["deployment-db"]
    read logs []
    "#);
}

#[test]
fn the_update_of_a_resource_that_is_gone_is_cancelled_first() {
    let mut script = Script::up(vec![manifest("web"), manifest("db")]);
    script.edit_tiltfile();
    insta::assert_snapshot!(script.load(vec![manifest("db")]), @"cancel 1");
    let mut outcome = failed("build canceled");
    outcome.applied = vec![object("Deployment", "web")];
    insta::assert_snapshot!(script.finish(1, outcome), @"delete of web in build:1 (garbage collecting removed Kubernetes objects): Deployment/web");
}

#[test]
fn a_resource_that_comes_back_waits_for_the_end_of_its_cancelled_update() {
    let mut script = Script::up(vec![manifest("web"), manifest("db")]);
    script.edit_tiltfile();
    script.load(vec![manifest("db")]);
    script.edit_tiltfile();
    assert_eq!(script.load(vec![manifest("web"), manifest("db")]), "");
    let mut outcome = failed("build canceled");
    outcome.applied = vec![object("Deployment", "web")];
    // Its objects are wanted again: they are not deleted.
    let started = script.finish(1, outcome);
    assert!(
        started.contains("start build:3") && !started.contains("delete"),
        "{started}"
    );
}

#[test]
fn a_resource_that_is_new_is_built_and_the_others_are_not() {
    let mut script = Script::up(vec![manifest("web")]);
    script.finish(1, deployed(&[], &[]));
    script.edit_tiltfile();
    insta::assert_snapshot!(script.load(vec![manifest("new"), manifest("web")]), @r#"start build:2 "Initial Build": deploy k8s:new"#);
    let names: Vec<String> = script
        .view()
        .resources
        .iter()
        .map(|resource| resource.name.to_string())
        .collect();
    assert_eq!(names, ["new", "web"]);
}

#[test]
fn what_was_switched_off_stays_off() {
    let mut script = Script::new(crate::engine::Mode::Up);
    script.send(Event::Started);
    let mut outcome = loaded(vec![manifest("web")]);
    outcome.enabled.clear();
    script.finish_load(outcome);
    script.edit_tiltfile();
    script.load(vec![manifest("web"), manifest("new")]);
    assert!(!script.resource("web").enabled && script.resource("new").enabled);
}

/// A live update that copies everything.
fn live_update() -> crate::model::LiveUpdate {
    crate::model::LiveUpdate {
        base: LocalPath::new("/src"),
        initial_sync: false,
        stop_paths: Vec::new(),
        syncs: vec![crate::model::Sync {
            source: LocalPath::new("/src/app"),
            destination: "/app".to_owned(),
        }],
        execs: Vec::new(),
        restart: false,
        container: None,
    }
}

#[test]
fn an_image_that_is_only_updated_in_place_is_never_built() {
    let mut web = with_images("web", &["app"]);
    web.images[0].live_update = Some(live_update());
    web.images[0].build = crate::model::ImageBuild::Custom(crate::model::CustomBuild {
        command: crate::model::Command::default(),
        deps: None,
        output: crate::model::OutputMode::Remote,
        tag: None,
        image_ref_file: None,
        live_update_only: true,
    });
    let web = k8s(web, |target| target.images.clear());
    let mut script = Script::new(crate::engine::Mode::Up);
    script.send(Event::ClusterChanged(crate::engine::ClusterStatus::Connected));
    script.send(Event::Started);
    let started = script.load(vec![web]);
    assert!(started.contains("deploy k8s:web"), "{started}");
    assert!(!started.contains("build app"), "{started}");
}
