//! The words of commands that talk to a session, and of its endpoints: what scripts look for in them.
#![allow(clippy::disallowed_methods, reason = "these tests run a program")]

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::commands::Folder;
use crate::sessions::Session;

const PROJECT: &str = "
local_resource('web', 'true', labels=['front'])
local_resource('idle', 'true', auto_init=False, trigger_mode=TRIGGER_MODE_MANUAL)
";

#[test]
fn commands_say_what_went_wrong_in_words_that_scripts_know() {
    let session = Session::start(&[("Tiltfile", PROJECT)]);
    session.wait("uiresource/web", ".status.updateStatus", "ok");
    let rows = [
        (
            &["trigger", "none"][..],
            "Error: (404): resource \"none\" does not exist",
        ),
        (&["enable", "none"], "Error: no such resource \"none\""),
        (&["disable", "none"], "Error: no such resource \"none\""),
        (&["enable"], "Error: must specify at least one resource"),
        (&["disable"], "Error: must specify at least one resource"),
        (
            &["disable", "(Tiltfile)"],
            "Error: (Tiltfile) cannot be enabled or disabled",
        ),
        (
            &["enable", "--all", "web"],
            "Error: cannot use --all with resource names",
        ),
        (
            &["enable", "--all", "--only"],
            "Error: cannot use --all with --only",
        ),
        (
            &["args", "--clear", "x"],
            "Error: --clear cannot be specified with other values",
        ),
        (
            &["logs", "--since=-1s"],
            "Error: --since duration must be positive, got -1s",
        ),
        (
            &["logs", "--tail=-2"],
            "Error: --tail must be -1 (no limit) or >= 0, got -2",
        ),
        (
            &["get", "nosuch"],
            "error: the server doesn't have a resource type \"nosuch\"",
        ),
        (
            &["get", "cm", "--field-selector=spec.x=1"],
            "is not a known field selector: only \"metadata.name\", \"metadata.namespace\"",
        ),
        (&["wait", "uiresource/web"], "error: unrecognized condition: []"),
        (
            &[
                "wait",
                "--for=condition=Ready",
                "uiresource/idle",
                "--timeout=10ms",
            ],
            "error: timed out waiting for the condition on uiresources/idle",
        ),
        (&["apply"], "error: must specify one of -f and -k"),
        (
            &["apply", "-f", "none.yaml"],
            "error: the path \"none.yaml\" does not exist",
        ),
        (
            &["delete", "cm"],
            "error: resource(s) were provided, but no name was specified",
        ),
        (
            &["patch", "cm", "web-disable"],
            "error: must specify --patch or --patch-file",
        ),
        (&["analytics", "opt", "maybe"], "unknown analytics opt: \"maybe\""),
        (&["analytics", "opt"], "no choice given"),
        (&["snapshot", "create", "none/x.json"], "none/x.json"),
    ];
    for (args, expected) in rows {
        let ran = session.tilt(args);
        let error = ran.status(1).stderr();
        assert!(error.contains(expected), "{args:?}: {error}");
    }
}

