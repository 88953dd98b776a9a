//! What a process and its group do to us, and we to them. The children are real; nothing waits for time to pass.

use super::*;
use std::sync::atomic::AtomicBool;

use crate::logs::{LogReader, LogStore};
use crate::model::{ManifestName, SpanId};
use crate::tiltfile::Stream;

fn shell(script: &str) -> ChildCommand {
    ChildCommand {
        argv: ["/bin/sh", "-c", script].map(str::to_owned).into(),
        dir: LocalPath::new("/"),
        env: Environment::inherited(),
    }
}

fn log() -> (LogStore, LogWriter) {
    let store = LogStore::in_memory();
    let writer = LogWriter::new(store.clone(), SpanId::from("cmd:web"), ManifestName::from("web"));
    (store, writer)
}

fn text(reader: &mut LogReader) -> String {
    let segments = reader.try_next_batch();
    segments.iter().map(|segment| segment.text.as_str()).collect()
}

/// A process that prints `up` and then does not end by itself.
async fn started(script: &str) -> (Process, LogWriter, LogReader) {
    let (store, writer) = log();
    let process = Process::spawn(&shell(script), &writer).unwrap();
    let mut reader = store.reader();
    let first = reader.next_batch().await.unwrap();
    assert_eq!(first[0].text, "up\n");
    // The log must stay open: it is closed with its last handle, which `writer` is.
    (process, writer, reader)
}

#[tokio::test]
async fn both_outputs_reach_the_log_in_order() {
    let (store, writer) = log();
    let script = "echo one; echo two >&2; printf three";
    let mut process = Process::spawn(&shell(script), &writer).unwrap();
    assert_eq!(process.wait().await.unwrap(), Exit::Code(0));
    assert_eq!(text(&mut store.reader()), "one\ntwo\nthree");
}

#[tokio::test]
async fn directory_and_environment_are_as_given() {
    let mut command = shell("pwd; echo $GREETING $HOME; env | grep -c PATH=");
    command.env = Environment::default();
    command.env.set("GREETING", "hello");
    command.env.set("PATH", "/usr/bin:/bin");
    command.env.set_default("GREETING", "ignored");
    command.dir = LocalPath::new("/usr");
    let captured = capture(&command, None).await.unwrap();
    assert_eq!(String::from_utf8(captured.stdout).unwrap(), "/usr\nhello\n1\n");
}

#[tokio::test]
async fn outputs_are_captured_apart_and_input_is_fed() {
    let captured = capture(&shell("cat; echo oops >&2; exit 3"), Some(b"in".to_vec())).await;
    let expected = Captured {
        exit: Exit::Code(3),
        stdout: b"in".to_vec(),
        stderr: b"oops\n".to_vec(),
    };
    assert_eq!(captured.unwrap(), expected);
}

#[tokio::test]
async fn a_command_that_cannot_start_is_an_error() {
    let mut command = shell("");
    command.argv = vec!["/no/such/program".to_owned()];
    assert!(Process::spawn(&command, &log().1).is_err());
    command.argv.clear();
    assert!(capture(&command, None).await.is_err());
}

#[test]
fn ends_are_told_as_scripts_expect() {
    assert_eq!(Exit::Code(1).to_string(), "exit status 1");
    assert_eq!(Exit::Signal(9).to_string(), "signal: killed");
    assert_eq!(Exit::Signal(9).code(), 137);
}

/// Returns once all processes that write to the FIFO are dead; only then does reading it end.
async fn last_writer_gone(fifo: std::path::PathBuf) {
    tokio::task::spawn_blocking(move || std::fs::read(fifo).unwrap())
        .await
        .unwrap();
}

async fn fifo(dir: &tempfile::TempDir) -> std::path::PathBuf {
    let path = dir.path().join("fifo");
    let made = capture(&shell(&format!("mkfifo {}", path.display())), None).await;
    assert!(made.unwrap().exit.is_success());
    path
}

#[tokio::test]
async fn what_a_process_leaves_behind_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let fifo = fifo(&dir).await;
    let script = format!("exec 9> {}; sleep 1000 & exit 0", fifo.display());
    let gone = tokio::spawn(last_writer_gone(fifo));
    let mut process = Process::spawn(&shell(&script), &log().1).unwrap();
    assert_eq!(process.wait().await.unwrap(), Exit::Code(0));
    gone.await.unwrap();
}

