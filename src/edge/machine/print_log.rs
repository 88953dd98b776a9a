//! Prints the log as it grows.

use std::io::{self, Write};
use std::os::fd::AsFd;

use tokio::io::Interest;
use tokio::net::unix::pipe;

use crate::clock;
use crate::logs::{LogReader, StreamPrinter, odd_bytes};

/// Prints all that the reader returns, until the log is closed and its last line is printed.
///
/// A reader of `out` that went away (a closed pipe) ends it quietly.
///
/// # Errors
///
/// When `out` cannot be written to for any other reason.
pub async fn print_stream(
    mut reader: LogReader,
    mut printer: StreamPrinter,
    mut out: impl Write + Send + 'static,
) -> io::Result<()> {
    loop {
        let batch = reader.next_batch().await;
        let mut text = Vec::new();
        match &batch {
            Some(segments) => printer.print(clock::now(), segments, &mut text),
            None => printer.finish(&mut text),
        }
        let text = odd_bytes::restore(text);
        // A terminal may be slow, or stopped by its user: that must not hold up other tasks.
        let written = tokio::task::spawn_blocking(move || {
            let outcome = out.write_all(&text).and_then(|()| out.flush());
            (outcome, out)
        });
        let (outcome, back) = written.await.map_err(io::Error::other)?;
        match outcome {
            Err(err) if err.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            outcome => outcome?,
        }
        if batch.is_none() {
            return Ok(());
        }
        out = back;
    }
}

/// Returns once nobody can read what is written to `out` any more: the other end of a pipe is closed. Never for a file.
pub async fn output_gone(out: impl AsFd) {
    let watched = out
        .as_fd()
        .try_clone_to_owned()
        // As it is: others write to it, and wait while they do.
        .and_then(pipe::Sender::from_owned_fd_unchecked);
    if let Ok(watched) = watched
        && let Ok(ready) = watched.ready(Interest::ERROR).await
        && ready.is_error()
    {
        return;
    }
    // What cannot be watched is found out by writing.
    std::future::pending().await
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::logs::{LogEvent, LogFilter, LogStore};

    /// Keeps what is written to it, and breaks after a number of writes.
    #[derive(Clone)]
    struct Pipe {
        text: Arc<Mutex<Vec<u8>>>,
        writes_left: usize,
    }

    impl Write for Pipe {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            if self.writes_left == 0 {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            self.writes_left -= 1;
            self.text.lock().unwrap().extend_from_slice(text);
            Ok(text.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn pipe(writes_left: usize) -> Pipe {
        Pipe {
            text: Arc::default(),
            writes_left,
        }
    }

    #[tokio::test]
    async fn all_is_printed_before_it_ends() {
        let (store, out) = (LogStore::in_memory(), pipe(usize::MAX));
        let printer = StreamPrinter::new(LogFilter::default());
        let printing = tokio::spawn(print_stream(store.reader(), printer, out.clone()));
        for n in 0..10_000 {
            store.append(LogEvent::global(n.to_string()));
        }
        store.close();
        printing.await.unwrap().unwrap();
        let text = String::from_utf8(out.text.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 10_000);
        assert_eq!(text.lines().last(), Some("9999"));
    }

    #[tokio::test]
    async fn it_is_noticed_that_the_reader_of_a_pipe_went_away_though_nothing_is_written() {
        let (reader, writer) = io::pipe().unwrap();
        let gone = tokio::spawn(output_gone(writer));
        tokio::task::yield_now().await;
        assert!(!gone.is_finished());
        drop(reader);
        gone.await.unwrap();
    }

    #[tokio::test]
    async fn a_closed_pipe_ends_it_quietly() {
        let store = LogStore::in_memory();
        let printer = StreamPrinter::new(LogFilter::default());
        store.append(LogEvent::global("x"));
        print_stream(store.reader(), printer, pipe(0)).await.unwrap();
    }
}
