//! Stock kubectl as a client of a session's API. It must be on the path.
#![allow(clippy::disallowed_methods, reason = "these tests run a program")]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use crate::sessions::Session;

const BUTTON: &str = "apiVersion: tilt.dev/v1alpha1\nkind: UIButton\nmetadata: {name: go}\nspec:\n  text: Go\n  location: \
                      {componentID: web, componentType: Resource}\n";

fn session() -> Session {
    let session = Session::start(&[("Tiltfile", "local_resource('web', 'true', labels=['front'])\n")]);
    session.wait("uiresource/web", ".status.updateStatus", "ok");
    session
}

/// Runs kubectl; returns what it printed, and whether it succeeded.
fn run(session: &Session, args: &[&str], stdin: &str) -> (String, bool) {
    let mut child = session
        .kubectl()
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("kubectl is on the path");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(stdin.as_bytes()).expect("it reads");
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).trim_end().to_owned();
    (text, output.status.success())
}

#[track_caller]
fn ok(session: &Session, args: &[&str]) -> String {
    ok_with(session, args, "")
}

#[track_caller]
fn ok_with(session: &Session, args: &[&str], stdin: &str) -> String {
    let (text, succeeded) = run(session, args, stdin);
    assert!(succeeded, "kubectl {args:?}: {text}");
    text
}

#[test]
fn it_gets_objects_in_every_format() {
    let session = session();
    let get = |format: &str| ok(&session, &["get", "uiresource", "web", "-o", format]);
    assert_eq!(get("name"), "uiresource.tilt.dev/web");
    assert_eq!(get("jsonpath={.status.updateStatus}"), "ok");
    assert_eq!(get("go-template={{.status.updateStatus}}"), "ok");
    assert_eq!(
        get("custom-columns=N:.metadata.name,U:.status.updateStatus"),
        "N     U\nweb   ok"
    );
    assert!(get("json").contains("\"updateStatus\": \"ok\""));
    assert!(get("yaml").contains("updateStatus: ok"));
    assert!(get("wide").contains("web"));
    let table = ok(&session, &["get", "uiresources"]);
    let rows: Vec<&str> = table
        .lines()
        .map(|line| line.split(' ').next().unwrap_or_default())
        .collect();
    assert_eq!(rows, ["NAME", "(Tiltfile)", "web"]);
    assert_eq!(
        ok(&session, &["get", "uiresource", "-l", "front", "-o", "name"]),
        "uiresource.tilt.dev/web"
    );
    assert_eq!(
        ok(
            &session,
            &[
                "get",
                "cm",
                "--field-selector",
                "metadata.name=web-disable",
                "-o",
                "name"
            ]
        ),
        "configmap.tilt.dev/web-disable"
    );
    let (missing, succeeded) = run(&session, &["get", "cmd", "none"], "");
    assert!(!succeeded);
    assert_eq!(
        missing,
        "Error from server (NotFound): cmds.tilt.dev \"none\" not found"
    );
}

#[test]
fn it_describes_and_explains() {
    let session = session();
    let described = ok(&session, &["describe", "cmd", "web:update"]);
    assert!(described.contains("Exit Code:"), "{described}");
    let explained = ok(&session, &["explain", "cmd.spec.startOn", "--recursive"]);
    assert!(explained.contains("uiButtons"), "{explained}");
    for kind in [
        "uibutton",
        "filewatch",
        "kubernetesapply",
        "liveupdate",
        "session",
    ] {
        ok(&session, &["explain", kind, "--recursive"]);
    }
    let kinds = ok(
        &session,
        &["api-resources", "--api-group=tilt.dev", "--no-headers"],
    );
    assert_eq!(kinds.lines().count(), 22, "{kinds}");
}

#[test]
fn explain_says_what_kubectl_says_of_the_same_session() {
    let session = session();
    let fields = [
        "uiresource.status.conditions",
        "cmd.spec",
        "cmd.spec.args",
        "cmd.spec.readinessProbe.httpGet",
        "cmd.metadata.labels",
        "cm.data",
        "kd.spec.watches",
    ];
    let kinds = tilt::api::KINDS.iter().map(|kind| kind.plural);
    for what in kinds.chain(fields) {
        for more in [&[][..], &["--recursive"]] {
            let words = [&["explain", what], more].concat();
            assert_eq!(session.ok(&words), ok(&session, &words), "{words:?}");
        }
    }
}

