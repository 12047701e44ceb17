//! The Alertmanager's own metrics, under the original's names.

use std::time::Duration;

use expfmt::{Counter, CounterVec, Family, Gauge, Histogram, HistogramVec, Metric, MetricValue, Registry};
use model::{Labels, MetricType};

use crate::notification::FailureReason;

/// Kinds of integrations whose series exist from the start.
pub const KINDS: [&str; 18] = [
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

/// Go's default latency bounds, in seconds.
const LATENCY_BOUNDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Which label values beyond the usual ones metrics carry; each can be many.
#[derive(Debug, Clone, Copy, Default)]
pub struct MetricLabels {
    /// `alertname` on what counts limited alerts.
    pub alert_names: bool,
    /// `receiver_name` on what counts notifications.
    pub receiver_names: bool,
}

#[derive(Clone)]
pub(crate) struct Metrics {
    pub labels: MetricLabels,
    pub received: CounterVec,
    pub invalid: CounterVec,
    pub limited: CounterVec,
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
    /// Time from a batch of alerts to its groups.
    pub processing: Timing,
    pub alert_journal_errors: Counter,
}

impl Metrics {
    pub fn new(registry: &Registry, labels: MetricLabels) -> Metrics {
        let by_integration: &[&str] =
            if labels.receiver_names { &["integration", "receiver_name"] } else { &["integration"] };
        let by_reason = [by_integration, &["reason"]].concat();
        let metrics = Metrics {
            labels,
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
            limited: registry.counter_vec(
                "alertmanager_alerts_limited_total",
                "Total number of alerts that were dropped due to per alert name limit",
                if labels.alert_names { &["alertname"] } else { &[] },
            ),
            notifications: registry.counter_vec(
                "alertmanager_notifications_total",
                "The total number of attempted notifications.",
                by_integration,
            ),
            failed: registry.counter_vec(
                "alertmanager_notifications_failed_total",
                "The total number of failed notifications.",
                &by_reason,
            ),
            requests: registry.counter_vec(
                "alertmanager_notification_requests_total",
                "The total number of attempted notification requests.",
                by_integration,
            ),
            requests_failed: registry.counter_vec(
                "alertmanager_notification_requests_failed_total",
                "The total number of failed notification requests.",
                by_integration,
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
                by_integration,
                &[1.0, 5.0, 10.0, 15.0, 20.0],
            ),
            groups: registry
                .gauge("alertmanager_dispatcher_aggregation_groups", "Number of active aggregation groups"),
            receivers: registry.gauge("alertmanager_receivers", "Number of configured receivers."),
            integrations: registry.gauge("alertmanager_integrations", "Number of configured integrations."),
            inhibition_rules: registry
                .gauge("alertmanager_inhibition_rules", "Number of configured inhibition rules."),
            processing: Timing::new(
                registry,
                "alertmanager_dispatcher_alert_processing_duration_seconds",
                "Summary of latencies for the processing of alerts.",
            ),
            alert_journal_errors: registry.counter(
                "cloudos_monitor_alert_journal_errors_total",
                "Writes of alerts to disk that failed; the alerts are held in memory all the same.",
            ),
        };
        for status in ["firing", "resolved"] {
            metrics.received.with(&[status, "v2"]);
        }
        metrics.invalid.with(&["v2"]);
        if !labels.alert_names {
            metrics.limited.with(&[]);
        }
        for reason in MUTE_REASONS {
            metrics.suppressed.with(&[reason]);
        }
        if !labels.receiver_names {
            for kind in KINDS {
                metrics.begin(&[kind]);
            }
        }
        metrics
    }

    /// Label values of an integration's metrics.
    pub fn labels<'a>(&self, kind: &'a str, receiver: &'a str) -> Vec<&'a str> {
        if self.labels.receiver_names { vec![kind, receiver] } else { vec![kind] }
    }

    /// Makes an integration's series exist.
    pub fn begin(&self, integration: &[&str]) {
        self.notifications.with(integration);
        self.requests.with(integration);
        self.requests_failed.with(integration);
        self.latency.with(integration);
        for reason in FailureReason::ALL {
            self.failed.with(&[integration, &[reason.as_str()]].concat());
        }
    }
}

/// What silences and the notification log both count: their queries and their upkeep.
#[derive(Clone)]
pub(crate) struct StateMetrics {
    pub queries: Counter,
    pub query_duration: Histogram,
    pub gc_duration: Timing,
    pub snapshot_duration: Timing,
    pub maintenance: Counter,
    pub maintenance_errors: Counter,
    pub propagated: Counter,
}

impl StateMetrics {
    /// `prefix` is `alertmanager_nflog` or `alertmanager_silences`; `subject` names it in help texts.
    pub fn new(registry: &Registry, prefix: &str, subject: &str) -> StateMetrics {
        let name = |suffix: &str| format!("{prefix}_{suffix}");
        let counter = |suffix: &str, help: String| registry.counter(&name(suffix), &help);
        // Reading from memory cannot fail; the series is there because dashboards ask for it.
        counter("query_errors_total", format!("Number of {subject} queries that failed."));
        StateMetrics {
            queries: counter("queries_total", format!("Number of {subject} queries received.")),
            query_duration: registry.histogram(
                &name("query_duration_seconds"),
                &format!("Duration of {subject} query evaluation."),
                &LATENCY_BOUNDS,
            ),
            gc_duration: Timing::new(
                registry,
                &name("gc_duration_seconds"),
                &format!("Duration of the last {subject} garbage collection cycle."),
            ),
            snapshot_duration: Timing::new(
                registry,
                &name("snapshot_duration_seconds"),
                &format!("Duration of the last {subject} snapshot."),
            ),
            maintenance: counter(
                "maintenance_total",
                format!("How many maintenances were executed for the {subject}."),
            ),
            maintenance_errors: counter(
                "maintenance_errors_total",
                format!("How many maintenances were executed for the {subject} that failed."),
            ),
            propagated: counter(
                "gossip_messages_propagated_total",
                "Number of received gossip messages that have been further gossiped.".into(),
            ),
        }
    }
}

/// What is counted about silences.
#[derive(Clone)]
pub(crate) struct SilenceMetrics {
    pub state: StateMetrics,
    pub scanned: Counter,
    pub skipped: Counter,
}

impl SilenceMetrics {
    pub fn new(registry: &Registry) -> SilenceMetrics {
        // Refused when they are set and when they are read back, so these stay at zero.
        let errors = registry.counter_vec(
            "alertmanager_silences_matcher_compile_errors_total",
            "How many silence matcher compilations failed.",
            &["stage"],
        );
        for stage in ["index", "load_snapshot"] {
            errors.with(&[stage]);
        }
        registry
            .counter("alertmanager_silences_gc_errors_total", "How many silence GC errors were encountered.");
        SilenceMetrics {
            state: StateMetrics::new(registry, "alertmanager_silences", "silence"),
            scanned: registry.counter(
                "alertmanager_silences_query_silences_scanned_total",
                "How many silences were scanned during query evaluation.",
            ),
            skipped: registry.counter(
                "alertmanager_silences_query_silences_skipped_total",
                "How many silences were skipped during query evaluation using the version index.",
            ),
        }
    }
}

/// A summary without quantiles: how often and how long altogether.
#[derive(Clone)]
pub(crate) struct Timing {
    seconds: Gauge,
    count: Counter,
}

impl Timing {
    pub fn new(registry: &Registry, name: &str, help: &str) -> Timing {
        let cells = Registry::new();
        let timing = Timing { seconds: cells.gauge("sum", ""), count: cells.counter("count", "") };
        let (shown, name, help) = (timing.clone(), name.to_owned(), help.to_owned());
        registry.collector(move |out| {
            let mut family = Family::new(&name, &help, MetricType::Summary);
            family.metrics.push(Metric {
                labels: Labels::empty(),
                value: MetricValue::Summary {
                    quantiles: Vec::new(),
                    sum: shown.seconds.get(),
                    count: shown.count.get() as f64,
                },
                timestamp: None,
            });
            out.push(family);
        });
        timing
    }

    pub fn observe(&self, duration: Duration) {
        self.seconds.add(duration.as_secs_f64());
        self.count.inc();
    }
}
