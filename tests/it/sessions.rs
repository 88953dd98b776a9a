//! A session of `tilt up` in a scratch folder, and the commands that talk to it.
#![allow(clippy::disallowed_methods, reason = "these tests run a program")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::commands::{Folder, Ran};
use crate::support::free_port;

/// How long anything may take before a test gives up. Nothing waits for it to pass.
const LIMIT: Duration = Duration::from_secs(60);

/// A session that runs until it is dropped.
pub(crate) struct Session {
    pub(crate) folder: Folder,
    pub(crate) child: Child,
    lines: mpsc::Receiver<String>,
}

impl Session {
    /// Starts a session and returns once its Tiltfile is loaded. It needs no cluster.
    #[track_caller]
    pub(crate) fn start(files: &[(&str, &str)]) -> Self {
        Self::start_with(files, &[])
    }

    /// As `start`, with more words and variables.
    #[track_caller]
    pub(crate) fn start_with(files: &[(&str, &str)], env: &[(&str, &str)]) -> Self {
        let folder = Folder::new(files);
        let mut child = folder
            .command(&["up", "--stream"], &[("KUBECONFIG", "none")])
            .envs(env.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the binary runs");
        let (sender, lines) = mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().expect("it is a pipe"));
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let session = Self { folder, child, lines };
        session.until("Successfully loaded Tiltfile");
        session
    }

    /// Reads what is printed until a line has this; returns that line.
    #[track_caller]
    pub(crate) fn until(&self, text: &str) -> String {
        let mut seen = Vec::new();
        loop {
            match self.lines.recv_timeout(LIMIT) {
                Ok(line) if line.contains(text) => return line,
                Ok(line) => seen.push(line),
                Err(_) => panic!("no line has {text:?}:\n{}", seen.join("\n")),
            }
        }
    }

    /// Runs a command that talks to the session.
    pub(crate) fn tilt(&self, args: &[&str]) -> Ran {
        self.folder.tilt(args, &[("KUBECONFIG", "none")])
    }

