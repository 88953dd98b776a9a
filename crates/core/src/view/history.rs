//! What became of the updates of a session, as readers get it.

use std::sync::Arc;

use super::View;
use crate::history::{ResourceHistory, SessionHistory, UpdateRecord, Waits};
use crate::model::{ManifestName, Timestamp};

/// Returns what is known of the updates of all resources, the Tiltfile first.
pub fn history(view: &View, now: Timestamp) -> SessionHistory {
    let rows = view.resources.iter();
    let resources = rows.map(|row| of(&row.name, row.waiting.as_ref(), &row.going_on, &row.ended));
    SessionHistory {
        now,
        resources: [of_tiltfile(view)].into_iter().chain(resources).collect(),
    }
}

/// Returns what is known of the updates of one resource; `None` if there is no such resource.
pub fn history_of(view: &View, name: &ManifestName) -> Option<ResourceHistory> {
    if *name == ManifestName::tiltfile() {
        return Some(of_tiltfile(view));
    }
    let row = view.resources.iter().find(|row| row.name == *name)?;
    Some(of(&row.name, row.waiting.as_ref(), &row.going_on, &row.ended))
}

fn of_tiltfile(view: &View) -> ResourceHistory {
    let tiltfile = &view.tiltfile;
    of(
        &ManifestName::tiltfile(),
        None,
        &tiltfile.going_on,
        &tiltfile.ended,
    )
}

fn of(
    name: &ManifestName,
    waiting: Option<&Waits>,
    going_on: &[UpdateRecord],
    ended: &[Arc<UpdateRecord>],
) -> ResourceHistory {
    let ended = ended.iter().map(|record| UpdateRecord::clone(record));
    let mut updates: Vec<UpdateRecord> = going_on.iter().cloned().chain(ended).collect();
    updates.sort_by_key(|record| std::cmp::Reverse(record.number));
    ResourceHistory {
        resource: name.clone(),
        waiting: waiting.map_or_else(Vec::new, Waits::told),
        updates,
    }
}
