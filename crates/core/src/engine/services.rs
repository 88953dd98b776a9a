//! Containers of Compose services: what the Docker engine shows of them, and which resource they belong to.
//!
//! A container belongs to the resource of its project and service, whoever made it: that is how compose sees it. What is
//! concluded from what they do stands in `deploy::compose`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use super::effect::Effect;
use super::state::{Reached, Row, SeenContainer, State};
use crate::model::{
    ComposeCondition, ComposeDependency, ComposeMount, ComposeService, ComposeTarget, Container,
    ContainerPath, ContainerState, Health, ImageTarget, Level, LocalPath, LogEvent, ManifestName, ObjectUid,
    Pod, PodPhase, RestartPolicy, ServiceContainer, ServiceId, ServiceState, SpanId, Sync,
};

/// How long a container that was started again by its restart policy must stay up to count as well.
pub(super) const STEADY: Duration = Duration::from_secs(10);

/// Returns the containers of a service as live update looks at them.
pub(super) fn as_pods<'a>(state: &'a State, compose: &ComposeTarget) -> Vec<&'a Pod> {
    let seen = state.services.of(&compose.service_id());
    seen.map(|seen| &seen.as_pod).collect()
}

/// Returns the files and directories here that the containers of a service see anyway, because they are mounted where a live
/// update would copy them to.
pub(super) fn mounted(row: &Row, image: &ImageTarget) -> Vec<LocalPath> {
    let mounts = row
        .compose()
        .into_iter()
        .flat_map(|compose| &compose.service.mounts);
    let binds = mounts.filter(|mount| mount.kind == "bind");
    let syncs = image.live_update.iter().flat_map(|update| &update.syncs);
    let seen = |(mount, sync): (&ComposeMount, &Sync)| {
        let source = LocalPath::new(mount.source.as_deref()?);
        let destination = ContainerPath::new(&sync.destination);
        let below = |path: &ContainerPath, root: &ContainerPath| {
            path.as_path()
                .strip_prefix(root.as_path())
                .ok()
                .map(PathBuf::from)
        };
        if let Some(rest) = below(&mount.target, &destination) {
            return (sync.source.join(&rest) == source).then_some(source);
        }
        let rest = below(&destination, &mount.target)?;
        (source.join(&rest) == sync.source).then(|| sync.source.clone())
    };
    let pairs = binds.flat_map(|mount| syncs.clone().map(move |sync| (mount, sync)));
    pairs.filter_map(seen).collect()
}

/// Takes in all containers of a project.
pub(super) fn on_listed(state: &mut State, project: &str, containers: Vec<ServiceContainer>) -> Vec<Effect> {
    let listed: BTreeSet<&str> = containers.iter().map(|container| container.id.as_str()).collect();
    let known = state
        .services
        .containers
        .iter()
        .filter(|(service, _)| service.project == project);
    let gone: Vec<String> = known
        .flat_map(|(_, known)| known.keys())
        .filter(|id| !listed.contains(id.as_str()))
        .cloned()
        .collect();
    gone.iter().for_each(|id| on_gone(state, id));
    let seen = containers.into_iter();
    seen.flat_map(|container| on_seen(state, container)).collect()
}

/// Takes in a container as it is now.
pub(super) fn on_seen(state: &mut State, container: ServiceContainer) -> Option<Effect> {
    let (service, now) = (container.service.clone(), state.now);
    let started = container.started.map(|started| state.moment_of(started));
    let containers = state.services.containers.entry(service.clone()).or_default();
    let before = containers.remove(&container.id);
    let said = before.as_ref().and_then(|before| before.container.health.clone());
    let crashing_since = before.as_ref().and_then(|before| before.crashing_since);
    let known_restarts = before.map_or(container.restarts, |before| before.container.restarts);
    let crashes = container.restarts > known_restarts
        || (container.state == ServiceState::Restarting && container.exit_code != 0);
    let is_steady = container.state == ServiceState::Running
        && container.restarts == known_restarts
        && started.is_some_and(|started| started + STEADY <= now);
    let crashing_since = match crashes {
        true => crashing_since.or(Some(now)),
        false => crashing_since.filter(|_| !is_steady),
    };
    let health = container
        .health
        .clone()
        .filter(|health| said.as_ref() != Some(health));
    let seen = SeenContainer {
        as_pod: as_pod(&container),
        container,
        crashing_since,
    };
    containers.insert(seen.container.id.clone(), seen);
    touch(state, &service);
    let name = state.services.rows.get(&service)?;
    let row = state
        .rows
        .get(name)
        .filter(|row| row.enabled && row.deployed.at.is_some())?;
    match health {
        Some(Health::Unhealthy(output)) if !row.changes_service() => {
            let line = LogEvent::line(log_span(name), name.clone(), format!("healthcheck: {output}"));
            Some(Effect::Log(line.level(Level::Warn)))
        }
        _ => None,
    }
}

