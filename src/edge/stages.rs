//! Where the time of an update goes, and what is known of each stage, for its record.
//!
//! Whoever does something deep below may [`note`] what it found out; the stage that it belongs to is the innermost [`timed`]
//! around it, in the same task. Outside of any stage nothing is noted.

use std::sync::{Arc, Mutex, PoisonError};

use crate::clock;
use crate::history::{Facts, StageKind, StageTime};

tokio::task_local! {
    static FACTS: Arc<Mutex<Facts>>;
}

/// Does something, and returns beside what it gave how long it took and what was noted of it.
pub(super) async fn timed<T>(
    kind: StageKind,
    name: impl Into<String>,
    doing: impl Future<Output = T>,
) -> (T, StageTime) {
    let (facts, from) = (Arc::<Mutex<Facts>>::default(), clock::now());
    let result = FACTS.scope(Arc::clone(&facts), doing).await;
    let mut stage = StageTime::new(kind, name, from, clock::now());
    stage.facts = std::mem::take(&mut *facts.lock().unwrap_or_else(PoisonError::into_inner));
    (result, stage)
}

/// Notes what was found out about the stage at hand.
pub(super) fn note(change: impl FnOnce(&mut Facts)) {
    // Outside of any stage nobody wants to know.
    let _ = FACTS.try_with(|facts| change(&mut facts.lock().unwrap_or_else(PoisonError::into_inner)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_found_out_is_noted_of_the_innermost_stage() {
        note(|facts| facts.files = Some(9));
        let ((_, inner), outer) = timed(StageKind::Images, "", async {
            note(|facts| facts.bytes = Some(1));
            timed(StageKind::Build, "web", async {
                note(|facts| facts.files = Some(2))
            })
            .await
        })
        .await;
        assert_eq!((outer.facts.bytes, outer.facts.files), (Some(1), None));
        assert_eq!((inner.facts.bytes, inner.facts.files), (None, Some(2)));
        assert!(outer.from <= inner.from && inner.until <= outer.until);
    }
}
