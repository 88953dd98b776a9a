//! `tilt ci` and `tilt up` with local resources only: real commands and servers, neither cluster nor Docker.
#![allow(clippy::disallowed_methods, reason = "these tests run a program")]

use std::io::{BufRead, BufReader, Lines, Write};
use std::net::TcpListener;
use std::process::{Child, ChildStdout, ExitStatus, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::commands::Folder;

const NO_CLUSTER: [(&str, &str); 1] = [("KUBECONFIG", "none")];

/// Returns the lines of resources, without their padding.
fn lines(log: &str) -> Vec<String> {
    log.lines()
        .filter(|line| line.contains('│'))
        .map(|line| line.trim().to_owned())
        .collect()
}

/// `tilt up --stream`, running.
pub(crate) struct Up {
    child: Child,
    output: Option<Lines<BufReader<ChildStdout>>>,
    pub(crate) seen: Vec<String>,
}

impl Up {
    pub(crate) fn start(folder: &Folder) -> Self {
        Self::start_with(folder, &["up", "--stream"], &NO_CLUSTER)
    }

    pub(crate) fn start_with(folder: &Folder, args: &[&str], env: &[(&str, &str)]) -> Self {
        let mut command = folder.command(args, env);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the binary runs");
        let output = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        Self {
            child,
            output: Some(output),
            seen: Vec::new(),
        }
    }

    /// Reads until a line has this text.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) {
        loop {
            let Some(Ok(line)) = self.output.as_mut().and_then(Iterator::next) else {
                panic!("{text} is missing in {:#?}", self.seen);
            };
            let is_found = line.contains(text);
            self.seen.push(line);
            if is_found {
                return;
            }
        }
    }

    pub(crate) fn stop(&mut self) {
        // How soon it ends, and with which status, is for tests that do not share the machine with heavy ones.
        self.end_by(Signal::SIGINT);
    }

    /// Sends it a signal, and waits until it has ended.
    pub(crate) fn end_by(&mut self, signal: Signal) -> ExitStatus {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a number"));
        kill(pid, signal).expect("it lives");
        self.child.wait().expect("it ends")
    }

    /// Goes away, and waits until it has ended.
    pub(crate) fn leave(&mut self) -> ExitStatus {
        self.output = None;
        self.child.wait().expect("it ends")
    }
}

#[test]
fn commands_run_one_after_the_other_with_their_directory_and_environment() {
    let folder = Folder::new(&[(
        "Tiltfile",
        "local_resource('a', 'echo $ROOM; sleep 0.1; echo end', env={'ROOM': 'attic'})\n\
         local_resource('b', ['echo', 'two words'], resource_deps=['a'])\n\
         local_resource('never', 'exit 1', auto_init=False)\n",
    )]);
    let ran = folder.tilt(&["ci"], &NO_CLUSTER);
    ran.status(0);
    assert_eq!(
        lines(&ran.stdout()),
        [
            "a │",
            "a │ Initial Build",
            "a │ Running cmd: echo $ROOM; sleep 0.1; echo end",
            "a │ attic",
            "a │ end",
            "b │",
            "b │ Initial Build",
            "b │ Running cmd: echo \"two words\"",
            "b │ two words",
        ]
    );
}

#[test]
fn a_command_that_fails_ends_the_run_with_its_status() {
    let folder = Folder::new(&[("Tiltfile", "local_resource('a', 'echo \"no\"; exit 5')\n")]);
    let ran = folder.tilt(&["ci"], &NO_CLUSTER);
    assert_eq!(
        ran.status(1).stderr(),
        "Error: Command \"echo \\\"no\\\"; exit 5\" failed: exit status 5\n  last lines of a:\n    \
         Running cmd: echo \"no\"; exit 5\n    no"
    );
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let folder = Folder::new(&[("Tiltfile", "local_resource('a', ['no-such-program'])\n")]);
    let ran = folder.tilt(&["ci"], &NO_CLUSTER);
    let error = ran.status(1).stderr();
    let expected = "Error: Command \"no-such-program\" failed: no-such-program failed to start: exec: \"no-such-program\": \
                    executable file not found in $PATH";
    assert_eq!(error.lines().next(), Some(expected), "{error}");
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let folder = Folder::new(&[("Tiltfile", "local_resource('a', 'true', dir='nowhere')\n")]);
    let ran = folder.tilt(&["ci"], &NO_CLUSTER);
    let error = ran.status(1).stderr();
    assert!(error.contains("true failed to start: chdir "), "{error}");
    assert!(error.contains("/nowhere: no such file or directory"), "{error}");
}

