//! `tilt ci` where whoever reads its output goes away, or whoever started it sends a signal.
#![allow(clippy::disallowed_methods, reason = "these tests run a program")]

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Stdio};
use std::thread::JoinHandle;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::commands::Folder;

const NO_CLUSTER: [(&str, &str); 1] = [("KUBECONFIG", "none")];

fn started(folder: &Folder, args: &[&str]) -> (Child, BufReader<ChildStdout>) {
    started_with("--default-signal=HUP", folder, args)
}

/// Starts a run to which SIGHUP means what `env` is told, whatever it means to these tests.
fn started_with(hangup: &str, folder: &Folder, args: &[&str]) -> (Child, BufReader<ChildStdout>) {
    let tilt = folder.command(args, &NO_CLUSTER);
    let mut command = std::process::Command::new("env");
    command.arg(hangup).arg(tilt.get_program()).args(tilt.get_args());
    command.current_dir(folder.path("")).env_clear();
    command.envs(tilt.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    (child, stdout)
}

/// Waits until a line ends like this.
#[track_caller]
fn wait_for(output: &mut impl BufRead, end: &str) {
    let found = output
        .lines()
        .any(|line| line.is_ok_and(|line| line.ends_with(end)));
    assert!(found, "{end} is missing");
}

/// Returns the status of a run that has ended, and what it said on standard error.
fn ended(mut child: Child) -> (Option<i32>, String) {
    let mut error = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        stderr.read_to_string(&mut error).expect("text");
    }
    (child.wait().expect("it ends").code(), error)
}

#[test]
fn a_run_whose_reader_goes_away_still_ends_as_it_should() {
    for (last, status, expected) in [
        ("true", 0, ""),
        (
            "exit 3",
            1,
            "Error: Command \"exit 3\" failed: exit status 3\n  last lines of last:\n    Running cmd: exit 3\n",
        ),
    ] {
        let tiltfile = format!(
            "local_resource('first', 'echo begins; while ! test -e gone; do sleep 0.05; done; seq 2000')\n\
             local_resource('last', '{last}', resource_deps=['first'])\n"
        );
        let folder = Folder::new(&[("Tiltfile", &tiltfile)]);
        let (child, mut stdout) = started(&folder, &["ci"]);
        wait_for(&mut stdout, "first │ begins");
        drop(stdout);
        std::fs::write(folder.path("gone"), "").expect("a file");
        assert_eq!(ended(child), (Some(status), expected.to_owned()), "{last}");
    }
}

#[test]
fn a_run_with_nowhere_to_say_anything_ends_with_its_status() {
    let folder = Folder::new(&[("Tiltfile", "local_resource('a', 'exit 3')\n")]);
    for redirect in [">&- 2>&-", ">/dev/full 2>/dev/full"] {
        let mut shell = std::process::Command::new("sh");
        let script = format!("{} ci {redirect}", env!("CARGO_BIN_EXE_tilt"));
        shell.args(["-c", &script]).current_dir(folder.path(""));
        let status = shell
            .env("HOME", folder.path(""))
            .env("TILT_PORT", "0")
            .envs(NO_CLUSTER)
            .status();
        assert_eq!(status.expect("it runs").code(), Some(1), "{redirect}");
    }
}

/// Returns once all processes that write to the FIFO are dead: only then does reading it end.
fn when_writers_are_gone(folder: &Folder) -> JoinHandle<()> {
    let fifo = folder.path("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status();
    assert!(made.expect("it runs").success());
    std::thread::spawn(move || assert_eq!(std::fs::read(fifo).expect("a FIFO"), b""))
}

#[test]
fn each_signal_that_asks_to_stop_ends_a_run_with_an_error_and_all_that_it_started() {
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT] {
        let folder = Folder::new(&[(
            "Tiltfile",
            "local_resource('server', serve_cmd='exec 9>fifo; echo serves; exec sleep 60')\n\
             local_resource('slow', 'exec 9>fifo; echo works; sleep 60', resource_deps=['server'])\n",
        )]);
        let gone = when_writers_are_gone(&folder);
        let (child, mut stdout) = started(&folder, &["ci"]);
        wait_for(&mut stdout, "slow │ works");
        let pid = i32::try_from(child.id()).expect("a number");
        kill(Pid::from_raw(pid), signal).expect("it lives");
        let expected = (Some(1), "Error: context canceled\n".to_owned());
        assert_eq!(ended(child), expected, "{signal}");
        gone.join().expect("nothing outlives the run");
    }
}

#[test]
fn a_run_that_is_to_outlive_its_terminal_does() {
    let folder = Folder::new(&[(
        "Tiltfile",
        "local_resource('slow', 'echo works; until test -e go; do sleep 0.05; done')\n",
    )]);
    let (child, mut stdout) = started_with("--ignore-signal=HUP", &folder, &["ci"]);
    wait_for(&mut stdout, "slow │ works");
    let pid = i32::try_from(child.id()).expect("a number");
    kill(Pid::from_raw(pid), Signal::SIGHUP).expect("it lives");
    std::fs::write(folder.path("go"), "").expect("a file");
    assert_eq!(ended(child), (Some(0), String::new()));
}

#[test]
fn a_server_that_will_not_stop_does_not_outlive_a_run_that_succeeds() {
    let folder = Folder::new(&[(
        "Tiltfile",
        "local_resource('server', serve_cmd='trap \"\" TERM; exec 9>fifo; echo serves; while :; do sleep 60; done')\n\
         local_resource('after', 'until test -e started; do sleep 0.05; done', resource_deps=['server'])\n",
    )]);
    let gone = when_writers_are_gone(&folder);
    let (child, mut stdout) = started(&folder, &["ci"]);
    wait_for(&mut stdout, "server │ serves");
    std::fs::write(folder.path("started"), "").expect("a file");
    assert_eq!(ended(child), (Some(0), String::new()));
    gone.join().expect("nothing outlives the run");
}