/// Returns a container as a pod with one container, which is what live update changes. It has no namespace.
fn as_pod(container: &ServiceContainer) -> Pod {
    let exit_code = container.exit_code;
    let ended = |reason: &str| ContainerState::Terminated {
        reason: reason.to_owned(),
        exit_code,
    };
    let (phase, state) = match container.state {
        ServiceState::Running => (PodPhase::Running, ContainerState::Running),
        ServiceState::Exited if exit_code == 0 => (PodPhase::Succeeded, ended("Completed")),
        ServiceState::Exited | ServiceState::Dead => (PodPhase::Failed, ended("Error")),
        ServiceState::Created | ServiceState::Paused | ServiceState::Restarting | ServiceState::Removing => {
            (PodPhase::Pending, ContainerState::Unknown)
        }
    };
    Pod {
        uid: ObjectUid::new(container.id.clone()),
        name: container.name.clone(),
        namespace: String::new(),
        node: String::new(),
        created: container.created,
        deleting: container.state == ServiceState::Removing,
        phase,
        restarts: RestartPolicy::Never,
        status: container.state.as_str().to_owned(),
        given_up: None,
        errors: Vec::new(),
        conditions: Vec::new(),
        init_containers: Vec::new(),
        containers: vec![Container {
            name: container.service.service.clone(),
            id: container.id.clone(),
            image: container.image.clone(),
            ready: state == ContainerState::Running,
            restarts: container.restarts,
            started: container.started,
            has_probe: container.health.is_some(),
            last_exit: None,
            ports: Vec::new(),
            state,
        }],
        labels: Vec::new(),
        owners: Vec::new(),
    }
}

/// Forgets a container.
pub(super) fn on_gone(state: &mut State, id: &str) {
    let containers = &mut state.services.containers;
    let Some((service, known)) = containers.iter_mut().find(|(_, known)| known.contains_key(id)) else {
        return;
    };
    known.remove(id);
    let service = service.clone();
    touch(state, &service);
}

/// Lets the resource of a service be looked at again.
fn touch(state: &mut State, service: &ServiceId) {
    if let Some(name) = state.services.rows.get(service).cloned() {
        note_reached(state, &name);
        state.dirty.rows.insert(name);
    }
}

/// Notes what is true of a service by now that others may wait for.
fn note_reached(state: &mut State, name: &ManifestName) {
    let Some(row) = state.rows.get(name).filter(|row| row.deployed.at.is_some()) else {
        return;
    };
    let Some(compose) = row.compose() else { return };
    let containers: Vec<&ServiceContainer> = state
        .services
        .of(&compose.service_id())
        .map(|seen| &seen.container)
        .collect();
    let are_all = |is_so: &dyn Fn(&ServiceContainer) -> bool| {
        !containers.is_empty() && containers.iter().all(|container| is_so(container))
    };
    let runs = |container: &ServiceContainer| container.state == ServiceState::Running;
    let is_healthy = |container: &ServiceContainer| {
        runs(container) && matches!(container.health, None | Some(Health::Healthy))
    };
    let has_completed =
        |container: &ServiceContainer| container.state == ServiceState::Exited && container.exit_code == 0;
    let reached = [
        (
            Reached::Started,
            are_all(&|container| runs(container) || has_completed(container)),
        ),
        (Reached::Healthy, are_all(&is_healthy)),
        (Reached::Completed, are_all(&has_completed)),
    ];
    let reached: BTreeSet<Reached> = reached
        .into_iter()
        .filter_map(|(what, is_so)| is_so.then_some(what))
        .collect();
    if !reached.is_subset(&row.service.reached)
        && let Some(row) = state.rows.get_mut(name)
    {
        row.service.reached.extend(reached);
    }
}

/// Returns whether a service was ever as another one needs it.
pub(super) fn has_reached(row: &Row, condition: ComposeCondition) -> bool {
    let needed = match condition {
        ComposeCondition::Started => Reached::Started,
        ComposeCondition::Healthy => Reached::Healthy,
        ComposeCondition::Completed => Reached::Completed,
    };
    row.service.reached.contains(&needed)
}

