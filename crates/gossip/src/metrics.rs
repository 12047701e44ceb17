//! The cluster's own metrics, under the original's names.

use std::collections::BTreeSet;

use expfmt::{Counter, CounterVec, Histogram, HistogramVec, Registry};

const PING_BOUNDS: [f64; 7] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5];
const SEND_BOUNDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// A message of the layer above that tells a change, or everything.
pub const UPDATE: &str = "update";
pub const FULL_STATE: &str = "full_state";

pub struct Metrics {
    pub received: CounterVec,
    pub received_bytes: CounterVec,
    pub sent: CounterVec,
    pub sent_bytes: CounterVec,
    pub pruned: Counter,
    pub alive: CounterVec,
    pub pings: HistogramVec,
    pub conflicts: Counter,
    pub joined: Counter,
    pub left: Counter,
    pub updated: Counter,
    pub reconnections: Counter,
    pub reconnections_failed: Counter,
    pub refreshed: Counter,
    pub refresh_failed: Counter,
    /// Packets, connections and messages that were not taken in, by reason.
    pub refused: CounterVec,
    large_sent: CounterVec,
    large_dropped: CounterVec,
    large_failed: CounterVec,
    large_seconds: HistogramVec,
}

/// Of messages too large for a packet, one per state.
#[derive(Clone)]
pub struct LargeMetrics {
    pub sent: Counter,
    pub dropped: Counter,
    pub failed: Counter,
    pub seconds: Histogram,
}

impl Metrics {
    pub fn new(registry: &Registry, name: &str, keys: &[&'static str]) -> Metrics {
        let counter =
            |name: &str, help: &str| registry.counter(&format!("alertmanager_cluster_{name}"), help);
        let by_type = |name: &str, help: &str| {
            registry.counter_vec(&format!("alertmanager_cluster_{name}"), help, &["msg_type"])
        };
        let by_key = |name: &str, help: &str| {
            registry.counter_vec(&format!("alertmanager_oversized_gossip_message_{name}"), help, &["key"])
        };
        registry
            .gauge_vec(
                "alertmanager_cluster_peer_info",
                "A metric with a constant '1' value labeled by peer name.",
                &["peer"],
            )
            .with(&[name])
            .set(1.0);
        let metrics = Metrics {
            received: by_type("messages_received_total", "Total number of cluster messages received."),
            received_bytes: by_type(
                "messages_received_size_total",
                "Total size of cluster messages received.",
            ),
            sent: by_type("messages_sent_total", "Total number of cluster messages sent."),
            sent_bytes: by_type("messages_sent_size_total", "Total size of cluster messages sent."),
            pruned: counter("messages_pruned_total", "Total number of cluster messages pruned."),
            alive: registry.counter_vec(
                "alertmanager_cluster_alive_messages_total",
                "Total number of received alive messages.",
                &["peer"],
            ),
            pings: registry.histogram_vec(
                "alertmanager_cluster_pings_seconds",
                "Histogram of latencies for ping messages.",
                &["peer"],
                &PING_BOUNDS,
            ),
            conflicts: counter(
                "peer_name_conflicts_total",
                "Total number of times memberlist has noticed conflicting peer names",
            ),
            joined: counter("peers_joined_total", "A counter of the number of peers that have joined."),
            left: counter("peers_left_total", "A counter of the number of peers that have left."),
            updated: counter(
                "peers_update_total",
                "A counter of the number of peers that have updated metadata.",
            ),
            reconnections: counter(
                "reconnections_total",
                "A counter of the number of cluster peer reconnections.",
            ),
            reconnections_failed: counter(
                "reconnections_failed_total",
                "A counter of the number of failed cluster peer reconnection attempts.",
            ),
            refreshed: counter(
                "refresh_join_total",
                "A counter of the number of cluster peer joined via refresh.",
            ),
            refresh_failed: counter(
                "refresh_join_failed_total",
                "A counter of the number of failed cluster peer joined attempts via refresh.",
            ),
            refused: registry.counter_vec(
                "cloudos_monitor_cluster_refused_total",
                "Packets, connections and messages from the cluster's network that were not taken in.",
                &["reason"],
            ),
            large_sent: by_key("sent_total", "Number of oversized gossip message sent."),
            large_dropped: by_key(
                "dropped_total",
                "Number of oversized gossip messages that were dropped due to a full message queue.",
            ),
            large_failed: by_key("failure_total", "Number of oversized gossip message sends that failed."),
            large_seconds: registry.histogram_vec(
                "alertmanager_oversize_gossip_message_duration_seconds",
                "Duration of oversized gossip message requests.",
                &["key"],
                &SEND_BOUNDS,
            ),
        };
        for kind in [FULL_STATE, UPDATE] {
            for family in [&metrics.received, &metrics.received_bytes, &metrics.sent, &metrics.sent_bytes] {
                family.with(&[kind]);
            }
        }
        for reason in ["packet", "connection", "queue", "member"] {
            metrics.refused.with(&[reason]);
        }
        keys.iter().for_each(|key| drop(metrics.large(key)));
        metrics
    }

    pub fn large(&self, key: &str) -> LargeMetrics {
        LargeMetrics {
            sent: self.large_sent.with(&[key]),
            dropped: self.large_dropped.with(&[key]),
            failed: self.large_failed.with(&[key]),
            seconds: self.large_seconds.with(&[key]),
        }
    }

    pub fn count(&self, sent: bool, kind: &str, bytes: usize) {
        let (count, size) =
            if sent { (&self.sent, &self.sent_bytes) } else { (&self.received, &self.received_bytes) };
        count.with(&[kind]).inc();
        size.with(&[kind]).add(bytes as u64);
    }

    /// Forgets the series of peers that nobody remembers any more.
    pub fn retain_peers(&self, known: &mut BTreeSet<String>, remembered: &BTreeSet<String>) {
        known.retain(|name| {
            let stays = remembered.contains(name);
            if !stays {
                self.alive.remove(&[name]);
                self.pings.remove(&[name]);
            }
            stays
        });
    }
}
