//! Keeps the objects that show what the engine does up to date with what it shows.

use std::sync::Arc;

use tokio::time::{Instant, sleep_until};

use super::shared::Shared;
use crate::api::Shown;

/// How many times as long as it takes to show what concerns many resources at once it is let be.
const REST: u32 = 20;

/// Looks at what the engine shows, each time that it changes, until the session ends.
pub(super) async fn keep_up_to_date(shared: Arc<Shared>) {
    let mut view = shared.handle.view.clone();
    let mut shown = Shown::default();
    let mut next = Instant::now();
    let secrets = shared.log.secret_hider();
    let mut known = secrets.count();
    loop {
        let now = view.borrow_and_update().clone();
        // What a load declares secret is known before its end is shown.
        if known != secrets.count() {
            known = secrets.count();
            shown.begin_again();
        }
        let mut news = shown.news(&now, &shared.facts);
        news.hide_secrets(&|text| secrets.hidden(text));
        if !news.is_empty() {
            let time = shared.now();
            shared.show(|store| news.write(store, time));
        }
        let begun = Instant::now();
        if shown.is_rest_stale() && next <= begun {
            let mut news = shown.rest(&now, &shared.facts);
            news.hide_secrets(&|text| secrets.hidden(text));
            let time = shared.now();
            shared.show(|store| news.write(store, time));
            next = Instant::now() + begun.elapsed() * REST;
        }
        tokio::select! {
            changed = view.changed() => if changed.is_err() {
                return;
            },
            () = sleep_until(next), if shown.is_rest_stale() => {}
        }
    }
}
