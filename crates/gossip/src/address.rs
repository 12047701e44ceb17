//! Addresses: what peers are called, and what we call ourselves.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// `host:port`, `[v6]:port`, `:port`; errors in Go's words.
pub fn split(address: &str) -> Result<(String, u16), String> {
    let fault = |what: &str| format!("address {address}: {what}");
    let (host, port) = address.rsplit_once(':').ok_or_else(|| fault("missing port in address"))?;
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').ok_or_else(|| fault("missing ']' in address"))?,
        None if host.contains(':') => return Err(fault("too many colons in address")),
        None => host,
    };
    let port = port.parse().map_err(|_| fault("invalid port"))?;
    Ok((host.to_owned(), port))
}

/// Every address that the names of `peers` stand for now, without our own. Names that cannot be resolved
/// are left out, and told: they are tried again later.
pub async fn resolve(peers: &[String], me: SocketAddr, timeout: Duration) -> Vec<SocketAddr> {
    let mut out = Vec::new();
    for peer in peers {
        let found = tokio::time::timeout(timeout, tokio::net::lookup_host(peer.as_str())).await;
        match found {
            Ok(Ok(addresses)) => out.extend(addresses.map(canonical).filter(|address| *address != me)),
            Ok(Err(e)) => tracing::debug!(peer, "cannot resolve: {e}"),
            Err(_) => tracing::debug!(peer, "resolving took longer than {timeout:?}"),
        }
    }
    out.sort_unstable();
    out.dedup();
    out
}

/// IPv4 within IPv6 is IPv4.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// The address to tell others when none was given: where we listen or, listening everywhere, a private
/// address of this machine: the default route's if it is one, or the first. A public one only if allowed.
pub fn advertised(listen: SocketAddr, allow_public: bool) -> Result<SocketAddr, String> {
    if !listen.ip().is_unspecified() {
        return Ok(listen);
    }
    let mut all: Vec<IpAddr> = outgoing_ip().into_iter().collect();
    all.extend(local_v4(&std::fs::read_to_string("/proc/net/fib_trie").unwrap_or_default()));
    all.extend(local_v6(&std::fs::read_to_string("/proc/net/if_inet6").unwrap_or_default()));
    all.retain(|ip| !ip.is_loopback() && !ip.is_unspecified());
    let private = all.iter().find(|ip| is_private(**ip));
    let ip = private.or_else(|| all.first().filter(|_| allow_public));
    let ip = ip.ok_or("no private IP found, explicit advertise addr not provided")?;
    Ok(SocketAddr::new(*ip, listen.port()))
}

/// The address that packets to the world would carry. Connecting a datagram socket sends nothing.
fn outgoing_ip() -> Option<IpAddr> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    // An address for documentation: nobody is there, but the route is the default one.
    socket.connect("203.0.113.1:9").ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// The machine's own addresses in the kernel's routing table: each line that says `host LOCAL` speaks of
/// the address in the line before it.
fn local_v4(fib_trie: &str) -> Vec<IpAddr> {
    let mut out = Vec::new();
    let mut last = None;
    for line in fib_trie.lines() {
        if let Some(address) = line.trim_start().strip_prefix("|-- ") {
            last = address.parse::<IpAddr>().ok();
        } else if line.contains("host LOCAL") {
            out.extend(last.filter(|ip| !out.contains(ip)));
        }
    }
    out
}

/// The machine's own addresses: 32 hexadecimal digits, index, prefix, scope (0 is global), flags, name.
fn local_v6(if_inet6: &str) -> Vec<IpAddr> {
    let address = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let digits = u128::from_str_radix(words.next()?, 16).ok()?;
        (words.nth(2)? == "00").then(|| IpAddr::from(digits.to_be_bytes()))
    };
    if_inet6.lines().filter_map(address).collect()
}

fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            // Shared address space of carriers counts, too.
            ip.is_private() || ip.is_loopback() || ip.is_link_local() || (a == 100 && b & 0xc0 == 64)
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_split_as_go_does() {
        let check = |address: &str, expected: Result<(&str, u16), &str>| {
            let expected = expected.map(|(host, port)| (host.to_owned(), port)).map_err(str::to_owned);
            assert_eq!(split(address), expected);
        };
        check("a:1", Ok(("a", 1)));
        check(":9094", Ok(("", 9094)));
        check("[::1]:9094", Ok(("::1", 9094)));
        check("a", Err("address a: missing port in address"));
        check("::1:2", Err("address ::1:2: too many colons in address"));
        check("a:x", Err("address a:x: invalid port"));
        check("[::1:2", Err("address [::1:2: missing ']' in address"));
    }

    #[test]
    fn private_addresses() {
        for (ip, private) in [
            ("10.1.2.3", true),
            ("192.168.0.1", true),
            ("172.31.0.1", true),
            ("172.32.0.1", false),
            ("100.64.0.1", true),
            ("100.128.0.1", false),
            ("127.0.0.1", true),
            ("8.8.8.8", false),
            ("fd00::1", true),
            ("2001:4860::1", false),
        ] {
            assert_eq!(is_private(ip.parse().unwrap()), private, "{ip}");
        }
        let bound = "127.0.0.1:5".parse().unwrap();
        assert_eq!(advertised(bound, false), Ok(bound));
    }

    #[test]
    fn the_kernel_lists_our_addresses() {
        let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n        |-- 10.0.0.2\n           /32 host LOCAL\n        \
                    |-- 10.0.0.255\n           /32 link BROADCAST\n     |-- 10.0.0.2\n   /32 host LOCAL\n";
        assert_eq!(local_v4(trie), ["10.0.0.2".parse::<IpAddr>().unwrap()]);
        let list = "fd000000000000000000000000000002 02 40 00 82     eth0\n\
                    fe8000000000000000fc00fffe000001 02 40 20 80     eth0\n";
        assert_eq!(local_v6(list), ["fd00::2".parse::<IpAddr>().unwrap()]);
    }

    #[tokio::test]
    async fn names_become_addresses_without_our_own() {
        let peers = ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:2", "no.such.host.invalid:1"];
        let peers = peers.map(str::to_owned);
        let me = "127.0.0.1:1".parse().unwrap();
        let found = resolve(&peers, me, Duration::from_secs(10)).await;
        assert_eq!(found, ["127.0.0.1:2".parse().unwrap()]);
    }
}
