//! Keeps the objects that show what the engine does up to date with what it shows.

use std::sync::Arc;

use super::shared::Shared;
use crate::api::Shown;

/// Looks at what the engine shows, each time that it changes, until the session ends.
pub(super) async fn keep_up_to_date(shared: Arc<Shared>) {
    let mut view = shared.handle.view.clone();
    let mut shown = Shown::default();
    loop {
        let now = view.borrow_and_update().clone();
        let news = shown.news(&now, &shared.facts);
        if !news.is_empty() {
            let time = shared.now();
            shared.show(|store| news.write(store, time));
        }
        if view.changed().await.is_err() {
            return;
        }
    }
}