#[test]
fn a_server_that_dies_before_the_run_ends_fails_it() {
    let folder = Folder::new(&[(
        "Tiltfile",
        "local_resource('server', serve_cmd='echo up; exit 0')\nlocal_resource('slow', 'sleep 20')\n",
    )]);
    let ran = folder.tilt(&["ci"], &NO_CLUSTER);
    let error = ran.status(1).stderr();
    assert!(
        error.starts_with("Error: Process ")
            && error.ends_with(
                " exited with non-zero status\n  server: its server exited: exit code 0, but a server is to run on\n  \
                 last lines of server:\n    Running cmd: echo up; exit 0\n    up"
            ),
        "{error}"
    );
    assert!(
        ran.stdout()
            .contains("server │ ERROR: Server exited with exit code 0"),
        "{}",
        ran.stdout()
    );
}

#[test]
fn a_server_that_ends_by_itself_says_how() {
    let folder = Folder::new(&[(
        "Tiltfile",
        "local_resource('fails', serve_cmd='exit 3')\nlocal_resource('killed', serve_cmd='kill -9 $$')\n\
         local_resource('slow', 'sleep 20', resource_deps=['fails', 'killed'])\n",
    )]);
    let ran = folder.tilt(&["ci", "--timeout=5s"], &NO_CLUSTER);
    let log = ran.status(1).stdout();
    assert!(
        log.contains("fails │ ERROR: Server exited with exit code 3")
            || log.contains("killed │ ERROR: Server exited with signal: killed"),
        "{log}"
    );
}

#[test]
fn a_run_waits_until_the_probe_of_a_server_says_that_it_is_ready() {
    let folder = Folder::new(&[(
        "Tiltfile",
        "local_resource('server', serve_cmd='sleep 0.3; touch ready; sleep 100',\n\
         \x20   readiness_probe=probe(period_secs=1, exec=exec_action(['sh', '-c', 'test -e ready && echo here'])))\n\
         local_resource('after', 'ls ready', resource_deps=['server'])\n",
    )]);
    let ran = folder.tilt(&["ci"], &NO_CLUSTER);
    let log = ran.status(0).stdout();
    let at = |text: &str| {
        log.find(text)
            .unwrap_or_else(|| panic!("{text} is missing in {log}"))
    };
    assert!(
        !log.contains("[readiness probe: failure]"),
        "one failure is below the threshold: {log}"
    );
    assert!(at("[readiness probe: success] here") < at("after │ ready"));
}

#[test]
fn a_server_whose_probe_can_never_succeed_is_not_started() {
    for (action, why) in [
        (
            "tcp_socket=tcp_socket_action(70000)",
            "port 70000 is out of range: ports are from 1 to 65535",
        ),
        (
            "http_get=http_get_action(0)",
            "port 0 is out of range: ports are from 1 to 65535",
        ),
        ("exec=exec_action([])", "the command is empty"),
    ] {
        let tiltfile = format!(
            "local_resource('server', serve_cmd='echo up; sleep 100', readiness_probe=probe({action}))\n"
        );
        let ran = Folder::new(&[("Tiltfile", &tiltfile)]).tilt(&["ci"], &NO_CLUSTER);
        let log = ran.status(1).stdout();
        let expected = format!("server │ ERROR: Invalid readiness probe: {why}");
        assert!(log.contains(&expected) && !log.contains("server │ up"), "{log}");
    }
}

#[test]
fn commands_of_a_session_at_a_terminal_are_asked_for_colour() {
    let tiltfile = "local('echo load-${FORCE_COLOR:-none}')\n\
                    local_resource('a', 'echo update-${FORCE_COLOR:-none}')\n\
                    local_resource('b', 'echo own-$FORCE_COLOR', env={'FORCE_COLOR': '3'})\n";
    let folder = Folder::new(&[("Tiltfile", tiltfile)]);
    let plain = folder.tilt(&["ci"], &NO_CLUSTER).status(0).stdout();
    for expected in ["load-none", "update-none", "own-3"] {
        assert!(plain.contains(expected), "{plain}");
    }
    let at_terminal = |env: &[(&str, &str)]| {
        let mut command = std::process::Command::new("script");
        let tilt = format!("{} ci --port=0", env!("CARGO_BIN_EXE_tilt"));
        command
            .args(["-qec", &tilt, "/dev/null"])
            .current_dir(folder.path(""));
        command
            .env_remove("NO_COLOR")
            .env("TERM", "xterm")
            .env("HOME", folder.path(""));
        let output = command.envs(NO_CLUSTER).envs(env.iter().copied()).output();
        String::from_utf8_lossy(&output.expect("it runs").stdout).into_owned()
    };
    let coloured = at_terminal(&[]);
    for expected in ["load-1", "update-1", "own-3"] {
        assert!(coloured.contains(expected), "{coloured}");
    }
    let refused = at_terminal(&[("NO_COLOR", "1")]);
    assert!(
        refused.contains("load-none") && refused.contains("update-none"),
        "{refused}"
    );
}

