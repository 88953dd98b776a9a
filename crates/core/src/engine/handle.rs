//! The engine's door: one event in, its effects out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::config::{EngineConfig, Mode};
use super::effect::{Effect, ExitOutcome};
use super::event::Event;
#[cfg(debug_assertions)]
use super::scan;
use super::state::{Hold, State};
use super::{
    candidates, ci, cluster_events, cluster_watch, connection, cycles, deleted_by_others, enablement, files,
    forwards, live_update, load, objects, pods, prune, records, reload, requests, retry, serve, services,
    streams, update, workloads,
};
use crate::history::WaitReason;
use crate::model::{BuildId, ManifestName};
use crate::view::{Projection, View, view};

/// How long the end of `ci` waits for the rest of the logs of containers that ended.
const LAST_LOGS: Duration = Duration::from_secs(2);

/// Decides what a session does. It holds no clock and does nothing itself: the same events at the same times always
/// give the same effects.
#[derive(Debug)]
pub struct Engine {
    state: State,
    projection: Projection,
}

impl Engine {
    /// Returns an engine that has not been told anything yet; [`Event::Started`] comes first.
    pub fn new(config: EngineConfig) -> Self {
        Self {
            state: State::new(config),
            projection: Projection::default(),
        }
    }

    /// Keeps no records of updates: for engines that nobody will ask what became of them.
    #[must_use]
    pub fn without_records(mut self) -> Self {
        self.state.history.is_off = true;
        self
    }

    /// Takes in an event and returns what to do, in order. After [`Effect::Exit`] there is nothing to do any more.
    pub fn handle(&mut self, now: Instant, event: Event) -> Vec<Effect> {
        let state = &mut self.state;
        if state.exited {
            return Vec::new();
        }
        state.now = now.max(state.now);
        state.seq += 1;
        if event == Event::StopRequested {
            return stop(state);
        }
        let mut effects = take_in(state, event);
        effects.extend(settle(state));
        effects
    }

    /// Returns when to send [`Event::Wake`]; `None` if only something that happens can change anything.
    pub fn next_wake(&self) -> Option<Instant> {
        let state = &self.state;
        if state.exited {
            return None;
        }
        let end = match &state.verdict {
            Some((_, since)) => Some(*since + LAST_LOGS),
            None => ci::next_deadline(state),
        };
        end.into_iter()
            .chain(streams::next_expiry(state))
            .chain(state.looks.next())
            .chain(state.candidates.next_wake())
            .chain(connection::next(state))
            .chain(live_update::next_retry(state))
            .chain(prune::next(state))
            .chain(cycles::next_load(state))
            .min()
    }

    /// Returns what readers see of the state, made anew.
    pub fn view(&self) -> View {
        view(&self.state)
    }

    /// Returns what readers see of the state. Only rows that changed since the last call are made anew; where none did,
    /// it is the very same view.
    pub fn publish(&mut self) -> Arc<View> {
        self.projection.refresh(&mut self.state)
    }
}

