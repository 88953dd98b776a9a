//! Signals that ask this program to stop: the first asks nicely, the second is obeyed at once.
//!
//! A thread of its own waits for them, so that nothing that hangs keeps them from being obeyed.
//!
//! Rule: `docs/rules/sessions.md`, "Signals".

use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::keys;
use crate::edge::process::kill_all_groups;

/// How long stopping may take.
pub const PATIENCE: Duration = Duration::from_millis(1500);
/// The exit code of a program that was made to stop.
const FORCED_EXIT: u8 = 1;

/// Returns a token that the first SIGINT, SIGTERM or SIGHUP cancels. SIGHUP stays ignored where it is at the start: `nohup` is to
/// keep the end of the terminal from us.
///
/// At the second one all child processes are killed and this program exits with code 1; [`PATIENCE`] after the first, if it
/// still runs, with the code that stopping has.
///
/// # Errors
///
/// When the signals cannot be received.
pub fn cancel_on_signal(stopped: u8) -> io::Result<CancellationToken> {
    let token = CancellationToken::new();
    let stopping = token.clone();
    let (ready, is_ready) = std::sync::mpsc::channel();
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let outcome = runtime.and_then(|runtime| {
                let signals = runtime.block_on(async { all_signals() })?;
                Ok((runtime, signals))
            });
            let (runtime, signals) = match outcome {
                Ok(outcome) => outcome,
                Err(error) => return drop(ready.send(Err(error))),
            };
            // Whoever asked waits for this.
            let _ = ready.send(Ok(()));
            // A session that nobody could stop any more stops by itself.
            let _stops = stopping.clone().drop_guard();
            let code = runtime.block_on(async move {
                let (sender, receiver) = mpsc::unbounded_channel();
                for mut signals in signals {
                    let sender = sender.clone();
                    tokio::spawn(async move {
                        while signals.recv().await.is_some() && sender.send(()).is_ok() {}
                    });
                }
                wait_for_patience(receiver, &stopping, stopped).await
            });
            kill_all_groups();
            keys::give_back();
            std::process::exit(i32::from(code));
        })?;
    is_ready
        .recv()
        .unwrap_or_else(|error| Err(io::Error::other(error)))?;
    Ok(token)
}

fn all_signals() -> io::Result<Vec<Signal>> {
    let mut kinds = vec![SignalKind::interrupt(), SignalKind::terminate()];
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if !is_ignored(&status, SignalKind::hangup()) {
        kinds.push(SignalKind::hangup());
    }
    kinds.into_iter().map(signal).collect()
}

/// Returns whether a process ignores a signal, by what the system says of it. Only Linux says it.
fn is_ignored(status: &str, kind: SignalKind) -> bool {
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_some_and(|mask| mask >> (kind.as_raw_value() - 1) & 1 == 1)
}

/// Cancels the token at the first signal; returns the code to exit with, at the second one or when stopping has taken too
/// long.
async fn wait_for_patience(
    mut signals: mpsc::UnboundedReceiver<()>,
    token: &CancellationToken,
    stopped: u8,
) -> u8 {
    if signals.recv().await.is_none() {
        return std::future::pending().await;
    }
    token.cancel();
    match tokio::time::timeout(PATIENCE, signals.recv()).await {
        Ok(_) => FORCED_EXIT,
        Err(_) => stopped,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting() -> (
        mpsc::UnboundedSender<()>,
        CancellationToken,
        tokio::task::JoinHandle<(Duration, u8)>,
    ) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let token = CancellationToken::new();
        let stopping = token.clone();
        let waiting = tokio::spawn(async move {
            let start = tokio::time::Instant::now();
            let code = wait_for_patience(receiver, &stopping, 0).await;
            (start.elapsed(), code)
        });
        (sender, token, waiting)
    }

    #[test]
    fn a_signal_that_is_ignored_is_known_by_its_bit() {
        let status = "Name:\ttilt\nSigBlk:\t0000000000000001\nSigIgn:\t0000000000001001\n";
        assert!(is_ignored(status, SignalKind::hangup()));
        assert!(!is_ignored(status, SignalKind::interrupt()));
        assert!(!is_ignored("", SignalKind::hangup()));
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_signal_asks_and_after_a_while_it_is_over() {
        let (sender, token, waiting) = waiting();
        sender.send(()).unwrap();
        token.cancelled().await;
        assert_eq!(waiting.await.unwrap(), (PATIENCE, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn the_second_signal_ends_the_waiting() {
        let (sender, _token, waiting) = waiting();
        sender.send(()).unwrap();
        sender.send(()).unwrap();
        assert_eq!(waiting.await.unwrap(), (Duration::ZERO, 1));
    }
}
