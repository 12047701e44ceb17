//! Metrics of rules and notifications, under Prometheus' names.

use expfmt::{Counter, CounterVec, Gauge, GaugeVec, Histogram, Registry};

#[derive(Clone)]
pub struct RuleMetrics {
    pub(crate) evaluations: CounterVec,
    pub(crate) evaluation_failures: CounterVec,
    pub(crate) evaluation_seconds: Histogram,
    pub(crate) iterations: CounterVec,
    pub(crate) iterations_missed: CounterVec,
    pub(crate) group_interval: GaugeVec,
    pub(crate) group_last_duration: GaugeVec,
    pub(crate) group_last_evaluation: GaugeVec,
    pub(crate) group_rules: GaugeVec,
    pub(crate) sent: CounterVec,
    pub(crate) errors: CounterVec,
    pub(crate) dropped: Counter,
    pub(crate) queue_length: Gauge,
    pub(crate) queue_capacity: Gauge,
    pub(crate) alertmanagers: Gauge,
}

impl RuleMetrics {
    pub fn new(registry: &Registry) -> RuleMetrics {
        let group = &["rule_group"];
        let am = &["alertmanager"];
        RuleMetrics {
            evaluations: registry.counter_vec(
                "prometheus_rule_evaluations_total",
                "The total number of rule evaluations.",
                group,
            ),
            evaluation_failures: registry.counter_vec(
                "prometheus_rule_evaluation_failures_total",
                "The total number of rule evaluation failures.",
                group,
            ),
            evaluation_seconds: registry.histogram(
                "prometheus_rule_evaluation_duration_histogram_seconds",
                "The duration of rule evaluations.",
                &[0.001, 0.01, 0.1, 1.0, 10.0],
            ),
            iterations: registry.counter_vec(
                "prometheus_rule_group_iterations_total",
                "The total number of scheduled rule group evaluations, whether executed or missed.",
                group,
            ),
            iterations_missed: registry.counter_vec(
                "prometheus_rule_group_iterations_missed_total",
                "The total number of rule group evaluations missed due to slow rule group evaluation.",
                group,
            ),
            group_interval: registry.gauge_vec(
                "prometheus_rule_group_interval_seconds",
                "The interval of a rule group.",
                group,
            ),
            group_last_duration: registry.gauge_vec(
                "prometheus_rule_group_last_duration_seconds",
                "The duration of the last rule group evaluation.",
                group,
            ),
            group_last_evaluation: registry.gauge_vec(
                "prometheus_rule_group_last_evaluation_timestamp_seconds",
                "The timestamp of the last rule group evaluation in seconds.",
                group,
            ),
            group_rules: registry.gauge_vec("prometheus_rule_group_rules", "The number of rules.", group),
            sent: registry.counter_vec(
                "prometheus_notifications_sent_total",
                "Total number of alerts sent.",
                am,
            ),
            errors: registry.counter_vec(
                "prometheus_notifications_errors_total",
                "Total number of sent alerts affected by errors.",
                am,
            ),
            dropped: registry.counter(
                "prometheus_notifications_dropped_total",
                "Total number of alerts dropped due to errors when sending to Alertmanager.",
            ),
            queue_length: registry.gauge(
                "prometheus_notifications_queue_length",
                "The number of alert notifications in the queue.",
            ),
            queue_capacity: registry.gauge(
                "prometheus_notifications_queue_capacity",
                "The capacity of the alert notifications queue.",
            ),
            alertmanagers: registry.gauge(
                "prometheus_notifications_alertmanagers_discovered",
                "The number of alertmanagers discovered and active.",
            ),
        }
    }
}
