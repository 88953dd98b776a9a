//! Tasks that last as long as the session. One that dies would leave a session that no longer sees or does something and
//! looks well all the same: so it is told by name, and begun anew; where that cannot be, the session ends with its name.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::logs::LogWriter;
use crate::model::Backoff;

/// The pauses before a task that died is begun anew.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(30));

/// Runs a task until it returns. When it panics that is told with its name, and `begin` begins it anew.
pub(crate) async fn lasting<F>(name: &str, log: &LogWriter, mut begin: impl FnMut() -> F)
where
    F: Future<Output = ()>,
{
    let mut pauses = PAUSES;
    while let Err(panic) = AssertUnwindSafe(one_life(name, log, begin()))
        .catch_unwind()
        .await
    {
        log.error(&format!(
            "internal error: {name} died and is begun anew: {}",
            words(panic.as_ref())
        ));
        sleep(pauses.pause()).await;
    }
}

/// Runs a task that cannot be begun anew. Its end, however it comes, ends the session with its name.
pub(crate) async fn vital(
    name: &str,
    log: &LogWriter,
    deaths: &mpsc::Sender<String>,
    task: impl Future<Output = ()>,
) {
    let ended = AssertUnwindSafe(one_life(name, log, task)).catch_unwind().await;
    // Nobody may be there any more to hear of it.
    let _ = deaths.send(death(name, ended.err().as_deref())).await;
}

/// Returns what is told of a task that died, without which the session cannot go on.
pub(crate) fn death(name: &str, panic: Option<&(dyn Any + Send)>) -> String {
    let why = panic.map_or_else(String::new, |panic| format!(": {}", words(panic)));
    format!(
        "internal error: {name} died{why}\nhint: start tilt again; what runs in the cluster stays as it is"
    )
}

/// Returns what a panic said.
pub(crate) fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("it did not say why")
}

#[cfg(not(test))]
async fn one_life(_name: &str, _log: &LogWriter, task: impl Future<Output = ()>) {
    task.await;
}

/// As it is, but a test can end it by [`planted::kill`].
#[cfg(test)]
async fn one_life(name: &str, log: &LogWriter, task: impl Future<Output = ()>) {
    planted::live(name, log, task).await;
}

/// Panics that tests plant: in a task of a name that works for a log.
#[cfg(test)]
pub(crate) mod planted {
    use std::collections::BTreeMap;
    use std::sync::{Arc, LazyLock};

    use tokio::sync::{Notify, watch};

    use crate::logs::{LogStore, LogWriter};

    type Lives = BTreeMap<(usize, String), Arc<Notify>>;

    static LIVES: LazyLock<watch::Sender<Lives>> = LazyLock::new(|| watch::Sender::new(Lives::new()));

    /// Takes a task out when it ends, unless another one of the name lives by then.
    struct Life((usize, String), Arc<Notify>);

    impl Drop for Life {
        fn drop(&mut self) {
            LIVES.send_modify(|lives| {
                if lives.get(&self.0).is_some_and(|end| Arc::ptr_eq(end, &self.1)) {
                    lives.remove(&self.0);
                }
            });
        }
    }

    pub(super) async fn live(name: &str, log: &LogWriter, task: impl Future<Output = ()>) {
        let (key, end) = ((log.store_id(), name.to_owned()), Arc::new(Notify::new()));
        LIVES.send_modify(|lives| drop(lives.insert(key.clone(), Arc::clone(&end))));
        let life = Life(key, end);
        tokio::select! {
            () = task => {}
            () = life.1.notified() => panic!("a planted panic"),
        }
    }

    /// Waits until a task of this name lives, and lets it panic. Another call waits for the one that is begun in its place.
    pub(crate) async fn kill(name: &str, log: &LogStore) {
        let key = (log.id(), name.to_owned());
        let mut lives = LIVES.subscribe();
        loop {
            let mut found = None;
            LIVES.send_if_modified(|lives| {
                found = lives.remove(&key);
                found.is_some()
            });
            if let Some(end) = found {
                return end.notify_one();
            }
            lives.changed().await.expect("the lives are there");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::LogStore;

    fn said(store: &LogStore) -> String {
        let said = store.reader().try_next_batch();
        said.iter().map(|segment| segment.text.as_str()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_dies_is_told_and_begun_anew() {
        let store = LogStore::in_memory();
        let mut lives = 0;
        lasting(
            "the watch of a namespace",
            &LogWriter::global(store.clone()),
            || {
                lives += 1;
                let life = lives;
                async move { assert!(life > 2, "a planted panic in life {life}") }
            },
        )
        .await;
        assert_eq!(lives, 3);
        assert_eq!(
            said(&store),
            "internal error: the watch of a namespace died and is begun anew: a planted panic in life 1\n\
             internal error: the watch of a namespace died and is begun anew: a planted panic in life 2\n"
        );
    }

    #[tokio::test]
    async fn the_end_of_a_vital_task_is_told_with_its_name() {
        let log = LogWriter::global(LogStore::in_memory());
        let (sender, mut deaths) = mpsc::channel(2);
        vital("the page", &log, &sender, async { panic!("a planted panic") }).await;
        vital("the page", &log, &sender, std::future::ready(())).await;
        let hint = "\nhint: start tilt again; what runs in the cluster stays as it is";
        assert_eq!(
            deaths.recv().await,
            Some(format!("internal error: the page died: a planted panic{hint}"))
        );
        assert_eq!(
            deaths.recv().await,
            Some(format!("internal error: the page died{hint}"))
        );
    }
}
