//! What a command in a container prints, on its way to the log.

use tokio::io::{AsyncWriteExt, SimplexStream, WriteHalf, simplex};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::edge::process::pump_to_log;
use crate::logs::LogWriter;

/// Bytes that wait for the log.
const BUFFER: usize = 64 * 1024;

/// Writes output to the log as it comes.
pub(super) struct Output {
    logging: JoinHandle<()>,
    passing: JoinHandle<()>,
}

/// Takes output.
pub(super) struct Sink(mpsc::UnboundedSender<Vec<u8>>);

impl Output {
    pub(super) fn new(log: LogWriter) -> (Self, Sink) {
        let (from, to) = simplex(BUFFER);
        let (sender, texts) = mpsc::unbounded_channel();
        let output = Self {
            logging: tokio::spawn(pump_to_log(from, log)),
            passing: tokio::spawn(pass(texts, to)),
        };
        (output, Sink(sender))
    }

    /// Waits until all is in the log.
    pub(super) async fn finish(self) {
        // A task that failed has nothing more to write.
        let _ = self.passing.await;
        let _ = self.logging.await;
    }
}

impl Sink {
    pub(super) fn push(&mut self, text: &[u8]) {
        // Nobody reads on once the log is closed.
        let _ = self.0.send(text.to_vec());
    }
}

async fn pass(mut texts: mpsc::UnboundedReceiver<Vec<u8>>, mut to: WriteHalf<SimplexStream>) {
    while let Some(text) = texts.recv().await {
        if to.write_all(&text).await.is_err() {
            return;
        }
    }
    // The reader sees the end also when this is dropped.
    let _ = to.shutdown().await;
}
