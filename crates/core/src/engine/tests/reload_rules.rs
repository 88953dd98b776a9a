//! Which edits of a Tiltfile update a resource, and which need no update.
//!
//! Rule: `docs/rules/images.md`, "What a reload makes new"; `docs/rules/sessions.md`, "Reloads".

use std::time::Duration;

use super::script::*;
use crate::engine::{Event, ServerStatus};
use crate::model::{
    Command, CustomBuild, DeployTarget, Ignore, ImageBuild, Link, LocalPath, LocalTarget, Manifest,
    OutputMode, PortForward, Registry, ServeId,
};
use crate::view::UpdateStatus;

type Edit<T> = fn(&mut T);

#[test]
fn ports_and_links_of_a_resource_need_no_update_and_what_it_is_made_of_does() {
    let rows: [(&str, Edit<Manifest>, bool); 13] = [
        (
            "what is left out of the context",
            |web| docker_of(web).context_ignores = vec![ignore("/src/app/doc")],
            true,
        ),
        (
            "the platform",
            |web| docker_of(web).options.platform = Some("linux/arm64".to_owned()),
            true,
        ),
        (
            "a secret of the build",
            |web| docker_of(web).options.secrets = vec!["id=key".to_owned()],
            true,
        ),
        (
            "what its containers run",
            |web| web.images[0].injection.command = Some(vec!["serve".to_owned()]),
            true,
        ),
        (
            "where it is pushed",
            |web| {
                web.images[0].registry = Some(Registry {
                    host: "localhost:1".to_owned(),
                    host_from_container_runtime: None,
                    single_name: None,
                })
            },
            true,
        ),
        (
            "a port",
            |web| {
                k8s_of(web).options.port_forwards = vec![PortForward {
                    local_port: 9000,
                    ..PortForward::default()
                }]
            },
            false,
        ),
        ("a link", |web| k8s_of(web).options.links = vec![link()], false),
        (
            "how long an object may take",
            |web| k8s_of(web).upsert_timeout = Duration::from_secs(9),
            true,
        ),
        (
            "which pods it claims",
            |web| k8s_of(web).extra_pod_selectors = vec![[("app".to_owned(), "x".to_owned())].into()],
            true,
        ),
        (
            "a build argument",
            |web| docker_of(web).build_args = vec!["a=b".to_owned()],
            true,
        ),
        (
            "the stage that is built",
            |web| docker_of(web).stage = Some("test".to_owned()),
            true,
        ),
        (
            "the context",
            |web| docker_of(web).context = LocalPath::new("/elsewhere"),
            true,
        ),
        (
            "what the image is watched for",
            |web| web.images[0].watched.push(LocalPath::new("/more")),
            true,
        ),
    ];
    for (what, edit, is_updated) in rows {
        let mut script = Script::up(vec![with_images("web", &["app"])]);
        script.finish(1, deployed(&[("app", "t1")], &[]));
        script.edit_tiltfile();
        let mut web = with_images("web", &["app"]);
        edit(&mut web);
        let started = script.load(vec![web]);
        assert_eq!(
            started.contains("start build:2"),
            is_updated,
            "{what} changed: {started}"
        );
    }
}

#[test]
fn an_image_of_a_command_is_built_again_when_the_command_changed_and_not_for_what_is_watched() {
    let by_command = || {
        let mut web = with_images("web", &["app"]);
        web.images[0].build = ImageBuild::Custom(CustomBuild {
            command: command("make image"),
            deps: Some(vec![LocalPath::new("/src/app")]),
            output: OutputMode::LocalDocker,
            tag: None,
            image_ref_file: None,
            live_update_only: false,
        });
        web
    };
    let rows: [(&str, Edit<Manifest>, bool); 5] = [
        (
            "what it is watched for",
            |web| {
                custom_of(web).deps = Some(vec![LocalPath::new("/src/lib")]);
                web.images[0].watched = vec![LocalPath::new("/src/lib")];
            },
            false,
        ),
        (
            "the command",
            |web| custom_of(web).command = command("make all"),
            true,
        ),
        (
            "a variable",
            |web| custom_of(web).command.env = vec!["A=b".to_owned()],
            true,
        ),
        ("the tag", |web| custom_of(web).tag = Some("dev".to_owned()), true),
        (
            "where it leaves the image",
            |web| custom_of(web).output = OutputMode::Remote,
            true,
        ),
    ];
    for (what, edit, is_updated) in rows {
        let mut script = Script::up(vec![by_command()]);
        script.finish(1, deployed(&[("app", "t1")], &[]));
        script.edit_tiltfile();
        let mut web = by_command();
        edit(&mut web);
        let started = script.load(vec![web]);
        assert_eq!(
            started.contains("start build:2"),
            is_updated,
            "{what} changed: {started}"
        );
    }
}