    /// Runs a command that must succeed, and returns what it printed.
    #[track_caller]
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        self.tilt(args).status(0).stdout()
    }

    /// Asks it to stop, as Ctrl-C does, and waits until it has.
    #[track_caller]
    pub(crate) fn stop(&mut self) {
        let pid = Pid::from_raw(self.child.id().cast_signed());
        kill(pid, Signal::SIGINT).expect("it lives");
        assert_eq!(self.child.wait().expect("it ends").code(), Some(0));
    }

    /// Runs stock kubectl against the session.
    pub(crate) fn kubectl(&self) -> Command {
        let mut command = Command::new("kubectl");
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path(""))
            .current_dir(self.folder.path(""))
            .args(["--kubeconfig", ".tilt-dev/config", "--context", "tilt-0"]);
        command
    }

    /// Waits until a field of an object is so.
    #[track_caller]
    pub(crate) fn wait(&self, object: &str, path: &str, value: &str) {
        let wanted = format!("--for=jsonpath={{{path}}}={value}");
        self.tilt(&["wait", &wanted, "--timeout=60s", object]).status(0);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const GREETING: &str = r#"
local_resource('web', 'true')
v1alpha1.ui_button(
    name='hello', text='Hello', location={'component_type': 'Resource', 'component_id': 'web'},
    inputs=[
        v1alpha1.ui_input_spec(name='NAME', text=v1alpha1.ui_text_input_spec(default_value='you')),
        v1alpha1.ui_input_spec(name='HOW', choice=v1alpha1.ui_choice_input_spec(choices=['Hello', 'Bye'])),
        v1alpha1.ui_input_spec(name='LOUD', bool=v1alpha1.ui_bool_input_spec(true_string='!', false_string='.')),
    ])
v1alpha1.cmd(
    name='btn-hello', args=['sh', '-c', 'echo "greeting: $HOW, $NAME$LOUD$MORE"'], env=['MORE=?'],
    annotations={'tilt.dev/resource': 'web', 'tilt.dev/log-span-id': 'cmd:hello'},
    start_on=v1alpha1.start_on_spec(ui_buttons=['hello']))
"#;

#[test]
fn a_click_on_a_button_runs_its_command_with_its_inputs() {
    let session = Session::start(&[("Tiltfile", GREETING)]);
    assert_eq!(
        session.ok(&[
            "get",
            "cmd",
            "btn-hello",
            "-o",
            "jsonpath={.status.waiting.reason}"
        ]),
        "cmd StartOn has not been triggered"
    );
    assert_eq!(
        session.ok(&["click", "hello", "NAME=Ann", "LOUD=true"]),
        "uibutton.tilt.dev/hello clicked"
    );
    assert!(
        session
            .until("greeting: Hello,")
            .ends_with("web │ greeting: Hello, Ann!?")
    );
    session.wait("cmd/btn-hello", ".status.terminated.exitCode", "0");
    session.ok(&["click", "hello", "HOW=Bye"]);
    assert!(session.until("greeting: Bye,").ends_with("greeting: Bye, you.?"));
    let wrong = session.tilt(&["click", "hello", "HOW=Hi"]);
    assert_eq!(
        wrong.status(1).stderr(),
        "Error: HOW=Hi: expected one of Hello, Bye"
    );
    let missing = session.tilt(&["click", "helo"]);
    assert_eq!(
        missing.status(1).stderr(),
        "Error: Error from server (NotFound): uibuttons.tilt.dev \"helo\" not found\nhint: did you mean \"hello\"?"
    );
}

#[test]
fn what_a_tiltfile_no_longer_registers_is_no_longer_there() {
    let session = Session::start(&[("Tiltfile", GREETING)]);
    let owner = [
        "get",
        "cmd",
        "btn-hello",
        "-o",
        "jsonpath={.metadata.ownerReferences[0].kind}",
    ];
    session.ok(&["wait", "--for=create", "--timeout=60s", "cmd/btn-hello"]);
    assert_eq!(session.ok(&owner), "Tiltfile");
    std::fs::write(session.folder.path("Tiltfile"), "local_resource('web', 'true')\n").expect("a file");
    session.ok(&[
        "wait",
        "--for=delete",
        "--timeout=60s",
        "cmd/btn-hello",
        "uibutton/hello",
    ]);
    std::fs::write(session.folder.path("Tiltfile"), GREETING).expect("a file");
    session.ok(&[
        "wait",
        "--for=create",
        "--timeout=60s",
        "cmd/btn-hello",
        "uibutton/hello",
    ]);
}

#[test]
fn a_command_of_a_users_own_runs_at_once_and_again_when_files_change() {
    let session = Session::start(&[("Tiltfile", "local_resource('web', 'true')\n"), ("a.txt", "1\n")]);
    assert_eq!(
        session.ok(&["create", "fw", "text", "a.txt"]),
        "filewatch.tilt.dev/text created"
    );
    session.ok(&[
        "create",
        "cmd",
        "--env",
        "X=1",
        "--filewatch=text",
        "show",
        "sh",
        "-c",
        "echo \"text: $(cat a.txt) $X\"",
    ]);
    session.until("text: 1 1");
    session.wait("cmd/show", ".status.terminated.exitCode", "0");
    std::fs::write(session.folder.path("a.txt"), "2\n").expect("a file");
    session.until("text: 2 1");
    let seen = session.ok(&[
        "get",
        "fw",
        "text",
        "-o",
        "jsonpath={.status.fileEvents[0].seenFiles[0]}",
    ]);
    assert_eq!(seen, "<dir>/a.txt");
    assert_eq!(
        session.ok(&["delete", "cmd", "show"]),
        "cmd.tilt.dev \"show\" deleted"
    );
    let gone = session.tilt(&["get", "cmd", "show"]);
    assert_eq!(
        gone.status(1).stderr(),
        "Error from server (NotFound): cmds.tilt.dev \"show\" not found"
    );
}

#[test]
fn a_command_that_serves_is_ready_when_its_probe_says_so_and_ends_when_it_is_deleted() {
    let session = Session::start(&[
        ("Tiltfile", "local_resource('web', 'true')\n"),
        (
            "cmd.yaml",
            "apiVersion: tilt.dev/v1alpha1\nkind: Cmd\nmetadata: {name: serve}\nspec:\n  args: [sh, -c, 'trap \"echo bye; exit\" TERM; \
             touch up; while :; do sleep 0.05; done']\n  dir: DIR\n  readinessProbe: {periodSeconds: 1, exec: {command: [test, -e, \
             DIR/up]}}\n",
        ),
    ]);
    let dir = session.folder.path("");
    let dir = dir.to_string_lossy();
    let file = session.folder.path("cmd.yaml");
    let yaml = std::fs::read_to_string(&file)
        .expect("a file")
        .replace("DIR", dir.trim_end_matches('/'));
    std::fs::write(&file, yaml).expect("a file");
    assert_eq!(
        session.ok(&["apply", "-f", "cmd.yaml"]),
        "cmd.tilt.dev/serve created"
    );
    session.wait("cmd/serve", ".status.ready", "true");
    session.ok(&["delete", "-f", "cmd.yaml"]);
    session.until("bye");
}

const TOGGLE: &str = r#"
apiVersion: tilt.dev/v1alpha1
kind: ConfigMap
metadata: {name: mode}
data: {fast: "false"}
---
apiVersion: tilt.dev/v1alpha1
kind: ToggleButton
metadata: {name: mode}
spec:
  location: {componentID: nav, componentType: Global}
  on: {text: Slow down}
  off: {text: Speed up}
  stateSource: {configMap: {name: mode, key: fast, onValue: "true", offValue: "false"}}
---
apiVersion: tilt.dev/v1alpha1
kind: Cmd
metadata: {name: slow}
spec:
  args: [sh, -c, 'echo slowly; exec sleep 60']
  disableSource: {configMap: {name: mode, key: fast}}
"#;

#[test]
fn a_toggle_switches_a_config_map_and_what_looks_at_it() {
    let session = Session::start(&[
        ("Tiltfile", "local_resource('web', 'true')\n"),
        ("toggle.yaml", TOGGLE),
    ]);
    session.ok(&["apply", "-f", "toggle.yaml"]);
    session.until("slowly");
    session.wait("uibutton/toggle-mode", ".spec.text", "Speed up");
    session.ok(&["click", "toggle-mode"]);
    session.wait("cm/mode", ".data.fast", "true");
    session.wait("uibutton/toggle-mode", ".spec.text", "Slow down");
    session.wait("cmd/slow", ".status.disableStatus.state", "Disabled");
    session.ok(&[
        "patch",
        "cm",
        "mode",
        "--type=merge",
        "-p",
        "{\"data\":{\"fast\":\"false\"}}",
    ]);
    session.until("slowly");
    session.ok(&["delete", "togglebutton", "mode"]);
    session.ok(&["wait", "--for=delete", "--timeout=60s", "uibutton/toggle-mode"]);
}

#[test]
fn what_came_of_an_edit_is_told_once_it_has_settled() {
    let port = free_port().to_string();
    let files = [
        ("Tiltfile", "local_resource('web', 'sh check', deps=['check'])\n"),
        ("check", "exit 0\n"),
    ];
    let session = Session::start_with(&files, &[("TILT_PORT", &port)]);
    let waits = ["await", "--port", &port];
    session.tilt(&waits).status(0);
    std::fs::write(session.folder.path("check"), "exit 3\n").expect("written");
    session.tilt(&waits).status(1);
    std::fs::write(session.folder.path("check"), "exit 0\n").expect("written");
    session.tilt(&waits).status(0);
}

/// Returns the port of a session's web page, which was free for any.
pub(crate) fn port_of(session: &Session) -> String {
    let sessions = session.ok(&["get", "sessions", "--all", "--no-headers"]);
    let pid = format!(" {} ", session.child.id());
    let row = sessions.lines().find(|row| row.contains(&pid));
    let row = row.unwrap_or_else(|| panic!("no row of pid {pid} in:\n{sessions}"));
    row.split_whitespace().nth(1).expect("a port").to_owned()
}

#[test]
fn a_session_on_any_port_is_found_by_every_command_and_by_what_it_starts() {
    let session = Session::start(&[("Tiltfile", "local_resource('web', 'echo found: $TILT_PORT')\n")]);
    let port = port_of(&session);
    session.until(&format!("found: {port}"));
    let triggered = "Successfully triggered update for resource: \"web\"";
    for args in [&["trigger", "web"][..], &["trigger", "--port", &port, "web"]] {
        session.wait("uiresource/web", ".status.updateStatus", "ok");
        assert_eq!(session.ok(args), triggered);
        session.until(&format!("found: {port}"));
    }
    for args in [
        &["await"][..],
        &["why", "web"],
        &["logs", "web"],
        &["dump", "engine"],
        &["snapshot", "create"],
    ] {
        session.ok(args);
    }
}

#[test]
fn the_session_says_when_a_run_gives_up() {
    let files = [(
        "Tiltfile",
        "ci_settings(timeout='10m')\nlocal_resource('web', 'true')\n",
    )];
    let session = Session::start(&files);
    session.ok(&["wait", "--ready"]);
    assert_eq!(
        session.ok(&["get", "session", "-o", "jsonpath={.items[0].spec.ci}"]),
        r#"{"readinessTimeout":"5m0s","timeout":"10m0s"}"#
    );
}

#[test]
fn the_command_of_a_resource_tells_how_it_ended() {
    let tiltfile = "local_resource('web', 'exit 75')\nlocal_resource('killed', 'kill -9 $$')\nlocal_resource('well', 'true')\n";
    let session = Session::start(&[("Tiltfile", tiltfile)]);
    session.tilt(&["await"]).status(1);
    let ended = "jsonpath={.status.terminated.exitCode} {.status.terminated.reason}";
    for (resource, expected) in [
        ("web", "75 exit status 75"),
        ("killed", "-1 signal: killed"),
        ("well", "0"),
    ] {
        let cmd = format!("{resource}:update");
        assert_eq!(
            session.ok(&["get", "cmd", &cmd, "-o", ended]),
            expected,
            "{resource}"
        );
    }
}

#[test]
fn sessions_on_any_port_stand_beside_one_another_and_dead_ones_are_forgotten() {
    let files = [("Tiltfile", "local_resource('web', 'true')\n")];
    let first = Session::start(&files);
    let home = first.folder.path("").to_string_lossy().into_owned();
    let second = Session::start_with(&files, &[("HOME", &home)]);
    let (ports, pids) = (
        [
            port_of(&first),
            first.ok(&["get", "session", "-o", "jsonpath={.items[0].status.pid}"]),
        ],
        [first.child.id().to_string(), second.child.id().to_string()],
    );
    let [port, newest] = ports;
    assert_eq!(newest, pids[1], "without a port the last one is meant");
    let pid = [
        "get",
        "session",
        "Tiltfile",
        "--port",
        &port,
        "-o",
        "jsonpath={.status.pid}",
    ];
    assert_eq!(first.ok(&pid), pids[0]);
    let all = first.ok(&[
        "get",
        "sessions",
        "--all",
        "-o",
        "jsonpath={.items[*].status.pid}",
    ]);
    assert_eq!(
        all.split(' ').collect::<std::collections::BTreeSet<_>>(),
        pids.iter().map(String::as_str).collect()
    );
    drop(second);
    let gone = first.tilt(&["get", "session"]);
    let error = gone.status(1).stderr();
    assert!(error.contains("was refused"), "{error}");
    let gone = first.tilt(&["get", "session"]);
    let error = gone.status(1).stderr();
    assert_eq!(
        error,
        format!(
            "Error: No tilt apiserver found: tilt-0\nhint: there are tilt-{}; name one by its port: --port",
            port
        )
    );
}

#[test]
fn a_busy_port_is_answered_with_its_holder_and_a_free_one() {
    let busy = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = busy.local_addr().expect("an address").port().to_string();
    let folder = Folder::new(&[("Tiltfile", "local_resource('web', 'true')\n")]);
    let ran = folder.tilt(
        &["up", "--host=127.0.0.1", "--port", &port],
        &[("KUBECONFIG", "none")],
    );
    let error = ran.status(1).stderr();
    assert!(
        error.contains(&format!("you already have another process on port {port}")),
        "{error}"
    );
    assert!(
        error.contains(&format!("(pid {})", std::process::id())),
        "{error}"
    );
    assert!(
        error.contains("\nOriginal error: listen tcp 127.0.0.1:"),
        "{error}"
    );
    let offered = error.rsplit_once("--port=").expect("a port is offered").1;
    let offered: u16 = offered.parse().expect("it is a number");
    assert!(offered > busy.local_addr().expect("an address").port(), "{error}");
}

#[test]
fn tables_show_what_matters_of_a_kind() {
    let session = Session::start(&[(
        "Tiltfile",
        "local_resource('b', 'exit 1')\nlocal_resource('a', 'true')\n",
    )]);
    session.wait("uiresource/a", ".status.updateStatus", "ok");
    session.wait("uiresource/b", ".status.updateStatus", "error");
    let table = session.ok(&["get", "uiresources"]);
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let rows: Vec<Vec<String>> = table.lines().map(words).collect();
    assert_eq!(
        rows[0],
        [
            "NAME", "CREATED", "AT", "UPDATE", "RUNTIME", "POD", "UPDATED", "AGE"
        ]
    );
    let told: Vec<[&str; 3]> = rows[1..]
        .iter()
        .map(|row| [row[0].as_str(), &row[2], &row[3]])
        .collect();
    let expected = [
        ["(Tiltfile)", "ok", "not_applicable"],
        ["b", "error", "not_applicable"],
        ["a", "ok", "not_applicable"],
    ];
    assert_eq!(told, expected, "they are in the order of their definition");
    assert!(session.ok(&["get", "cmd", "b:update"]).contains("exited 1"));
}

const MAP: &str =
    "apiVersion: tilt.dev/v1alpha1\nkind: ConfigMap\nmetadata: {name: m}\ndata: {a: \"1\", b: \"1\"}\n";

#[test]
fn what_a_file_no_longer_says_is_taken_away_by_the_next_apply() {
    let session = Session::start(&[("Tiltfile", "local_resource('web', 'true')\n"), ("m.yaml", MAP)]);
    let apply = |more: &[&str]| session.ok(&[&["apply", "-f", "m.yaml"][..], more].concat());
    let data = || session.ok(&["get", "cm", "m", "-o", "jsonpath={.data}"]);
    assert_eq!(
        apply(&["--dry-run=client"]),
        "configmap.tilt.dev/m created (dry run)"
    );
    assert_eq!(apply(&[]), "configmap.tilt.dev/m created");
    session.ok(&[
        "patch",
        "cm",
        "m",
        "--type=merge",
        "-p",
        "{\"data\":{\"other\":\"1\"}}",
    ]);
    assert_eq!(apply(&[]), "configmap.tilt.dev/m unchanged");
    std::fs::write(session.folder.path("m.yaml"), MAP.replace(", b: \"1\"", "")).expect("a file");
    assert_eq!(
        apply(&["--dry-run=server"]),
        "configmap.tilt.dev/m configured (server dry run)"
    );
    assert_eq!(apply(&[]), "configmap.tilt.dev/m configured");
    assert_eq!(data(), "{\"a\":\"1\",\"other\":\"1\"}");
}

#[test]
fn objects_come_from_kustomizations_folders_and_addresses() {
    let session = Session::start(&[
        ("Tiltfile", "local_resource('web', 'true')\n"),
        ("m.yaml", MAP),
        ("kustomization.yaml", "resources: [m.yaml]\nnamePrefix: k-\n"),
    ]);
    assert_eq!(
        session.ok(&["apply", "-k", "."]),
        "configmap.tilt.dev/k-m created"
    );
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/m.yaml", listener.local_addr().expect("an address"));
    let serving = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = listener.accept().expect("a client");
        let _ = stream.read(&mut [0; 1024]);
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{MAP}", MAP.len());
        stream.write_all(answer.as_bytes()).expect("it is read");
    });
    assert_eq!(session.ok(&["apply", "-f", &url]), "configmap.tilt.dev/m created");
    serving.join().expect("it was asked");
    let both = session.tilt(&["apply", "-k", ".", "-f", "m.yaml"]);
    assert_eq!(
        both.status(1).stderr(),
        "error: only one of -f or -k can be specified"
    );
}

