//! The streams of a program in a container, over a WebSocket.
//!
//! kube's own loop sends its input in messages of 4 KiB, each of which the API server and the kubelet pass on by itself: of
//! several megabytes that is most of what takes time.

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::client::Connection;
use std::time::Duration;
use tokio::io::{
    AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, SimplexStream, WriteHalf, duplex, simplex,
};
use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval};
use tokio_tungstenite::tungstenite::Message;
use tokio_util::task::AbortOnDropHandle;

/// Bytes that wait on their way, in either direction.
const BUFFER: usize = 256 * 1024;
/// Bytes of a message: what kubectl sends at most.
const MESSAGE: usize = 32 * 1024;
/// How often an idle connection is used, so that nothing between takes it for dead.
const PING: Duration = Duration::from_secs(60);

/// Which stream a message belongs to: its first byte.
///
/// Rule: `k8s.io/apimachinery/pkg/util/remotecommand/constants.go`.
mod channel {
    pub(super) const INPUT: u8 = 0;
    pub(super) const OUTPUT: u8 = 1;
    pub(super) const ERRORS: u8 = 2;
    pub(super) const STATUS: u8 = 3;
    /// Of version 5: the stream that the next byte names has ended.
    pub(super) const CLOSE: u8 = 255;
}

/// The streams of a program. It is cut off when `task` is dropped.
pub(super) struct Socket {
    /// Writing to it fails once the program has ended: one that nobody reads would be waited for.
    pub(super) input: DuplexStream,
    pub(super) output: ReadHalf<SimplexStream>,
    pub(super) errors: ReadHalf<SimplexStream>,
    /// How it ended; nothing where the connection broke.
    pub(super) status: oneshot::Receiver<Status>,
    pub(super) task: AbortOnDropHandle<()>,
}

impl Socket {
    /// Begins to pass on what comes over a connection.
    pub(super) fn new(connection: Connection) -> Self {
        let (from, input) = duplex(BUFFER);
        let (output, to_output) = simplex(BUFFER);
        let (errors, to_errors) = simplex(BUFFER);
        let (sender, status) = oneshot::channel();
        let passing = pass(connection, from, (to_output, to_errors), sender);
        Self {
            input,
            output,
            errors,
            status,
            task: AbortOnDropHandle::new(tokio::spawn(passing)),
        }
    }
}

async fn pass(
    connection: Connection,
    mut input: DuplexStream,
    (mut output, mut errors): (WriteHalf<SimplexStream>, WriteHalf<SimplexStream>),
    status: oneshot::Sender<Status>,
) {
    let can_close = connection.supports_stream_close();
    let (mut to, mut from) = connection.into_stream().split();
    let mut ping = interval(PING);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ping.reset();
    let mut buffer = vec![channel::INPUT; 1 + MESSAGE];
    let mut has_input = true;
    let ended = loop {
        tokio::select! {
            message = from.next() => match message {
                Some(Ok(Message::Binary(bytes))) => {
                    let Some((stream, bytes)) = bytes.split_first() else { continue };
                    let passed = match *stream {
                        channel::OUTPUT => output.write_all(bytes).await,
                        channel::ERRORS => errors.write_all(bytes).await,
                        channel::STATUS => break serde_json::from_slice(bytes).ok(),
                        _ => Ok(()),
                    };
                    if passed.is_err() {
                        break None;
                    }
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => break None,
            },
            read = input.read(&mut buffer[1..]), if has_input => {
                let sent = match read {
                    Ok(n @ 1..) => to.send(Message::binary(buffer[..=n].to_vec())).await,
                    _ => {
                        has_input = false;
                        match can_close {
                            true => to.send(Message::binary(vec![channel::CLOSE, channel::INPUT])).await,
                            false => to.close().await,
                        }
                    }
                };
                if sent.is_err() {
                    break None;
                }
            }
            _ = ping.tick() => {
                if to.send(Message::Ping(Bytes::new())).await.is_err() {
                    break None;
                }
            }
        }
    };
    if let Some(ended) = ended {
        // Nobody may want to know.
        let _ = status.send(ended);
    }
    let _ = (output.shutdown().await, errors.shutdown().await);
}
