//! The `cloudos_*` metrics that a host can tell by itself.
//!
//! Built on the node and container collectors: `system` turns their figures into percentages and types,
//! `containers` adds the engine's states and restarts, `auth_log` counts logins as they are written,
//! `sessions` counts who is logged in, `Peers` says how the neighbours are.
//!
//! What only applications know (inference, incidents, savings, ...) is not here: they export it themselves
//! or push it. A metric without a source is absent; no zero is invented.

mod auth_log;
mod containers;
mod sessions;
mod system;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use collect_container::ContainerCollector;
use collect_node::{NodeCollector, Sink};
use expfmt::{Family, LabelPairs};

#[derive(Debug, Clone)]
pub struct Settings {
    /// What `/proc`, `/sys` and mount filters the host figures are read with.
    pub node: collect_node::Settings,
    /// Files with authentication messages; those that exist are followed.
    pub auth_logs: Vec<PathBuf>,
    /// systemd-logind's sessions, one file each.
    pub logind: PathBuf,
    /// Login records, used where logind does not run.
    pub utmp: PathBuf,
}

impl Settings {
    pub fn new() -> Result<Settings, collect_node::SettingsError> {
        let mut node = collect_node::Settings::new()?;
        node.enabled = system::COLLECTORS.into_iter().collect();
        Ok(Settings {
            node,
            auth_logs: vec!["/var/log/auth.log".into(), "/var/log/secure".into()],
            logind: "/run/systemd/sessions".into(),
            utmp: "/var/run/utmp".into(),
        })
    }
}

/// Whoever knows how the other members of the cluster are.
pub trait Peers: Send + Sync {
    fn health(&self) -> PeerHealth;
}

/// Members by state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PeerHealth {
    pub healthy: usize,
    pub unhealthy: usize,
    /// Not asked yet.
    pub unknown: usize,
}

/// Reads the host, and remembers what percentages and counts need: the figures of the scrape before, and
/// how far the logs were read.
pub struct CloudosCollector {
    settings: Settings,
    node: NodeCollector,
    containers: Arc<ContainerCollector>,
    peers: Option<Arc<dyn Peers>>,
    cpu: Mutex<system::CpuWindow>,
    container_cpu: Mutex<containers::CpuWindow>,
    auth: Mutex<auth_log::AuthLogs>,
}

impl CloudosCollector {
    /// Authentication attempts count from here on.
    pub fn new(
        settings: Settings,
        containers: Arc<ContainerCollector>,
        peers: Option<Arc<dyn Peers>>,
    ) -> CloudosCollector {
        let node = NodeCollector::new(settings.node.clone());
        let auth = Mutex::new(auth_log::AuthLogs::open(&settings.auth_logs));
        CloudosCollector {
            settings,
            node,
            containers,
            peers,
            cpu: Mutex::default(),
            container_cpu: Mutex::default(),
            auth,
        }
    }

    /// All families, sorted by name. Blocking.
    pub fn collect(&self) -> Vec<Family<LabelPairs>> {
        let mut out = Sink::with_capacity(16);
        let host = self.node.collect(&self.node.all());
        system::emit(&host, &mut lock(&self.cpu), &mut out);
        let snapshot = self.containers.collect();
        containers::emit(&snapshot, &mut lock(&self.container_cpu), &mut out);
        lock(&self.auth).emit(&mut out);
        let help = "Sessions of users that are logged in now.";
        let sessions = sessions::count(&self.settings.logind, &self.settings.utmp);
        out.gauge("cloudos_active_sessions", help, &[], sessions as f64);
        if let Some(peers) = &self.peers {
            let health = peers.health();
            for (state, count) in
                [("healthy", health.healthy), ("unhealthy", health.unhealthy), ("unknown", health.unknown)]
            {
                let help = "Members of the cluster by state.";
                out.gauge("cloudos_cluster_nodes_total", help, &[("state", state)], count as f64);
            }
        }
        out.finish()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
