//! What is done in containers: found out for a whole resource at a time, started, and taken in when it ends.
//!
//! All containers of one live update that differ at one moment make a round: it has one header, one span and one record.
//! Each container answers for itself, so one that is slow holds up no other one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::hold::{hold, takes_only_files};
use super::plan::{self, Difference, Plan, Wait, Whole};
use super::select::{Selected, live_images, select, sources};
use crate::engine::effect::{ContainerUpdate, Effect, LiveUpdatePlan};
use crate::engine::file_names::files_changed_line;
use crate::engine::records::{self, Causes};
use crate::engine::services;
use crate::engine::state::live::{Change, FallBack, Instance, InstanceKey, Round, Standing};
use crate::engine::state::{BuildRecord, Edit, Hold, Row, Seq, State, TargetState};

use crate::model::{
    Backoff, Batch, Container, ContainerAddress, Ignore, ImageTarget, Level, LiveUpdate, LiveUpdateId,
    LocalPath, LogEvent, ManifestName, Placement, Pod, Remedy, SpanId, SyncFailure, Synced, TargetId,
};

/// The pauses before a change that did not come through is tried again.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(4));

/// What was found out about one live update.
struct Found {
    image: TargetId,
    standing: Standing,
    /// The containers that it selects and that have not ended.
    selected: Vec<(ContainerAddress, String)>,
    /// Those of them in which all is as it should be.
    as_wanted: Vec<String>,
    /// What is to be done, and the files that it is about.
    work: Vec<(ContainerUpdate, BTreeSet<LocalPath>)>,
    /// Where none of the containers is meant: what there is instead.
    unmatched: Option<String>,
}

/// Finds out what is to be done in the containers of a resource, and starts it.
pub(in crate::engine) fn refresh(state: &mut State, name: &ManifestName) -> Vec<Effect> {
    let effects = look_and_start(state, name);
    let now = state.now;
    if let Some(row) = state.rows.get_mut(name) {
        row.live.forget_retries(now);
    }
    effects
}

fn look_and_start(state: &mut State, name: &ManifestName) -> Vec<Effect> {
    let seq = state.seq;
    let is_over = state.verdict.is_some();
    let Some(row) = state.rows.get_mut(name) else {
        return Vec::new();
    };
    if is_over || !row.enabled || !row.live.is_current || live_images(row).next().is_none() {
        row.live.standing.clear();
        if !row.live.instances.is_empty() {
            state.asked.containers.touch(name);
        }
        return Vec::new();
    }
    if takes_changes(row) || (!row.triggers.is_empty() && takes_only_files(row)) {
        row.live.asked = seq;
    }
    let Some(row) = state.rows.get(name) else {
        return Vec::new();
    };
    let found: Vec<Found> = live_images(row)
        .map(|(image, update)| look(state, row, image, update))
        .collect();
    let mut effects = tell(state, name, &found);
    let mut work = Vec::new();
    for found in found {
        work.extend(note(state, name, found));
    }
    effects.extend(start(state, name, work));
    effects
}

/// Returns whether changes of a resource are taken in without asking.
fn takes_changes(row: &Row) -> bool {
    row.manifest.trigger_mode.auto_on_change()
}

