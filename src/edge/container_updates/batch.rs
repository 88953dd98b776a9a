//! What there is on disk of what changed: files to copy, and places of files that are not there any more.

use std::collections::HashSet;
use std::io;

use crate::engine::ContainerUpdate;
use crate::logs::LogWriter;
use crate::model::{ContainerPath, IgnoreMatcher, LocalPath, SyncFailure};

/// What is to be changed in a container.
#[derive(Debug, Default)]
pub(super) struct OnDisk {
    /// Files, directories and links that are there, with their places. What is in a directory comes after it.
    pub(super) copied: Vec<(LocalPath, ContainerPath)>,
    /// What is not there any more.
    pub(super) deleted: Vec<(LocalPath, ContainerPath)>,
}

impl OnDisk {
    /// Reads what there is.
    ///
    /// # Errors
    /// When a file cannot be looked at, for another reason than that it is not there.
    pub(super) async fn read(update: &ContainerUpdate, log: &LogWriter) -> Result<Self, SyncFailure> {
        let (update, log) = (update.clone(), log.clone());
        let read = tokio::task::spawn_blocking(move || read(&update, &log));
        read.await
            .unwrap_or_else(|error| Err(SyncFailure::Other(error.to_string())))
    }

    /// Returns whether one of these paths, or something in it, is changed. Without paths that is always so.
    pub(super) fn has_any_of(&self, paths: &[LocalPath]) -> bool {
        let mut changed = self.copied.iter().chain(&self.deleted);
        paths.is_empty() || changed.any(|(local, _)| paths.iter().any(|path| local.is_within(path)))
    }
}

fn read(update: &ContainerUpdate, log: &LogWriter) -> Result<OnDisk, SyncFailure> {
    let mut found = OnDisk::default();
    let is_initial = !update.whole.is_empty();
    for (at, file) in update.batch.files.iter().enumerate() {
        let ignores = IgnoreMatcher::new(&file.ignores);
        let mut place = file.container.clone();
        if let Some(sync) = update.whole.get(at)
            && sync.destination.ends_with('/')
            && !file.local.as_path().is_dir()
            && let Some(name) = file.local.file_name()
        {
            place = place.join(name);
        }
        if is_initial && std::fs::symlink_metadata(file.local.as_path()).is_err() {
            log.warn(&format!(
                "Initial sync leaves out {}: there is no such file",
                file.local
            ));
            continue;
        }
        add(&mut found, file.local.clone(), place, &ignores)?;
    }
    let mut seen = HashSet::new();
    found.copied.retain(|(_, place)| seen.insert(place.clone()));
    Ok(found)
}

fn add(
    found: &mut OnDisk,
    local: LocalPath,
    container: ContainerPath,
    ignores: &IgnoreMatcher,
) -> Result<(), SyncFailure> {
    let metadata = match std::fs::symlink_metadata(local.as_path()) {
        Ok(metadata) => metadata,
        Err(error) if is_absent(&error) => {
            found.deleted.push((local, container));
            return Ok(());
        }
        Err(error) => return Err(unreadable(local, &error)),
    };
    if !metadata.is_dir() {
        if metadata.is_file() || metadata.is_symlink() {
            found.copied.push((local, container));
        }
        return Ok(());
    }
    found.copied.push((local.clone(), container.clone()));
    let entries = match std::fs::read_dir(local.as_path()) {
        Ok(entries) => entries,
        Err(error) if is_absent(&error) => return Ok(()),
        Err(error) => return Err(unreadable(local, &error)),
    };
    let mut names: Vec<_> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.file_name())
        .collect();
    names.sort();
    for name in names {
        let inner = local.join(&name);
        if !ignores.is_ignored(&inner) && std::fs::symlink_metadata(inner.as_path()).is_ok() {
            add(found, inner, container.join(&name), ignores)?;
        }
    }
    Ok(())
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn unreadable(local: LocalPath, error: &io::Error) -> SyncFailure {
    SyncFailure::Unreadable {
        local,
        error: error.to_string(),
    }
}
