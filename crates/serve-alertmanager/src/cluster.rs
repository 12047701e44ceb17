//! High availability: what the `--cluster.*` flags ask for, and the engine's tie to the gossip.

mod tls;

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use alerting::{Alertmanager, Cluster, StateKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use expfmt::Registry;
use flags::Flags;
use front::CancellationToken;
use gossip::{KeyRing, Member, State};
use wire::alertmanager::{FullState, Part};
use wire::prost::Message;

/// What the flags say of the cluster.
#[derive(Debug, Clone)]
pub struct ClusterSettings {
    pub listen: String,
    pub advertise: String,
    pub allow_public_advertise: bool,
    pub name: String,
    pub peers: Vec<String>,
    /// How long each member lets the one before it go first.
    pub peer_timeout: Duration,
    pub peers_resolve_timeout: Duration,
    pub gossip_interval: Duration,
    pub push_pull_interval: Duration,
    pub tcp_timeout: Duration,
    pub probe_timeout: Duration,
    pub probe_interval: Duration,
    pub settle_timeout: Duration,
    pub reconnect_interval: Duration,
    pub reconnect_timeout: Duration,
    pub label: String,
    pub tls_config: Option<PathBuf>,
    pub keys_file: Option<PathBuf>,
}

impl ClusterSettings {
    /// `None` when an empty listen address says that there is no cluster.
    pub fn from_flags(flags: &Flags) -> Result<Option<ClusterSettings>, String> {
        let duration = |name: &str| -> Result<Duration, String> {
            let ms = flags.duration_ms(&format!("cluster.{name}")).map_err(|e| e.to_string())?;
            Ok(Duration::from_millis(ms.unsigned_abs()))
        };
        let positive = |name: &str| -> Result<Duration, String> {
            match duration(name)? {
                Duration::ZERO => Err(format!("--cluster.{name} must be greater than zero")),
                interval => Ok(interval),
            }
        };
        let text = |name: &str| flags.get(&format!("cluster.{name}")).to_owned();
        let file = |name: &str| Some(text(name)).filter(|path| !path.is_empty()).map(PathBuf::from);
        let settings = ClusterSettings {
            listen: text("listen-address"),
            advertise: text("advertise-address"),
            allow_public_advertise: flags.is_on("cluster.allow-insecure-public-advertise-address-discovery"),
            name: text("peer-name"),
            peers: flags.all("cluster.peer").to_vec(),
            peer_timeout: duration("peer-timeout")?,
            peers_resolve_timeout: duration("peers-resolve-timeout")?,
            gossip_interval: positive("gossip-interval")?,
            push_pull_interval: duration("pushpull-interval")?,
            tcp_timeout: positive("tcp-timeout")?,
            probe_timeout: positive("probe-timeout")?,
            probe_interval: positive("probe-interval")?,
            settle_timeout: duration("settle-timeout")?,
            reconnect_interval: duration("reconnect-interval")?,
            reconnect_timeout: duration("reconnect-timeout")?,
            label: text("label"),
            tls_config: file("tls-config"),
            keys_file: file("encryption-keys-file"),
        };
        Ok((!settings.listen.is_empty()).then_some(settings))
    }

    /// Binds the gossip port and puts the engine in its seat. [`Member::run`] has still to be called.
    pub async fn join(
        &self,
        manager: &Arc<Alertmanager>,
        registry: &Registry,
        stop: CancellationToken,
    ) -> Result<Arc<Member>, String> {
        let advertise = match self.advertise.as_str() {
            "" => None,
            given => Some(address(given).map_err(|e| format!("invalid advertise address: {e}"))?),
        };
        let settings = gossip::Settings {
            name: self.name.clone(),
            listen: address(&self.listen).map_err(|e| format!("invalid listen address: {e}"))?,
            advertise,
            allow_public_advertise: self.allow_public_advertise,
            peers: self.peers.clone(),
            peers_resolve_timeout: self.peers_resolve_timeout,
            gossip_interval: self.gossip_interval,
            push_pull_interval: self.push_pull_interval,
            tcp_timeout: self.tcp_timeout,
            probe_timeout: self.probe_timeout,
            probe_interval: self.probe_interval,
            settle_timeout: self.settle_timeout,
            reconnect_interval: self.reconnect_interval,
            reconnect_timeout: self.reconnect_timeout,
            label: self.label.clone(),
            keys: self.keys()?,
            tls: match &self.tls_config {
                Some(path) => Some(tls::load(path)?),
                None => None,
            },
        };
        let state = Arc::new(SharedState(Arc::downgrade(manager)));
        let keys = StateKey::ALL.map(StateKey::as_str);
        let member = Member::bind(settings, state, &keys, registry, stop).await?;
        manager.join(Arc::new(Link(member.clone())), self.peer_timeout);
        Ok(member)
    }

    /// One base64 key per line, the one to seal with first.
    fn keys(&self) -> Result<Option<KeyRing>, String> {
        let Some(path) = &self.keys_file else { return Ok(None) };
        let fault =
            |e: &dyn std::fmt::Display| format!("--cluster.encryption-keys-file: {}: {e}", path.display());
        let text = std::fs::read_to_string(path).map_err(|e| fault(&e))?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let keys: Result<Vec<Vec<u8>>, _> = lines.map(|line| STANDARD.decode(line)).collect();
        let keys = keys.map_err(|_| fault(&"a key is not base64"))?;
        KeyRing::new(&keys).map(Some).map_err(|e| fault(&e))
    }
}

/// `host:port`, where no host means every address of the machine.
fn address(text: &str) -> Result<SocketAddr, String> {
    let (host, port) = gossip::split_address(text)?;
    let host = if host.is_empty() { "0.0.0.0" } else { &host };
    let mut found = (host, port).to_socket_addrs().map_err(|e| format!("address {text}: {e}"))?;
    found.next().map(gossip::canonical).ok_or_else(|| format!("address {text}: no such host"))
}

/// The gossip as the engine sees it.
struct Link(Arc<Member>);

impl Cluster for Link {
    fn position(&self) -> usize {
        self.0.position()
    }

    fn settled(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.0.settled())
    }

    fn broadcast(&self, key: StateKey, part: Vec<u8>) {
        let name = key.as_str();
        let part = Part { key: name.into(), data: part };
        self.0.broadcast(name, part.encode_to_vec());
    }
}

