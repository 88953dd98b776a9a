//! Port-forwards: which local ports lead to which pods.
//!
//! A port stays asked for as long as its resource is there and enabled, whether there is a pod or not; so it never
//! becomes somebody else's in between.
//!
//! Rule: `docs/rules/runtime.md`, "Port-forwards".

use super::effect::{Effect, Forward, ForwardTarget};
use super::event::{ForwardId, ForwardPart};
use super::row::Row;
use super::state::State;
use crate::k8s::{documented_ports, port_in_pod};
use crate::model::{Level, LogEvent, ManifestName, Pod, PodPhase, PortForward};
use crate::view::ForwardView;

/// Returns all port-forwards that are wanted, if those are others than before, with what is to be said of them.
pub(super) fn forward(state: &mut State) -> Vec<Effect> {
    let rows = state.rows_in_order().filter(|(_, row)| row.enabled);
    let wanted: Vec<Forward> = rows
        .filter(|_| state.config.forwards_ports)
        .flat_map(|(name, row)| of_row(state, name, row))
        .collect();
    if state.asked.forwards == wanted {
        return Vec::new();
    }
    let mut effects = tell_of_chosen_ports(state, &wanted);
    state.asked.forwards.clone_from(&wanted);
    effects.push(Effect::ForwardPorts(wanted));
    effects
}

/// Says, once, where a port leads that was given alone and is not the one in the pod.
fn tell_of_chosen_ports(state: &mut State, wanted: &[Forward]) -> Vec<Effect> {
    let mut effects = Vec::new();
    for forward in wanted {
        let (name, local) = (&forward.manifest, forward.local_port);
        let Some(pod) = forward.pod.as_ref().filter(|pod| pod.port != local) else {
            continue;
        };
        let row = state.rows.get(name).and_then(Row::k8s);
        let mut ports = row.map_or(&[][..], |k8s| &k8s.options.port_forwards).iter();
        let is_chosen = ports.any(|port| port.local_port == local && port.container_port == 0);
        if is_chosen && state.told_ports.insert((name.clone(), local, pod.port)) {
            let text = format!(
                "port_forwards='{local}' of {name} leads to port {port} of the pod, the first that its containers name\n\
                 hint: if that is meant, write '{local}:{port}'; else '{local}:{local}'",
                port = pod.port
            );
            let line = LogEvent::line(state.tiltfile_span(), name.clone(), text);
            effects.push(Effect::Log(line.level(Level::Warn)));
        }
    }
    effects
}

/// Takes in what became of a port-forward.
pub(super) fn on_changed(state: &mut State, forward: ForwardId, part: ForwardPart, error: Option<String>) {
    let Some(row) = state.rows.get_mut(&forward.manifest) else {
        return;
    };
    match error {
        Some(error) => row.forward_errors.insert((forward, part), error),
        None => row.forward_errors.remove(&(forward, part)),
    };
}

/// Returns the port-forwards of a resource as readers see them.
pub(crate) fn views(state: &State, name: &ManifestName, row: &Row) -> Vec<ForwardView> {
    if !row.enabled || !state.config.forwards_ports {
        return Vec::new();
    }
    let ports = row.k8s().map_or(&[][..], |k8s| &k8s.options.port_forwards);
    of_row(state, name, row)
        .zip(ports)
        .map(|(forward, port)| {
            let errors = row.forward_errors.iter();
            let error = errors
                .filter(|((id, _), _)| *id == forward.id())
                .map(|(_, error)| error.clone())
                .next();
            let host = port.host.as_deref().unwrap_or("localhost");
            ForwardView {
                url: format!("http://{host}:{}/{}", port.local_port, port.path),
                name: port.name.clone(),
                is_healthy: error.is_none() && forward.pod.as_ref().is_some_and(|pod| pod.ready),
                pod: forward.pod.map(|pod| pod.pod_name),
                error,
            }
        })
        .collect()
}

impl Forward {
    /// Returns which port it is.
    pub fn id(&self) -> ForwardId {
        ForwardId {
            manifest: self.manifest.clone(),
            local_port: self.local_port,
            host: self.host.clone(),
        }
    }
}

fn of_row<'a>(state: &'a State, name: &'a ManifestName, row: &'a Row) -> impl Iterator<Item = Forward> + 'a {
    let ports = row.k8s().map_or(&[][..], |k8s| &k8s.options.port_forwards);
    let pod = if ports.is_empty() {
        None
    } else {
        best_pod(state, row)
    };
    ports.iter().map(move |port| Forward {
        manifest: name.clone(),
        local_port: port.local_port,
        host: port.host.clone(),
        pod: pod.map(|pod| ForwardTarget {
            pod: pod.uid.clone(),
            pod_name: pod.name.clone(),
            namespace: pod.namespace.clone(),
            port: container_port(row, port),
            container: pod
                .containers
                .first()
                .map_or_else(String::new, |first| first.name.clone()),
            node: pod.node.clone(),
            ready: pod.is_ready(),
        }),
    })
}

/// Returns the pod that ports lead to: one that runs, rather not one that is being deleted, the newest.
fn best_pod<'a>(state: &'a State, row: &Row) -> Option<&'a Pod> {
    let pods = row
        .runtime
        .pods
        .iter()
        .filter_map(|uid| state.pods.get(uid))
        .map(|seen| &seen.pod);
    pods.filter(|pod| pod.phase == PodPhase::Running || pod.deleting)
        .max_by_key(|pod| (!pod.deleting, pod.created, &pod.name))
}

/// Returns the port in the pod.
fn container_port(row: &Row, port: &PortForward) -> u16 {
    match port.container_port {
        0 => port_in_pod(port.local_port, &documented_ports(row.entities())),
        given => given,
    }
}
