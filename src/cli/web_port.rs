//! The port of the web page: opening it, and what to do if somebody else has it.

use std::net::TcpListener;

use crate::edge::machine::port_holder;

/// How many ports after a busy one are tried, to offer one that is free.
const OTHERS: u16 = 100;

/// Opens the port; 0 is any.
///
/// # Errors
/// Somebody else has it. The message says who, and which port is free.
///
/// Rule: `docs/rules/commands.md`, "The web port".
pub(super) fn listen(host: &str, port: u16) -> anyhow::Result<TcpListener> {
    TcpListener::bind((host, port)).map_err(|error| {
        if error.kind() != std::io::ErrorKind::AddrInUse {
            return anyhow::anyhow!("cannot listen on {host}:{port}: {error}");
        }
        let holder = std::net::ToSocketAddrs::to_socket_addrs(&(host, port))
            .ok()
            .and_then(|mut addresses| addresses.find_map(port_holder::holder));
        let held = holder.map_or_else(String::new, |holder| format!("\nIt is held by {holder}."));
        let others = port.saturating_add(1)..=port.saturating_add(OTHERS);
        let free = others.into_iter().find(|other| TcpListener::bind((host, *other)).is_ok());
        let hint = free.map_or_else(String::new, |free| format!("\nhint: port {free} is free: --port={free}"));
        anyhow::anyhow!(
            "Tilt cannot start because you already have another process on port {port}{held}\nIf you want to run \
             multiple Tilt instances simultaneously,\nuse the --port flag or TILT_PORT env variable to set a custom \
             port\nOriginal error: listen tcp {host}:{port}: bind: address already in use{hint}"
        )
    })
}