#[test]
fn a_page_that_answers_makes_a_server_ready() {
    let page = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = page.local_addr().expect("an address").port();
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = page.accept().expect("somebody asks");
        let mut request = String::new();
        BufReader::new(&stream)
            .read_line(&mut request)
            .expect("a request");
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
            .expect("they listen");
        request
    });
    let tiltfile = format!(
        "local_resource('server', serve_cmd='sleep 100',\n\
         \x20   readiness_probe=probe(http_get=http_get_action({port}, host='127.0.0.1', path='health')))\n"
    );
    let folder = Folder::new(&[("Tiltfile", &tiltfile)]);
    let ran = folder.tilt(&["ci"], &NO_CLUSTER);
    let log = ran.status(0).stdout();
    assert_eq!(
        answering.join().expect("it was asked"),
        "GET /health HTTP/1.1\r\n"
    );
    assert!(log.contains("server │ [readiness probe: success] hi"), "{log}");
}

#[test]
fn a_changed_dependency_runs_the_command_and_starts_the_server_anew() {
    let folder = Folder::new(&[
        (
            "Tiltfile",
            "local_resource('a', 'echo made $(cat in.txt)', serve_cmd='echo serves $(cat in.txt); sleep 100',\n\
             \x20   deps=['in.txt'])\n",
        ),
        ("in.txt", "one"),
    ]);
    let mut up = Up::start(&folder);
    up.wait_for("a │ serves one");
    std::fs::write(folder.path("in.txt"), "two").expect("a file");
    up.wait_for("a │ 1 File Changed: [in.txt]");
    up.wait_for("a │ made two");
    up.wait_for("a │ serves two");
    up.stop();
}

#[test]
fn a_tiltfile_that_never_ends_is_mended_by_an_edit() {
    let folder = Folder::new(&[("Tiltfile", "print('begins')\nwhile True:\n    pass\n")]);
    let mut up = Up::start(&folder);
    up.wait_for("begins");
    std::fs::write(folder.path("Tiltfile"), "local_resource('a', 'echo it runs')\n").expect("a file");
    up.wait_for("a │ it runs");
    up.stop();
}

#[test]
fn a_command_has_no_input_and_leads_a_session_without_a_terminal() {
    let folder = Folder::new(&[(
        "Tiltfile",
        "local_resource('a', 'cat; test -t 0 || test -t 1 || test -t 2 || echo no terminal; \
         test $(ps -o sid= -p $$) = $$ && echo own session')\n",
    )]);
    let ran = folder.tilt(&["ci"], &NO_CLUSTER);
    let log = ran.status(0).stdout();
    for expected in ["a │ no terminal", "a │ own session"] {
        assert!(log.contains(expected), "{log}");
    }
}

#[test]
fn what_a_command_prints_comes_out_byte_for_byte() {
    let script = r"printf 'odd \377\n'; printf '10%%\r100%%\n'; printf '\033[31mred\033[0m\n'
        head -c 100000 /dev/zero | tr '\0' x; echo; printf open";
    let folder = Folder::new(&[
        ("Tiltfile", "local_resource('a', 'sh odd.sh')\n"),
        ("odd.sh", script),
    ]);
    let output = folder.command(&["ci", "--log-resource=a"], &NO_CLUSTER).output();
    let log = output.expect("it runs").stdout;
    let long = [b"x".repeat(100_000), b"\nopen\n".to_vec()].concat();
    for expected in [&b"odd \xff\n"[..], b"\n100%\n", b"\x1b[31mred\x1b[0m\n", &long] {
        let is_there = log.windows(expected.len()).any(|window| window == expected);
        assert!(
            is_there,
            "{:?}",
            String::from_utf8_lossy(&expected[..expected.len().min(40)])
        );
    }
}