/// Takes in that a service was deployed: what it is to be known by from now on, and who is started again after it.
pub(super) fn on_deployed(state: &mut State, name: &ManifestName) -> Vec<Effect> {
    let Some(service) = state
        .rows
        .get(name)
        .and_then(Row::compose)
        .map(ComposeTarget::service_id)
    else {
        return Vec::new();
    };
    let now: BTreeSet<String> = state
        .services
        .of(&service)
        .map(|seen| seen.container.id.clone())
        .collect();
    let Some(row) = state.rows.get_mut(name) else {
        return Vec::new();
    };
    let before = std::mem::replace(&mut row.service.expected, now);
    let is_new = !before.is_empty() && before != row.service.expected;
    note_reached(state, name);
    match is_new {
        true => restart_dependents(state, name),
        false => Vec::new(),
    }
}

/// Restarts the services that are to be started again whenever this one was deployed anew (`restart: true`).
fn restart_dependents(state: &mut State, name: &ManifestName) -> Vec<Effect> {
    let follows = |row: &Row| {
        let needs = row
            .compose()
            .into_iter()
            .flat_map(|compose| &compose.service.depends_on);
        needs
            .clone()
            .any(|needed| needed.restart && needed.resource == *name)
    };
    let dependents: Vec<ManifestName> = state
        .rows_in_order()
        .filter(|(_, row)| row.enabled && row.deployed.at.is_some() && row.building.is_none() && follows(row))
        .map(|(dependent, _)| dependent.clone())
        .collect();
    let mut effects = Vec::new();
    for dependent in dependents {
        let Some(row) = state.rows.get_mut(&dependent) else {
            continue;
        };
        let Some(target) = row.compose() else {
            continue;
        };
        let service = target.service_id();
        let shares = shares_with_needed(&target.service, |needed| needed.resource == *name);
        let anew = shares.then(|| Box::new(target.clone()));
        row.service.restarts += 1;
        let span = log_span(&dependent);
        let text = format!("Restarting, because {name} was deployed anew");
        effects.push(Effect::Log(LogEvent::line(span.clone(), dependent.clone(), text)));
        effects.push(Effect::RestartService {
            manifest: dependent,
            span,
            service,
            anew,
        });
    }
    effects
}

/// Returns whether a service shares something with the containers of one of those that it needs.
fn shares_with_needed(service: &ComposeService, is_meant: impl Fn(&ComposeDependency) -> bool) -> bool {
    let mut needed = service.depends_on.iter().filter(|needed| is_meant(needed));
    needed.any(|needed| service.shares_with(&needed.service))
}

/// Takes in that a service was restarted, or deployed anew in place of that, as far as it could be.
pub(super) fn on_restarted(state: &mut State, name: &ManifestName) -> Vec<Effect> {
    let Some(row) = state.rows.get_mut(name) else {
        return Vec::new();
    };
    row.service.restarts = row.service.restarts.saturating_sub(1);
    state.dirty.rows.insert(name.clone());
    let compose = row.compose();
    let is_anew = compose.is_some_and(|target| shares_with_needed(&target.service, |_| true));
    // Other containers than before may have others that share something with them.
    match is_anew {
        true => on_deployed(state, name),
        false => Vec::new(),
    }
}

/// Finds out anew which resource stands for which service, after resources came, went or changed.
pub(super) fn reindex(state: &mut State) {
    let rows = state.rows.iter();
    let rows = rows.filter_map(|(name, row)| Some((row.compose()?.service_id(), name.clone())));
    state.services.rows = rows.collect();
}

/// Returns which projects are to be watched, if those are not the ones that are watched already.
pub(super) fn watch(state: &mut State) -> Option<Effect> {
    let rows = state.rows.values().filter_map(Row::compose);
    let wanted: BTreeSet<String> = rows.map(|compose| compose.project.name.clone()).collect();
    if wanted == state.services.asked {
        return None;
    }
    state
        .services
        .containers
        .retain(|service, _| wanted.contains(&service.project));
    state.services.asked.clone_from(&wanted);
    Some(Effect::WatchServices(wanted))
}

/// Returns the span of what the containers of a service print.
pub(crate) fn log_span(name: &ManifestName) -> SpanId {
    SpanId::new(format!("dc:{name}"))
}
