//! The Tiltfile: when it is read, and what a new reading changes.

use std::collections::{BTreeMap, BTreeSet};

use super::config::Mode;
use super::effect::{Effect, ObjectId};
use super::event::{AppliedObject, LoadOutcome};
use super::files::files_changed_line;
use super::gc;
use super::not_yet;
use super::pods;
use super::state::{Loading, Row, State, TargetState};
use crate::logs::LogEvent;
use crate::model::{
    DeployTarget, ImageBuild, ImageTarget, K8sTarget, LoadId, LocalPath, LocalTarget, Manifest, ManifestName,
};

/// Reads the Tiltfile for the first time.
pub(super) fn on_started(state: &mut State) -> Vec<Effect> {
    // Watched from the start: also an evaluation that never ends can be mended.
    state.tiltfile.config_files = vec![state.config.tiltfile.clone()];
    state.dirty.files = true;
    start_load(state, "Initial Build".to_owned(), BTreeSet::new())
}

/// Reads the Tiltfile again if a file it depends on changed.
///
/// A reading that is under way is abandoned where the Tiltfile itself changed: nobody wants its result, and it may
/// never end. Other changes lead to another one after it: the Tiltfile may write such files itself.
pub(super) fn load_if_changed(state: &mut State) -> Vec<Effect> {
    let is_obsolete = state.tiltfile.pending.contains(&state.config.tiltfile);
    if state.tiltfile.pending.is_empty() || (state.tiltfile.loading.is_some() && !is_obsolete) {
        return Vec::new();
    }
    let mut files = std::mem::take(&mut state.tiltfile.pending);
    if let Some(abandoned) = state.tiltfile.loading.take() {
        files.extend(abandoned.files);
    }
    start_load(state, files_changed_line(&state.config.cwd, &files), files)
}

fn start_load(state: &mut State, entry: String, files: BTreeSet<LocalPath>) -> Vec<Effect> {
    state.tiltfile.last_load += 1;
    let (load, span) = (LoadId(state.tiltfile.last_load), state.tiltfile_span());
    state.tiltfile.loading = Some(Loading { load, files });
    let mut line = LogEvent::line(span.clone(), ManifestName::tiltfile(), entry);
    line.starts_update = true;
    vec![Effect::Log(line), Effect::LoadTiltfile { load, span }]
}

/// Takes in what a load gave. One that failed leaves everything as it is, but for the files to watch.
pub(super) fn on_loaded(state: &mut State, load: LoadId, outcome: LoadOutcome) -> Vec<Effect> {
    let Some(loading) = state.tiltfile.loading.take_if(|loading| loading.load == load) else {
        return Vec::new();
    };
    state.tiltfile.loaded = true;
    if state.config.mode == Mode::Up {
        state.tiltfile.pending.extend(outcome.changed_meanwhile);
    }
    if outcome.manifests.is_some() {
        state.tiltfile.config_files = outcome.config_files;
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
    }
    state.dirty.files = true;
    state.tiltfile.error = outcome.error;
    let mut effects = Vec::new();
    if let Some(manifests) = outcome.manifests {
        state.tiltfile.watch_ignores = outcome.watch_ignores;
        state.update_settings = outcome.update_settings;
        state.ci_settings = outcome.ci_settings;
        effects = not_yet::tell(state, &manifests, &outcome.enabled);
        effects.extend(not_yet::tell_of_objects(state, &outcome.objects));
        effects.extend(replace_manifests(
            state,
            not_yet::possible(manifests),
            &outcome.enabled,
            &loading.files,
        ));
    } else if state.tiltfile.error.is_none() {
        state.tiltfile.error = Some("the Tiltfile could not be loaded".to_owned());
    }
    effects.extend(load_if_changed(state));
    effects
}

