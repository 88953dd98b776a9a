//! Listening on a local port: on every address that its host means, again and again while somebody else has it, and
//! what to say then.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::sleep;

use super::port::Port;
use crate::edge::machine::port_holder::holder;
use crate::engine::{Event, ForwardId, ForwardPart};

/// How often it is tried to listen on a port that somebody else has; nothing tells when it becomes free.
const TRY_AGAIN: Duration = Duration::from_secs(1);

impl Port {
    pub(super) async fn listen_patiently(&self) -> Vec<TcpListener> {
        loop {
            match self.listen().await {
                Ok(listeners) => {
                    self.tell_port(&listeners);
                    if self.tell(ForwardPart::Listening, None) {
                        let (port, manifest) = (self.id.local_port, self.id.asker.name());
                        self.log
                            .info(&format!("Port {port} is free now and leads to {manifest}"));
                    }
                    return listeners;
                }
                Err(error) => {
                    let message = self.refused(&self.host, &error);
                    if self.tell(ForwardPart::Listening, Some(&message)) {
                        self.log.error(&message);
                    }
                }
            }
            sleep(TRY_AGAIN).await;
        }
    }

    /// Listens on every address that the host means; `localhost` is both families, of which one is enough.
    ///
    /// Rule: `docs/rules/runtime.md`, "Port-forwards".
    async fn listen(&self) -> io::Result<Vec<TcpListener>> {
        let port = self.id.local_port;
        let addresses: Vec<SocketAddr> = if self.host == "localhost" {
            let both = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
            both.map(|address| SocketAddr::new(address, port)).to_vec()
        } else {
            tokio::net::lookup_host((self.host.as_str(), port))
                .await?
                .collect()
        };
        let (mut listeners, mut refused) = (Vec::<TcpListener>::new(), None);
        for mut address in addresses {
            // Where any port will do, it is the same one in both families.
            if let (0, Some(first)) = (port, listeners.first()) {
                address.set_port(first.local_addr()?.port());
            }
            match TcpListener::bind(address).await {
                Ok(listener) => listeners.push(listener),
                // A port that is taken says more than a family that is missing on this machine.
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => refused = Some((address, error)),
                Err(error) => {
                    refused.get_or_insert((address, error));
                }
            }
        }
        match refused {
            Some((_, error)) if listeners.is_empty() => Err(error),
            Some((address, error)) if error.kind() == io::ErrorKind::AddrInUse => {
                self.log.warn(&self.refused(&address.ip().to_string(), &error));
                Ok(listeners)
            }
            _ => Ok(listeners),
        }
    }

    /// Tells which port was opened, where any was asked for.
    fn tell_port(&self, listeners: &[TcpListener]) {
        let opened = listeners.first().and_then(|listener| listener.local_addr().ok());
        if let (0, Some(address)) = (self.id.local_port, opened) {
            self.send(Event::ForwardOpened {
                forward: self.id.clone(),
                port: address.port(),
            });
        }
    }

    /// Returns who else in this session wants the port: another resource, or this one at another address.
    pub(super) fn rival(&self) -> Option<ForwardId> {
        let wanted = self.wanted.lock().expect("no panic while it is held");
        let others = wanted.iter().filter(|other| {
            other.local_port == self.id.local_port && other.local_port != 0 && **other != self.id
        });
        others.min_by_key(|other| other.asker == self.id.asker).cloned()
    }

    fn refused(&self, host: &str, error: &io::Error) -> String {
        let (port, manifest) = (self.id.local_port, self.id.asker.name());
        let message = format!("Error port-forwarding {manifest}: cannot listen on {host}:{port}: {error}");
        let hint = match error.kind() {
            io::ErrorKind::AddrInUse => match self.rival() {
                Some(rival) => format!(
                    "port {port} is also forwarded to \"{}\": choose another one for one of them in port_forwards=",
                    rival.asker.name()
                ),
                None => {
                    let addresses = (host, port).to_socket_addrs().into_iter().flatten();
                    let who = addresses
                        .filter_map(holder)
                        .next()
                        .map_or_else(String::new, |who| format!(", which {who} holds"));
                    format!(
                        "stop what uses port {port}{who}, or choose another port in port_forwards=; it is taken as \
                         soon as it is free"
                    )
                }
            },
            io::ErrorKind::PermissionDenied => {
                format!(
                    "ports below 1024 are for administrators: choose another one than {port} in port_forwards="
                )
            }
            io::ErrorKind::AddrNotAvailable => {
                format!(
                    "\"{host}\" is no address of this machine: choose another host in port_forward(host=)"
                )
            }
            _ => format!("check host and port in port_forward({port}, host=\"{host}\")"),
        };
        format!("{message}\nhint: {hint}")
    }
}