/// Looks at all containers that a live update selects.
fn look(state: &State, row: &Row, image: &ImageTarget, update: &LiveUpdate) -> Found {
    let changed = changed_files(row, image);
    let mut found = Found {
        image: image.id.clone(),
        standing: Standing::NoContainer,
        selected: Vec::new(),
        as_wanted: Vec::new(),
        work: Vec::new(),
        unmatched: None,
    };
    let cwd = &state.config.cwd;
    let selected = match select(state, row, image, update) {
        Selected::These(selected) => selected,
        Selected::NoContainer => {
            let files = changed.keys().copied().collect();
            if let Some(fall_back) = plan::fall_back(update, &files, cwd) {
                found.standing = Standing::Failed(fall_back);
            }
            return found;
        }
        Selected::Unmatched(pod) => {
            found.standing = Standing::Unmatched;
            found.unmatched = Some(unmatched(row, image, update, pod));
            return found;
        }
    };
    let (mut is_behind, mut failure, mut n_ended, mut ended_with_files) = (false, None, 0, None);
    let unknown = Instance::default();
    let ignores = Ignores::new(state, row, image);
    for (pod, container) in &selected {
        let key = (image.id.clone(), container.id.clone());
        let instance = row.live.instances.get(&key).unwrap_or(&unknown);
        let is_older = pod.created < state.config.started.floor_to_second() && !update.syncs.is_empty();
        let difference = difference(row, update, &changed, instance, is_older);
        let planned = match &instance.impossible {
            Some(why) => Plan::Build(why.clone()),
            None => plan::plan(update, (pod, container), &difference, cwd),
        };
        let planned = match planned {
            // It is about to be started again.
            Plan::Ended if row.changes_service() => Plan::Wait(Wait::Container),
            planned => planned,
        };
        if planned != Plan::Ended {
            found
                .selected
                .push((address(pod, container), container.image.clone()));
        }
        match planned {
            Plan::Ended => {
                n_ended += 1;
                if !difference.files.is_empty() {
                    ended_with_files.get_or_insert_with(|| plan::all_ended(pod));
                }
            }
            Plan::Build(fall_back) => {
                failure.get_or_insert(fall_back);
            }
            Plan::Nothing if instance.running.is_none() => found.as_wanted.push(container.id.clone()),
            Plan::Wait(Wait::Trigger) => {}
            Plan::Nothing | Plan::Wait(Wait::Container) => is_behind = true,
            Plan::Change(work) => {
                is_behind = true;
                let waits = instance.retry.is_some_and(|(at, _)| at > state.now);
                if instance.running.is_none() && !waits {
                    let files = difference.files.difference(&difference.unasked);
                    let files = files.map(|file| (*file).clone()).collect();
                    let change = container_update((pod, container), instance, work, &ignores);
                    let change = ContainerUpdate {
                        restart: update.restart,
                        ..change
                    };
                    found.work.push((change, files));
                }
            }
        }
    }
    if n_ended == selected.len() {
        failure = failure.or(ended_with_files);
    }
    found.standing = match failure {
        Some(failure) => {
            found.work.clear();
            Standing::Failed(failure)
        }
        None => Standing::Well { is_behind },
    };
    found
}

/// Returns the files of an image and of those it is built on that changed since what is deployed was built.
fn changed_files<'a>(row: &'a Row, image: &'a ImageTarget) -> BTreeMap<&'a LocalPath, Seq> {
    let mut changed: BTreeMap<&LocalPath, Seq> = BTreeMap::new();
    let targets = sources(row, image).into_iter().filter_map(|id| row.target(id));
    for (file, seq) in targets.flat_map(|target| &target.since_build) {
        let latest = changed.entry(file).or_default();
        *latest = (*seq).max(*latest);
    }
    changed
}

/// Returns in what a run of a container differs from the disk.
fn difference<'a>(
    row: &Row,
    update: &LiveUpdate,
    changed: &BTreeMap<&'a LocalPath, Seq>,
    instance: &'a Instance,
    is_older: bool,
) -> Difference<'a> {
    let since = |seq: Seq| {
        let newer = changed.iter().filter(move |(_, at)| **at > seq);
        newer.map(|(file, _)| *file)
    };
    // What no step takes any more has no place in a container.
    let has_place = |file: &&LocalPath| {
        update.syncs.iter().any(|sync| file.is_within(&sync.source))
            && !update.stop_paths.iter().any(|stop| file.is_within(stop))
    };
    let older: BTreeSet<&LocalPath> = instance.older.keys().filter(has_place).collect();
    let unasked = changed.iter().filter(|(_, at)| **at > row.live.asked);
    let unasked: BTreeSet<&LocalPath> = unasked.map(|(file, _)| *file).collect();
    let whole = match is_older {
        _ if update.initial_sync => Some(Whole::InitialSync),
        true => Some(Whole::Older),
        false => None,
    };
    Difference {
        files: since(instance.holds).chain(older.iter().copied()).collect(),
        unfinished: since(instance.done)
            .filter(|file| !unasked.contains(file))
            .chain(older)
            .collect(),
        unasked,
        whole: whole.filter(|_| !instance.whole_done),
    }
}