#[test]
fn a_server_that_cannot_be_started_fails_the_run() {
    let folder = Folder::new(&[("Tiltfile", "local_resource('a', serve_cmd=['no-such-program'])\n")]);
    let ran = folder.tilt(&["ci"], &NO_CLUSTER);
    let log = ran.status(1).stdout();
    let expected = "a │ ERROR: no-such-program failed to start: exec: \"no-such-program\": executable file not found in $PATH";
    assert!(log.contains(expected), "{log}");
    let error = ran.stderr();
    let mut lines = error.lines();
    assert_eq!(lines.next(), Some("Error: Process 0 exited with non-zero status"));
    let why =
        "  a: no-such-program failed to start: exec: \"no-such-program\": executable file not found in $PATH";
    assert_eq!(lines.next(), Some(why));
}

#[test]
fn a_server_without_a_probe_that_ends_at_once_fails_the_run() {
    for (serve, why) in [
        ("nosuchserver --port 80", "exit code 127"),
        ("echo hi; exit 3", "exit code 3"),
        ("sleep 0.05; exit 4", "exit code 4"),
    ] {
        let folder = Folder::new(&[(
            "Tiltfile",
            &*format!("local_resource('x', serve_cmd='{serve}')\n"),
        )]);
        let ran = folder.tilt(&["ci"], &NO_CLUSTER);
        let error = ran.status(1).stderr();
        assert!(
            error.contains(&format!("\n  x: its server exited: {why}")),
            "{error}"
        );
    }
}

#[test]
fn a_server_keeps_running_while_its_next_update_runs_or_after_it_failed() {
    let folder = Folder::new(&[
        (
            "Tiltfile",
            "local_resource('a', 'echo updating; test $(cat in.txt) = good', deps=['in.txt'],\n\
             \x20   serve_cmd='echo serves; while :; do if test -e ask; then rm ask; echo still here; fi; sleep 0.05; done')\n",
        ),
        ("in.txt", "good"),
    ]);
    let mut up = Up::start(&folder);
    up.wait_for("a │ serves");
    std::fs::write(folder.path("in.txt"), "bad").expect("a file");
    up.wait_for("a │ ERROR: Build Failed: Command");
    std::fs::write(folder.path("ask"), "").expect("a file");
    up.wait_for("a │ still here");
    std::fs::write(folder.path("in.txt"), "good").expect("a file");
    up.wait_for("a │ serves");
    up.stop();
}

#[test]
fn a_server_whose_definition_changes_is_stopped_before_the_new_one_starts() {
    let tiltfile = |word: &str| {
        format!(
            "local_resource('a', serve_cmd='trap \"rmdir port; exit\" TERM; mkdir port && echo {word} serves; sleep 60 & wait',\n\
             \x20   links=['http://localhost/{word}'])\n"
        )
    };
    let folder = Folder::new(&[("Tiltfile", &tiltfile("first"))]);
    let mut up = Up::start(&folder);
    up.wait_for("a │ first serves");
    std::fs::write(folder.path("Tiltfile"), tiltfile("second")).expect("a file");
    up.wait_for("a │ second serves");
    up.stop();
}

#[test]
fn the_file_that_our_output_goes_to_is_no_change() {
    let folder = Folder::new(&[
        (
            "Tiltfile",
            "local_resource('a', 'cat in.txt > $SEEN', deps=['.'])\n",
        ),
        ("in.txt", "1\n"),
    ]);
    let beside = tempfile::tempdir().expect("a folder");
    let seen = beside.path().join("seen");
    nix::unistd::mkfifo(&seen, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    // Open at both ends, so that nobody waits for the other.
    let pipe = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(&seen)
        .expect("a pipe");
    let mut runs = BufReader::new(pipe).lines();
    let log = std::fs::File::create(folder.path("tilt.log")).expect("a file");
    let mut command = folder.command(&["up", "--stream"], &NO_CLUSTER);
    command
        .env("SEEN", &seen)
        .stderr(log.try_clone().expect("a file"))
        .stdout(log);
    let mut child = command.spawn().expect("the binary runs");
    for number in 1..=5 {
        let run = runs.next().expect("a line").expect("text");
        assert_eq!(run, number.to_string(), "one run for each change");
        std::fs::write(folder.path("in.txt"), format!("{}\n", number + 1)).expect("a file");
    }
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a number"));
    kill(pid, Signal::SIGINT).expect("it lives");
    child.wait().expect("it ends");
}
