//! Files that changed: which targets that makes stale, and what to watch.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::config::Mode;
use super::cycles;
use super::deploy;
use super::effect::{Effect, WatchSet, WatchedTarget};
use super::event::FileChange;
use super::load;
use super::objects;
use super::state::objects::{DeclaredWatch, Disable};
use super::state::{Edit, Row, Runs, Seq, State};
use crate::model::{Ignore, ImageBuild, ImageTarget, LocalPath, TargetId, TargetKind};

/// Notes changes with every target they belong to, and reads the Tiltfile again if it is one of them.
///
/// A change that came after an update began leads to another one; what was there when it began it has read, however
/// late that is reported.
pub(super) fn on_files_changed(state: &mut State, changes: Vec<FileChange>) -> Vec<Effect> {
    let (configs, kubeconfig) = (TargetId::configs(), TargetId::kubeconfig());
    let running = cycles::running(state);
    let mut effects = Vec::new();
    for change in changes {
        if !change.is_same || change.is_touched {
            objects::note_change(state, &change.target, &change.path);
        }
        if change.target == kubeconfig {
            effects = vec![Effect::CheckKubeconfig];
        } else if change.target == configs {
            on_config_changed(state, change, &running);
        } else {
            let at = (state.now, state.seq);
            for name in state.rows.with_target(&change.target) {
                let row = state.rows.get_mut(&name).filter(|row| row.enabled);
                if row.is_some_and(|row| on_target_changed(row, at, &change, &running)) {
                    state.dirty.live.insert(name);
                }
            }
        }
    }
    effects.extend(load::load_if_changed(state));
    effects
}

/// Notes a change of a target. Returns whether containers that are changed in place may take it in.
fn on_target_changed(
    row: &mut Row,
    (now, heard): (Instant, Seq),
    change: &FileChange,
    running: &Runs,
) -> bool {
    let is_live = change.target.kind == TargetKind::Image
        && row.images().iter().any(|image| image.live_update.is_some());
    let is_deployed = row.building.is_none() && row.live.is_current;
    let Some(target) = row.targets.get_mut(&change.target) else {
        return false;
    };
    let after = change.after.min(heard);
    if after < target.read_at {
        // Should what is being built never be deployed, the containers that are there still lack it.
        if is_live && !is_deployed {
            target.since_build.insert(change.path.clone(), heard);
            target.read_late.insert(change.path.clone(), heard);
        }
        return false;
    }
    let is_running = row.building.is_some();
    // Who touches a file asks for what reads it, unless that is what touched it.
    let is_wish = change.is_touched && row.cycle.is_at_rest(now, is_running);
    if !change.is_same {
        row.cycle.note_other_content();
    } else if !is_wish && !row.cycle.heeds_same(now, is_running) {
        return false;
    }
    let before = target.files.get(&change.path).and_then(|edit| edit.seen);
    let seen = before.or(change.seen).or(Some(now));
    let edit = Edit { heard, after, seen };
    target.files.insert(change.path.clone(), edit);
    if is_live {
        target.since_build.insert(change.path.clone(), heard);
        target.read_late.remove(&change.path);
        row.live.try_now(now);
    }
    if running.is_empty() {
        let server = cycles::starting_server(row, now);
        row.cycle.note_change(&change.path, &server);
    } else {
        row.cycle.note_change(&change.path, running);
    }
    is_live
}

fn on_config_changed(state: &mut State, change: FileChange, running: &Runs) {
    let (now, tiltfile) = (state.now, &mut state.tiltfile);
    let is_loading = tiltfile.loading.is_some();
    let is_read = tiltfile.read.contains(&change.path);
    let is_compared = is_read && tiltfile.read_by.is_some_and(|load| change.after_load < load);
    if is_compared || change.after.min(state.seq) < tiltfile.read_at {
        return;
    }
    if !change.is_same {
        tiltfile.cycle.note_other_content();
    } else if !is_loading && is_read {
        // It is what the last load has read.
        return;
    } else if !tiltfile.cycle.heeds_same(now, is_loading) {
        return;
    }
    tiltfile.cycle.note_change(&change.path, running);
    tiltfile.noticed = tiltfile.noticed.or(change.seen).or(Some(now));
    tiltfile.pending.insert(change.path, change.after_load);
}