/// Replaces manifests by name: what stays keeps its state, what changed is updated, what is gone is deleted.
fn replace_manifests(
    state: &mut State,
    manifests: Vec<Manifest>,
    enabled: &BTreeSet<ManifestName>,
    files: &BTreeSet<LocalPath>,
) -> Vec<Effect> {
    let mut old = std::mem::take(&mut state.rows);
    state.order = manifests.iter().map(|manifest| manifest.name.clone()).collect();
    for (position, manifest) in manifests.into_iter().enumerate() {
        let name = manifest.name.clone();
        let row = match old.remove(&name) {
            Some(row) => redefine(state, row, manifest, position, files),
            None => Row::new(manifest, enabled.contains(&name), position),
        };
        state.rows.insert(name, row);
    }
    let deploys = state
        .rows
        .values()
        .filter_map(Row::k8s)
        .flat_map(|k8s| &k8s.images);
    state.deployed_images = deploys.cloned().collect();
    pods::reindex(state);
    state.dirty.rows.extend(state.rows.keys().cloned());
    (state.dirty.cluster, state.dirty.streams) = (true, true);
    (state.dirty.servers, state.dirty.forwards) = (true, true);
    remove_rows(state, old)
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
    let mut targets = std::mem::take(&mut row.targets);
    row.targets = manifest
        .target_ids()
        .map(|id| (id.clone(), targets.remove(id).unwrap_or_default()))
        .collect();
    (row.manifest, row.position) = (manifest, position);
    if changed {
        row.targets
            .values_mut()
            .for_each(|target: &mut TargetState| target.result = None);
        if row.started_first {
            row.changed_definition = Some(state.seq);
            row.config_edits.extend(files.iter().cloned());
        }
        if let Some(build) = row.building.and_then(|id| state.builds.get_mut(&id)) {
            build.outdated = true;
        }
    }
    row
}

/// Returns whether an update would do the same for both. When it starts and where its objects were written does not
/// matter.
///
/// Rule: `reference/engine.md` 2.15.
fn same_targets(old: &Manifest, new: &Manifest) -> bool {
    let same_deploy = match (&old.deploy, &new.deploy) {
        (DeployTarget::K8s(old), DeployTarget::K8s(new)) => same_objects(old, new),
        (DeployTarget::Local(old), DeployTarget::Local(new)) => same_commands(old, new),
        _ => false,
    };
    same_deploy && same_images(&old.images, &new.images)
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
        }
        image
    };
    old == new || (old.len() == new.len() && old.iter().map(essential).eq(new.iter().map(essential)))
}

/// What is watched and what is shown does not matter.
fn same_commands(old: &LocalTarget, new: &LocalTarget) -> bool {
    let commands = |target: &LocalTarget| LocalTarget {
        deps: None,
        watch_ignores: Vec::new(),
        links: Vec::new(),
        ..target.clone()
    };
    commands(old) == commands(new)
}

/// Ports and links are for people: a change of them deploys nothing.
fn same_objects(old: &K8sTarget, new: &K8sTarget) -> bool {
    fn others(target: &K8sTarget) -> impl PartialEq + '_ {
        let commands = target.options.custom_deploy.as_ref();
        (
            (&target.id, &target.images, target.readiness),
            (&target.extra_pod_selectors, target.upsert_timeout),
            (
                &target.options.image_locators,
                commands.map(|custom| (&custom.apply, &custom.delete)),
            ),
        )
    }
    old.entities.len() == new.entities.len()
        && old
            .entities
            .iter()
            .zip(&new.entities)
            .all(|(a, b)| a.value() == b.value())
        && others(old) == others(new)
}

/// Deletes what resources had that are gone from the Tiltfile. While one is still being updated its objects are not
/// all known, so that waits until the update was cancelled.
fn remove_rows(state: &mut State, gone: BTreeMap<ManifestName, Row>) -> Vec<Effect> {
    let mut effects = Vec::new();
    for (name, row) in gone {
        pods::forget_row(state, &name);
        let running = row.building.and_then(|id| Some((id, state.builds.get_mut(&id)?)));
        if let Some((build, running)) = running {
            running.orphaned = Some(row.deployed.owned);
            effects.push(Effect::CancelUpdate { build });
        } else {
            let span = row
                .history
                .front()
                .map_or_else(|| state.tiltfile_span(), |last| last.span.clone());
            if let Some(command) = row.deployed.delete_command {
                effects.push(gc::delete_by_command(state, &name, span, command));
                continue;
            }
            effects.extend(gc::delete_removed(state, &name, span, row.deployed.owned));
        }
    }
    effects
}

/// What a resource left in the cluster.
pub(super) type Owned = BTreeMap<ObjectId, AppliedObject>;
