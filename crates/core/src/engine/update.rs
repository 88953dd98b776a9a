//! One update of one resource: what it will do, and what its end means for this and for other resources.
//!
//! When it may start is for `schedule`, what it leaves behind in the cluster for `gc`.

use std::collections::BTreeSet;

use super::config::Mode;
use super::effect::{Effect, ImageAction, ImageStep, UpdatePlan};
use super::event::{Transient, UpdateOutcome};
use super::file_names::files_changed_line;
use super::records::{self, Causes};
use super::state::{BuildRecord, Row, Running, Seq, State, TargetState};
use super::{
    cluster_events, cycles, deleted_by_others, gc, live_update, objects, pod_claims, pods, retry, serve,
    services, why_no_pod, workloads,
};
use crate::model::{
    BuildId, BuiltImage, ComposeTarget, ImageTarget, LocalPath, ManifestName, SpanId, TargetId,
};
use crate::model::{Level, LogEvent};

/// Starts an update of a resource that `schedule` chose, and says so if it goes round in a circle.
pub(super) fn start(state: &mut State, name: &ManifestName) -> Vec<Effect> {
    let (build, moment) = (BuildId(state.last_build + 1), state.next_moment());
    let causes = Causes::of_update(state, name);
    let cycle = cycles::begin_update(state, name);
    let Some(row) = state.rows.get_mut(name) else {
        return Vec::new();
    };
    let deploy = row.manifest.deploy.clone();
    let span = SpanId::new(format!("build:{build}"));
    let reasons = row.reasons();
    let mut reason = reasons.text();
    if let Some(retry) = row.retry.as_ref().filter(|_| reason.is_empty()) {
        reason.clone_from(&retry.reason);
    }
    let force = row.awaits_full_rebuild();
    let files = edits(row);
    let header = if reasons.init {
        "Initial Build".to_owned()
    } else if files.is_empty() {
        reason.clone()
    } else {
        files_changed_line(&state.config.cwd, &files)
    };
    let is_first = reasons.init && reasons.triggers.is_empty() && !force;
    let may_be_older = is_first && state.config.mode == Mode::Up && state.config.updates_containers;
    let images = image_steps(row, &state.deployed_images, may_be_older);
    let is_built = |step: &&ImageStep| step.action == ImageAction::Build;
    let running = Running {
        manifest: name.clone(),
        span: span.clone(),
        reason,
        started: state.now,
        started_seq: moment,
        images: images
            .iter()
            .filter(is_built)
            .map(|step| (step.image.id.clone(), step.needs_push))
            .collect(),
        deploy: row.manifest.deploy.id().clone(),
        runs_alone: row.runs_alone(),
        takes_slot: row.takes_slot(),
        force,
        outdated: false,
        pid: None,
        delete_command: row.delete_command(),
        orphaned: None,
    };
    let read = running.images.keys().chain([&running.deploy]);
    for id in read {
        if let Some(target) = row.targets.get_mut(id) {
            target.read_at = moment;
        }
    }
    row.config_edits.clear();
    row.definition_changes.clear();
    row.take_asked();
    row.building = Some(build);
    row.runtime.pods_refused = None;
    row.deployed.service = row
        .compose()
        .map(ComposeTarget::service_id)
        .or(row.deployed.service.take());
    if !std::mem::replace(&mut row.started_first, true) {
        state.dirty.watches.insert(name.clone());
    }
    row.started_at.get_or_insert(state.now);
    state.last_build = build.0;
    state.builds.insert(build, running);
    records::begin_update(state, name, build, causes);
    let plan = UpdatePlan {
        build,
        manifest: name.clone(),
        span,
        header,
        images,
        parallel_images: state.update_settings.max_parallel_updates,
        deploy,
        force,
        moment,
    };
    let start = Effect::StartUpdate(Box::new(plan));
    cycle.into_iter().chain([start]).collect()
}

/// Returns the files that an update takes in: first those that changed its definition, then those of its targets.
fn edits(row: &Row) -> Vec<LocalPath> {
    let of_targets: BTreeSet<&LocalPath> = row
        .targets
        .values()
        .flat_map(|target| target.files.keys())
        .collect();
    let of_targets = of_targets
        .into_iter()
        .filter(|file| !row.config_edits.contains(*file));
    row.config_edits.iter().chain(of_targets).cloned().collect()
}

