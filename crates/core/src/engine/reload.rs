//! What a reading of the Tiltfile changes. When it is read says `load`.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::config::Mode;
use super::effect::Effect;
use super::enablement::{on_enablement_changed, release};
use super::event::LoadOutcome;
use super::files::watch_files;
use super::load::{load_if_changed, start_load};
use super::objects;
use super::pods;
use super::records::{self, Causes};
use super::services;
use super::state::{Loading, Reasons, Row, State, TargetState};
use super::{connection, cycles, definitions, deploy, gc, prune};
use crate::history::{self, ProjectFiles};
use crate::model::{ImageBuild, ImageTarget, LoadId, LocalPath, Manifest, ManifestName};

/// Reads the Tiltfile for the first time.
pub(super) fn on_started(state: &mut State) -> Vec<Effect> {
    // Watched from the start: also an evaluation that never ends can be mended.
    state.tiltfile.config_files = vec![state.config.tiltfile.clone()];
    // First of all, so that what changed before it is read is known to be read.
    let mut effects = Vec::from_iter(watch_files(state));
    effects.extend(start_load(
        state,
        "Initial Build".to_owned(),
        BTreeSet::new(),
        true,
        Causes::of_load(state, &BTreeSet::new(), &Reasons::default(), None),
    ));
    effects
}

/// Takes in what a load gave. One that failed leaves everything as it is, but for the files to watch.
pub(super) fn on_loaded(state: &mut State, load: LoadId, outcome: LoadOutcome) -> Vec<Effect> {
    let Some(loading) = state.tiltfile.loading.take_if(|loading| loading.load == load) else {
        return Vec::new();
    };
    records::end_load(state, load, outcome.error.clone(), false);
    state.tiltfile.loaded = true;
    state.tiltfile.finished = Some(state.now);
    state.ended.note(state.now, ManifestName::tiltfile(), load.0);
    // Of what it read, how it was then and at the end says whether it changed until then; it may have written it before.
    let is_news = |file: &LocalPath, after: &mut LoadId| *after >= load || !outcome.read.contains(file);
    state.tiltfile.pending.retain(is_news);
    (state.tiltfile.read, state.tiltfile.read_by) = (outcome.read, Some(load));
    if state.config.mode == Mode::Up {
        let running = cycles::running(state);
        for file in outcome.changed_meanwhile {
            state.tiltfile.cycle.note_change(&file, &running);
            state.tiltfile.pending.insert(file, load);
        }
    }
    state.tiltfile.cycle.note_end(state.now);
    if outcome.manifests.is_some() {
        state.tiltfile.config_files = outcome.config_files;
        state.tiltfile.watch_ignores = outcome.watch_ignores;
    } else {
        // What the failed load did not get to read is still watched: a mended file must not be edited unseen.
        let known = BTreeSet::from_iter(outcome.config_files);
        let earlier = state.tiltfile.config_files.drain(..);
        state.tiltfile.config_files = known
            .into_iter()
            .chain(earlier)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        // What it was told to pass over before it failed is passed over, or its own files would lead to the next load.
        for ignore in outcome.watch_ignores {
            if !state.tiltfile.watch_ignores.contains(&ignore) {
                state.tiltfile.watch_ignores.push(ignore);
            }
        }
    }
    state.dirty.files = true;
    state.tiltfile.error = outcome.error;
    state.tiltfile.error_place = outcome.error_place;
    let mut effects = Vec::new();
    if let Some(manifests) = outcome.manifests {
        state.update_settings = outcome.update_settings;
        state.ci_settings = outcome.ci_settings;
        state.pruning.settings = outcome.docker_prune;
        state.tiltfile.shown_settings = outcome.shown_settings;
        effects.extend(objects::on_declared(state, &outcome.objects, outcome.extensions));
        let manifests = match state.config.updates_containers {
            true => manifests,
            false => without_live_updates(manifests),
        };
        let (config_files, ignores) = (&state.tiltfile.config_files, &state.tiltfile.watch_ignores);
        let files = ProjectFiles::new(&manifests, config_files.clone(), ignores.clone());
        state.tiltfile.files = Arc::new(files);
        effects.extend(connection::connect_for(state, &manifests, &outcome.objects));
        effects.extend(replace_manifests(state, manifests, &outcome.enabled, &loading));
    } else {
        // The arguments are still to be heeded.
        state.tiltfile.sets_enabled |= loading.sets_enabled;
        let unknown = || "the Tiltfile could not be loaded".to_owned();
        state.tiltfile.error.get_or_insert_with(unknown);
    }
    effects.extend(load_if_changed(state));
    effects
}

/// Returns the manifests as they are where images are always built.
fn without_live_updates(mut manifests: Vec<Manifest>) -> Vec<Manifest> {
    for manifest in &mut manifests {
        manifest.images.retain(|image| !image.is_live_update_only());
        manifest
            .images
            .iter_mut()
            .for_each(|image| image.live_update = None);
    }
    manifests
}

