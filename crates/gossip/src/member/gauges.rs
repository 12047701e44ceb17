//! Metrics that are read when asked for.

use std::sync::Arc;

use expfmt::Registry;

use super::Member;

impl Member {
    pub(super) fn register(self: &Arc<Self>, registry: &Registry) {
        let gauge = |name: &str, help: &str, read: fn(&Member) -> f64| {
            // The registry must not keep the port open.
            let weak = Arc::downgrade(self);
            registry.gauge_fn(name, help, move || weak.upgrade().map_or(0.0, |member| read(&member)));
        };
        gauge(
            "alertmanager_cluster_members",
            "Number indicating current number of members in cluster.",
            |member| member.core().living_count() as f64,
        );
        gauge(
            "alertmanager_cluster_failed_peers",
            "Number indicating the current number of failed peers in the cluster.",
            |member| member.lost().len() as f64,
        );
        gauge(
            "alertmanager_cluster_health_score",
            "Health score of the cluster. Lower values are better and zero means 'totally healthy'.",
            |member| f64::from(member.core().health_score()),
        );
        gauge(
            "alertmanager_cluster_messages_queued",
            "Number of cluster messages which are queued.",
            |member| member.core().queued() as f64,
        );
        gauge(
            "alertmanager_peer_position",
            "Position the Alertmanager instance believes it's in. The position determines a peer's behavior \
             in the cluster.",
            |member| member.position() as f64,
        );
    }
}
