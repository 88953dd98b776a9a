//! Outages of the API server. Whoever gets no answer waits here: one probe asks for all of them, and when it is answered
//! all go on, a few at a time.
//!
//! A connection can also die without a word: the network changed, or this machine slept. What is found to hang is
//! suspected; then the login and all connections are made anew as soon as the API server answers.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared};
use tokio::time::{sleep, timeout};

use super::cluster::Cluster;
use crate::clock;
use crate::model::Backoff;

/// A server that is lost again sooner than this is asked more slowly from the start.
const CALM: Duration = Duration::from_secs(10);
/// How long a probe may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many go on at once when the server is back, and when the next ones do.
const AT_ONCE: u32 = 20;
const NEXT: Duration = Duration::from_millis(50);

impl Cluster {
    /// Waits until the API server answers: for whoever got no answer. However many wait, one request at a time is made.
    pub(in crate::edge::kube) async fn answers_again(&self) {
        let (probe, place) = self.join_probe();
        self.outages().began.notify_one();
        probe.await;
        sleep(NEXT * (place / AT_ONCE)).await;
    }

    /// Waits until the API server answers. Returns whether it did not at first.
    pub(in crate::edge) async fn comes_back(&self) -> bool {
        let was_away = !self.answers().await;
        if was_away {
            self.answers_again().await;
        } else {
            self.trust_again().await;
        }
        was_away
    }

    /// Returns whether somebody waits for the API server to answer just now.
    pub(in crate::edge) fn is_lost(&self) -> bool {
        let current = self.outages().current.lock().expect("no panic while it is held");
        let probe = current.probe.as_ref().and_then(WeakShared::upgrade);
        probe.is_some_and(|probe| probe.peek().is_none())
    }

    /// Notes that a request hung or got lost: other connections may be dead without knowing.
    pub(super) fn suspect(&self) {
        self.outages().suspected.store(true, Ordering::Relaxed);
        self.outages().began.notify_one();
    }

    /// Makes all connections anew if they are suspected, now that the API server answers. Where this is given up in the
    /// middle, they stay suspected.
    pub(super) async fn trust_again(&self) {
        if !self.outages().suspected.load(Ordering::Relaxed) {
            return;
        }
        self.renew_client().await;
        if self.outages().suspected.swap(false, Ordering::Relaxed) {
            self.outages().connections_renewed();
        }
    }

    /// Returns whether the API server answers just now, whatever it says.
    pub(in crate::edge::kube) async fn answers(&self) -> bool {
        let request = match http::Request::get("/readyz").body(Vec::new()) {
            Ok(request) => request,
            Err(_) => return false,
        };
        match timeout(PATIENCE, self.client().request_text(request)).await {
            // Whoever may not ask at least got an answer. A server that is starting says 500.
            Ok(Err(kube::Error::Api(status))) => status.code < 500,
            Ok(answer) => answer.is_ok(),
            Err(_) => {
                self.suspect();
                // The next probe must not hang in the same connection.
                self.renew_client().await;
                false
            }
        }
    }

    fn join_probe(&self) -> (Shared<BoxFuture<'static, ()>>, u32) {
        let now = clock::now();
        let mut current = self.outages().current.lock().expect("no panic while it is held");
        let place = current.waiting;
        current.waiting += 1;
        if let Some(probe) = current.probe.as_ref().and_then(WeakShared::upgrade)
            && probe.peek().is_none()
        {
            return (probe, place);
        }
        let is_calm = current.began.is_none_or(|began| now.duration_since(began) > CALM);
        if is_calm {
            current.pauses.reset();
        }
        let probe = probe(self.clone(), current.pauses).boxed().shared();
        current.pauses.pause();
        current.probe = probe.downgrade();
        (current.began, current.waiting) = (Some(now), 1);
        (probe, 0)
    }
}

async fn probe(cluster: Cluster, mut pauses: Backoff) {
    let mut rest = pauses.pause();
    loop {
        sleep(rest).await;
        let asked = clock::now();
        if cluster.answers().await {
            break;
        }
        // One that hung has been waited for already.
        rest = pauses.pause().saturating_sub(clock::now().duration_since(asked));
    }
    cluster.trust_again().await;
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;
    use std::sync::{Arc, Mutex};

    use serde_json::json;

    use super::*;
    use crate::edge::kube::fake_api::{FakeApi, Reply};

    /// A server that is not ready until it was asked so often.
    async fn ready_after(tries: u32) -> FakeApi {
        let asked = AtomicU32::new(0);
        FakeApi::start(move |_| {
            if asked.fetch_add(1, Ordering::Relaxed) < tries {
                Reply::Fails(500, "not ready")
            } else {
                Reply::Json(json!("ok"))
            }
        })
        .await
    }

    #[tokio::test]
    async fn five_hundred_that_wait_ask_as_one_and_go_on_a_few_at_a_time() {
        let api = ready_after(3).await;
        let cluster = api.cluster();
        let back = Arc::new(Mutex::new(Vec::new()));
        let waiting = (0..500).map(|_| {
            let (cluster, back) = (cluster.clone(), Arc::clone(&back));
            async move {
                cluster.answers_again().await;
                back.lock().unwrap().push(clock::now());
            }
        });
        futures::future::join_all(waiting).await;
        assert_eq!(api.asked(), ["/readyz"; 4], "one request at a time");
        let back = back.lock().unwrap();
        let took = back[499].duration_since(back[0]);
        assert!(took >= NEXT * 23, "they do not come all at once: {took:?}");
        assert!(took < Duration::from_secs(5), "{took:?}");
    }

    #[tokio::test]
    async fn one_that_is_lost_again_and_again_is_asked_ever_more_slowly() {
        let api = ready_after(0).await;
        let cluster = api.cluster();
        let mut pauses = Vec::new();
        for _ in 0..7 {
            let began = clock::now();
            let (probe, _) = cluster.join_probe();
            probe.await;
            pauses.push(began.elapsed().as_millis() / 50);
        }
        assert!(
            pauses.windows(2).all(|pair| pair[0] <= pair[1]) && pauses[6] >= 20,
            "{pauses:?} x 50 ms"
        );
    }
}
