//! Reads what a process prints.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::logs::{Level, LogWriter, odd_bytes};

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

/// Turns chunks of bytes into text; a character over two chunks stays whole, what is no text comes out as it was.
#[derive(Default)]
struct Text {
    rest: Vec<u8>,
}

impl Text {
    fn push(&mut self, bytes: &[u8]) -> String {
        self.rest.extend_from_slice(bytes);
        // The beginning of a character waits for the rest of it.
        let open = self
            .rest
            .utf8_chunks()
            .last()
            .map_or(0, |chunk| match chunk.invalid() {
                invalid if std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none()) => {
                    invalid.len()
                }
                _ => 0,
            });
        let rest = self.rest.split_off(self.rest.len() - open);
        odd_bytes::decode(&std::mem::replace(&mut self.rest, rest)).into_owned()
    }

    fn finish(&mut self) -> String {
        odd_bytes::decode(&std::mem::take(&mut self.rest)).into_owned()
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
    fn what_is_no_text_comes_out_as_it_was() {
        let mut text = Text::default();
        let all = text.push(b"a\xffb\xe2") + &text.finish();
        assert_eq!(odd_bytes::restore(all.into_bytes()), b"a\xffb\xe2");
    }
}
