//! What is told about the change of a container.
//!
//! Rule: `reference/engine.md` 5.5, "Log lines".

use super::batch::OnDisk;
use crate::engine::ContainerUpdate;
use crate::model::{Remedy, SyncFailure};

/// How many files are named; of more it is only said how many.
const SHOWN: usize = 100;

/// Returns what is about to be done.
pub(super) fn begin(update: &ContainerUpdate, found: &OnDisk) -> Vec<String> {
    let place = place(update);
    if !update.whole.is_empty() {
        let mut lines = vec![format!(
            "Initial sync: will copy sync paths to container: [{place}]"
        )];
        let files = update.batch.files.iter();
        lines.extend(files.map(|file| format!("- '{}' --> '{}'", file.local, file.container)));
        return lines;
    }
    let mut lines = Vec::new();
    if !found.deleted.is_empty() {
        let n_files = found.deleted.len();
        lines.push(format!("Will delete {n_files} file(s) from container: [{place}]"));
        let deleted = found.deleted.iter().take(SHOWN);
        lines.extend(deleted.map(|(here, there)| format!("- '{there}' (matched local path: '{here}')")));
        lines.extend(more(n_files));
    }
    if !found.copied.is_empty() {
        let n_files = found.copied.len();
        lines.push(format!("Will copy {n_files} file(s) to container: [{place}]"));
        let copied = found.copied.iter().take(SHOWN);
        lines.extend(copied.map(|(here, there)| format!("- '{here}' --> '{there}'")));
        lines.extend(more(n_files));
    }
    lines
}

fn more(n_files: usize) -> Option<String> {
    (n_files > SHOWN).then(|| format!("- and {} more", n_files - SHOWN))
}

/// Returns how it went.
pub(super) fn ended(update: &ContainerUpdate, failure: Option<&SyncFailure>) -> String {
    let place = place(update);
    match failure {
        None => format!("  → Container {place} updated!"),
        Some(failure) if failure.remedy() == Remedy::Retry => {
            format!("  → Container {place} cannot be reached, trying again: {failure}")
        }
        Some(failure) => format!("  → Failed to update container {place}: {failure}"),
    }
}

fn place(update: &ContainerUpdate) -> String {
    format!("{}/{}", update.container.pod, update.container.container)
}