/// Returns the files that an image is made of.
pub(super) fn watched_image(image: &ImageTarget) -> WatchedTarget {
    WatchedTarget {
        paths: image.watched.clone(),
        ignores: image.watch_ignores.clone(),
    }
}

/// Returns all files to watch, if that is not what is watched already. `ci` watches none.
pub(super) fn watch_files(state: &mut State) -> Option<Effect> {
    if state.config.mode != Mode::Up {
        return None;
    }
    objects::note_declared(state, declared_watches(state));
    let wanted = watch_set(state);
    if state.asked.files.as_ref() == Some(&wanted) {
        return None;
    }
    objects::note_watched(state, &wanted);
    state.asked.files = Some(wanted.clone());
    Some(Effect::WatchFiles(wanted))
}

fn watch_set(state: &State) -> WatchSet {
    let configs = WatchedTarget {
        paths: state.tiltfile.config_files.clone(),
        ignores: Vec::new(),
    };
    let mut targets = BTreeMap::from([(TargetId::configs(), configs)]);
    let uses_cluster = state.rows.values().any(|row| row.enabled && row.k8s().is_some());
    if uses_cluster && !state.config.kubeconfig.is_empty() {
        let kubeconfig = WatchedTarget {
            paths: state.config.kubeconfig.clone(),
            ignores: Vec::new(),
        };
        targets.insert(TargetId::kubeconfig(), kubeconfig);
    }
    let declared = state.declared_watches.iter().filter(|(_, watch)| watch.is_on);
    targets.extend(declared.map(|(target, watch)| (target.clone(), watch.watched.clone())));
    targets.extend(objects::watched(state));
    let mut ignores = state.tiltfile.watch_ignores.clone();
    ignores.extend(image_ref_files(state).into_iter().map(|file| Ignore {
        base: file.clone(),
        patterns: Vec::new(),
    }));
    WatchSet { targets, ignores }
}

/// Returns what resources want to have watched. Of an image of several it is what the first that is switched on says.
fn declared_watches(state: &State) -> BTreeMap<TargetId, DeclaredWatch> {
    let mut declared: BTreeMap<TargetId, DeclaredWatch> = BTreeMap::new();
    for (name, row) in state.rows_in_order() {
        let images = row.images().iter();
        let images = images.map(|image| (image.id.clone(), watched_image(image)));
        let deploy = deploy::of(row).watched();
        let deploy = deploy.map(|watched| (row.manifest.deploy.id().clone(), watched));
        for (target, watched) in images.chain(deploy) {
            match declared.entry(target) {
                Entry::Vacant(entry) => {
                    entry.insert(DeclaredWatch {
                        resources: vec![name.clone()],
                        is_on: row.enabled,
                        watched,
                        disable: Disable::default(),
                    });
                }
                Entry::Occupied(entry) => {
                    let watch = entry.into_mut();
                    watch.resources.push(name.clone());
                    if row.enabled && !watch.is_on {
                        (watch.is_on, watch.watched) = (true, watched);
                    }
                }
            }
        }
    }
    declared
}

/// Returns the files into which commands write what they built: a build must not lead to the next one.
///
/// Rule: `docs/rules/files.md`, "Ignored".
fn image_ref_files(state: &State) -> BTreeSet<&LocalPath> {
    let images = state.rows.values().flat_map(|row| row.images());
    let files = images.filter_map(|image| match &image.build {
        ImageBuild::Custom(build) => build.image_ref_file.as_ref(),
        ImageBuild::Docker(_) | ImageBuild::Compose(_) => None,
    });
    files.collect()
}
