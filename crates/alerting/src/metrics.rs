//! The Alertmanager's own metrics, under the original's names.

use expfmt::{CounterVec, Gauge, HistogramVec, Registry};

use crate::notification::FailureReason;

/// Kinds of integrations whose series exist from the start.
const KINDS: [&str; 18] = [
    "pagerduty",
    "email",
    "pushover",
    "slack",
    "opsgenie",
    "webhook",
    "victorops",
    "sns",
    "telegram",
    "discord",
    "webex",
    "msteams",
    "msteamsv2",
    "incidentio",
    "jira",
    "rocketchat",
    "mattermost",
    "wechat",
];

const MUTE_REASONS: [&str; 4] = ["silence", "inhibition", "mute_time_interval", "active_time_interval"];

#[derive(Clone)]
pub(crate) struct Metrics {
    pub received: CounterVec,
    pub invalid: CounterVec,
    pub notifications: CounterVec,
    pub failed: CounterVec,
    pub requests: CounterVec,
    pub requests_failed: CounterVec,
    pub suppressed: CounterVec,
    pub latency: HistogramVec,
    pub groups: Gauge,
    pub receivers: Gauge,
    pub integrations: Gauge,
    pub inhibition_rules: Gauge,
}

impl Metrics {
    pub fn new(registry: &Registry) -> Metrics {
        let metrics = Metrics {
            received: registry.counter_vec(
                "alertmanager_alerts_received_total",
                "The total number of received alerts.",
                &["status", "version"],
            ),
            invalid: registry.counter_vec(
                "alertmanager_alerts_invalid_total",
                "The total number of received alerts that were invalid.",
                &["version"],
            ),
            notifications: registry.counter_vec(
                "alertmanager_notifications_total",
                "The total number of attempted notifications.",
                &["integration"],
            ),
            failed: registry.counter_vec(
                "alertmanager_notifications_failed_total",
                "The total number of failed notifications.",
                &["integration", "reason"],
            ),
            requests: registry.counter_vec(
                "alertmanager_notification_requests_total",
                "The total number of attempted notification requests.",
                &["integration"],
            ),
            requests_failed: registry.counter_vec(
                "alertmanager_notification_requests_failed_total",
                "The total number of failed notification requests.",
                &["integration"],
            ),
            suppressed: registry.counter_vec(
                "alertmanager_notifications_suppressed_total",
                "The total number of notifications suppressed for being silenced, inhibited, outside of \
                 active time intervals or within muted time intervals.",
                &["reason"],
            ),
            latency: registry.histogram_vec(
                "alertmanager_notification_latency_seconds",
                "The latency of notifications in seconds.",
                &["integration"],
                &[1.0, 5.0, 10.0, 15.0, 20.0],
            ),
            groups: registry
                .gauge("alertmanager_dispatcher_aggregation_groups", "Number of active aggregation groups"),
            receivers: registry.gauge("alertmanager_receivers", "Number of configured receivers."),
            integrations: registry.gauge("alertmanager_integrations", "Number of configured integrations."),
            inhibition_rules: registry
                .gauge("alertmanager_inhibition_rules", "Number of configured inhibition rules."),
        };
        for status in ["firing", "resolved"] {
            metrics.received.with(&[status, "v2"]);
        }
        metrics.invalid.with(&["v2"]);
        for reason in MUTE_REASONS {
            metrics.suppressed.with(&[reason]);
        }
        for kind in KINDS {
            metrics.notifications.with(&[kind]);
            metrics.requests.with(&[kind]);
            metrics.requests_failed.with(&[kind]);
            metrics.latency.with(&[kind]);
            for reason in FailureReason::ALL {
                metrics.failed.with(&[kind, reason.as_str()]);
            }
        }
        metrics
    }
}