fn take_in(state: &mut State, event: Event) -> Vec<Effect> {
    match event {
        Event::Started => reload::on_started(state),
        Event::TiltfileLoaded { load, outcome } => reload::on_loaded(state, load, *outcome),
        Event::ClusterChanged(status) => {
            connection::on_changed(state, status);
            state.objects.is_stale = true;
            Vec::new()
        }
        Event::ClusterDescribed(description) => {
            state.cluster_description = Some(description);
            Vec::new()
        }
        Event::FilesChanged(changes) => files::on_files_changed(state, changes),
        Event::CommandRuns { build, pid } => {
            update::on_runs(state, build, pid);
            Vec::new()
        }
        Event::UpdateFinished { build, outcome } => update::on_finished(state, build, *outcome),
        Event::ContainerUpdated {
            update,
            container_id,
            outcome,
        } => {
            live_update::on_updated(state, update, &container_id, outcome.map(|synced| *synced));
            Vec::new()
        }
        Event::CameBack => {
            retry::on_came_back(state);
            live_update::on_came_back(state);
            Vec::new()
        }
        Event::ObjectsDeleted { delete } => {
            state.deletions.end(delete);
            Vec::new()
        }
        Event::Pruned { prune, is_possible } => {
            prune::on_pruned(state, prune, is_possible);
            Vec::new()
        }
        Event::ServerChanged { serve, status } => {
            serve::on_changed(state, serve, status);
            Vec::new()
        }
        Event::ForwardChanged { forward, part, error } => {
            forwards::on_changed(state, forward, part, error);
            Vec::new()
        }
        Event::ForwardOpened { forward, port } => {
            objects::on_opened(state, &forward, port);
            Vec::new()
        }
        Event::PodSeen(pod) => pods::on_seen(state, *pod),
        Event::PodGone(uid) => {
            let effects = deleted_by_others::on_pod_gone(state, &uid);
            pods::on_gone(state, &uid);
            effects
        }
        Event::PodsListed { namespace, pods } => {
            pods::on_listed(state, &namespace, &pods);
            Vec::new()
        }
        Event::WorkloadSeen(workload) => {
            workloads::on_seen(state, *workload);
            Vec::new()
        }
        Event::ObjectGone(uid) => deleted_by_others::on_gone(state, &uid),
        Event::ClusterEventSeen(event) => cluster_events::on_event(state, *event),
        Event::ServiceContainersListed { project, containers } => {
            services::on_listed(state, &project, containers)
        }
        Event::ServiceContainerSeen(container) => services::on_seen(state, *container).into_iter().collect(),
        Event::ServiceContainerGone(id) => {
            services::on_gone(state, &id);
            Vec::new()
        }
        Event::ServiceRestarted(manifest) => services::on_restarted(state, &manifest),
        Event::LogStreamEnded(log) => {
            streams::on_ended(state, &log);
            Vec::new()
        }
        Event::Triggered { manifest, reason } => requests::on_triggered(state, &manifest, reason),
        Event::EnablementChanged { manifest, enabled } => {
            enablement::on_enablement_changed(state, &manifest, enabled)
        }
        Event::TriggerModeOverridden { manifest, mode } => {
            requests::on_trigger_mode_overridden(state, &manifest, mode);
            Vec::new()
        }
        Event::ArgsChanged(args) => requests::on_args_changed(state, args),
        Event::ObjectWritten { kind, name, object } => {
            let connect = object
                .as_ref()
                .and_then(|_| connection::connect_for_object(state, kind));
            let mut effects = Vec::from_iter(connect);
            effects.extend(objects::on_written(
                state,
                kind,
                &name,
                object.map(|object| *object),
            ));
            effects
        }
        Event::ButtonClicked { button, at, inputs } => {
            objects::on_clicked(state, &button, at, inputs);
            Vec::new()
        }
        Event::CatchUpRequested { mark } => vec![Effect::CatchUp { mark }],
        Event::FilesCaughtUp { mark } => {
            state.caught_up = mark.max(state.caught_up);
            Vec::new()
        }
        Event::CancelRequested(span) => requests::on_cancel_requested(state, &span),
        Event::StopRequested | Event::Wake => Vec::new(),
    }
}

/// Draws the consequences: rows that changed, updates that may start, what is watched and read, and whether it ends.
fn settle(state: &mut State) -> Vec<Effect> {
    let mut effects = Vec::new();
    streams::expire(state);
    // A load that goes round in a circle waited for its turn: whatever comes then may find that it is over.
    effects.extend(load::load_if_changed(state));
    effects.extend(objects::refresh(state, enablement::on_enablement_changed));
    state.dirty.rows.extend(state.looks.due(state.now).cloned());
    effects.extend(refresh_rows(state));
    effects.extend(update_containers(state));
    effects.extend(connection::try_again(state));
    effects.extend(cluster_events::tell_of_cluster(state));
    let updates = if state.verdict.is_none() {
        start_updates(state)
    } else {
        Vec::new()
    };
    if std::mem::take(&mut state.dirty.files) {
        effects.extend(files::watch_files(state));
    }
    if state.dirty.cluster || !state.dirty.watches.is_empty() {
        effects.extend(cluster_watch::watch_cluster(state));
        effects.extend(refresh_rows(state));
    }
    if std::mem::take(&mut state.dirty.services) {
        effects.extend(services::watch(state));
    }
    effects.extend(streams::stream_logs(state));
    effects.extend(serve::serve(state));
    effects.extend(forwards::forward(state));
    effects.extend(live_update::expect_containers(state));
    effects.extend(updates);
    effects.extend(records::news(state));
    effects.extend(end(state));
    effects.extend(prune::prune(state));
    objects::refresh_shown(state);
    candidates::refresh(state);
    effects
}

fn refresh_rows(state: &mut State) -> Vec<Effect> {
    let names = std::mem::take(&mut state.dirty.rows);
    let effects = names.iter().flat_map(|name| pods::refresh(state, name)).collect();
    records::look_at_rollouts(state, &names);
    effects
}