fn container_update(
    (pod, container): (&Pod, &Container),
    instance: &Instance,
    work: plan::Work,
    ignores: &Ignores<'_>,
) -> ContainerUpdate {
    let is_check = matches!(work.whole, Some((Whole::Older, _)));
    let n_files = work.files.len();
    let files: Vec<Placement> = work
        .files
        .into_iter()
        .filter(|(local, _)| !ignores.is_mounted(local))
        .map(|(local, container)| Placement {
            ignores: ignores.of(&local),
            local,
            container,
        })
        .collect();
    let sees_changes = files.len() < n_files;
    ContainerUpdate {
        container: address(pod, container),
        batch: Batch {
            files,
            runs: work.runs,
            runs_are_due: instance.error.is_some() || sees_changes || (instance.done == 0 && !is_check),
        },
        restart: false,
        is_check,
        whole: work
            .whole
            .map(|(_, syncs)| syncs)
            .unwrap_or_default()
            .into_iter()
            .filter(|sync| !ignores.is_mounted(&sync.source))
            .collect(),
        is_retry: instance.retry.is_some(),
    }
}

fn address(pod: &Pod, container: &Container) -> ContainerAddress {
    ContainerAddress {
        pod_uid: pod.uid.clone(),
        pod: pod.name.clone(),
        namespace: Some(pod.namespace.clone()).filter(|namespace| !namespace.is_empty()),
        container: container.name.clone(),
        id: container.id.clone(),
    }
}

/// What is left out of directories: what the image is not made of either.
struct Ignores<'a> {
    images: Vec<(&'a [LocalPath], Arc<[Ignore]>)>,
    /// What the container sees anyway, because it is mounted where it would be copied to.
    mounted: Vec<LocalPath>,
}

impl<'a> Ignores<'a> {
    fn new(state: &State, row: &'a Row, image: &'a ImageTarget) -> Self {
        let sources = sources(row, image);
        let bases = row.images().iter().filter(|other| other.id != image.id);
        let bases = bases.filter(|other| sources.contains(&other.id));
        let images = [image].into_iter().chain(bases);
        let mounted = services::mounted(row, image);
        let of_image = |image: &'a ImageTarget| {
            let ignores = image.watch_ignores.iter().chain(&state.tiltfile.watch_ignores);
            let mounted = mounted.iter().map(|path| Ignore {
                base: path.clone(),
                patterns: Vec::new(),
            });
            (&*image.watched, ignores.cloned().chain(mounted).collect())
        };
        Self {
            images: images.map(of_image).collect(),
            mounted,
        }
    }

    fn is_mounted(&self, file: &LocalPath) -> bool {
        self.mounted.iter().any(|path| file.is_within(path))
    }

    fn of(&self, file: &LocalPath) -> Arc<[Ignore]> {
        let has = |paths: &&[LocalPath]| paths.iter().any(|path| file.is_within(path));
        let image = self.images.iter().find(|(paths, _)| has(paths));
        image.map_or_else(|| Arc::from([]), |(_, ignores)| Arc::clone(ignores))
    }
}

fn unmatched(row: &Row, image: &ImageTarget, update: &LiveUpdate, pod: &Pod) -> String {
    let wanted = match &update.container {
        Some(name) => format!("is named \"{name}\""),
        None => format!("has the image \"{}\"", image.selector.image.familiar()),
    };
    let containers = pod.containers.iter();
    let there: Vec<String> = containers
        .map(|container| format!("{} ({})", container.name, container.image))
        .collect();
    format!(
        "LiveUpdate \"{}:{}\" changes no container: none of pod {} {wanted}. There are: {}. A change leads to a full build",
        row.manifest.name,
        image.id.name,
        pod.name,
        there.join(", ")
    )
}

/// Returns what is to be said: why a change leads to a full build, once for each reason.
fn tell(state: &mut State, name: &ManifestName, found: &[Found]) -> Vec<Effect> {
    let Some(row) = state.rows.get_mut(name) else {
        return Vec::new();
    };
    let mut effects = Vec::new();
    let span = SpanId::new(format!("liveupdate:{name}"));
    let line = |text: String| LogEvent::line(span.clone(), name.clone(), text);
    for found in found {
        if let Some(text) = &found.unmatched
            && row.live.told_unmatched.insert(found.image.clone())
        {
            effects.push(Effect::Log(line(text.clone()).level(Level::Warn)));
        }
        let Standing::Failed(why) = &found.standing else {
            row.live.told.remove(&found.image);
            continue;
        };
        let is_due = row.is_due() && has_changes_of(row, &found.image);
        if is_due && row.live.told.get(&found.image) != Some(why) {
            row.live.told.insert(found.image.clone(), why.clone());
            let (image, reason, message) = (&found.image.name, why.reason, &why.message);
            effects.push(Effect::Log(line(format!(
                "LiveUpdate \"{name}:{image}\" {reason}: {message}"
            ))));
        }
    }
    effects
}

