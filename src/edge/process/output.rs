//! Reads what a process prints.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{sleep_until, timeout};

use crate::clock;
use crate::logs::{Level, LogWriter, odd_bytes};

/// Hands over what can be read until the end.
async fn pump(mut from: impl AsyncRead + Unpin, mut take: impl FnMut(&[u8])) {
    let mut buffer = vec![0; 16 * 1024];
    // A pipe that cannot be read is read as ended.
    while let Ok(n_bytes @ 1..) = from.read(&mut buffer).await {
        take(&buffer[..n_bytes]);
    }
}

/// How long the beginning of a line waits for its end: programs write in blocks that end anywhere, and what others say
/// meanwhile would break the line.
const OPEN_LINE: Duration = Duration::from_millis(20);

/// Bytes of a line that are handed over without waiting for more.
const LONG_LINE: usize = 64 * 1024;

/// Writes what can be read to the log, until the end: whole lines at once, what has no end yet soon.
pub(in crate::edge) async fn pump_to_log(mut from: impl AsyncRead + Unpin, log: LogWriter) {
    let mut buffer = vec![0; 16 * 1024];
    let (mut text, mut open) = (Text::default(), OpenLine::default());
    loop {
        let read = tokio::select! {
            biased;
            read = from.read(&mut buffer) => read,
            () = open.is_due() => {
                log.raw(Level::Info, open.take());
                continue;
            }
        };
        // A pipe that cannot be read is read as ended.
        let Ok(n_bytes @ 1..) = read else { break };
        let more = text.push(&buffer[..n_bytes]);
        log.raw(Level::Info, open.push(&more, clock::now()));
    }
    log.raw(Level::Info, open.take() + &text.finish());
}

/// Hands over what can be read line by line, until the end.
pub(super) async fn pump_lines(from: impl AsyncRead + Unpin, lines: mpsc::UnboundedSender<String>) {
    let (mut text, mut open) = (Text::default(), String::new());
    // Whoever does not listen any more does not miss them.
    let tell = |line: &str| drop(lines.send(line.trim_end_matches('\r').to_owned()));
    pump(from, |bytes| {
        open.push_str(&text.push(bytes));
        while let Some((line, rest)) = open.split_once('\n') {
            tell(line);
            open = rest.to_owned();
        }
    })
    .await;
    open.push_str(&text.finish());
    if !open.is_empty() {
        tell(&open);
    }
}

/// The beginning of a line, until its end comes or it has waited long enough.
#[derive(Default)]
struct OpenLine {
    text: String,
    due: Option<Instant>,
}

impl OpenLine {
    /// Takes text in; returns what need not wait.
    fn push(&mut self, text: &str, now: Instant) -> String {
        self.text.push_str(text);
        let ended = self.text.rfind('\n').map_or(0, |at| at + 1);
        let is_long = self.text.len() - ended > LONG_LINE;
        let open = self.text.split_off(if is_long { self.text.len() } else { ended });
        let whole = std::mem::replace(&mut self.text, open);
        if !whole.is_empty() || self.due.is_none() {
            self.due = (!self.text.is_empty()).then(|| now + OPEN_LINE);
        }
        whole
    }

    fn take(&mut self) -> String {
        self.due = None;
        std::mem::take(&mut self.text)
    }

    async fn is_due(&self) {
        match self.due {
            Some(at) => sleep_until(at.into()).await,
            None => std::future::pending().await,
        }
    }
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
    use tokio::io::AsyncWriteExt;

    use super::*;
    use crate::logs::LogStore;
    use crate::model::{ManifestName, SpanId};

    /// Pumps what is written in blocks of four bytes into a log, and returns the pieces that it got.
    async fn pieces(writing: impl AsyncFnOnce(tokio::io::DuplexStream, &LogStore)) -> Vec<String> {
        let store = LogStore::in_memory();
        let log = LogWriter::new(store.clone(), SpanId::from("cmd:1"), ManifestName::from("web"));
        let (near, far) = tokio::io::duplex(4);
        tokio::join!(writing(near, &store), pump_to_log(far, log));
        let segments = store.reader().try_next_batch();
        segments.iter().map(|segment| segment.text.clone()).collect()
    }

    #[tokio::test]
    async fn a_line_that_is_written_in_pieces_stays_whole() {
        let got = pieces(async |mut pipe, _| {
            let text = b"1\n22\n333333\n4";
            pipe.write_all(text).await.unwrap();
        });
        assert_eq!(got.await, ["1\n", "22\n", "333333\n", "4"]);
    }

    #[tokio::test]
    async fn a_line_without_an_end_is_shown_all_the_same() {
        let got = pieces(async |mut pipe, store| {
            pipe.write_all(b"name? ").await.unwrap();
            let mut reader = store.reader();
            let asked = reader.next_batch().await;
            let asked = asked.expect("the log is open");
            assert_eq!(asked[0].text, "name? ", "while the program waits");
            pipe.write_all(b"Bo\n").await.unwrap();
        });
        assert_eq!(got.await.concat(), "name? Bo\n");
    }

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
