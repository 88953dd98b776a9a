//! The ports that containers document, and which of them a port-forward without a port of the pod leads to.

use serde_json::Value;

use super::Entity;

/// Returns the ports that the containers of these objects document, in the order of the objects.
pub fn documented_ports<'e>(entities: impl IntoIterator<Item = &'e Entity>) -> Vec<u16> {
    let mut ports = Vec::new();
    for entity in entities {
        collect(entity.value(), &mut ports);
    }
    ports
}

/// Returns the port in the pod that a local port leads to where none is given: the same one if a container documents that,
/// else the first that is documented.
///
/// Rule: `docs/rules/runtime.md`, "Port-forwards".
pub fn port_in_pod(local: u16, documented: &[u16]) -> u16 {
    match documented.first() {
        Some(first) if !documented.contains(&local) => *first,
        _ => local,
    }
}

fn collect(value: &Value, ports: &mut Vec<u16>) {
    match value {
        Value::Object(fields) => {
            let port = fields.get("containerPort").and_then(Value::as_u64);
            ports.extend(port.and_then(|port| u16::try_from(port).ok()));
            fields.values().for_each(|value| collect(value, ports));
        }
        Value::Array(items) => items.iter().for_each(|value| collect(value, ports)),
        _ => {}
    }
}