/// Switches those resources on, or those off, that other arguments of the Tiltfile want so.
fn switch_all(state: &mut State, wanted: &BTreeSet<ManifestName>, enabled: bool) -> Vec<Effect> {
    let order = state.order.iter();
    let names: Vec<ManifestName> = order
        .filter(|name| wanted.contains(*name) == enabled)
        .cloned()
        .collect();
    names
        .iter()
        .flat_map(|name| on_enablement_changed(state, name, enabled))
        .collect()
}

/// Replaces manifests by name: what stays keeps its state, what changed is updated, what is gone is deleted.
/// Other arguments switch on and off what stays, too.
fn replace_manifests(
    state: &mut State,
    manifests: Vec<Manifest>,
    enabled: &BTreeSet<ManifestName>,
    loading: &Loading,
) -> Vec<Effect> {
    let mut old = std::mem::take(&mut state.rows);
    let mut gone = Vec::new();
    state.order = manifests.iter().map(|manifest| manifest.name.clone()).collect();
    for (position, manifest) in manifests.into_iter().enumerate() {
        let name = manifest.name.clone();
        let row = match old.remove(&name) {
            Some(row) if is_same_type(&row.manifest, &manifest) => {
                redefine(state, row, manifest, position, &loading.files)
            }
            // Another resource has taken its name.
            Some(row) => {
                let new = Row::new(manifest, row.enabled, position, state.now);
                gone.push((name.clone(), row));
                new
            }
            None => Row::new(manifest, enabled.contains(&name), position, state.now),
        };
        state.rows.insert(name, row);
    }
    let deploys = state
        .rows
        .values()
        .filter_map(Row::k8s)
        .flat_map(|k8s| &k8s.images);
    state.deployed_images = deploys.cloned().collect();
    prune::note_images(state);
    definitions::find_definers(state);
    pods::reindex(state);
    services::reindex(state);
    state.dirty.rows.extend(state.rows.keys().cloned());
    state.everything_asked();
    state.objects.is_stale = true;
    gone.extend(old);
    records::retain(state);
    if !loading.sets_enabled {
        return remove_rows(state, gone);
    }
    // Switching on comes first: what the others leave passes on to those that declare it.
    let mut effects = switch_all(state, enabled, true);
    effects.extend(remove_rows(state, gone));
    effects.extend(switch_all(state, enabled, false));
    effects
}

/// Returns whether what deploys or runs is of one type, so that an update can lead from one to the other.
fn is_same_type(old: &Manifest, new: &Manifest) -> bool {
    std::mem::discriminant(&old.deploy) == std::mem::discriminant(&new.deploy)
}

/// Gives a row its new definition. Its enabling, history and pods stay.
fn redefine(
    state: &mut State,
    mut row: Row,
    manifest: Manifest,
    position: usize,
    files: &BTreeSet<LocalPath>,
) -> Row {
    let changed = !same_targets(&row.manifest, &manifest);
    if changed && row.started_first {
        row.definition_changes
            .extend(history::changes(&row.manifest, &manifest));
        row.definition_changes.sort();
        row.definition_changes.dedup();
    }
    let mut targets = std::mem::take(&mut row.targets);
    row.targets = manifest
        .target_ids()
        .map(|id| (id.clone(), targets.remove(id).unwrap_or_default()))
        .collect();
    row.position = position;
    // Readers take the very same definition for an unchanged one.
    if *row.manifest != manifest {
        row.manifest = Arc::new(manifest);
    }
    if changed {
        row.live.is_current = false;
        row.targets
            .values_mut()
            .for_each(|target: &mut TargetState| target.result = None);
        // One that is still to start by itself takes in whatever there is then.
        let is_change = row.started_first || (row.enabled && !row.manifest.trigger_mode.auto_init());
        if is_change {
            row.changed_definition = Some(state.seq);
            row.config_edits.extend(files.iter().cloned());
        }
        if let Some(build) = row.building.and_then(|id| state.builds.get_mut(id)) {
            build.outdated = true;
        }
    }
    row
}

/// Returns whether an update would do the same for both. When it starts and where its objects were written does not
/// matter.
///
/// Rule: `docs/rules/images.md`, "What a reload makes new".
fn same_targets(old: &Manifest, new: &Manifest) -> bool {
    deploy::of_target(&old.deploy).does_the_same(&new.deploy) && same_images(&old.images, &new.images)
}

/// What a command's image is watched for, where Docker may find layers, and where it was written does not matter.
fn same_images(old: &[ImageTarget], new: &[ImageTarget]) -> bool {
    let essential = |image: &ImageTarget| {
        let mut image = image.clone();
        match &mut image.build {
            ImageBuild::Docker(build) => {
                build.options.cache_from.clear();
                build.site = None;
            }
            ImageBuild::Custom(build) => {
                build.deps = None;
                image.watched.clear();
                image.watch_ignores.clear();
            }
            ImageBuild::Compose(_) => {}
        }
        image
    };
    old == new || (old.len() == new.len() && old.iter().map(essential).eq(new.iter().map(essential)))
}

/// Deletes what resources had that are gone from the Tiltfile.
fn remove_rows(state: &mut State, gone: Vec<(ManifestName, Row)>) -> Vec<Effect> {
    gone.into_iter()
        .flat_map(|(name, row)| release(state, &name, row, gc::REMOVED))
        .collect()
}
