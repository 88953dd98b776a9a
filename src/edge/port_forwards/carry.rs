//! The bytes of one connection, between a client and a pod: each direction goes on to its own end.
//!
//! A client may say that it has said all and wait for the answer; the way to a pod cannot pass that on. So the way stays
//! open until the pod ends it, until the client is gone, or until nothing comes any more.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use crate::edge::machine::port_holder::is_gone;

/// How long is waited for an answer after the client has said all, and how long for more of one that has begun.
const FOR_AN_ANSWER: Duration = Duration::from_secs(10);
const FOR_MORE: Duration = Duration::from_secs(1);
/// How long a node may take to let go of a pod after we have. A program that takes one client after the other listens
/// again only then, so this one, and what it runs next, does not learn of the end before.
const LETTING_GO: Duration = Duration::from_secs(1);
/// How often it is looked whether a client that has said all is still there: nothing tells.
const LOOK: Duration = Duration::from_millis(500);
/// How long what a client said may take to be on its way, once the client is gone.
const FAREWELL: Duration = Duration::from_secs(2);
/// What is read at a time.
const CHUNK: usize = 64 << 10;

/// What moved last.
#[derive(Default)]
struct Progress {
    moved: Notify,
    /// Whether something came from the pod after the client's last word.
    is_answered: AtomicBool,
}

impl Progress {
    fn note(&self, is_answer: bool) {
        self.is_answered.store(is_answer, Ordering::Relaxed);
        self.moved.notify_one();
    }

    /// Returns once nothing has moved for long.
    async fn silence(&self) {
        loop {
            let patience = match self.is_answered.load(Ordering::Relaxed) {
                true => FOR_MORE,
                false => FOR_AN_ANSWER,
            };
            tokio::select! {
                () = self.moved.notified() => {}
                () = sleep(patience) => return,
            }
        }
    }
}

/// Carries both directions until the connection is over. `on_answer` is called when the first bytes come from the pod.
pub(super) async fn carry<P>(client: &mut TcpStream, pod: P, on_answer: impl Fn() + Send)
where
    P: AsyncRead + AsyncWrite + Send,
{
    let ends = client.peer_addr().ok().zip(client.local_addr().ok());
    let (mut from_client, mut to_client) = client.split();
    let (mut from_pod, mut to_pod) = tokio::io::split(pod);
    let progress = Progress::default();
    let mut is_given_up = false;
    {
        let up = copy(&mut from_client, &mut to_pod, || progress.note(false));
        let mut is_first = true;
        let down = async {
            let carried = copy(&mut from_pod, &mut to_client, || {
                if std::mem::take(&mut is_first) {
                    on_answer();
                }
                progress.note(true);
            });
            carried.await?;
            to_client.shutdown().await
        };
        tokio::pin!(up, down);
        tokio::select! {
            said = &mut up => if said.is_ok() {
                tokio::select! {
                    _ = &mut down => {}
                    () = progress.silence() => is_given_up = true,
                    () = until_gone(ends) => {}
                }
            },
            answered = &mut down => if answered.is_ok() {
                let _ = up.await;
            },
        }
    }
    // What the client said last may be on its way still; what else the pod says has nobody to go to.
    let ending = async {
        to_pod.shutdown().await?;
        tokio::io::copy(&mut from_pod, &mut tokio::io::sink()).await
    };
    let _ = timeout(FAREWELL, ending).await;
    if is_given_up {
        sleep(LETTING_GO).await;
    }
}

async fn copy(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    mut moved: impl FnMut(),
) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    loop {
        let length = from.read(&mut chunk).await?;
        if length == 0 {
            return Ok(());
        }
        moved();
        to.write_all(&chunk[..length]).await?;
        to.flush().await?;
    }
}

/// Returns once the client has closed its socket, which looks from here as if it had only said all.
async fn until_gone(ends: Option<(SocketAddr, SocketAddr)>) {
    let Some((client, ours)) = ends else {
        return std::future::pending().await;
    };
    while !is_gone(client, ours) {
        sleep(LOOK).await;
    }
}
