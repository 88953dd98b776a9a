//! How often readers of logs try again whose nodes do not answer: all of them together so often, not each of them; and
//! as soon as one is answered, the others try too.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

/// How many tries there are in a second at most, all readers together.
const TRIES_PER_SECOND: u32 = 20;

/// What readers share that wait.
#[derive(Default)]
pub(super) struct LogPace {
    waiting: AtomicU32,
    works: Notify,
}

/// One that waits.
struct Place<'p>(&'p LogPace, u32);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl LogPace {
    /// Waits at least this long where few wait, and until another one was answered at the longest.
    pub(in crate::edge::kube) async fn wait(&self, pause: Duration) {
        let place = Place(self, self.waiting.fetch_add(1, Ordering::Relaxed));
        let turn = Duration::from_secs(1) / TRIES_PER_SECOND;
        tokio::select! {
            () = sleep(pause.max(turn * (place.1 + 1))) => {}
            () = self.works.notified() => sleep(turn * (place.1 / TRIES_PER_SECOND)).await,
        }
    }

    /// Notes that a reader was answered that had waited.
    pub(super) fn works(&self) {
        self.works.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::future::join_all;
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn many_that_wait_try_no_more_often_than_a_few_and_one_that_is_answered_wakes_all() {
        let pace = Arc::new(LogPace::default());
        let began = Instant::now();
        let waiting: Vec<_> = (0..500)
            .map(|_| {
                let pace = Arc::clone(&pace);
                tokio::spawn(async move {
                    pace.wait(Duration::from_millis(200)).await;
                    began.elapsed()
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_secs(10)).await;
        let tried = waiting.iter().filter(|task| task.is_finished()).count();
        assert!((150..=200).contains(&tried), "{tried} tries in 10 s");
        pace.works();
        let ends = join_all(waiting).await;
        let last = ends.into_iter().map(|end| end.unwrap()).max().unwrap();
        assert!(last < Duration::from_millis(11_500), "{last:?}");
        assert_eq!(pace.waiting.load(Ordering::Relaxed), 0);
    }
}