#[tokio::test]
async fn a_dropped_process_dies_with_its_group() {
    let dir = tempfile::tempdir().unwrap();
    let fifo = fifo(&dir).await;
    let script = format!("exec 9> {}; sleep 1000 & echo up; wait", fifo.display());
    let gone = tokio::spawn(last_writer_gone(fifo));
    let (process, _writer, _reader) = started(&script).await;
    drop(process);
    gone.await.unwrap();
}

#[tokio::test]
async fn a_process_that_heeds_the_signal_is_not_talked_about() {
    let (process, writer, mut reader) =
        started("trap 'echo bye; exit 0' TERM; echo up; sleep 1000 & wait").await;
    assert_eq!(process.stop(&writer).await.unwrap(), Exit::Code(0));
    assert_eq!(text(&mut reader), "bye\n");
}

#[tokio::test]
async fn a_process_that_ignores_the_signal_is_killed_after_30_s() {
    let (process, writer, mut reader) = started("trap '' TERM; echo up; while :; do sleep 1000; done").await;
    let pid = process.pid();
    tokio::time::pause();
    assert_eq!(process.stop(&writer).await.unwrap(), Exit::Signal(9));
    let expected = format!(
        "Waiting 30s for process to exit... (pid: {pid})\nStill waiting on exit... (pid: {pid})\n\
         Time is up! Sending {pid} a kill signal\n"
    );
    assert_eq!(text(&mut reader), expected);
}

/// Runs to the end on a thread that is no task, as the evaluation of a Tiltfile does.
fn to_end(script: &str, input: &str, cancelled: &AtomicBool) -> (io::Result<Captured>, String) {
    let mut heard = String::new();
    let captured = run_to_end(
        &shell(script),
        input.as_bytes().to_vec(),
        &mut |stream, bytes| {
            let mark = if stream == Stream::Stdout { '>' } else { '!' };
            heard.push(mark);
            heard.push_str(&String::from_utf8_lossy(bytes));
        },
        cancelled,
    );
    (captured, heard)
}

#[test]
fn a_run_to_the_end_is_heard_as_it_goes() {
    let script = "read line; echo got $line; sleep .05; echo oops >&2; exit 3";
    let (captured, heard) = to_end(script, "in\n", &AtomicBool::new(false));
    let captured = captured.unwrap();
    assert_eq!(captured.exit, Exit::Code(3));
    assert_eq!(
        (captured.stdout, captured.stderr),
        (b"got in\n".to_vec(), b"oops\n".to_vec())
    );
    assert_eq!(
        heard.replace(">!", "!").trim_end_matches(['>', '!']),
        ">got in\n!oops\n"
    );
}

#[test]
fn a_cancelled_run_ends_with_its_whole_group() {
    let cancelled = AtomicBool::new(false);
    let mut pids = String::new();
    let outcome = run_to_end(
        &shell("sleep 300 & echo $! $$; wait"),
        Vec::new(),
        &mut |_, bytes| {
            pids.push_str(&String::from_utf8_lossy(bytes));
            cancelled.store(true, std::sync::atomic::Ordering::Relaxed);
        },
        &cancelled,
    );
    assert_eq!(outcome.unwrap_err().kind(), io::ErrorKind::Interrupted);
    let pids: Vec<i32> = pids.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
    assert_eq!(pids.len(), 2);
    for pid in pids {
        wait_until_gone(pid);
    }
}

/// Waits until a process has ended; one that nobody has waited for yet has.
fn wait_until_gone(pid: i32) {
    for _ in 0..500 {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
        if stat.is_err() || stat.is_ok_and(|stat| stat.contains(") Z ")) {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("process {pid} still runs");
}

#[test]
fn what_a_command_left_running_lives_on() {
    let script = "sleep 300 >/dev/null 2>&1 & echo $!";
    let (captured, _) = to_end(script, "", &AtomicBool::new(false));
    let pid: i32 = String::from_utf8(captured.unwrap().stdout)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    let process = nix::unistd::Pid::from_raw(pid);
    assert_eq!(nix::sys::signal::kill(process, None), Ok(()));
    nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGKILL).unwrap();
}
