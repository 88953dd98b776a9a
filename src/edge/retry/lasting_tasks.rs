//! Tasks that last as long as the session. One that dies would leave a session that no longer sees or does something and
//! looks well all the same: so it is told by name, and begun anew.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use tokio::time::sleep;

use crate::logs::LogWriter;

/// The pause before a task that died is begun anew, doubled up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Runs a task until it returns. When it panics that is told with its name, and `begin` begins it anew.
pub(in crate::edge) async fn lasting<F>(name: &str, log: &LogWriter, mut begin: impl FnMut() -> F)
where
    F: Future<Output = ()>,
{
    let mut pause = FIRST_PAUSE;
    while let Err(panic) = AssertUnwindSafe(begin()).catch_unwind().await {
        log.error(&format!(
            "internal error: {name} died and is begun anew: {}",
            words(panic.as_ref())
        ));
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Returns what a panic said.
pub(in crate::edge) fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("it did not say why")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::LogStore;

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
        let said = store.reader().try_next_batch();
        let said: String = said.iter().map(|segment| segment.text.as_str()).collect();
        assert_eq!(
            said,
            "internal error: the watch of a namespace died and is begun anew: a planted panic in life 1\n\
             internal error: the watch of a namespace died and is begun anew: a planted panic in life 2\n"
        );
    }
}