#[test]
fn it_applies_edits_patches_labels_annotates_and_deletes() {
    let session = session();
    let apply = |args: &[&str], text: &str| {
        let all = [&["apply", "-f", "-"], args].concat();
        ok_with(&session, &all, text)
    };
    assert_eq!(apply(&[], BUTTON), "uibutton.tilt.dev/go created");
    assert_eq!(apply(&[], BUTTON), "uibutton.tilt.dev/go unchanged");
    let other = BUTTON.replace("text: Go", "text: Run");
    assert_eq!(apply(&[], &other), "uibutton.tilt.dev/go configured");
    let new = BUTTON.replace("name: go", "name: other");
    assert_eq!(
        apply(&["--server-side"], &new),
        "uibutton.tilt.dev/other serverside-applied"
    );
    let text = |name: &str| {
        ok(
            &session,
            &["get", "uibutton", name, "-o", "jsonpath={.spec.text}"],
        )
    };
    assert_eq!(text("go"), "Run");
    for (kind, patch, expected) in [
        ("merge", "{\"spec\":{\"text\":\"M\"}}", "M"),
        ("strategic", "{\"spec\":{\"text\":\"S\"}}", "S"),
        (
            "json",
            "[{\"op\":\"replace\",\"path\":\"/spec/text\",\"value\":\"J\"}]",
            "J",
        ),
    ] {
        assert_eq!(
            ok(
                &session,
                &["patch", "uibutton", "go", "--type", kind, "-p", patch]
            ),
            "uibutton.tilt.dev/go patched"
        );
        assert_eq!(text("go"), expected);
    }
    assert_eq!(
        ok(&session, &["label", "uibutton", "go", "a=b"]),
        "uibutton.tilt.dev/go labeled"
    );
    assert_eq!(
        ok(&session, &["annotate", "uibutton", "go", "a=b"]),
        "uibutton.tilt.dev/go annotated"
    );
    let editor = session.folder.path("editor.sh");
    std::fs::write(&editor, "#!/bin/sh\nsed -i 's/text: J/text: E/' \"$1\"\n").expect("a file");
    std::fs::set_permissions(&editor, std::fs::Permissions::from_mode(0o755)).expect("it is ours");
    let edited = session
        .kubectl()
        .args(["edit", "uibutton", "go"])
        .env("KUBE_EDITOR", &editor)
        .output()
        .expect("kubectl is on the path");
    assert_eq!(
        String::from_utf8_lossy(&edited.stdout).trim_end(),
        "uibutton.tilt.dev/go edited"
    );
    assert_eq!(text("go"), "E");
    let (refused, succeeded) = run(
        &session,
        &[
            "patch",
            "uibutton",
            "go",
            "--type=merge",
            "-p",
            "{\"spec\":{\"text\":\"\"}}",
        ],
        "",
    );
    assert!(!succeeded);
    assert!(
        refused.contains("spec.text: Required value: Button text cannot be empty"),
        "{refused}"
    );
    assert_eq!(
        ok(&session, &["delete", "uibutton", "go", "other"]),
        "uibutton.tilt.dev \"go\" deleted\nuibutton.tilt.dev \"other\" deleted"
    );
}

