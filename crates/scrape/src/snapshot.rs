//! What status pages and the API see of the targets.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use config::Duration;
use model::{Labels, Metadata};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Health {
    Unknown,
    Up,
    Down,
}

impl Health {
    pub fn as_str(self) -> &'static str {
        match self {
            Health::Unknown => "unknown",
            Health::Up => "up",
            Health::Down => "down",
        }
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// All targets at one moment, by pool and then by URL.
#[derive(Debug, Clone, Default)]
pub struct TargetsSnapshot {
    pub active: Vec<ActiveTarget>,
    /// At most `keep_dropped_targets` of each pool.
    pub dropped: Vec<DroppedTarget>,
    /// All dropped ones by pool.
    pub dropped_counts: BTreeMap<String, u64>,
}

#[derive(Debug, Clone)]
pub struct ActiveTarget {
    pub discovered_labels: Labels,
    pub labels: Labels,
    pub scrape_pool: String,
    pub scrape_url: String,
    /// The URL as seen from another machine: loopback names become this host's name.
    pub global_url: String,
    /// Empty when the last scrape went well.
    pub last_error: String,
    /// `None` before the first scrape.
    pub last_scrape_ms: Option<i64>,
    /// Seconds.
    pub last_scrape_duration: f64,
    pub health: Health,
    pub scrape_interval: Duration,
    pub scrape_timeout: Duration,
}

#[derive(Debug, Clone)]
pub struct DroppedTarget {
    pub discovered_labels: Labels,
    pub scrape_pool: String,
}

/// What one target says about its metrics.
#[derive(Debug, Clone)]
pub struct TargetMetadata {
    pub labels: Labels,
    /// By family name, sorted.
    pub families: Arc<Vec<(String, Metadata)>>,
}

/// Replaces a loopback host in `url` by `hostname`.
pub(crate) fn global_url(url: &str, hostname: &str) -> String {
    for loopback in ["localhost", "127.0.0.1", "[::1]"] {
        let Some((scheme, rest)) = url.split_once("://") else { break };
        let Some(after) = rest.strip_prefix(loopback) else { continue };
        if after.is_empty() || after.starts_with([':', '/', '?']) {
            return format!("{scheme}://{hostname}{after}");
        }
    }
    url.to_owned()
}

#[cfg(test)]
mod tests {
    #[test]
    fn loopback_is_replaced() {
        let check = |url: &str, expected: &str| assert_eq!(super::global_url(url, "box"), expected);
        check("http://localhost:9090/metrics", "http://box:9090/metrics");
        check("http://127.0.0.1/metrics", "http://box/metrics");
        check("http://[::1]:1/m", "http://box:1/m");
        check("http://localhosts:1/m", "http://localhosts:1/m");
    }
}