#[test]
fn conflicts_are_told_with_the_ways_out() {
    let session = Session::start(&[("Tiltfile", "local_resource('web', 'true')\n"), ("m.yaml", MAP)]);
    let apply = ["apply", "--server-side", "-f", "m.yaml"];
    assert_eq!(session.ok(&apply), "configmap.tilt.dev/m serverside-applied");
    std::fs::write(session.folder.path("m.yaml"), MAP.replace("a: \"1\"", "a: \"2\"")).expect("a file");
    let refused = session.tilt(&[&apply[..], &["--field-manager=me"]].concat());
    let error = refused.status(1).stderr();
    assert!(
        error.starts_with("error: Apply failed with 1 conflict: conflict with \"kubectl\": .data.a\nPlease review the fields above"),
        "{error}"
    );
    session.ok(&[&apply[..], &["--field-manager=me", "--force-conflicts"]].concat());
}

#[test]
fn edits_in_both_formats_and_of_files_change_what_was_edited_alone() {
    let session = Session::start(&[("Tiltfile", "local_resource('web', 'true')\n"), ("m.yaml", MAP)]);
    session.ok(&["apply", "-f", "m.yaml"]);
    let edit = |words: &[&str], editor: &str| {
        let all = [&["edit"][..], words].concat();
        session.folder.tilt(&all, &[("KUBE_EDITOR", editor)])
    };
    assert_eq!(
        edit(&["cm", "m"], "sed -i 's/a: .*/a: two/'").status(0).stdout(),
        "configmap.tilt.dev/m edited"
    );
    assert_eq!(
        edit(&["cm/m", "-o", "json"], "true").status(0).stderr(),
        "Edit cancelled, no changes made."
    );
    edit(&["-f", "m.yaml", "-o", "json"], "sed -i s/\\\"b\\\"/\\\"c\\\"/").status(0);
    assert!(
        session
            .ok(&["get", "cm", "m", "-o", "jsonpath={.data}"])
            .contains("\"c\"")
    );
    let failed = edit(&["cm", "m"], "false");
    assert_eq!(
        failed.status(1).stderr(),
        "error: there was a problem with the editor \"false\""
    );
    let nothing = edit(&[], "true");
    assert!(
        nothing
            .status(1)
            .stderr()
            .starts_with("error: You must provide one or more resources by argument or filename.")
    );
}

