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
    child: Child,
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
