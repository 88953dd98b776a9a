//! Makes a [`View`] of the engine's state.

use std::sync::Arc;

use crate::engine::state::live::Round;
use crate::engine::state::{BuildRecord, Row, RowServer, Running, State, Tiltfile};
use crate::k8s::display::display_names;

use super::{
    BuildView, ClusterView, Definition, HoldView, ImageView, Making, PodView, ResourceView, RuntimeStatus,
    ServerView, ServiceView, TiltfileView, UpdateStatus, View,
};
use crate::engine::{ClusterStatus, ServerStatus};
use crate::engine::{cycles, forwards, services, stuck, why_no_pod};
use crate::model::{ComposeTarget, Health, Link, ManifestName, Pod, SourcePlace};

/// Returns what readers see of the state.
pub(crate) fn view(state: &State) -> View {
    View {
        events: state.seq,
        tiltfile: tiltfile(state),
        cluster: cluster(state),
        cluster_description: state.cluster_description.clone(),
        caught_up: state.caught_up,
        files: Arc::clone(&state.tiltfile.files),
        resources: state
            .rows_in_order()
            .map(|(name, row)| Arc::new(resource(state, name, row)))
            .collect(),
        objects: state.objects.shown().clone(),
    }
}

pub(super) fn cluster(state: &State) -> ClusterView {
    match &state.cluster {
        ClusterStatus::Connecting => ClusterView::Connecting,
        ClusterStatus::Connected => ClusterView::Connected,
        ClusterStatus::Failed(error) => ClusterView::Failed(error.clone()),
    }
}

pub(super) fn tiltfile(state: &State) -> TiltfileView {
    let tiltfile: &Tiltfile = &state.tiltfile;
    let update_status = if tiltfile.loading.is_some() {
        UpdateStatus::InProgress
    } else if tiltfile.error.is_some() {
        UpdateStatus::Error
    } else if tiltfile.loaded {
        UpdateStatus::Ok
    } else {
        UpdateStatus::Pending
    };
    TiltfileView {
        update_status,
        error: tiltfile.error.clone(),
        error_place: tiltfile.error_place.clone(),
        span: (tiltfile.last_load > 0).then(|| state.tiltfile_span()),
        started: tiltfile.started.map(|at| state.time_of(at)),
        finished: tiltfile.finished.map(|at| state.time_of(at)),
        args: tiltfile.args.clone(),
        settings: Arc::clone(&tiltfile.shown_settings),
        ci: state.ci_settings.clone(),
        has_pending_changes: !tiltfile.pending.is_empty(),
        circle: cycles::load_circle(state),
        led_by: tiltfile.cycle.led_by(),
        going_on: state.history.going_on(&ManifestName::tiltfile(), state.clock()),
        ended: state.history.ended(&ManifestName::tiltfile()),
    }
}

pub(super) fn resource(state: &State, name: &ManifestName, row: &Row) -> ResourceView {
    let update_status = update_status(row);
    let running = row.building.and_then(|id| state.builds.get(&id));
    ResourceView {
        name: name.clone(),
        labels: row.manifest.labels.clone(),
        definition: Definition(Arc::clone(&row.manifest)),
        images: images(row, running),
        applied: row.deployed.objects.clone(),
        depends_on: row.manifest.resource_deps.clone(),
        targets: row.manifest.target_ids().map(ToString::to_string).collect(),
        enabled: row.enabled,
        switched: state.time_of(row.switched),
        update_status,
        runtime_status: runtime_status(row, update_status),
        trigger_mode: row.manifest.trigger_mode,
        queued: !row.triggers.is_empty(),
        has_pending_changes: row.has_changes(),
        hold: hold(state, name),
        circle: cycles::update_circle(state, row),
        led_by: row.cycle.led_by(),
        stuck: stuck::told(state, row),
        building: running.map(|running| running_build(state, running)).or_else(|| {
            row.live
                .rounds
                .values()
                .next()
                .map(|round| running_round(state, round))
        }),
        history: row
            .history
            .iter()
            .map(|record| ended_build(state, record))
            .collect(),
        pod: state.newest_pod(row).map(|newest| pod(row, newest)),
        objects: display_names(row.entities()),
        pods: pods(state, row),
        culprit: culprit(state, row),
        unwell: row.runtime.health.why.clone(),
        no_pod: why_no_pod::reason(state, row),
        links: links(row),
        forwards: forwards::views(state, row),
        server: row.server.as_ref().map(|of_row| server(state, of_row)),
        service: row.compose().map(|compose| service(state, name, compose)),
        going_on: state.history.going_on(name, state.clock()),
        ended: state.history.ended(name),
        waiting: state.history.waits(name).cloned(),
        place: place(row),
        first_started: row.started_at.map(|at| state.time_of(at)),
        first_ready: row.runtime.first_ready.map(|at| state.time_of(at)),
        ever_ready: row.runtime.last_ready.is_some(),
        making: Making::default(),
    }
}

fn place(row: &Row) -> Option<SourcePlace> {
    let origin = &row.entities().first()?.origin;
    let file = origin.source.strip_prefix("file: ")?;
    (origin.line > 0).then(|| SourcePlace {
        file: file.to_owned(),
        line: origin.line,
    })
}

/// Returns a resource that waits for others, and was shown before.
pub(super) fn waiting_for_others(state: &State, shown: &ResourceView) -> ResourceView {
    ResourceView {
        hold: hold(state, &shown.name),
        waiting: state.history.waits(&shown.name).cloned(),
        ..shown.clone()
    }
}

