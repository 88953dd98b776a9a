//! Who has a port that a service was to be published on.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::LazyLock;

use regex::Regex;

use crate::edge::docker::Docker;
use crate::edge::machine::port_holder::holder;

/// Returns a hint where the engine says that a port is taken, with who has it as far as that can be seen.
pub(in crate::edge) async fn hint(docker: &Docker, said: &str) -> Option<String> {
    let (address, port) = taken(said)?;
    let container = docker.publisher(port).await.ok().flatten();
    let who = match container {
        Some(container) => Some(format!("container {container}")),
        None => {
            let anywhere = ["0.0.0.0", "127.0.0.1", "::", "::1"].map(|text| text.parse().unwrap_or(address));
            let mut addresses = [address].into_iter().chain(anywhere);
            addresses.find_map(|address| holder(SocketAddr::new(address, port)))
        }
    };
    let who = who.map_or_else(String::new, |who| format!(" by {who}"));
    Some(format!(
        "hint: port {port} is taken{who}; publish another one in the Compose file, or stop what has it"
    ))
}

/// `Bind for 0.0.0.0:80 failed: port is already allocated`, `listen tcp4 0.0.0.0:80: bind: address already in use`
fn taken(said: &str) -> Option<(IpAddr, u16)> {
    static TAKEN: LazyLock<Regex> = LazyLock::new(|| {
        let taken =
            r"(\S+):(\d+)(?:/\w+)?(?: failed: port is already allocated|: (?:bind: )?address already in use)";
        Regex::new(taken).expect("it is valid")
    });
    let found = TAKEN.captures(said)?;
    let address = found[1].trim_matches(['[', ']']).parse();
    let port = found[2].parse().ok()?;
    Some((address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_found_in_what_engines_say() {
        let failed = "driver failed programming external connectivity on endpoint shop-web-1 (0123): ";
        for (said, expected) in [
            (
                "Bind for 0.0.0.0:8080 failed: port is already allocated",
                Some(("0.0.0.0", 8080)),
            ),
            (
                "Error starting userland proxy: listen tcp4 127.0.0.1:80: bind: address already in use",
                Some(("127.0.0.1", 80)),
            ),
            (
                "failed to bind host port for 0.0.0.0:53:172.17.0.2:53/udp: address already in use",
                Some(("0.0.0.0", 53)),
            ),
            (
                "listen tcp6 [::]:81: bind: address already in use",
                Some(("::", 81)),
            ),
            ("the disk is full", None),
        ] {
            let found = taken(&format!("Error response from daemon: {failed}{said}"));
            let expected = expected.map(|(address, port)| (address.parse().expect("an address"), port));
            assert_eq!(found, expected, "{said}");
        }
    }
}
