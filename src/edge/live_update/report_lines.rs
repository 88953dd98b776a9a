//! What is told about the change of a container.
//!
//! Rule: `docs/rules/live-update.md`, "Lines".

use crate::engine::ContainerUpdate;
use crate::model::{Batch, ContainerPath, LocalPath, Remedy, SyncFailure, Synced};

/// How many files are named; of more it is only said how many.
const SHOWN: usize = 100;

/// Returns that all that is synced is about to be copied.
pub(in crate::edge) fn initial(update: &ContainerUpdate, batch: &Batch) -> Vec<String> {
    let place = place(update);
    let first = format!("Initial sync: will copy sync paths to container: [{place}]");
    let files = batch.files.iter();
    let files = files.map(|file| format!("- '{}' --> '{}'", file.local, file.container));
    [first].into_iter().chain(files).collect()
}

/// Returns which files are about to be deleted.
pub(in crate::edge) fn deleted(
    update: &ContainerUpdate,
    files: &[(&LocalPath, &ContainerPath)],
) -> Vec<String> {
    let first = format!(
        "Will delete {} file(s) from container: [{}]",
        files.len(),
        place(update)
    );
    listed(first, files, |here, there| {
        format!("- '{there}' (matched local path: '{here}')")
    })
}

/// Returns which files are about to be copied.
pub(in crate::edge) fn copied(
    update: &ContainerUpdate,
    files: &[(&LocalPath, &ContainerPath)],
) -> Vec<String> {
    let first = format!(
        "Will copy {} file(s) to container: [{}]",
        files.len(),
        place(update)
    );
    listed(first, files, |here, there| format!("- '{here}' --> '{there}'"))
}

fn listed(
    first: String,
    files: &[(&LocalPath, &ContainerPath)],
    shown: impl Fn(&LocalPath, &ContainerPath) -> String,
) -> Vec<String> {
    let named = files.iter().take(SHOWN).map(|(here, there)| shown(here, there));
    let more = files.len().checked_sub(SHOWN).filter(|more| *more > 0);
    let more = more.map(|more| format!("- and {more} more"));
    [first].into_iter().chain(named).chain(more).collect()
}

/// Returns how it went.
pub(in crate::edge) fn ended(update: &ContainerUpdate, outcome: &Result<Synced, SyncFailure>) -> Vec<String> {
    let place = place(update);
    match outcome {
        Ok(synced) => {
            let in_place = synced.in_place.iter();
            let mut lines: Vec<String> = in_place
                .map(|file| {
                    format!(
                        "'{}' is written in place, so that a reader may see part of it: {}",
                        file.container, file.why
                    )
                })
                .collect();
            lines.push(
                if synced.sent.is_empty() && synced.deleted.is_empty() && update.batch.runs.is_empty() {
                    format!("  → Container {place} was up to date already")
                } else {
                    format!("  → Container {place} updated!")
                },
            );
            lines
        }
        // How often it is tried is no news.
        Err(failure) if failure.remedy() == Remedy::Retry && update.is_retry => Vec::new(),
        Err(failure) if failure.remedy() == Remedy::Retry => {
            vec![format!(
                "  → Container {place} cannot be reached, trying again: {failure}"
            )]
        }
        Err(failure) => vec![format!("  → Failed to update container {place}: {failure}")],
    }
}

fn place(update: &ContainerUpdate) -> String {
    update.container.shown()
}