#[test]
fn formats_and_waits_are_those_of_kubectl() {
    let session = Session::start(&[("Tiltfile", "local_resource('web', 'true')\n"), ("m.yaml", MAP)]);
    session.wait("uiresource/web", ".status.updateStatus", "ok");
    let rows = [
        (
            &[
                "get",
                "uiresource",
                "web",
                "-o",
                "go-template={{.metadata.name}}: {{.status.updateStatus}}",
            ][..],
            "web: ok",
        ),
        (
            &[
                "get",
                "uiresource",
                "-o",
                "go-template={{range .items}}{{.metadata.name}} {{end}}",
            ],
            "(Tiltfile) web",
        ),
        (
            &["wait", "--for=condition=Ready", "uiresource/web", "-o", "name"],
            "uiresource.tilt.dev/web",
        ),
        (&["wait", "--for=delete", "cm/none"], ""),
        (
            &["create", "-f", "m.yaml", "--dry-run=client"],
            "configmap.tilt.dev/m created (dry run)",
        ),
        (&["create", "-f", "m.yaml"], "configmap.tilt.dev/m created"),
        (
            &[
                "patch",
                "-f",
                "m.yaml",
                "--type=merge",
                "-p",
                "{\"data\":{\"a\":\"2\"}}",
            ],
            "configmap.tilt.dev/m patched",
        ),
        (
            &[
                "patch",
                "--local",
                "-f",
                "m.yaml",
                "--type=merge",
                "-p",
                "{\"data\":null}",
                "-o",
                "name",
            ],
            "configmap.tilt.dev/m",
        ),
        (
            &["delete", "-f", "m.yaml", "--dry-run=client"],
            "configmap.tilt.dev \"m\" deleted (dry run)",
        ),
        (
            &["delete", "cm", "m", "--cascade=foreground", "--now"],
            "configmap.tilt.dev \"m\" deleted",
        ),
    ];
    for (args, expected) in rows {
        assert_eq!(session.ok(args), expected, "{args:?}");
    }
    let refused = [
        (
            &[
                "wait",
                "--for=condition=Ready=false",
                "uiresource/web",
                "--timeout=0",
            ][..],
            "error: condition not met for uiresources/web",
        ),
        (
            &["wait", "--for=condition=Ready", "uiresource/none"],
            "Error from server (NotFound): uiresources.tilt.dev \"none\" not found",
        ),
        (
            &["get", "uiresource", "web", "-o", "go-template={{.x"],
            "error: error parsing template {{.x, template: output:1: unclosed action",
        ),
        (
            &["delete", "cm", "--all", "-l", "a=b"],
            "error: setting 'all' parameter but found a non empty selector.",
        ),
        (
            &["create", "cmd", "web:update", "true"],
            "Error: cmds.tilt.dev \"web:update\" already exists",
        ),
        (
            &[
                "patch",
                "uibutton",
                "toggle-web-disable",
                "--type=merge",
                "-p",
                "{\"spec\":{\"text\":\"\"}}",
            ],
            "The UIButton \"toggle-web-disable\" is invalid: spec.text: Required value: Button text cannot be empty",
        ),
    ];
    for (args, expected) in refused {
        assert_eq!(session.tilt(args).status(1).stderr(), expected, "{args:?}");
    }
}

