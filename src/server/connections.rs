//! Connections of clients: how many there may be at a time, and how long a request may be on its way.
//!
//! A client that says nothing, or a little at a time, costs a place for a few seconds; one beyond the limit is let go at once.
//! Neither costs memory, or the others' pace.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many connections there may be on one port, web sockets among them.
const CONNECTIONS: usize = 400;

/// How long the head of a request may take, and the wait for the next one.
const HEAD_TIME: Duration = Duration::from_secs(20);

/// How long the head of a request may be, in bytes.
const HEAD_BYTES: usize = 64 << 10;

/// Serves whoever comes, without end.
pub(super) async fn serve(mut listener: impl Listener, routes: Router) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let (io, _) = listener.accept().await;
        if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
            tokio::spawn(serve_one(Placed { io, _place: place }, routes.clone()));
        }
    }
}

/// Serves one connection to its end.
async fn serve_one(io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, routes: Router) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(HEAD_BYTES)
        // A client that has said all may still listen.
        .half_close(true)
        .serve_connection(TokioIo::new(io), TowerToHyperService::new(routes));
    // What is wrong with a connection is its client's business.
    let _ = connection.with_upgrades().await;
}

/// A connection that has its place for as long as it is there, whatever becomes of it.
struct Placed<T> {
    io: T,
    _place: OwnedSemaphorePermit,
}

impl<T: AsyncRead + Unpin> AsyncRead for Placed<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Placed<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn routes() -> Router {
        Router::new().route("/", get(async || "here"))
    }

    /// Sends this, waits for the end of the connection, and returns the answer and after how many seconds that came.
    async fn answer(sent: &[u8]) -> (String, u64) {
        let (mut client, server) = tokio::io::duplex(1 << 20);
        let serving = tokio::spawn(serve_one(server, routes()));
        let began = tokio::time::Instant::now();
        let _ = client.write_all(sent).await;
        let mut answer = Vec::new();
        let _ = client.read_to_end(&mut answer).await;
        serving.await.expect("nothing panics");
        let text = String::from_utf8_lossy(&answer).into_owned();
        (text, began.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_does_not_end_is_not_waited_for() {
        let (text, seconds) = answer(b"GET / HTTP/1.1\r\nHost: loc").await;
        assert_eq!((text.as_str(), seconds), ("", HEAD_TIME.as_secs()));
        let (text, seconds) = answer(b"").await;
        assert_eq!((text.as_str(), seconds), ("", HEAD_TIME.as_secs()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_is_too_long_is_refused() {
        let mut head = b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ".to_vec();
        head.resize(HEAD_BYTES * 2, b'x');
        let (text, seconds) = answer(&head).await;
        assert!(text.starts_with("HTTP/1.1 431"), "{text}");
        assert_eq!(seconds, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_no_request_is_refused() {
        for sent in [&b"\0\xff\r\n\r\n"[..], b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"] {
            let (text, _) = answer(sent).await;
            assert!(text.is_empty() || text.starts_with("HTTP/1.1 400"), "{text}");
        }
    }
}