fn hold(state: &State, name: &ManifestName) -> Option<HoldView> {
    state.holds.get(name).map(|hold| HoldView {
        reason: hold.reason(),
        on: hold.on(),
    })
}

fn update_status(row: &Row) -> UpdateStatus {
    if !row.enabled {
        return UpdateStatus::None;
    }
    if row.building.is_some() {
        return if row.only_serves() {
            UpdateStatus::Pending
        } else {
            UpdateStatus::InProgress
        };
    }
    if !row.live.rounds.is_empty() {
        return UpdateStatus::InProgress;
    }
    match row.history.front() {
        _ if row.is_due() || row.live.is_behind() => UpdateStatus::Pending,
        Some(last) if last.error.is_some() => UpdateStatus::Error,
        Some(_) if row.only_serves() => UpdateStatus::NotApplicable,
        Some(_) => UpdateStatus::Ok,
        None => UpdateStatus::None,
    }
}

fn runtime_status(row: &Row, update: UpdateStatus) -> RuntimeStatus {
    match row.runtime.status {
        _ if !row.enabled => RuntimeStatus::None,
        RuntimeStatus::Pending if update == UpdateStatus::None => RuntimeStatus::None,
        status => status,
    }
}

fn running_build(state: &State, running: &Running) -> BuildView {
    BuildView {
        span: running.span.clone(),
        reason: running.reason.clone(),
        started: state.time_of(running.started),
        finished: None,
        error: None,
        explained_by_log: false,
        pid: running.pid,
        exit: None,
    }
}

fn running_round(state: &State, round: &Round) -> BuildView {
    BuildView {
        span: round.span.clone(),
        reason: round.reason.clone(),
        started: state.time_of(round.started),
        finished: None,
        error: None,
        explained_by_log: false,
        pid: None,
        exit: None,
    }
}

fn ended_build(state: &State, record: &BuildRecord) -> BuildView {
    BuildView {
        span: record.span.clone(),
        reason: record.reason.clone(),
        started: state.time_of(record.started),
        finished: Some(state.time_of(record.finished)),
        error: record.error.clone(),
        explained_by_log: record.explained_by_log,
        pid: record.pid,
        exit: record.exit.clone(),
    }
}

fn images(row: &Row, running: Option<&Running>) -> Vec<ImageView> {
    let images = row.images().iter();
    images
        .map(|image| ImageView {
            id: image.id.clone(),
            built: row.target(&image.id).and_then(|target| target.result.clone()),
            is_building: running.is_some_and(|running| running.images.contains_key(&image.id)),
        })
        .collect()
}

fn pods(state: &State, row: &Row) -> Vec<Pod> {
    let seen = row.runtime.pods.iter().filter_map(|uid| state.pods.get(uid));
    seen.map(|seen| seen.pod.clone()).collect()
}

fn links(row: &Row) -> Vec<(String, String)> {
    let shown = |link: &Link| (link.url.to_string(), link.name.clone());
    row.manifest.deploy.links().iter().map(shown).collect()
}

fn server(state: &State, server: &RowServer) -> ServerView {
    let (pid, ready) = match &server.status {
        Some(ServerStatus::Running { pid, ready, .. }) => (Some(*pid), *ready),
        _ => (None, false),
    };
    ServerView {
        span: server.server.span.clone(),
        number: server.number,
        command: server.server.command.clone(),
        status: server.status.clone(),
        began: state.time_of(server.began),
        ended: server.ended.map(|at| state.time_of(at)),
        pid,
        ready,
        fault: server.fault(),
    }
}

fn service(state: &State, name: &ManifestName, compose: &ComposeTarget) -> ServiceView {
    let containers = state
        .services
        .of(&compose.service_id())
        .map(|seen| &seen.container);
    let newest = containers
        .clone()
        .max_by_key(|container| (container.created, &container.name));
    let mut links: Vec<(String, String)> = compose
        .all_links()
        .into_iter()
        .map(|link| (link.url.to_string(), link.name))
        .collect();
    // What is published on a port that the engine chose is known only now.
    let bound = containers
        .flat_map(|container| &container.ports)
        .filter(|_| compose.infer_links);
    for port in bound {
        let url = format!("http://localhost:{}/", port.host_port);
        if !links.iter().any(|(known, _)| *known == url) {
            links.push((url, String::new()));
        }
    }
    // The declared ones are shown with those of every resource.
    links.retain(|(url, _)| !compose.links.iter().any(|link| link.url.to_string() == *url));
    ServiceView {
        span: services::log_span(name),
        links,
        health: newest
            .and_then(|container| container.health.as_ref())
            .map_or("", Health::as_str),
        container: newest.cloned(),
    }
}

/// Returns the pod that shows what is wrong with a resource.
fn culprit(state: &State, row: &Row) -> Option<PodView> {
    row.runtime.health.culprit.as_ref()?;
    state.telling_pod(row).map(|told| pod(row, told))
}

fn pod(row: &Row, pod: &Pod) -> PodView {
    PodView {
        name: pod.name.clone(),
        namespace: pod.namespace.clone(),
        status: pod.status.clone(),
        ready_containers: pod.containers.iter().filter(|container| container.ready).count(),
        containers: pod.containers.len(),
        restarts: pod.containers.iter().map(|container| container.restarts).sum(),
        created: pod.created,
        errors: pod.errors.clone(),
        trouble: row.runtime.trouble_of(pod).map(|trouble| trouble.to_string()),
    }
}
