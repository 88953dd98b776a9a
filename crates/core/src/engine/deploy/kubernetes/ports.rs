//! Which pod the local ports of a resource lead to.
//!
//! Rule: `docs/rules/runtime.md`, "Port-forwards".

use crate::engine::effect::{Asker, Forward, ForwardTarget};
use crate::engine::state::{Row, State};
use crate::k8s::{documented_ports, port_in_pod};
use crate::model::{Pod, PortForward, SpanId};

/// Returns the port-forwards of a resource, each with the pod of the moment.
pub(super) fn forwards(state: &State, row: &Row, ports: &[PortForward]) -> Vec<Forward> {
    let pods = row.runtime.pods.iter().filter_map(|uid| state.pods.get(uid));
    let pod = match ports {
        [] => None,
        _ => Pod::to_forward_to(pods.map(|seen| &seen.pod)),
    };
    let forward = |port: &PortForward| Forward {
        asker: Asker::Resource(row.manifest.name.clone()),
        manifest: Some(row.manifest.name.clone()),
        span: SpanId::new(format!("portforward:{}", row.manifest.name)),
        local_port: port.local_port,
        host: port.host.clone(),
        pod: pod.map(|pod| ForwardTarget::new(pod, container_port(row, port))),
    };
    ports.iter().map(forward).collect()
}

/// Returns the port in the pod.
fn container_port(row: &Row, port: &PortForward) -> u16 {
    match port.container_port {
        0 => port_in_pod(port.local_port, &documented_ports(row.entities())),
        given => given,
    }
}
