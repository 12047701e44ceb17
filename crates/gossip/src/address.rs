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

/// The address to tell others when none was given: where we listen or, listening everywhere, the source
/// address of the default route. A public one only if that is allowed.
pub fn advertised(listen: SocketAddr, allow_public: bool) -> Result<SocketAddr, String> {
    if !listen.ip().is_unspecified() {
        return Ok(listen);
    }
    let ip =
        outgoing_ip(listen.is_ipv6()).ok_or("no private IP found, explicit advertise addr not provided")?;
    if !is_private(ip) && !allow_public {
        return Err("no private IP found, explicit advertise addr not provided".into());
    }
    Ok(SocketAddr::new(ip, listen.port()))
}

/// The address that packets to the world would carry. Connecting a datagram socket sends nothing.
fn outgoing_ip(v6: bool) -> Option<IpAddr> {
    // Addresses for documentation: nobody is there, but the route is the default one.
    let (any, world) = if v6 { ("[::]:0", "[2001:db8::1]:9") } else { ("0.0.0.0:0", "192.0.2.1:9") };
    let socket = std::net::UdpSocket::bind(any).ok()?;
    socket.connect(world).ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_unspecified()).then_some(ip)
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

    #[tokio::test]
    async fn names_become_addresses_without_our_own() {
        let peers = ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:2", "no.such.host.invalid:1"];
        let peers = peers.map(str::to_owned);
        let me = "127.0.0.1:1".parse().unwrap();
        let found = resolve(&peers, me, Duration::from_secs(10)).await;
        assert_eq!(found, ["127.0.0.1:2".parse().unwrap()]);
    }
}