#[test]
fn what_kubectl_refuses_is_refused_and_what_it_asks_is_asked() {
    let session = Session::start(&[("Tiltfile", "local_resource('web', 'true')\n")]);
    let refused = |args: &[&str]| session.tilt(args).status(1).stderr();
    let missing = "error: error executing jsonpath \"{.nosuch.x}\": ";
    let strict = ["get", "uiresource", "web", "-o", "jsonpath={.nosuch.x}"];
    assert_eq!(session.ok(&strict), "");
    let strict = [&strict[..], &["--allow-missing-template-keys=false"]].concat();
    assert!(refused(&strict).starts_with(missing), "{}", refused(&strict));
    assert_eq!(
        refused(&["get", "uiresource", "web", "-l", "a"]),
        "error: name cannot be provided when a selector is specified"
    );
    let both = session.tilt(&["get", "uiresource", "web", "nosuch", "--no-headers"]);
    assert!(
        both.status(1).stdout().starts_with("web "),
        "what there is is shown"
    );
    assert!(refused(&["get", "cm", "-o", "json=x"]).contains("output format \"json=x\""));
    assert!(refused(&["get", "cm", "--nosuch"]).starts_with("Error: unknown flag: --nosuch\n"));
    let names = [
        "get",
        "uiresource",
        "web",
        "--no-headers",
        "-o",
        "custom-columns=N:.metadata.name",
    ];
    assert_eq!(session.ok(&names), "web");

    // What follows the name is the command's.
    session.ok(&["create", "cmd", "-e", "A=1", "c", "echo", "-e", "--workdir", "x"]);
    let spec = session.ok(&["get", "cmd", "c", "-o", "jsonpath={.spec.args} {.spec.env}"]);
    assert_eq!(spec, "[\"echo\",\"-e\",\"--workdir\",\"x\"] [\"A=1\"]");

    let patch = "{\"metadata\":{\"name\":\"other\"}}";
    assert_eq!(
        refused(&["patch", "cmd", "c", "-p", patch]),
        "Error from server (BadRequest): the name of the object (other) does not match the name on the URL (c)"
    );
    let edit = session
        .folder
        .tilt(&["edit", "cmd", "c"], &[("EDITOR", "sed -i s/kind:.*/kind:/")]);
    let error = edit.status(1).stderr();
    let copy = error.strip_prefix("A copy of your changes has been stored to \"");
    let (copy, error) = copy.and_then(|rest| rest.split_once("\"\n")).expect("both lines");
    assert_eq!(
        error,
        "error: At least one of apiVersion, kind and name was changed"
    );
    std::fs::remove_file(copy).expect("what was edited");
    let asked = session.ok(&["delete", "cmd", "c", "-i"]);
    let question = "You are about to delete the following 1 resource(s):\ncmd.tilt.dev/c\nDo you want to continue? (y/N): ";
    assert_eq!(
        asked,
        format!("{question}deletion is cancelled"),
        "nobody said yes"
    );
    session.ok(&["get", "cmd", "c"]);
    assert_eq!(
        refused(&["wait", "--for=jsonpath=", "cmd/c"]),
        "error: jsonpath expression cannot be empty"
    );
    assert_eq!(session.ok(&["wait", "--for=delete", "cmd", "-l", "nosuch"]), "");
}
