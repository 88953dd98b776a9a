//! Finds out which process listens at an address of this machine.

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
}
