//! Runs a process to its end on the thread that asks, for callers that are no tasks: the evaluation of a Tiltfile.

use std::io;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use super::{Captured, ChildCommand, Exit, Group};
use crate::tiltfile::Stream;

/// How often it is looked whether the process is still wanted.
const LOOK: Duration = Duration::from_millis(10);

/// Runs a process until it has ended and its output is closed; `output` hears what it prints as soon as it does.
///
/// What it left running is left alone, as in Tilt, unless `cancelled` is set before the end: then the process and its
/// group are killed. Must not be called from a task.
///
/// # Errors
///
/// When it cannot be started, or was cancelled (then with the kind `Interrupted`).
pub fn run_to_end(
    command: &ChildCommand,
    input: Vec<u8>,
    output: &mut dyn FnMut(Stream, &[u8]),
    cancelled: &AtomicBool,
) -> io::Result<Captured> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        tokio::select! {
            biased;
            () = set(cancelled) => Err(io::ErrorKind::Interrupted.into()),
            captured = run(command, input, output) => captured,
        }
    })
}

async fn set(cancelled: &AtomicBool) {
    while !cancelled.load(Ordering::Relaxed) {
        tokio::time::sleep(LOOK).await;
    }
}

async fn run(
    command: &ChildCommand,
    input: Vec<u8>,
    output: &mut dyn FnMut(Stream, &[u8]),
) -> io::Result<Captured> {
    let stdin = if input.is_empty() {
        Stdio::null()
    } else {
        Stdio::piped()
    };
    let mut child = command.wrap(Stdio::piped(), Stdio::piped(), stdin)?.spawn()?;
    let group = Group::of(&*child)?;
    let feed = child.stdin().take().map(|mut stdin| {
        tokio::spawn(async move {
            // A process need not read its input.
            let _ = stdin.write_all(&input).await;
        })
    });
    let mut captured = Captured {
        exit: Exit::Code(0),
        stdout: Vec::new(),
        stderr: Vec::new(),
    };
    let (mut stdout, mut stderr) = (child.stdout().take(), child.stderr().take());
    let (mut out, mut err) = (vec![0; 16 * 1024], vec![0; 16 * 1024]);
    while stdout.is_some() || stderr.is_some() {
        tokio::select! {
            n_bytes = read(&mut stdout, &mut out) => {
                output(Stream::Stdout, &out[..n_bytes]);
                captured.stdout.extend_from_slice(&out[..n_bytes]);
            }
            n_bytes = read(&mut stderr, &mut err) => {
                output(Stream::Stderr, &err[..n_bytes]);
                captured.stderr.extend_from_slice(&err[..n_bytes]);
            }
        }
    }
    captured.exit = Exit::from(child.wait().await?);
    group.release();
    if let Some(feed) = feed {
        feed.abort();
    }
    Ok(captured)
}

/// Reads what there is; at the end, or when it cannot be read, the pipe becomes `None`. Waits for ever without a pipe.
async fn read(pipe: &mut Option<impl AsyncRead + Unpin>, buffer: &mut [u8]) -> usize {
    let Some(open) = pipe else {
        return std::future::pending().await;
    };
    match open.read(buffer).await {
        Ok(n_bytes @ 1..) => n_bytes,
        Ok(0) | Err(_) => {
            *pipe = None;
            0
        }
    }
}
