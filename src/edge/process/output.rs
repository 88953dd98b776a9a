//! Reads what a process prints.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::logs::{Level, LogWriter};

/// Hands over what can be read until the end.
async fn pump(mut from: impl AsyncRead + Unpin, mut take: impl FnMut(&[u8])) {
    let mut buffer = vec![0; 16 * 1024];
    // A pipe that cannot be read is read as ended.
    while let Ok(n_bytes @ 1..) = from.read(&mut buffer).await {
        take(&buffer[..n_bytes]);
    }
}

/// Writes what can be read to the log, until the end.
pub(super) async fn pump_to_log(from: impl AsyncRead + Unpin, log: LogWriter) {
    let mut text = Text::default();
    pump(from, |bytes| log.raw(Level::Info, text.push(bytes))).await;
    log.raw(Level::Info, text.finish());
}

/// Keeps what can be read, also where its end never comes.
pub(super) struct Collected {
    bytes: Arc<Mutex<Vec<u8>>>,
    reading: Option<JoinHandle<()>>,
}

impl Collected {
    /// Starts reading.
    pub(super) fn from(from: Option<impl AsyncRead + Unpin + Send + 'static>) -> Self {
        let bytes = Arc::<Mutex<Vec<u8>>>::default();
        let keep = Arc::clone(&bytes);
        let reading = from.map(|from| {
            tokio::spawn(pump(from, move |bytes| {
                keep.lock()
                    .expect("copying does not panic")
                    .extend_from_slice(bytes);
            }))
        });
        Self { bytes, reading }
    }

    /// Returns what was read, after waiting this long for the end.
    pub(super) async fn finish(mut self, wait: Duration) -> Vec<u8> {
        if let Some(reading) = &mut self.reading {
            // Without its end, what is there is all there is.
            let _ = timeout(wait, reading).await;
        }
        std::mem::take(&mut *self.bytes.lock().expect("copying does not panic"))
    }
}

impl Drop for Collected {
    fn drop(&mut self) {
        if let Some(reading) = &self.reading {
            reading.abort();
        }
    }
}

/// Turns chunks of bytes into text; a character over two chunks stays whole, what is no text becomes `\u{FFFD}`.
#[derive(Default)]
struct Text {
    rest: Vec<u8>,
}

impl Text {
    fn push(&mut self, bytes: &[u8]) -> String {
        self.rest.extend_from_slice(bytes);
        let mut text = String::with_capacity(self.rest.len());
        loop {
            let (valid, bad) = match std::str::from_utf8(&self.rest) {
                Ok(_) => (self.rest.len(), None),
                Err(err) => (err.valid_up_to(), Some(err.error_len())),
            };
            text.push_str(&String::from_utf8_lossy(&self.rest[..valid]));
            let Some(Some(n_bad)) = bad else {
                self.rest.drain(..valid);
                return text;
            };
            text.push(char::REPLACEMENT_CHARACTER);
            self.rest.drain(..valid + n_bad);
        }
    }

    fn finish(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.rest)).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_over_two_chunks_stays_whole() {
        let mut text = Text::default();
        let bytes = "a…b".as_bytes();
        assert_eq!(text.push(&bytes[..2]), "a");
        assert_eq!(text.push(&bytes[2..]), "…b");
    }

    #[test]
    fn what_is_no_text_is_replaced() {
        let mut text = Text::default();
        assert_eq!(text.push(b"a\xffb\xe2"), "a\u{FFFD}b");
        assert_eq!(text.finish(), "\u{FFFD}");
    }
}
