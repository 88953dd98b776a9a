//! Waits until a session has settled, for the state of the disk at the moment of the call.
//!
//! First the watch of files is asked to catch up: a mark goes through it, and comes out behind all that changed before. Then it is
//! waited until nothing is due or under way any more of what is asked for, also of what that itself wrote. So an answer never speaks of
//! an earlier disk.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::shared::Shared;
use crate::engine::Event;
use crate::model::ManifestName;
use crate::view::{Settling, View, last_update};

/// The number of the last mark.
static MARKS: AtomicU64 = AtomicU64::new(0);

/// Returns the view in which all changes of files until now are known; `None` when the session ends.
pub(super) async fn caught_up(shared: &Shared) -> Option<Arc<View>> {
    let mark = MARKS.fetch_add(1, Ordering::Relaxed) + 1;
    let asked = Event::CatchUpRequested { mark };
    shared.handle.events.send(asked).await.ok()?;
    let mut view = shared.handle.view.clone();
    let seen = view.wait_for(|view| view.caught_up >= mark).await.ok()?;
    Some(Arc::clone(&seen))
}

/// Returns the view in which these resources have settled, or all where none are named, or in which it is clear that they go
/// round in a circle; `None` when the session ends.
///
/// What an update wrote just before its end is reported a moment later, and may lead to another one. So once all is settled the watch
/// of files is asked again, and it counts if nothing came of that.
pub(super) async fn settled(shared: &Shared, names: &BTreeSet<ManifestName>) -> Option<Arc<View>> {
    let mut view = shared.handle.view.clone();
    let mut settling = Settling::default();
    loop {
        let before = {
            let seen = view.wait_for(|view| settling.is_over(view, names)).await.ok()?;
            last_update(&seen)
        };
        let after = caught_up(shared).await?;
        if last_update(&after) == before && settling.is_over(&after, names) {
            return Some(after);
        }
    }
}