/// Returns what to do about each image: what is stale is built, and what is built on it.
///
/// Rule: `docs/rules/images.md`, "Build or reuse"; whether an image still exists is checked at the edge.
fn image_steps(row: &Row, deployed: &BTreeSet<TargetId>, may_be_older: bool) -> Vec<ImageStep> {
    let mut built: BTreeSet<&TargetId> = BTreeSet::new();
    let mut steps = Vec::new();
    for image in row.images().iter().filter(|image| !image.is_live_update_only()) {
        let reusable = row.target(&image.id).filter(|_| row.reuses(&image.id));
        let on_stale_base = image.base_images.iter().any(|base| built.contains(base));
        let action = match reusable.and_then(|target| target.result.clone()) {
            Some(result) if !on_stale_base => ImageAction::Reuse(result),
            _ => {
                built.insert(&image.id);
                ImageAction::Build
            }
        };
        steps.push(ImageStep {
            image: image.clone(),
            needs_push: deployed.contains(&image.id),
            action,
            may_be_older: may_be_older && live_update::takes_what_changed(row, image),
        });
    }
    steps
}

/// Takes in that the command of an update runs.
pub(super) fn on_runs(state: &mut State, build: BuildId, pid: u32) {
    if let Some(running) = state.builds.get_mut(build) {
        running.pid = Some(pid);
        state.rows.touch(&running.manifest);
    }
}

/// Takes in how an update ended. An answer that is not waited for is ignored.
///
/// Rule: `docs/rules/updates.md`, "When an update ends".
pub(super) fn on_finished(state: &mut State, build: BuildId, outcome: UpdateOutcome) -> Vec<Effect> {
    let Some(mut running) = state.builds.remove(build) else {
        return objects::on_applied(state, build, outcome);
    };
    records::end_update(state, build, &outcome);
    // Its record is shown also where the resource has been switched off meanwhile.
    state.rows.touch(&running.manifest);
    let unreachable = outcome.transient == Some(Transient::Unreachable);
    let mut effects = Vec::from_iter(retry::look_out(state, &running.manifest, unreachable));
    if let Some(mut remains) = running.orphaned.take() {
        remains.deployed = gc::add_applied(remains.deployed, &running, &outcome);
        effects.extend(gc::delete_remains(
            state,
            &running.manifest,
            running.span,
            remains,
        ));
        return effects;
    }
    state.pruning.updates += 1;
    state.ended.note(state.now, running.manifest.clone(), build.0);
    let failure = outcome.error.clone();
    record_end(state, &running, &outcome);
    let retry = retry::note_end(state, &running, &outcome);
    if !running.outdated {
        share_results(state, &running, &shareable(state, &running, &outcome));
    }
    if failure.is_none() && !running.outdated {
        serve::restart(state, &running.manifest);
    }
    let told_before = state.rows.get(&running.manifest).map(why_no_pod::all_told);
    let claimed = pod_claims::claimed_objects(state, &running.manifest);
    effects.extend(gc::note_applied(state, &running, &outcome));
    workloads::on_applied(state, &outcome.applied);
    pods::claim(state, &running.manifest, &claimed);
    effects.extend(deleted_by_others::on_updated(state, &running.manifest));
    let after = pod_claims::claimed_objects(state, &running.manifest);
    let new = after.into_iter().filter(|uid| !claimed.contains(uid)).collect();
    effects.extend(cluster_events::log_newly_claimed(state, &new));
    if failure.is_none() {
        effects.extend(why_no_pod::warn(
            state,
            &running,
            &told_before.unwrap_or_default(),
        ));
    }
    if failure.is_none() {
        effects.extend(services::on_deployed(state, &running.manifest));
    }
    state.dirty.rows.insert(running.manifest.clone());
    // Once a run is over, what it cancelled is no failure to speak of.
    if let Some(error) = failure.filter(|_| state.verdict.is_none()) {
        let line = LogEvent::line(running.span, running.manifest, format!("Build Failed: {error}"));
        effects.splice(
            0..0,
            [Effect::Log(line.level(Level::Error))].into_iter().chain(retry),
        );
    }
    effects
}

