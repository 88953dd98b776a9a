//! What the official extensions ask of a session and of a Tiltfile, each as a story of its own.
#![allow(clippy::disallowed_methods, reason = "these tests run a program")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Stdio;

use serde_json::Value;
use tilt::tiltfile::MemoryHost;

use crate::sessions::{Session, port_of};
use crate::support::{load_with, request};

fn json(session: &Session, args: &[&str]) -> Value {
    serde_json::from_str(&session.ok(args)).expect("JSON")
}

/// Sends a request to the port of the page; returns head and body of the answer.
fn asked(port: &str, head: &str, body: &str) -> (String, String) {
    let mut stream = TcpStream::connect(format!("localhost:{port}")).expect("it listens");
    let length = body.len();
    let request = format!(
        "{head}\r\nHost: localhost:{port}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
    (head.to_owned(), body.to_owned())
}

#[test]
fn a_controller_hears_of_each_command_and_gives_it_a_button_that_cancels_it() {
    let session = Session::start(&[("Tiltfile", "local_resource('sleep', 'sleep 1000')\n")]);
    let mut watching = session
        .folder
        .command(&["get", "cmd", "--watch", "-o", "name"], &[])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut lines = BufReader::new(watching.stdout.take().expect("a pipe")).lines();
    let mut hears = |name: &str| {
        let heard = lines.by_ref().map_while(Result::ok).find(|line| line == name);
        assert!(heard.is_some(), "{name} is not heard of");
    };
    hears("cmd.tilt.dev/sleep:update");
    session.wait("cmd/sleep:update", ".metadata.name", "sleep:update");
    session
        .tilt(&["wait", "--for=jsonpath={.status.running.pid}", "cmd/sleep:update"])
        .status(0);
    let name = ["--ignore-not-found", "--", "sleep:update"];
    let cmd = json(&session, &[&["get", "cmd", "-o", "json"], &name[..]].concat());
    assert_eq!(cmd["metadata"]["annotations"]["tilt.dev/resource"], "sleep");
    assert_eq!(cmd["metadata"]["ownerReferences"][0]["kind"], "Tiltfile");
    assert_eq!(
        session.ok(&["get", "cmd", "-o", "json", "--ignore-not-found", "--", "nosuch"]),
        ""
    );

    let pid = [
        "get",
        "cmd",
        "-o",
        "jsonpath={.status.running.pid}",
        "--",
        "sleep:update",
    ];
    std::fs::write(
        session.folder.path("button.yaml"),
        format!(
            "apiVersion: tilt.dev/v1alpha1\nkind: UIButton\nmetadata: {{name: 'sleep:update:cancel'}}\nspec:\n  \
             disabled: false\n  text: Cancel\n  location: {{componentType: resource, componentID: sleep}}\n---\n\
             apiVersion: tilt.dev/v1alpha1\nkind: Cmd\nmetadata:\n  name: 'sleep:update:cancel'\n  annotations:\n    \
             tilt.dev/resource: sleep\n    tilt.dev/log-span-id: 'sleep:update:cancel'\nspec:\n  args: [sh, -c, 'kill {}']\n  \
             startOn: {{uiButtons: ['sleep:update:cancel']}}\n",
            session.ok(&pid)
        ),
    )
    .expect("a file");
    assert_eq!(
        session.ok(&["apply", "-f", "button.yaml"]),
        "uibutton.tilt.dev/sleep:update:cancel created\ncmd.tilt.dev/sleep:update:cancel created"
    );
    hears("cmd.tilt.dev/sleep:update:cancel");

    // Scripts click as the page does: with its cookie, and with the object that they were given.
    let port = port_of(&session);
    let (head, _) = asked(&port, "GET / HTTP/1.1", "");
    let cookie = head
        .lines()
        .find_map(|line| {
            line.to_lowercase()
                .starts_with("set-cookie:")
                .then(|| line.split_once(": "))
        })
        .flatten()
        .and_then(|(_, cookie)| cookie.split(';').next())
        .expect("a cookie");
    let button = session.ok(&["get", "uibutton", "sleep:update:cancel", "-o", "yaml"]);
    let clicked: Vec<String> = button
        .lines()
        .map(|line| match line.trim_start().starts_with("lastClickedAt:") {
            true => "  lastClickedAt: 2030-01-02T03:04:05.000000Z".to_owned(),
            false => line.to_owned(),
        })
        .collect();
    let put = format!(
        "PUT /proxy/apis/tilt.dev/v1alpha1/uibuttons/sleep:update:cancel/status HTTP/1.1\r\nContent-Type: \
         application/yaml\r\nCookie: {cookie}"
    );
    let (head, body) = asked(&port, &put, &clicked.join("\n"));
    assert!(head.starts_with("HTTP/1.1 200"), "{head} {body}");
    session.until("Build Failed: Command \"sleep 1000\" failed: signal: terminated");
    assert_eq!(session.ok(&pid), "", "it runs no more");
    for kind in ["cmd", "uibutton"] {
        let delete = ["delete", kind, "--ignore-not-found", "--", "sleep:update:cancel"];
        let deleted = format!("{kind}.tilt.dev \"sleep:update:cancel\" deleted");
        assert_eq!(session.ok(&delete), deleted);
        assert_eq!(
            session.ok(&delete),
            "",
            "a second time there is nothing to be said"
        );
    }
    let _ = watching.kill();
    let _ = watching.wait();
}

fn prints(files: &str) -> String {
    let (load, log) = load_with(&request(), &MemoryHost::new(files));
    assert_eq!(load.error_text(), None);
    log
}

#[test]
fn a_sync_step_tells_its_paths_between_quotes() {
    let log = prints(
        "--- Tiltfile\nsteps = [sync('web/', '/srv'), sync('a', '/')]\nfor step in steps:\n    words = \
         str(step).split(\"'\")\n    print(type(step), words[1].replace(os.getcwd() + '/', ''), words[3])\n\
         custom_build('web', ':', deps=['.'], live_update=steps)\nk8s_yaml('web.yaml')\n--- web.yaml\napiVersion: v1\nkind: \
         Pod\nmetadata: {name: web}\nspec: {containers: [{name: c, image: web}]}\n",
    );
    assert!(
        log.starts_with("live_update_sync_step web /srv\nlive_update_sync_step a /\n"),
        "{log}"
    );
}

#[test]
fn an_image_that_nothing_is_built_for_is_only_synced() {
    let files = "--- Tiltfile\ncustom_build('shop/web', ':', tag='1.17', deps=['page'], skips_local_docker=True, \
                 live_update=[sync('page', '/')])\nk8s_yaml('web.yaml')\n--- web.yaml\napiVersion: v1\nkind: Pod\nmetadata: \
                 {name: web}\nspec: {containers: [{name: c, image: 'shop/web:1.16'}]}\n--- page\nhello\n";
    let (load, _) = load_with(&request(), &MemoryHost::new(files));
    assert_eq!(load.error_text(), None);
    let manifests = load.manifests.expect("a good load");
    assert!(manifests[0].images[0].is_live_update_only());
}

#[test]
fn the_folder_of_a_tiltfile_can_be_listed() {
    let listing = |arguments: &str| {
        prints(&format!(
            "--- Tiltfile\nfor path in listdir(os.getcwd(){arguments}):\n    print(path)\nlocal_resource('a', 'true')\n--- a/b\n\
             --- c\n"
        ))
    };
    assert!(
        listing("").starts_with("/src/Tiltfile\n/src/c\n"),
        "{}",
        listing("")
    );
    let all = listing(", recursive=True");
    assert!(all.starts_with("/src/Tiltfile\n/src/a/b\n/src/c\n"), "{all}");
}

#[test]
fn a_command_in_parts_is_run_as_it_is() {
    let files = "--- Tiltfile\ncustom_build('web', command=['nix-shell', '--run', 'set -e;\\nb \"$X\"'], deps=['x.nix'])\n\
                 k8s_yaml('web.yaml')\n--- web.yaml\napiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: \
                 [{name: c, image: web}]}\n--- x.nix\n";
    let (load, _) = load_with(&request(), &MemoryHost::new(files));
    assert_eq!(load.error_text(), None);
    let manifests = load.manifests.expect("a good load");
    let tilt::model::ImageBuild::Custom(build) = &manifests[0].images[0].build else {
        panic!("{:?}", manifests[0].images[0].build);
    };
    assert_eq!(build.command.argv, ["nix-shell", "--run", "set -e;\nb \"$X\""]);
}