#[test]
fn commands_say_what_they_did_in_words_that_scripts_know() {
    let session = Session::start(&[("Tiltfile", PROJECT)]);
    session.wait("uiresource/web", ".status.updateStatus", "ok");
    assert_eq!(
        session.ok(&["trigger", "idle"]),
        "Successfully triggered update for resource: \"idle\""
    );
    assert_eq!(
        session.ok(&["trigger", "(Tiltfile)"]),
        "Successfully triggered update for resource: \"(Tiltfile)\""
    );
    session.ok(&["disable", "web"]);
    session.wait("uiresource/web", ".status.disableStatus.state", "Disabled");
    let refused = session.tilt(&["trigger", "web"]);
    assert_eq!(
        refused.status(1).stderr(),
        "Error: resource \"web\" is currently disabled"
    );
    session.ok(&["enable", "-l", "front"]);
    session.wait("uiresource/web", ".status.disableStatus.state", "Enabled");
    assert_eq!(session.ok(&["get", "cmds", "-l", "none"]), "");
    assert_eq!(
        session.tilt(&["get", "cmds", "-l", "none"]).status(0).stderr(),
        "No resources found"
    );
    let args = |editor: &str| session.folder.tilt(&["args"], &[("EDITOR", editor)]);
    let changed = session.tilt(&["args", "a", "b c"]);
    assert!(
        changed
            .status(0)
            .stderr()
            .starts_with("Changed config args for Tilt running at localhost:")
    );
    assert!(
        args("true")
            .status(0)
            .stderr()
            .contains("Tilt is already running with those args -- no action taken")
    );
    let none = args("sed -i d");
    assert!(
        none.status(1)
            .stderr()
            .contains("must have exactly one non-comment line, found zero.")
    );
    let many = args("sed -i p");
    assert!(
        many.status(1)
            .stderr()
            .contains("cannot have multiple non-comment lines")
    );
    assert!(
        session
            .ok(&["analytics"])
            .starts_with("analytics status : default\nanalytics user id: ")
    );
}

#[test]
fn the_first_line_says_where_the_page_is() {
    let free = std::net::TcpListener::bind("0.0.0.0:0").expect("a port");
    let port = free.local_addr().expect("an address").port();
    drop(free);
    for (port, host, expected) in [
        (0, "localhost", "Tilt started (without browser UI)".to_owned()),
        (
            port,
            "localhost",
            format!("Tilt started on http://localhost:{port}/"),
        ),
        (
            port,
            "0.0.0.0",
            format!("Tilt started on http://127.0.0.1:{port}/ (listening on 0.0.0.0)"),
        ),
    ] {
        let folder = Folder::new(&[("Tiltfile", "local_resource('web', 'true')\n")]);
        let ran = folder.tilt(
            &["ci", "--port", &port.to_string(), "--host", host],
            &[("KUBECONFIG", "none")],
        );
        let log = ran.status(0).stdout();
        assert!(log.lines().any(|line| line == expected), "{log}");
    }
}

#[test]
fn endpoints_say_why_they_refuse() {
    let session = Session::start(&[("Tiltfile", PROJECT)]);
    let sessions = session.ok(&["get", "sessions", "--all", "--no-headers"]);
    let port: u16 = sessions
        .split_whitespace()
        .nth(1)
        .and_then(|port| port.parse().ok())
        .expect("a port");
    let token = std::fs::read_to_string(session.folder.path(".tilt-dev/token")).expect("a token");
    let token = format!("X-Tilt-Token: {}", token.trim());
    let ask = |method: &str, path: &str, headers: &[&str], body: &str| {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
        let more: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost:{port}\r\n{more}Content-Length: {}\r\nContent-Type: \
             application/json\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        answer
    };
    let token = token.as_str();
    let rows = [
        ("GET", "/api/view", &[][..], "", "403", "missing session token"),
        (
            "GET",
            "/api/view",
            &["X-Tilt-Token: old"],
            "",
            "403",
            "invalid session token",
        ),
        (
            "GET",
            "/api/view",
            &[token, "Origin: http://other.example"],
            "",
            "403",
            "cross-origin request forbidden",
        ),
        ("GET", "/api/trigger", &[token], "", "400", "must be POST request"),
        (
            "POST",
            "/api/trigger",
            &[token],
            "{",
            "400",
            "error parsing JSON payload: ",
        ),
        (
            "POST",
            "/api/trigger",
            &[token],
            "{\"manifest_names\":[],\"build_reason\":32}",
            "400",
            "exactly one manifest name",
        ),
        (
            "POST",
            "/api/trigger",
            &[token],
            "{\"manifest_names\":[\"x\"],\"build_reason\":32}",
            "404",
            "resource \"x\" does not exist",
        ),
        (
            "POST",
            "/api/override/trigger_mode",
            &[token],
            "{\"manifest_names\":[\"x\"],\"trigger_mode\":1}",
            "400",
            "no manifest found with name 'x'",
        ),
        (
            "POST",
            "/api/override/trigger_mode",
            &[token],
            "{\"manifest_names\":[\"web\"],\"trigger_mode\":7}",
            "400",
            "invalid trigger mode: 7",
        ),
        (
            "GET",
            "/proxy/apis/tilt.dev/v1alpha1/cmds",
            &[token],
            "",
            "403",
            "forbidden",
        ),
    ];
    for (method, path, headers, body, status, text) in rows {
        let answer = ask(method, path, headers, body);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{method} {path} {body}: {answer}"
        );
        assert!(answer.contains(text), "{method} {path} {body}: {answer}");
    }
    let page = ask("GET", "/whatever", &[], "");
    assert!(page.contains("no-store, max-age=0"), "{page}");
}