/// Writes the end of an update into its row: results, history, and that changes up to its start are taken in.
fn record_end(state: &mut State, running: &Running, outcome: &UpdateOutcome) {
    let (now, seq) = (state.now, state.seq);
    let Some(row) = state.rows.get_mut(&running.manifest) else {
        return;
    };
    row.building = None;
    row.cycle.note_end(now);
    // A failed build is not tried again until something changes; but then it must not count as built.
    for id in running.images.keys() {
        if let Some(target) = row.targets.get_mut(id) {
            target.result = None;
        }
    }
    for (id, built) in outcome.built.iter().filter(|_| !running.outdated) {
        if let Some(target) = row.targets.get_mut(id) {
            target.result = Some(built.clone());
            target.built_from = running.started_seq;
        }
    }
    note_deployed(row, running, outcome, seq);
    // What it only used again it did not read: a change of that may be older than its start and still be news.
    for (id, target) in &mut row.targets {
        if running.images.contains_key(id) || *id == running.deploy {
            target.consume_until(running.started_seq);
        } else {
            target.settle_until(running.started_seq);
        }
    }
    for (id, files) in outcome.older.iter().filter(|_| !running.outdated) {
        if let Some(target) = row.targets.get_mut(id) {
            target.note_lacking(files, seq);
        }
    }
    row.changed_definition = row
        .changed_definition
        .filter(|changed| *changed > running.started_seq);
    if outcome.error.is_none() && row.local().is_some_and(|local| local.readiness_probe.is_none()) {
        row.runtime.note_ready(now);
    }
    row.remember(BuildRecord {
        span: running.span.clone(),
        reason: running.reason.clone(),
        started: running.started,
        finished: now,
        error: outcome.error.clone(),
        explained_by_log: outcome.explained_by_log,
        pid: running.pid,
        exit: outcome.exit.clone(),
    });
    state.dirty.live.insert(running.manifest.clone());
}

/// Writes down which changes are in what is deployed now, and whether that is what the resource is defined to be.
fn note_deployed(row: &mut Row, running: &Running, outcome: &UpdateOutcome, now: Seq) {
    row.live.is_current = outcome.error.is_none() && !running.outdated;
    if !row.live.is_current {
        return;
    }
    let unbuilt = row
        .manifest
        .images
        .iter()
        .filter(|image| image.is_live_update_only());
    for image in unbuilt {
        if let Some(target) = row.targets.get_mut(&image.id) {
            target.built_from = running.started_seq;
        }
    }
    let built = row.targets.values_mut().flat_map(TargetState::forget_built);
    let built: BTreeSet<LocalPath> = built.collect();
    row.live.deployed(&built, now);
}

/// Returns the new images that every resource could use.
///
/// One that was not pushed, and that a new Tiltfile deploys, is not among them; nor one whose files changed since: a
/// resource that is newer than that change does not know of it.
fn shareable(state: &State, running: &Running, outcome: &UpdateOutcome) -> Vec<(TargetId, BuiltImage)> {
    let row = state.rows.get(&running.manifest);
    let is_fresh = |id: &TargetId| {
        row.and_then(|row| row.target(id))
            .is_some_and(|target| !target.is_dirty())
    };
    let is_pushed = |id: &TargetId| running.images.get(id).copied().unwrap_or(false);
    let is_enough = |id: &TargetId| is_pushed(id) || !state.deployed_images.contains(id);
    let built = outcome
        .built
        .iter()
        .filter(|(id, _)| is_fresh(id) && is_enough(id));
    built.cloned().collect()
}

/// Gives new images to the other resources that use them and have something to do: they deploy without building them
/// again. A resource with nothing to do is left alone.
fn share_results(state: &mut State, running: &Running, built: &[(TargetId, BuiltImage)]) {
    let using = built.iter().flat_map(|(id, _)| state.rows.with_target(id));
    let mut others: BTreeSet<ManifestName> = using.collect();
    others.remove(&running.manifest);
    for name in &others {
        let Some(row) = state.rows.get_mut(name) else {
            continue;
        };
        let has_reason = row.enabled && (row.awaits_first() || row.has_changes() || !row.triggers.is_empty());
        if has_reason && row.building.is_none() {
            take_results(row, built, running.started_seq);
        }
    }
}

fn take_results(row: &mut Row, built: &[(TargetId, BuiltImage)], started: Seq) {
    let was_built = |id: &TargetId| built.iter().any(|(built, _)| built == id);
    for (id, result) in built {
        let Some(target) = row.targets.get_mut(id) else {
            continue;
        };
        target.result = Some(result.clone());
        target.built_from = started;
        target.consume_until(started);
        let on_it = |image: &&ImageTarget| image.base_images.contains(id) && !was_built(&image.id);
        let mut dependents: Vec<TargetId> = row
            .manifest
            .images
            .iter()
            .filter(on_it)
            .map(|image| image.id.clone())
            .collect();
        if row.k8s().is_some_and(|k8s| k8s.images.contains(id)) {
            dependents.push(row.manifest.deploy.id().clone());
        }
        for dependent in dependents {
            if let Some(target) = row.targets.get_mut(&dependent) {
                target.dependencies.insert(id.clone(), started);
            }
        }
    }
}