/// Returns whether files of an image, or of one that it is built on, changed and no update has taken that in.
fn has_changes_of(row: &Row, id: &TargetId) -> bool {
    let image = row.images().iter().find(|image| image.id == *id);
    let sources = image.map(|image| sources(row, image)).unwrap_or_default();
    let targets = sources.into_iter().filter_map(|id| row.target(id));
    targets.into_iter().any(|target| !target.files.is_empty())
}

/// Takes in what was found out, and returns what is to be done.
fn note(state: &mut State, name: &ManifestName, found: Found) -> Option<Started> {
    let row = state.rows.get_mut(name)?;
    let Found { image, selected, .. } = &found;
    row.live
        .instances
        .retain(|(of, id), _| of != image || selected.iter().any(|(address, _)| address.id == *id));
    for (address, made_of) in selected {
        let key = (image.clone(), address.id.clone());
        let instance = row.live.instances.entry(key).or_default();
        let known = (!address.id.is_empty()).then(|| (address.clone(), made_of.clone()));
        instance.made_of = known;
    }
    state.asked.containers.touch(name);
    let asked = row.live.asked;
    for id in &found.as_wanted {
        let instance = row.live.instances.entry((image.clone(), id.clone())).or_default();
        if instance.error.is_none() {
            instance.done = instance.done.max(asked);
        }
        instance.holds = instance.holds.max(asked);
        instance.tried = instance.tried.max(asked);
        instance.retry = None;
    }
    row.live.standing.insert(image.clone(), found.standing);
    consume(row);
    (!found.work.is_empty()).then_some(Started {
        image: found.image,
        work: found.work,
    })
}

/// What is to be done in the containers of one live update.
struct Started {
    image: TargetId,
    work: Vec<(ContainerUpdate, BTreeSet<LocalPath>)>,
}

/// Forgets those changes that all containers have dealt with which are to have them.
fn consume(row: &mut Row) {
    let mut dealt_with: BTreeMap<TargetId, Option<Seq>> = BTreeMap::new();
    for (image, _) in live_images(row) {
        let is_well = matches!(row.live.standing.get(&image.id), Some(Standing::Well { .. }));
        let of_image = row.live.instances.iter().filter(|((of, _), _)| *of == image.id);
        let tried = of_image.map(|(_, instance)| instance.tried).min();
        let tried = tried.filter(|_| is_well).unwrap_or(0);
        for source in sources(row, image) {
            let earliest = dealt_with.entry(source.clone()).or_default();
            *earliest = Some(earliest.map_or(tried, |earliest| earliest.min(tried)));
        }
    }
    for (id, until) in dealt_with {
        if let (Some(target), Some(until)) = (row.targets.get_mut(&id), until) {
            target.files.retain(|_, edit| edit.heard > until);
        }
    }
}

