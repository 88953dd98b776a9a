//! Signals that ask this program to stop: the first asks nicely, the second is obeyed at once.
//!
//! Rule: `reference/engine.md` 8.2.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::process::kill_all_groups;

/// How long stopping may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// The exit code of a program that was made to stop.
const FORCED_EXIT: i32 = 1;

/// Returns a token that the first SIGINT, SIGTERM or SIGHUP cancels.
///
/// At the second one, or 2 s after the first, all child processes are killed and this program exits with code 1.
///
/// # Errors
///
/// When the signals cannot be received.
pub fn cancel_on_signal() -> io::Result<CancellationToken> {
    let (sender, receiver) = mpsc::unbounded_channel();
    for kind in [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
    ] {
        let (mut signals, sender) = (signal(kind)?, sender.clone());
        tokio::spawn(async move { while signals.recv().await.is_some() && sender.send(()).is_ok() {} });
    }
    let token = CancellationToken::new();
    let stopping = token.clone();
    tokio::spawn(async move {
        wait_for_patience(receiver, &stopping).await;
        kill_all_groups();
        std::process::exit(FORCED_EXIT);
    });
    Ok(token)
}

/// Cancels the token at the first signal, and returns when stopping has taken too long.
async fn wait_for_patience(mut signals: mpsc::UnboundedReceiver<()>, token: &CancellationToken) {
    if signals.recv().await.is_none() {
        return std::future::pending().await;
    }
    token.cancel();
    // At the end of the time, or at the second signal: either way it is over.
    let _ = tokio::time::timeout(PATIENCE, signals.recv()).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting() -> (
        mpsc::UnboundedSender<()>,
        CancellationToken,
        tokio::task::JoinHandle<Duration>,
    ) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let token = CancellationToken::new();
        let stopping = token.clone();
        let waiting = tokio::spawn(async move {
            let start = tokio::time::Instant::now();
            wait_for_patience(receiver, &stopping).await;
            start.elapsed()
        });
        (sender, token, waiting)
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_signal_asks_and_two_seconds_later_it_is_over() {
        let (sender, token, waiting) = waiting();
        sender.send(()).unwrap();
        token.cancelled().await;
        assert_eq!(waiting.await.unwrap().as_secs(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn the_second_signal_ends_the_waiting() {
        let (sender, _token, waiting) = waiting();
        sender.send(()).unwrap();
        sender.send(()).unwrap();
        assert_eq!(waiting.await.unwrap(), Duration::ZERO);
    }
}
