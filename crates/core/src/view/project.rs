//! Makes a [`View`] of the engine's state.

use super::{
    BuildView, ClusterView, HoldView, PodView, ResourceView, RuntimeStatus, ServerView, TiltfileView,
    UpdateStatus, View,
};
use crate::engine::row::{BuildRecord, Row};
use crate::engine::serve::RowServer;
use crate::engine::state::{Running, State, Tiltfile};
use crate::engine::{ClusterStatus, ServerStatus};
use crate::engine::{forwards, podless};
use crate::model::{ManifestName, Pod, PodTrouble};

/// Returns what readers see of the state.
pub(crate) fn view(state: &State) -> View {
    View {
        tiltfile: tiltfile(state),
        cluster: match &state.cluster {
            ClusterStatus::Connecting => ClusterView::Connecting,
            ClusterStatus::Connected => ClusterView::Connected,
            ClusterStatus::Failed(error) => ClusterView::Failed(error.clone()),
        },
        resources: state
            .rows_in_order()
            .map(|(name, row)| resource(state, name, row))
            .collect(),
    }
}

fn tiltfile(state: &State) -> TiltfileView {
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
        span: (tiltfile.last_load > 0).then(|| state.tiltfile_span()),
    }
}

fn resource(state: &State, name: &ManifestName, row: &Row) -> ResourceView {
    let update_status = update_status(row);
    let hold = state.holds.get(name).map(|hold| HoldView {
        reason: hold.reason(),
        on: hold.on(),
    });
    let running = row.building.and_then(|id| state.builds.get(&id));
    ResourceView {
        name: name.clone(),
        labels: row.manifest.labels.clone(),
        targets: row.manifest.target_ids().map(ToString::to_string).collect(),
        enabled: row.enabled,
        update_status,
        runtime_status: runtime_status(row, update_status),
        trigger_mode: row.manifest.trigger_mode,
        queued: !row.triggers.is_empty(),
        has_pending_changes: row.has_changes(),
        hold,
        building: running.map(|running| running_build(state, running)),
        history: row.history.iter().map(ended_build).collect(),
        pod: state.newest_pod(row).map(pod),
        no_pod: podless::reason(state, row),
        forwards: forwards::views(state, name, row),
        server: row.server.as_ref().map(server),
        elapsed_ms: row.started_at.map(|started| {
            let end = row.runtime.first_ready.unwrap_or(state.now);
            millis(end.saturating_duration_since(started))
        }),
        ever_ready: row.runtime.last_ready.is_some(),
    }
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
    match row.history.front() {
        _ if row.is_due() => UpdateStatus::Pending,
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
        duration_ms: millis(state.now.saturating_duration_since(running.started)),
        error: None,
        explained_by_log: false,
    }
}

fn ended_build(record: &BuildRecord) -> BuildView {
    BuildView {
        span: record.span.clone(),
        reason: record.reason.clone(),
        duration_ms: millis(record.duration),
        error: record.error.clone(),
        explained_by_log: record.explained_by_log,
    }
}

fn server(server: &RowServer) -> ServerView {
    let (pid, ready) = match server.status {
        Some(ServerStatus::Running { pid, ready }) => (Some(pid), ready),
        _ => (None, false),
    };
    ServerView {
        span: server.server.span.clone(),
        pid,
        ready,
    }
}

fn pod(pod: &Pod) -> PodView {
    PodView {
        name: pod.name.clone(),
        namespace: pod.namespace.clone(),
        status: pod.status.clone(),
        ready_containers: pod.containers.iter().filter(|container| container.ready).count(),
        containers: pod.containers.len(),
        restarts: pod.containers.iter().map(|container| container.restarts).sum(),
        errors: pod.errors.clone(),
        trouble: PodTrouble::of(pod).map(|trouble| trouble.to_string()),
    }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
