//! Tells the engine when what an update could not reach answers again: the API server, the Docker engine, the registry.
//! So nobody waits for the next attempt. When to look out is the engine's to say.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connected_cluster::Connected;
use crate::edge::docker::Docker;
use crate::engine::Event;
use crate::model::Backoff;

/// The pauses before it is asked again.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Looks out for what is away, while it is wanted.
pub(super) struct LookOut {
    events: mpsc::Sender<Event>,
    tasks: TaskTracker,
    shutdown: CancellationToken,
    /// Ends the looking.
    looking: Option<CancellationToken>,
}

impl LookOut {
    pub(super) fn new(events: mpsc::Sender<Event>, tasks: TaskTracker, shutdown: CancellationToken) -> Self {
        Self {
            events,
            tasks,
            shutdown,
            looking: None,
        }
    }

    /// Looks out anew: for the cluster and its registry, and for the Docker engine that images are built with.
    pub(super) fn begin(&mut self, connected: Option<&Connected>, docker: Option<Arc<Docker>>) {
        self.end();
        let looking = self.shutdown.child_token();
        if let Some(connected) = connected {
            let cluster = connected.cluster.clone();
            self.look(&looking, async move { cluster.comes_back().await });
            if let Some(registry) = &connected.facts.registry {
                let host = registry.host.clone();
                self.look(&looking, comes_back(move || accepts_connections(host.clone())));
            }
        }
        let docker = connected
            .and_then(|connected| connected.own_docker.clone())
            .or(docker);
        if let Some(docker) = docker {
            let answers = move || {
                let docker = Arc::clone(&docker);
                async move { timeout(PATIENCE, docker.answers()).await.unwrap_or(false) }
            };
            self.look(&looking, comes_back(answers));
        }
        self.looking = Some(looking);
    }

    /// Looks out no more.
    pub(super) fn end(&mut self) {
        if let Some(looking) = self.looking.take() {
            looking.cancel();
        }
    }

    fn look(&self, looking: &CancellationToken, came_back: impl Future<Output = bool> + Send + 'static) {
        let (looking, events) = (looking.clone(), self.events.clone());
        self.tasks.spawn(async move {
            // A look-out that dies cannot tell: the next attempt finds out.
            let came_back = AssertUnwindSafe(came_back).catch_unwind();
            let came_back = tokio::select! {
                () = looking.cancelled() => false,
                came_back = came_back => came_back.unwrap_or(true),
            };
            if came_back {
                // The loop may be gone already at exit.
                let _ = events.send(Event::CameBack).await;
            }
        });
    }
}

/// Waits until something answers. Returns whether it did not at first: what answers all the time does not come back.
async fn comes_back<F: Future<Output = bool>>(answers: impl Fn() -> F) -> bool {
    let (mut pauses, mut was_away) = (PAUSES, false);
    while !answers().await {
        was_away = true;
        sleep(pauses.pause()).await;
    }
    was_away
}

/// Returns whether somebody listens at a host, which has a port or is reached by HTTPS.
async fn accepts_connections(host: String) -> bool {
    let has_port = host
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let address = if has_port { host } else { format!("{host}:443") };
    matches!(timeout(PATIENCE, TcpStream::connect(address)).await, Ok(Ok(_)))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_what_was_away_comes_back_and_it_is_asked_once_a_second_at_most() {
        assert!(!comes_back(|| std::future::ready(true)).await);
        let (began, asked) = (tokio::time::Instant::now(), AtomicU32::new(0));
        let answers = || {
            asked.fetch_add(1, Ordering::Relaxed);
            std::future::ready(began.elapsed() > Duration::from_secs(60))
        };
        assert!(comes_back(answers).await);
        assert!(asked.load(Ordering::Relaxed) < 70);
        assert!(began.elapsed() < Duration::from_secs(62));
    }

    #[tokio::test]
    async fn a_look_out_that_dies_counts_as_a_comeback() {
        let (events, mut received) = mpsc::channel(1);
        let look_out = LookOut::new(events, TaskTracker::new(), CancellationToken::new());
        look_out.look(&CancellationToken::new(), async { panic!("a planted panic") });
        assert!(matches!(received.recv().await, Some(Event::CameBack)));
    }

    #[tokio::test]
    async fn a_registry_that_listens_again_is_seen() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let address = listener.local_addr().expect("an address");
        assert!(accepts_connections(address.to_string()).await);
        drop(listener);
        assert!(!accepts_connections(address.to_string()).await);
    }
}