#[test]
fn it_waits_and_watches() {
    let session = session();
    assert_eq!(
        ok(
            &session,
            &["wait", "--for=condition=Ready", "uiresource/web", "--timeout=60s"]
        ),
        "uiresource.tilt.dev/web condition met"
    );
    let mut watching = session
        .kubectl()
        .args(["get", "uibutton", "-w", "-o", "name"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("kubectl is on the path");
    let mut lines = BufReader::new(watching.stdout.take().expect("a pipe")).lines();
    let mut until = |name: &str| {
        let line = lines.by_ref().map_while(Result::ok).find(|line| line == name);
        assert_eq!(line.as_deref(), Some(name));
    };
    until("uibutton.tilt.dev/toggle-web-disable");
    ok_with(&session, &["create", "-f", "-"], BUTTON);
    until("uibutton.tilt.dev/go");
    watching.kill().expect("it lives");
    watching.wait().expect("it ends");
    assert_eq!(
        ok(
            &session,
            &["wait", "--for=jsonpath={.spec.text}=Go", "uibutton/go"]
        ),
        "uibutton.tilt.dev/go condition met"
    );
    ok(&session, &["delete", "uibutton", "go"]);
    ok(
        &session,
        &["wait", "--for=delete", "uibutton/go", "--timeout=60s"],
    );
}

#[test]
fn conflicts_of_what_it_applies_are_told_and_can_be_forced() {
    let session = session();
    ok_with(&session, &["apply", "--server-side", "-f", "-"], BUTTON);
    let other = BUTTON.replace("text: Go", "text: Stop");
    let apply = ["apply", "--server-side", "--field-manager=me", "-f", "-"];
    let (refused, succeeded) = run(&session, &apply, &other);
    assert!(!succeeded);
    assert!(
        refused.contains("Apply failed with 1 conflict: conflict with \"kubectl\": .spec.text"),
        "{refused}"
    );
    ok_with(&session, &[&apply[..], &["--force-conflicts"]].concat(), &other);
    let managers = [
        "get",
        "uibutton",
        "go",
        "--show-managed-fields",
        "-o",
        "jsonpath={.metadata.managedFields[*].manager}",
    ];
    assert_eq!(ok(&session, &managers), "kubectl me");
    assert_eq!(
        ok(
            &session,
            &["get", "uibutton", "go", "-o", "jsonpath={.spec.text}"]
        ),
        "Stop"
    );
}

#[test]
fn a_watch_says_when_all_that_there_was_has_been_told() {
    let session = session();
    let path = "/apis/tilt.dev/v1alpha1/uiresources?watch=true&sendInitialEvents=true&allowWatchBookmarks=true\
                &resourceVersionMatch=NotOlderThan";
    let mut watching = session
        .kubectl()
        .args(["get", "--raw", path])
        .stdout(Stdio::piped())
        .spawn()
        .expect("kubectl is on the path");
    let lines = BufReader::new(watching.stdout.take().expect("a pipe"))
        .lines()
        .map_while(Result::ok);
    let is_end = |line: &String| line.contains("\"k8s.io/initial-events-end\":\"true\"");
    let mut before = Vec::new();
    for line in lines {
        if is_end(&line) {
            break;
        }
        before.push(line);
    }
    watching.kill().expect("it lives");
    watching.wait().expect("it ends");
    assert_eq!(before.len(), 2, "{before:?}");
    assert!(before.iter().all(|line| line.contains("ADDED")), "{before:?}");
}

#[test]
fn objects_say_what_tilts_objects_say() {
    let session = session();
    let rows = [
        (
            "uiresource",
            "web",
            "{.metadata.annotations}",
            "{\"tilt.dev/resource\":\"web\"}",
        ),
        (
            "uiresource",
            "web",
            "{.metadata.ownerReferences[0].name}",
            "(Tiltfile)",
        ),
        (
            "session",
            "Tiltfile",
            "{.metadata.ownerReferences[0].kind}",
            "Tiltfile",
        ),
        (
            "tiltfile",
            "(Tiltfile)",
            "{.spec.restartOn.fileWatches[0]}",
            "configs:(Tiltfile)",
        ),
        ("uibutton", "(Tiltfile)-stopbuild", "{.spec.text}", "Stop Build"),
        (
            "uibutton",
            "(Tiltfile)-stopbuild",
            "{.metadata.ownerReferences}{.metadata.annotations.tilt\\.dev/resource}",
            "",
        ),
        (
            "uibutton",
            "toggle-web-disable",
            "{.metadata.annotations.tilt\\.dev/resource}",
            "",
        ),
        (
            "uibutton",
            "web-stopbuild",
            "{.metadata.annotations.tilt\\.dev/resource}",
            "(Tiltfile)",
        ),
        (
            "togglebutton",
            "web-disable",
            "{.metadata.annotations.tilt\\.dev/resource}",
            "(Tiltfile)",
        ),
        (
            "cm",
            "web-disable",
            "{.metadata.annotations.tilt\\.dev/resource}",
            "(Tiltfile)",
        ),
        ("cmd", "web:update", "{.status.disableStatus.state}", "Enabled"),
        (
            "cm",
            "tilt-trigger-queue",
            "{.metadata.name}",
            "tilt-trigger-queue",
        ),
    ];
    for (kind, name, path, expected) in rows {
        let format = format!("jsonpath={path}");
        assert_eq!(
            ok(&session, &["get", kind, name, "-o", &format]),
            expected,
            "{kind} {name} {path}"
        );
    }
    let since = [
        "get",
        "uiresource",
        "web",
        "-o",
        "jsonpath={.status.conditions[0].lastTransitionTime}",
    ];
    assert!(ok(&session, &since).ends_with('Z'));
}

#[test]
fn an_extension_that_is_loaded_says_where_its_files_are() {
    let tiltfile = "local('mkdir -p exts/deep/one; echo \"x = 1\" > exts/deep/one/Tiltfile')\n\
                    v1alpha1.extension_repo(name='r', url='file://' + os.getcwd() + '/exts', load_host='mine')\n\
                    load('ext://mine/deep/one', 'x')\nlocal_resource('web', 'true')\n";
    let session = Session::start(&[("Tiltfile", tiltfile)]);
    session.wait("uiresource/web", ".status.updateStatus", "ok");
    let path = |object: &str| ok(&session, &["get", object, "-o", "jsonpath={.status.path}"]);
    let repo = path("extensionrepos/r");
    assert!(repo.starts_with('/') && repo.ends_with("/exts"), "{repo}");
    let name = ok(&session, &["get", "extensions", "-o", "name"]);
    assert_eq!(path(name.trim()), format!("{repo}/deep/one/Tiltfile"));
}