#[test]
fn commands_of_a_local_resource_run_again_when_they_changed_and_not_for_what_is_watched_or_shown() {
    let rows: [(&str, Edit<LocalTarget>, bool); 8] = [
        (
            "what is watched",
            |local| local.deps = Some(vec![LocalPath::new("/src/in")]),
            false,
        ),
        ("a link", |local| local.links = vec![link()], false),
        (
            "the command",
            |local| local.update_cmd = Some(command("make all")),
            true,
        ),
        (
            "the server's command",
            |local| local.serve_cmd = command("serve all"),
            true,
        ),
        (
            "a variable",
            |local| local.serve_cmd.env = vec!["A=b".to_owned()],
            true,
        ),
        (
            "a directory",
            |local| local.serve_cmd.dir = Some(LocalPath::new("/x")),
            true,
        ),
        (
            "that it has no command any more",
            |local| local.update_cmd = None,
            true,
        ),
        ("whether it runs alone", |local| local.allow_parallel = true, true),
    ];
    for (what, edit, is_updated) in rows {
        let mut script = Script::up(vec![local("a", "make", "serve")]);
        script.finish(1, deployed(&[], &[]));
        let running = ServerStatus::Running {
            pid: 7,
            ready: true,
            fault: None,
        };
        script.send(Event::ServerChanged {
            serve: ServeId(1),
            status: running,
        });
        script.edit_tiltfile();
        let mut changed = local("a", "make", "serve");
        if let DeployTarget::Local(local) = &mut changed.deploy {
            edit(local);
        }
        let started = script.load(vec![changed]);
        assert_eq!(
            started.contains("start build:2"),
            is_updated,
            "{what} changed: {started}"
        );
        assert!(
            !started.contains("serve ["),
            "{what}: the server runs until the update has ended: {started}"
        );
        assert!(script.resource("a").server.is_some(), "{what}");
        assert_eq!(
            script.resource("a").history.len(),
            1,
            "{what}: what was is remembered"
        );
    }
}

#[test]
fn a_resource_of_another_kind_under_the_same_name_is_a_new_one() {
    let mut script = Script::up(vec![manifest("web")]);
    script.finish(1, deployed(&[], &[object("Deployment", "web")]));
    script.see(pod("web", "web-1", 1));
    script.edit_tiltfile();
    let to_local = script.load(vec![local("web", "make", "serve")]);
    assert!(
        to_local.contains(
            "delete of web in build:1 (garbage collecting removed Kubernetes objects): Deployment/web"
        ),
        "{to_local}"
    );
    assert!(
        to_local.contains("start build:2 \"Initial Build\": deploy local:web"),
        "{to_local}"
    );
    assert!(script.resource("web").history.is_empty() && script.resource("web").pod.is_none());
    let served = script.finish(2, deployed(&[], &[]));
    assert!(served.contains("serve [serve as localserve:1]"), "{served}");
    script.edit_tiltfile();
    let to_k8s = script.load(vec![manifest("web")]);
    assert!(to_k8s.contains("serve []"), "{to_k8s}");
}

#[test]
fn a_resource_that_leaves_and_comes_back_is_a_new_one() {
    let mut script = Script::up(vec![manifest("web"), manifest("db")]);
    script.finish(1, deployed(&[], &[]));
    script.finish(2, deployed(&[], &[]));
    script.edit_tiltfile();
    script.load(vec![manifest("db")]);
    script.edit_tiltfile();
    let started = script.load(vec![manifest("web"), manifest("db")]);
    assert!(
        started.ends_with("start build:3 \"Initial Build\": deploy k8s:web"),
        "{started}"
    );
}

#[test]
fn pods_and_history_outlive_a_reload_and_a_failed_one_too() {
    let mut script = Script::up(vec![manifest("web")]);
    script.finish(1, deployed(&[], &[object("Deployment", "web")]));
    script.see(pod("web", "web-1", 1));
    let before = script.resource("web");
    for outcome in [loaded(vec![manifest("web")]), broken("no")] {
        script.edit_tiltfile();
        script.finish_load(outcome);
        assert_eq!(script.resource("web"), before);
    }
    assert_eq!(script.view().tiltfile.update_status, UpdateStatus::Error);
}

#[test]
fn while_the_tiltfile_is_broken_edits_still_update_what_runs() {
    let mut script = Script::up(vec![with_images("web", &["app"])]);
    script.finish(1, deployed(&[("app", "t1")], &[]));
    script.edit_tiltfile();
    script.finish_load(broken("no"));
    let started = script.edit(crate::model::TargetId::image("app"), &["/src/app/a"]);
    assert!(
        started.contains("start build:2 \"1 File Changed: [app/a]\""),
        "{started}"
    );
}

fn k8s_of(manifest: &mut Manifest) -> &mut crate::model::K8sTarget {
    match &mut manifest.deploy {
        DeployTarget::K8s(k8s) => k8s,
        _ => panic!("it deploys to Kubernetes"),
    }
}

fn docker_of(manifest: &mut Manifest) -> &mut crate::model::DockerBuild {
    match &mut manifest.images[0].build {
        ImageBuild::Docker(docker) => docker,
        _ => panic!("it has a Dockerfile"),
    }
}

fn command(text: &str) -> Command {
    Command {
        argv: vec![text.to_owned()],
        ..Command::default()
    }
}

fn link() -> Link {
    Link::parse("http://localhost", "").expect("a URL")
}

fn custom_of(web: &mut Manifest) -> &mut CustomBuild {
    match &mut web.images[0].build {
        ImageBuild::Custom(build) => build,
        _ => panic!("a command builds it"),
    }
}

fn ignore(path: &str) -> Ignore {
    Ignore {
        base: LocalPath::new(path),
        patterns: Vec::new(),
    }
}