/// Starts a round for each live update that has something to do. Whoever asked for it has got it then.
fn start(state: &mut State, name: &ManifestName, started: Vec<Started>) -> Vec<Effect> {
    let (now, seq, cwd) = (state.now, state.seq, state.config.cwd.clone());
    let Some(row) = state.rows.get(name) else {
        return Vec::new();
    };
    let takes_triggers =
        !started.is_empty() && !row.triggers.is_empty() && hold(row) == Some(Hold::Reconciling);
    let causes: Vec<Causes> = started
        .iter()
        .map(|started| Causes::of_sync(state, row, takes_triggers, &started.work))
        .collect();
    let Some(row) = state.rows.get_mut(name) else {
        return Vec::new();
    };
    let reason = match row.reasons().text() {
        reason if reason.is_empty() => "Changed Files".to_owned(),
        reason => reason,
    };
    let mut triggers = BTreeSet::new();
    if takes_triggers {
        triggers = row.take_asked();
    }
    let (mut effects, mut begun) = (Vec::new(), Vec::new());
    for (Started { image, work }, causes) in started.into_iter().zip(causes) {
        state.last_live_update += 1;
        let update = LiveUpdateId(state.last_live_update);
        let span = SpanId::new(format!("liveupdate:{name}:{update}"));
        let upto = row.live.asked;
        let files: BTreeSet<&LocalPath> = work.iter().flat_map(|(_, files)| files).collect();
        let is_check = work.iter().all(|(update, _)| update.is_check);
        let header = match files.is_empty() {
            true if is_check => "Synced Before This Session".to_owned(),
            true => "Initial Sync".to_owned(),
            false => files_changed_line(&cwd, files),
        };
        let mut round = Round {
            span: span.clone(),
            reason: reason.clone(),
            started: now,
            triggers: triggers.clone(),
            is_check,
            waits_for: BTreeSet::new(),
            pods: BTreeMap::new(),
            error: None,
            is_news: false,
        };
        let mut containers = Vec::new();
        for (container, _) in work {
            let key: InstanceKey = (image.clone(), container.container.id.clone());
            row.live.instances.entry(key.clone()).or_default().running = Some(Change {
                update,
                upto,
                started: seq,
                is_initial: !container.whole.is_empty() && !container.is_check,
            });
            round.pods.insert(key.1.clone(), container.container.owner());
            round.waits_for.insert(key);
            containers.push(container);
        }
        row.live.rounds.insert(update, round);
        state.rounds.insert(update, name.clone());
        begun.push((update, span.clone(), causes));
        effects.push(Effect::UpdateContainers(Box::new(LiveUpdatePlan {
            update,
            manifest: name.clone(),
            image,
            span,
            header,
            containers,
        })));
    }
    for (update, span, causes) in begun {
        records::begin_sync(state, name, update, span, causes);
    }
    effects
}

/// Returns which containers may have to be changed, if they are not the ones that are expected already.
pub(in crate::engine) fn expect_containers(state: &mut State) -> Option<Effect> {
    let (rows, containers) = (&state.rows, &mut state.asked.containers);
    let asked = containers.renew(rows.keys(), |wisher| {
        let row = wisher.as_ref().and_then(|name| rows.get(name));
        let row = row.filter(|row| row.enabled && row.live.is_current);
        let instances = row.into_iter().flat_map(|row| row.live.instances.values());
        instances.filter_map(|instance| instance.made_of.clone())
    });
    asked.map(Effect::ExpectContainers)
}

/// Takes in how the change of one container ended: whether anything differed in it, if all went well.
pub(in crate::engine) fn on_updated(
    state: &mut State,
    update: LiveUpdateId,
    container_id: &str,
    outcome: Result<Synced, SyncFailure>,
) {
    let now = state.now;
    let place = state.next_asked();
    let Some(name) = state.rounds.get(&update).cloned() else {
        return;
    };
    let row = state.rows.get_mut(&name);
    let row = row.filter(|row| row.live.rounds.contains_key(&update));
    let Some(row) = row else {
        state.rounds.remove(&update);
        return;
    };
    let Some(round) = row.live.rounds.get_mut(&update) else {
        return;
    };
    let Some(key) = round.waits_for.iter().find(|(_, id)| id == container_id).cloned() else {
        return;
    };
    round.waits_for.remove(&key);
    let has_ended = round.waits_for.is_empty();
    // One that is gone by now has nothing to say: what is there instead is looked at anew.
    let instance = row.live.instances.get_mut(&key);
    let instance = instance.filter(|instance| instance.running.is_some_and(|change| change.update == update));
    let (mut needs_build, mut synced) = (false, None);
    if let Some(instance) = instance
        && let Some(change) = instance.running.take()
    {
        round.is_news |= match &outcome {
            Ok(synced) => synced.differed() || !round.is_check,
            Err(failure) => failure.remedy() != Remedy::Retry,
        };
        let pod = round.pods.get(&key.1).map_or("", String::as_str);
        if let Ok(done) = &outcome {
            synced = Some((pod.to_owned(), done.clone()));
        }
        let error = take_in(instance, pod, change, outcome.map(|_| ()), now);
        needs_build = instance.impossible.is_some();
        round.error = round.error.take().or(error);
    }
    if needs_build {
        let asked_by = round.triggers.clone();
        await_build(row, &key.0);
        // Whoever asked for the changes to be taken in has not got it yet.
        row.ask(asked_by, place);
    }
    let ended = has_ended.then(|| end(row, update, now)).flatten();
    if let Some((pod, synced)) = synced {
        records::note_synced(state, update, pod, &synced);
    }
    if has_ended {
        state.rounds.remove(&update);
        records::end_sync(state, update, ended);
    }
    state.dirty.live.insert(name);
}

