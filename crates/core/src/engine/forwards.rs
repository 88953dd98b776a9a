//! Port-forwards: which local ports lead to which pods.
//!
//! A port stays asked for as long as its resource is there and enabled, whether there is a pod or not; so it never
//! becomes somebody else's in between.
//!
//! Rule: `docs/rules/runtime.md`, "Port-forwards".

use super::deploy;
use super::effect::{Asker, Effect, Forward, ForwardId, ForwardTarget};
use super::event::ForwardPart;
use super::objects;
use super::state::{Row, State};
use crate::model::{ManifestName, Pod};
use crate::view::ForwardView;

/// Returns all port-forwards that are wanted, if those are others than before.
pub(super) fn forward(state: &mut State) -> Option<Effect> {
    let mut forwards = std::mem::take(&mut state.asked.forwards);
    let asked = forwards.renew(state.rows.keys(), |wisher| {
        let row = wisher.as_ref().and_then(|name| state.rows.get(name));
        let wanted = match (wisher, row) {
            _ if !state.config.forwards_ports => Vec::new(),
            (None, _) => objects::forwards(state),
            (Some(_), Some(row)) if row.enabled => deploy::of(row).forwards(state, row),
            (Some(_), _) => Vec::new(),
        };
        wanted.into_iter().map(|forward| (forward.id(), forward))
    });
    state.asked.forwards = forwards;
    asked.map(Effect::ForwardPorts)
}

/// Finds out anew where the ports of a resource lead.
pub(super) fn refresh(state: &mut State, name: &ManifestName) {
    let Some(row) = state.rows.get(name) else {
        return;
    };
    let leads = deploy::of(row).forwards(state, row);
    if leads == row.runtime.forwards {
        return;
    }
    state.asked.forwards.touch(name);
    if let Some(row) = state.rows.get_mut(name) {
        row.runtime.forwards = leads;
    }
}

/// Takes in what became of a port-forward.
pub(super) fn on_changed(state: &mut State, forward: ForwardId, part: ForwardPart, error: Option<String>) {
    let Asker::Resource(name) = &forward.asker else {
        return objects::on_forward_changed(state, &forward, part, error);
    };
    let Some(row) = state.rows.get_mut(name) else {
        return;
    };
    match error {
        Some(error) => row.forward_errors.insert((forward, part), error),
        None => row.forward_errors.remove(&(forward, part)),
    };
}

/// Returns the port-forwards of a resource as readers see them.
pub(crate) fn views(state: &State, row: &Row) -> Vec<ForwardView> {
    if !row.enabled || !state.config.forwards_ports {
        return Vec::new();
    }
    let ports = row.k8s().map_or(&[][..], |k8s| &k8s.options.port_forwards);
    let forwards = deploy::of(row).forwards(state, row).into_iter();
    forwards
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
                container_port: forward.pod.as_ref().map_or(port.container_port, |pod| pod.port),
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
            asker: self.asker.clone(),
            local_port: self.local_port,
            host: self.host.clone(),
        }
    }
}

impl ForwardTarget {
    /// Returns a port of a pod.
    pub(super) fn new(pod: &Pod, port: u16) -> Self {
        let container = pod.containers.first();
        Self {
            pod: pod.uid.clone(),
            pod_name: pod.name.clone(),
            namespace: pod.namespace.clone(),
            port,
            container: container.map_or_else(String::new, |first| first.name.clone()),
            node: pod.node.clone(),
            ready: pod.is_ready(),
        }
    }
}
