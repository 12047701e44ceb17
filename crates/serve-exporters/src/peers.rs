//! How the other services of the stack are: each is asked for its health every few seconds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use collect_cloudos::{PeerHealth, Peers};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// How long one peer may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// Right after the start the peers are starting too: they are asked this often, at most this many times.
const WARM_UP_PAUSE: Duration = Duration::from_secs(1);
const WARM_UP_ROUNDS: usize = 15;

/// Peers at most; each is one connection per round.
const PEERS_MAX: usize = 1000;

/// Port and health path of the services beside this exporter.
const STACK: &[(u16, &str)] = &[
    (9090, "/-/healthy"),
    (3000, "/api/health"),
    (9093, "/-/healthy"),
    (3100, "/ready"),
    (16686, "/"),
    (9091, "/-/healthy"),
    (9100, "/"),
    (8080, "/healthz"),
    (9080, "/ready"),
];

/// The nine other services of a stack that listens on `host`, for the flag `cluster.peers`.
pub fn default_peers(host: &str, port_offset: u16) -> String {
    let host = match host {
        "" | "0.0.0.0" | "::" | "[::]" => "127.0.0.1",
        host => host,
    };
    let peer = |(port, path): &(u16, &str)| format!("{host}:{}{path}", port.saturating_add(port_offset));
    STACK.iter().map(peer).collect::<Vec<_>>().join(",")
}

const UNKNOWN: u8 = 0;
const HEALTHY: u8 = 1;
const UNHEALTHY: u8 = 2;

/// One peer: where it listens and the path that tells its health.
#[derive(Debug)]
pub struct Peer {
    address: String,
    path: String,
    state: AtomicU8,
}

/// The peers and their last known state.
#[derive(Debug)]
pub struct PeerList(Vec<Arc<Peer>>);

impl PeerList {
    /// Parses `host:port/path,...`; `http://` before it is allowed.
    pub fn parse(text: &str) -> Result<PeerList, String> {
        let mut peers = Vec::new();
        for item in text.split(',').map(str::trim).filter(|p| !p.is_empty()) {
            let rest = item.strip_prefix("http://").unwrap_or(item);
            let (address, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let port = address
                .rsplit_once(':')
                .and_then(|(host, port)| (!host.is_empty()).then(|| port.parse::<u16>().ok())?);
            if port.is_none() || path.contains(char::is_whitespace) {
                return Err(format!("invalid peer {item:?}: expected host:port/path"));
            }
            let path = if path.is_empty() { "/" } else { path };
            peers.push(Arc::new(Peer {
                address: address.to_owned(),
                path: path.to_owned(),
                state: AtomicU8::new(UNKNOWN),
            }));
        }
        if peers.len() > PEERS_MAX {
            return Err(format!("{} peers are more than {PEERS_MAX}", peers.len()));
        }
        Ok(PeerList(peers))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Asks all peers every `interval` until the task is dropped or `shutdown` is cancelled.
    pub async fn watch(self: Arc<Self>, interval: Duration, shutdown: front::CancellationToken) {
        let mut round = 0;
        loop {
            self.ask_all().await;
            round += 1;
            let warming_up = round < WARM_UP_ROUNDS && self.health().healthy < self.0.len();
            let pause = if warming_up { WARM_UP_PAUSE.min(interval) } else { interval };
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    pub async fn ask_all(&self) {
        let mut asked = JoinSet::new();
        for peer in self.0.iter().cloned() {
            asked.spawn(async move {
                let answer = tokio::time::timeout(ANSWER_MAX, ask(&peer.address, &peer.path)).await;
                let state = if matches!(answer, Ok(Ok(true))) { HEALTHY } else { UNHEALTHY };
                peer.state.store(state, Ordering::Relaxed);
            });
        }
        while asked.join_next().await.is_some() {}
    }
}

impl Peers for PeerList {
    fn health(&self) -> PeerHealth {
        let mut health = PeerHealth::default();
        for peer in &self.0 {
            match peer.state.load(Ordering::Relaxed) {
                HEALTHY => health.healthy += 1,
                UNHEALTHY => health.unhealthy += 1,
                _ => health.unknown += 1,
            }
        }
        health
    }
}

/// Whether `GET path` answers with a status below 400. Only the status line is read.
async fn ask(address: &str, path: &str) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let (mut head, mut filled) = ([0u8; 64], 0);
    while filled < 12 {
        match stream.read(&mut head[filled..]).await? {
            0 => return Ok(false),
            n => filled += n,
        }
    }
    let status = std::str::from_utf8(&head[9..12]).ok().and_then(|s| s.parse::<u16>().ok());
    // What follows is drained in small part, so that closing does not look like a broken connection.
    let _ = stream.read(&mut [0u8; 4096]).await;
    Ok(head.starts_with(b"HTTP/1.") && status.is_some_and(|s| (200..400).contains(&s)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peer_lists() {
        let list = PeerList::parse(" http://a:1/x?y=1, b:2 ,").unwrap();
        let shown: Vec<_> = list.0.iter().map(|p| (p.address.as_str(), p.path.as_str())).collect();
        assert_eq!(shown, [("a:1", "/x?y=1"), ("b:2", "/")]);
        assert_eq!(list.health(), PeerHealth { unknown: 2, ..PeerHealth::default() });
        for bad in ["a", "a:b/", ":1/", "a:1/x y", "a:99999/"] {
            let error = PeerList::parse(bad).unwrap_err();
            assert!(error.contains("expected host:port/path"), "{error}");
        }
        assert!(PeerList::parse("").unwrap().is_empty());
        let nine = default_peers("0.0.0.0", 10);
        assert!(
            nine.starts_with("127.0.0.1:9100/-/healthy,") && PeerList::parse(&nine).unwrap().0.len() == 9
        );
    }
}
