//! What a process and its group do to us, and we to them. The children are real; nothing waits for time to pass.

use super::*;
use crate::logs::{LogReader, LogStore};
use crate::model::{ManifestName, SpanId};

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
