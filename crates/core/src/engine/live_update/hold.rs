//! Whether a full build waits because changes are taken into running containers instead.
//!
//! Rule: `docs/rules/updates.md`, "Held for live update".

use super::select::{live_images, sources};
use crate::engine::state::live::Standing;
use crate::engine::state::{Hold, Row};
use crate::model::{RuntimeStatus, TargetId};

/// Returns why the next update of a resource waits, if live updates are to do what it would.
pub(in crate::engine) fn hold(row: &Row) -> Option<Hold> {
    if !row.live.is_current || !takes_only_files(row) {
        return None;
    }
    let deploy = row.target(row.manifest.deploy.id());
    if deploy.is_some_and(|target| !target.files.is_empty()) {
        return None;
    }
    let mut awaits_deploy = false;
    for (changed, _) in row.targets.iter().filter(|(_, target)| !target.files.is_empty()) {
        let mut handlers = handlers(row, changed).peekable();
        handlers.peek()?;
        for standing in handlers {
            match standing {
                Standing::Well { .. } => {}
                Standing::NoContainer => awaits_deploy = true,
                Standing::Unmatched | Standing::Failed(_) => return None,
            }
        }
    }
    if !awaits_deploy {
        Some(Hold::Reconciling)
    } else if row.runtime.status == RuntimeStatus::Error || will_not_come(row) {
        None
    } else {
        Some(Hold::WaitingForDeploy)
    }
}

/// Returns whether the containers of the last deploy do not come any more: somebody else has deleted or replaced them.
fn will_not_come(row: &Row) -> bool {
    !row.deployed.gone.is_empty() || row.runtime.replaced_by.is_some()
}

/// Returns whether the next update would only take in files, and not make everything anew.
pub(super) fn takes_only_files(row: &Row) -> bool {
    let reasons = row.reasons();
    reasons.files
        && !(reasons.config || reasons.init || reasons.dependencies)
        && (reasons.triggers.is_empty()
            || !reasons.is_full_rebuild(row.manifest.trigger_mode.auto_on_change()))
}

/// Returns how the live updates are doing that take in files of an image.
fn handlers<'a>(row: &'a Row, changed: &'a TargetId) -> impl Iterator<Item = &'a Standing> {
    let handlers = live_images(row).filter(|(image, _)| sources(row, image).contains(changed));
    handlers.map(|(image, _)| row.live.standing.get(&image.id).unwrap_or(&Standing::NoContainer))
}
