//! Finds out from the kernel's tables which process listens at an address of this machine, and whether a client is gone.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// How often the kernel's tables are read: it leaves sockets out of them when others come or go while it writes them.
const READINGS: u32 = 3;

/// Returns who listens at an address, such as `python3 (pid 17)`; `None` when that cannot be told. Others may listen on
/// the same port at another address.
pub fn holder(address: SocketAddr) -> Option<String> {
    (0..READINGS).find_map(|_| listener(address))
}

fn listener(address: SocketAddr) -> Option<String> {
    let inodes: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .into_iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| listening(&table, address))
        .collect();
    let sockets: Vec<String> = inodes.iter().map(|inode| format!("socket:[{inode}]")).collect();
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let mut listeners = processes.filter_map(|process| {
        let pid: u32 = process.file_name().to_str()?.parse().ok()?;
        let files = fs::read_dir(process.path().join("fd")).ok()?;
        let mut links = files.flatten().filter_map(|file| fs::read_link(file.path()).ok());
        let listens = links.any(|link| sockets.iter().any(|socket| link.as_os_str() == socket.as_str()));
        let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
        listens.then(|| format!("{} (pid {pid})", name.trim()))
    });
    listeners.next()
}

/// Returns whether a client of this machine has closed its socket. Of another machine's, and where there are no such
/// tables, nobody knows: `false`.
pub(in crate::edge) fn is_gone(client: SocketAddr, server: SocketAddr) -> bool {
    let is_ours = client.ip().is_loopback() || client.ip() == server.ip();
    is_ours && (0..READINGS).all(|_| is_open(client, server) == Some(false))
}

/// Returns whether a process has the client's end of a connection; `None` when that cannot be told.
fn is_open(client: SocketAddr, server: SocketAddr) -> Option<bool> {
    let name = if client.is_ipv4() { "tcp" } else { "tcp6" };
    let table = fs::read_to_string(format!("/proc/net/{name}")).ok()?;
    let is_it = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let ends = (parse_address(fields.get(1)?)?, parse_address(fields.get(2)?)?);
        // The socket of nobody has no inode.
        (ends == (client, server)).then_some(*fields.get(9)? != "0")
    };
    let mut owned = table.lines().skip(1).filter_map(is_it);
    Some(owned.any(|is_owned| is_owned) || mapped(client, server) == Some(true))
}

/// Looks for an IPv4 connection of a client that speaks both families, which is in the table of IPv6.
fn mapped(client: SocketAddr, server: SocketAddr) -> Option<bool> {
    let (IpAddr::V4(from), IpAddr::V4(to)) = (client.ip(), server.ip()) else {
        return None;
    };
    let as_v6 = |ip: Ipv4Addr, port| SocketAddr::new(IpAddr::V6(ip.to_ipv6_mapped()), port);
    is_open(as_v6(from, client.port()), as_v6(to, server.port()))
}

/// Returns the inodes of sockets that listen at an address or at all addresses, from a table of the kernel.
fn listening(table: &str, address: SocketAddr) -> Vec<String> {
    const LISTEN: &str = "0A";
    let inode = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let local = parse_address(fields.get(1)?)?;
        let is_it = local.port() == address.port()
            && (local.ip() == address.ip() || local.ip().is_unspecified())
            && *fields.get(3)? == LISTEN;
        is_it.then(|| fields.get(9).map(|inode| (*inode).to_owned()))?
    };
    table.lines().skip(1).filter_map(inode).collect()
}

/// Reads an address as the kernel writes it: `0100007F:1F90`, each four bytes of the address as one number of this machine.
fn parse_address(text: &str) -> Option<SocketAddr> {
    let (host, port) = text.split_once(':')?;
    let word = |at: usize| {
        let digits = host.get(at * 8..(at + 1) * 8)?;
        u32::from_str_radix(digits, 16).ok().map(u32::to_ne_bytes)
    };
    let ip = if host.len() == 8 {
        IpAddr::V4(Ipv4Addr::from(word(0)?))
    } else {
        let words = [word(0)?, word(1)?, word(2)?, word(3)?];
        let bytes: [u8; 16] = words.concat().try_into().ok()?;
        IpAddr::V6(Ipv6Addr::from(bytes))
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_listens_is_named() {
        for host in ["127.0.0.1:0", "[::1]:0", "0.0.0.0:0"] {
            let socket = std::net::TcpListener::bind(host).unwrap();
            let address = socket.local_addr().unwrap();
            let who = holder(address).unwrap();
            assert!(who.ends_with(&format!("(pid {})", std::process::id())), "{who}");
            let other = SocketAddr::from(([127, 0, 0, 2], address.port()));
            assert_eq!(holder(other).is_some(), address.ip().is_unspecified());
            drop(socket);
            assert_eq!(holder(address), None);
        }
    }

    #[test]
    fn a_client_that_only_stopped_talking_is_not_gone() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, from) = listener.accept().unwrap();
        let ours = server.local_addr().unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        assert!(!is_gone(from, ours));
        drop(client);
        assert!(is_gone(from, ours));
        let elsewhere = SocketAddr::from(([192, 0, 2, 1], 80));
        assert!(!is_gone(elsewhere, ours), "nobody knows");
    }
}
