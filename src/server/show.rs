//! Keeps the objects that show what the engine does up to date with what it shows.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use super::shared::Shared;
use crate::api::{Kind, objects};

/// Looks at what the engine shows, each time that it changes, until the session ends.
///
/// Only objects that are made of something else than last time are written: what a client wrote meanwhile, and the engine has
/// not heard of yet, stays.
pub(super) async fn keep_up_to_date(shared: Arc<Shared>) {
    let mut view = shared.handle.view.clone();
    let mut shown: HashMap<(&'static str, String), Value> = HashMap::new();
    loop {
        let now = view.borrow_and_update().clone();
        let mut gone: HashMap<(&'static str, String), Value> = std::mem::take(&mut shown);
        let mut news: Vec<(&'static Kind, Value)> = Vec::new();
        for (kind, made) in objects(&now, &shared.facts) {
            for object in made {
                let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
                let key = (kind.plural, name);
                if gone.remove(&key).as_ref() != Some(&object) {
                    news.push((kind, object.clone()));
                }
                shown.insert(key, object);
            }
        }
        if !news.is_empty() || !gone.is_empty() {
            let time = shared.now();
            shared.show(|store| {
                for (kind, object) in news {
                    store.show(kind, object, time);
                }
                for (plural, name) in gone.into_keys() {
                    if let Some(kind) = Kind::of_plural(plural) {
                        let _ = store.delete(kind, &name, None, false);
                    }
                }
            });
        }
        if view.changed().await.is_err() {
            return;
        }
    }
}