fn update_containers(state: &mut State) -> Vec<Effect> {
    state.rows.index();
    let mut names = std::mem::take(&mut state.dirty.live);
    names.extend(live_update::due(state));
    let changes = names.iter().map(|name| live_update::refresh(state, name));
    let changes: Vec<Vec<Effect>> = changes.collect();
    // First comes what is expected: what a container has from its image is known only from then on.
    live_update::expect_containers(state)
        .into_iter()
        .chain(changes.into_iter().flatten())
        .collect()
}

fn start_updates(state: &mut State) -> Vec<Effect> {
    let mut effects = Vec::new();
    loop {
        candidates::refresh(state);
        #[cfg(debug_assertions)]
        assert_eq!(scan::Schedule::kept(state), scan::Schedule::scanned(state));
        let has_slot = state.builds.in_slots() < state.update_settings.max_parallel_updates.max(1);
        let Some(name) = state.candidates.next(has_slot).cloned() else {
            note_waits(state);
            return effects;
        };
        state.holds.remove(&name);
        state.lined_up.remove(&name);
        effects.extend(update::start(state, &name));
    }
}

/// Keeps why updates wait, and notes of which resources that changed.
fn note_waits(state: &mut State) {
    let mut changed = state.candidates.take_changed();
    if changed.all {
        changed.names.extend(state.candidates.due().cloned());
    }
    let now = state.at(state.now);
    // Many may wait for the same.
    let mut last: Option<(Hold, WaitReason, Arc<[String]>)> = None;
    for name in changed.names {
        let hold = state.candidates.hold(&name);
        let lined_up = state.candidates.lined_up(&name);
        if hold == state.holds.get(&name) && lined_up == state.lined_up.get(&name).copied() {
            continue;
        }
        let is_one_kind = lined_up.is_none()
            && hold.map(std::mem::discriminant) == state.holds.get(&name).map(std::mem::discriminant);
        let hold = hold.cloned();
        if let Some(hold) = &hold {
            let told = last.take().filter(|(known, ..)| known == hold);
            let told = told.unwrap_or_else(|| (hold.clone(), hold.wait_reason(), hold.on().into()));
            let (_, reason, on) = &told;
            state.history.note_wait(now, &name, *reason, on);
            last = Some(told);
        } else if let Some(reason) = lined_up {
            state.history.note_wait(now, &name, reason, &Arc::default());
        } else {
            state.history.forget_waits(&name);
        }
        match is_one_kind {
            true => state.rows.touch_names(&name),
            false => state.rows.touch(&name),
        }
        set(&mut state.holds, &name, hold);
        set(&mut state.lined_up, &name, lined_up);
    }
}

fn set<T>(map: &mut BTreeMap<ManifestName, T>, name: &ManifestName, value: Option<T>) {
    match (map.get_mut(name), value) {
        (Some(place), Some(value)) => *place = value,
        (None, Some(value)) => {
            map.insert(name.clone(), value);
        }
        (Some(_), None) => {
            map.remove(name);
        }
        (None, None) => {}
    }
}

/// Ends `ci` once its outcome is clear and what ended containers had to say is read, or was waited for long enough.
fn end(state: &mut State) -> Vec<Effect> {
    let mut effects = Vec::new();
    ci::refresh(state);
    // While the last logs are waited for, what was well may cease to be.
    if matches!(state.verdict, Some((ExitOutcome::Succeeded, _)))
        && ci::verdict(state) != Some(ExitOutcome::Succeeded)
    {
        state.verdict = None;
    }
    if state.verdict.is_none()
        && let Some(outcome) = ci::verdict(state)
    {
        state.verdict = Some((outcome, state.now));
        effects = cancel_updates(state);
    }
    let Some((outcome, since)) = state.verdict.clone() else {
        return effects;
    };
    if !streams::is_rest_awaited(state) || state.now >= since + LAST_LOGS {
        state.exited = true;
        effects.extend(records::all_that_goes_on(state));
        effects.push(Effect::Exit(outcome));
    }
    effects
}

fn stop(state: &mut State) -> Vec<Effect> {
    state.exited = true;
    let mut effects = cancel_updates(state);
    effects.extend(records::all_that_goes_on(state));
    effects.push(Effect::Exit(match state.config.mode {
        Mode::Up => ExitOutcome::Stopped,
        Mode::Ci { .. } => ExitOutcome::Interrupted,
    }));
    effects
}

fn cancel_updates(state: &State) -> Vec<Effect> {
    let cancel = |build: &BuildId| Effect::CancelUpdate { build: *build };
    let running = state
        .builds
        .iter()
        .filter(|(_, running)| running.orphaned.is_none());
    running.map(|(build, _)| cancel(build)).collect()
}