/// The engine as the gossip sees it. Weak, so that a stopped engine takes its port with it.
struct SharedState(Weak<Alertmanager>);

impl SharedState {
    fn merge_part(&self, part: &Part) {
        // Parts of states we do not know belong to members that know more.
        let (Some(manager), Some(key)) = (self.0.upgrade(), StateKey::from_name(&part.key)) else { return };
        if let Err(e) = manager.merge(key, &part.data) {
            tracing::warn!(key = part.key, "a peer's state was not merged: {e}");
        }
    }
}

impl State for SharedState {
    fn update(&self, message: &[u8]) {
        match Part::decode(message) {
            Ok(part) => self.merge_part(&part),
            Err(e) => tracing::warn!("a peer's update is malformed: {e}"),
        }
    }

    fn full(&self) -> Vec<u8> {
        let Some(manager) = self.0.upgrade() else { return Vec::new() };
        let part = |key: StateKey| Part { key: key.as_str().into(), data: manager.full_state(key) };
        FullState { parts: StateKey::ALL.map(part).into() }.encode_to_vec()
    }

    fn merge(&self, full: &[u8]) {
        match FullState::decode(full) {
            Ok(state) => state.parts.iter().for_each(|part| self.merge_part(part)),
            Err(e) => tracing::warn!("a peer's full state is malformed: {e}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::FLAGS;

    fn settings(args: &[&str]) -> Result<Option<ClusterSettings>, String> {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        ClusterSettings::from_flags(&Flags::parse("alertmanager", FLAGS, &args).unwrap())
    }

    #[test]
    fn defaults_are_the_original_s() {
        let defaults = settings(&[]).unwrap().unwrap();
        assert_eq!(defaults.listen, "0.0.0.0:9094");
        let seconds = [
            (defaults.peer_timeout, 15.0),
            (defaults.gossip_interval, 0.2),
            (defaults.push_pull_interval, 60.0),
            (defaults.tcp_timeout, 10.0),
            (defaults.probe_timeout, 0.5),
            (defaults.probe_interval, 1.0),
            (defaults.settle_timeout, 60.0),
            (defaults.reconnect_interval, 10.0),
            (defaults.reconnect_timeout, 6.0 * 3600.0),
            (defaults.peers_resolve_timeout, 15.0),
        ];
        for (duration, expected) in seconds {
            assert_eq!(duration.as_secs_f64(), expected);
        }
        assert!(settings(&["--cluster.listen-address="]).unwrap().is_none());
        let error = settings(&["--cluster.gossip-interval=0s"]).unwrap_err();
        assert_eq!(error, "--cluster.gossip-interval must be greater than zero");
    }

    #[test]
    fn addresses_without_a_host_are_every_address() {
        assert_eq!(address(":9094").unwrap().to_string(), "0.0.0.0:9094");
        assert_eq!(address("127.0.0.1:1").unwrap().to_string(), "127.0.0.1:1");
        assert_eq!(address("here").unwrap_err(), "address here: missing port in address");
    }

    #[test]
    fn keys_are_lines_of_base64() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        let arg = format!("--cluster.encryption-keys-file={}", path.display());
        let keys = |text: &str| {
            std::fs::write(&path, text).unwrap();
            settings(&[&arg]).unwrap().unwrap().keys().map(|keys| keys.is_some())
        };
        assert_eq!(keys("# new\nAAAAAAAAAAAAAAAAAAAAAA==\n\nAAAAAAAAAAAAAAAAAAAAAQ==\n"), Ok(true));
        for (text, error) in [
            ("", "at least one key is needed"),
            ("AAAA", "a key must have 16 or 32 bytes, not 3"),
            ("*", "a key is not base64"),
        ] {
            assert!(keys(text).unwrap_err().ends_with(error), "{text:?}");
        }
    }
}
