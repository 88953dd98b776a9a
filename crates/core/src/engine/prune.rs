//! When images, containers and cache that nobody needs any more are taken out of the Docker engine.
//!
//! Rule: `docs/rules/images.md`, "Prune". Beyond it, an image that a resource would use again as it is stays.

use std::collections::BTreeSet;
use std::time::Instant;

use super::effect::{Effect, PruneRequest, PrunedImage};
use super::state::State;
use crate::model::{ImageTarget, PruneId};

/// Returns what to prune if it is time to and nothing else is going on.
pub(super) fn prune(state: &mut State) -> Option<Effect> {
    if state.verdict.is_some() || !state.builds.is_empty() || !is_due(state) {
        return None;
    }
    let images = images(state);
    let pruning = &mut state.pruning;
    pruning.last_id += 1;
    let prune = PruneId(pruning.last_id);
    pruning.running = Some(prune);
    pruning.last = Some((state.now, pruning.updates));
    Some(Effect::Prune(PruneRequest {
        prune,
        max_age: pruning.settings.max_age,
        keep_recent: usize::try_from(pruning.settings.keep_recent).unwrap_or_default(),
        images,
        in_use: in_use(state),
    }))
}

/// Returns when it is to be done next, if that is a matter of time.
pub(super) fn next(state: &State) -> Option<Instant> {
    let settings = &state.pruning.settings;
    let (last, _) = state.pruning.last.filter(|_| settings.num_builds == 0)?;
    let is_free = state.verdict.is_none() && state.builds.is_empty() && is_possible(state);
    last.checked_add(settings.interval).filter(|_| is_free)
}

/// Takes in that it was done, or cannot be done.
pub(super) fn on_pruned(state: &mut State, prune: PruneId, is_possible: bool) {
    if state
        .pruning
        .running
        .take_if(|running| *running == prune)
        .is_some()
    {
        state.pruning.is_impossible = !is_possible;
    }
}

fn is_due(state: &State) -> bool {
    let pruning = &state.pruning;
    let is_time = match pruning.last {
        None => pruning.updates > 0,
        Some((_, updates)) if pruning.settings.num_builds != 0 => {
            pruning.updates - updates >= pruning.settings.num_builds.unsigned_abs()
        }
        Some((at, _)) => state.now.saturating_duration_since(at) >= pruning.settings.interval,
    };
    is_time && is_possible(state)
}

fn is_possible(state: &State) -> bool {
    let pruning = &state.pruning;
    let is_free = pruning.running.is_none() && !pruning.is_impossible;
    is_free && pruning.settings.enabled && pruning.has_images
}

/// Takes in that the resources are others.
pub(super) fn note_images(state: &mut State) {
    let has_images = built_images(state).next().is_some();
    state.pruning.has_images = has_images;
}

fn built_images(state: &State) -> impl Iterator<Item = &ImageTarget> {
    let all = state.rows.values().flat_map(|row| row.images());
    all.filter(|image| !image.is_live_update_only())
}

/// Returns the images that are built here, each once.
fn images(state: &State) -> Vec<PrunedImage> {
    let mut seen = BTreeSet::new();
    let each_once = built_images(state).filter(|image| seen.insert(image.id.clone()));
    each_once
        .map(|image| PrunedImage {
            selector: image.selector.clone(),
            registry: image.registry.clone(),
        })
        .collect()
}

fn in_use(state: &State) -> BTreeSet<String> {
    let targets = state.rows.values().flat_map(|row| row.targets.values());
    let results = targets.filter_map(|target| target.result.as_ref());
    results.map(|built| built.local_ref.familiar()).collect()
}