/// Writes down what a container holds now; returns what went wrong, if that is to be known.
fn take_in(
    instance: &mut Instance,
    pod: &str,
    change: Change,
    outcome: Result<(), SyncFailure>,
    now: Instant,
) -> Option<String> {
    let pauses = instance.retry.take().map(|(_, pauses)| pauses);
    let remedy = outcome.as_ref().err().map(SyncFailure::remedy);
    if outcome.as_ref().err().is_none_or(SyncFailure::files_arrived) {
        instance.holds = change.upto;
        instance.older.retain(|_, found| *found > change.started);
        instance.whole_done = true;
    }
    let Err(failure) = outcome else {
        (instance.done, instance.tried) = (change.upto, change.upto);
        instance.error = None;
        return None;
    };
    match remedy {
        Some(Remedy::Retry) => {
            let mut pauses = pauses.unwrap_or(PAUSES);
            instance.retry = Some((now + pauses.pause(), pauses));
            None
        }
        Some(Remedy::FullBuild) => {
            let reason = match change.is_initial {
                true => "InitialSyncError",
                false => "UpdateFailed",
            };
            let message = format!("Updating {pod}: {failure}");
            instance.impossible = Some(FallBack {
                reason,
                message: message.clone(),
            });
            Some(message)
        }
        Some(Remedy::Red | Remedy::None) | None => {
            instance.tried = change.upto;
            instance.error = Some(failure.to_string());
            instance.error.clone()
        }
    }
}

/// Lets a full build take in what a container cannot: also changes that other containers have.
fn await_build(row: &mut Row, id: &TargetId) {
    let image = row.images().iter().find(|image| image.id == *id);
    let sources = image.map(|image| sources(row, image)).unwrap_or_default();
    let sources: Vec<TargetId> = sources.into_iter().cloned().collect();
    for source in &sources {
        if let Some(target) = row.targets.get_mut(source) {
            let TargetState {
                files, since_build, ..
            } = target;
            let edit = |heard| Edit {
                heard,
                after: heard,
                seen: None,
            };
            files.extend(since_build.iter().map(|(file, seq)| (file.clone(), edit(*seq))));
        }
    }
}

/// Ends a round whose containers have all answered. Returns what went wrong, if anything, where the round is news.
fn end(row: &mut Row, update: LiveUpdateId, now: Instant) -> Option<Option<String>> {
    let round = row.live.rounds.remove(&update)?;
    // What failed in another round and was not made good stays red.
    let error = round.error.or_else(|| row.live.error().cloned());
    // A build that failed meanwhile is not hidden by what was done in containers of the one before.
    let is_news = round.is_news && row.live.is_current;
    is_news.then(|| {
        row.remember(BuildRecord {
            span: round.span,
            reason: round.reason,
            started: round.started,
            finished: now,
            error: error.clone(),
            explained_by_log: true,
            pid: None,
            exit: None,
        });
        error
    })
}

/// Returns when a change that did not come through is tried again.
pub(in crate::engine) fn next_retry(state: &State) -> Option<Instant> {
    state
        .rows
        .retrying()
        .filter_map(|(_, row)| row.live.next_retry())
        .min()
}

/// Returns the resources of which a change is to be tried again now.
pub(in crate::engine) fn due(state: &State) -> Vec<ManifestName> {
    let is_due = |row: &Row| row.live.next_retry().is_some_and(|at| at <= state.now);
    let rows = state.rows.retrying().filter(|(_, row)| is_due(row));
    rows.map(|(name, _)| name.clone()).collect()
}

/// Takes in that what could not be reached answers again.
pub(in crate::engine) fn on_came_back(state: &mut State) {
    let waits = |(_, row): &(&ManifestName, &Row)| row.live.next_retry().is_some();
    let waiting = state.rows.iter().filter(waits);
    let names: Vec<ManifestName> = waiting.map(|(name, _)| name.clone()).collect();
    for name in names {
        if let Some(row) = state.rows.get_mut(&name) {
            row.live.try_now(state.now);
        }
    }
}