#[test]
fn the_tree_says_how_each_resource_is() {
    let tiltfile = "local_resource('base', 'exit 1')\nlocal_resource('left', 'true', resource_deps=['base'])\n\
                    local_resource('right', 'true', resource_deps=['base'])\n\
                    local_resource('top', 'true', resource_deps=['left', 'right'])\n\
                    local_resource('dead', serve_cmd='exit 3')\n\
                    local_resource('idle', 'true', auto_init=False, trigger_mode=TRIGGER_MODE_MANUAL)\n";
    let session = Session::start(&[("Tiltfile", tiltfile)]);
    session.wait("uiresource/base", ".status.updateStatus", "error");
    session.wait("uiresource/dead", ".status.runtimeStatus", "error");
    let tree = session.ok(&["alpha", "tree-view", "--dedupe"]);
    for line in [
        "base (build error)",
        "dead (runtime error)",
        "idle (not started)",
        "[also depends on: ",
        "Resources: 6 total",
    ] {
        assert!(tree.contains(line), "{line} in {tree}");
    }
    let fine = Session::start(&[("Tiltfile", PROJECT)]);
    fine.ok(&["trigger", "idle"]);
    fine.wait("uiresource/idle", ".status.updateStatus", "ok");
    fine.wait("uiresource/web", ".status.updateStatus", "ok");
    let none = fine.ok(&["alpha", "tree-view", "--blockers"]);
    assert!(
        none.contains("No blocked resources found. All resources are OK."),
        "{none}"
    );
}

#[test]
fn writes_that_change_nothing_or_do_not_fit_are_told_as_kubectl_tells_them() {
    let session = Session::start(&[
        ("Tiltfile", PROJECT),
        (
            "odd.yaml",
            "apiVersion: tilt.dev/v1alpha1\nkind: ConfigMap\nmetadata: {name: odd}\ndota: {}\n",
        ),
        (
            "stale.yaml",
            "apiVersion: tilt.dev/v1alpha1\nkind: ConfigMap\nmetadata: {name: web-disable, resourceVersion: '1'}\ndata: {a: b}\n",
        ),
    ]);
    session.wait("uiresource/web", ".status.updateStatus", "ok");
    let same = session.ok(&["patch", "cm", "web-disable", "--type=merge", "-p", "{}"]);
    assert_eq!(same, "configmap.tilt.dev/web-disable patched (no change)");
    let odd = session.tilt(&["create", "-f", "odd.yaml"]).status(1).stderr();
    assert!(
        odd.contains("strict decoding error: unknown field \"dota\""),
        "{odd}"
    );
    let kubectl = |args: &[&str]| {
        let ran = session
            .kubectl()
            .args(args)
            .output()
            .expect("kubectl is on the path");
        assert!(!ran.status.success(), "{args:?}");
        String::from_utf8_lossy(&ran.stderr).into_owned()
    };
    let stale = kubectl(&["replace", "-f", "stale.yaml"]);
    assert!(stale.contains("the object has been modified"), "{stale}");
    let forbidden = kubectl(&["--token=wrong", "get", "--raw=/version"]);
    assert!(
        forbidden.contains("User \"system:anonymous\"") && forbidden.contains("Everything is forbidden."),
        "{forbidden}"
    );
}
