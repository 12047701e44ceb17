//! Metrics of rules and notifications, under Prometheus' names.

use expfmt::{Counter, CounterVec, Gauge, GaugeVec, Histogram, HistogramVec, Registry};

use crate::summary::Summary;

/// Bounds of the histograms beside the summaries.
const SECONDS: &[f64] = &[0.01, 0.1, 1.0, 10.0];

#[derive(Clone)]
pub struct RuleMetrics {
    pub(crate) evaluations: CounterVec,
    pub(crate) evaluation_failures: CounterVec,
    evaluation_summary: Summary,
    evaluation_seconds: Histogram,
    group_summary: Summary,
    group_seconds: Histogram,
    pub(crate) iterations: CounterVec,
    pub(crate) iterations_missed: CounterVec,
    pub(crate) group_interval: GaugeVec,
    pub(crate) group_last_duration: GaugeVec,
    pub(crate) group_last_rule_sum: GaugeVec,
    pub(crate) group_last_restore: GaugeVec,
    pub(crate) group_last_evaluation: GaugeVec,
    pub(crate) group_last_samples: GaugeVec,
    pub(crate) group_rules: GaugeVec,
    pub(crate) expansions: Counter,
    pub(crate) expansion_failures: Counter,
    latency_summary: Summary,
    latency_seconds: HistogramVec,
    pub(crate) sent: CounterVec,
    pub(crate) errors: CounterVec,
    pub(crate) dropped: CounterVec,
    pub(crate) queue_length: GaugeVec,
    pub(crate) queue_capacity: Gauge,
    pub(crate) alertmanagers: Gauge,
}

impl RuleMetrics {
    pub fn new(registry: &Registry) -> RuleMetrics {
        let group_counter = |name: &str, help: &str| {
            registry.counter_vec(&format!("prometheus_rule_{name}"), help, &["rule_group"])
        };
        let group_gauge = |name: &str, help: &str| {
            registry.gauge_vec(&format!("prometheus_rule_group_{name}"), help, &["rule_group"])
        };
        let receiver_counter = |name: &str, help: &str| {
            registry.counter_vec(&format!("prometheus_notifications_{name}"), help, &["alertmanager"])
        };
        RuleMetrics {
            evaluations: group_counter("evaluations_total", "The total number of rule evaluations."),
            evaluation_failures: group_counter(
                "evaluation_failures_total",
                "The total number of rule evaluation failures.",
            ),
            evaluation_summary: Summary::new(
                registry,
                "prometheus_rule_evaluation_duration_seconds",
                "The duration for a rule to execute.",
                None,
                &[0.5, 0.9, 0.99],
            ),
            evaluation_seconds: registry.histogram(
                "prometheus_rule_evaluation_duration_histogram_seconds",
                "The duration for a rule to execute.",
                SECONDS,
            ),
            group_summary: Summary::new(
                registry,
                "prometheus_rule_group_duration_seconds",
                "The duration of rule group evaluations.",
                None,
                &[0.01, 0.05, 0.5, 0.9, 0.99],
            ),
            group_seconds: registry.histogram(
                "prometheus_rule_group_duration_histogram_seconds",
                "The duration of rule group evaluations.",
                SECONDS,
            ),
            iterations: group_counter(
                "group_iterations_total",
                "The total number of scheduled rule group evaluations, whether executed or missed.",
            ),
            iterations_missed: group_counter(
                "group_iterations_missed_total",
                "The total number of rule group evaluations missed due to slow rule group evaluation.",
            ),
            group_interval: group_gauge("interval_seconds", "The interval of a rule group."),
            group_last_duration: group_gauge(
                "last_duration_seconds",
                "The duration of the last rule group evaluation.",
            ),
            group_last_rule_sum: group_gauge(
                "last_rule_duration_sum_seconds",
                "The sum of time in seconds it took to evaluate each rule in the group regardless of concurrency. \
                 This should be higher than the group duration if rules are evaluated concurrently.",
            ),
            group_last_restore: group_gauge(
                "last_restore_duration_seconds",
                "The duration of the last alert rules alerts restoration using the `ALERTS_FOR_STATE` series.",
            ),
            group_last_evaluation: group_gauge(
                "last_evaluation_timestamp_seconds",
                "The timestamp of the last rule group evaluation in seconds.",
            ),
            group_last_samples: group_gauge(
                "last_evaluation_samples",
                "The number of samples returned during the last rule group evaluation.",
            ),
            group_rules: group_gauge("rules", "The number of rules."),
            expansions: registry.counter(
                "prometheus_template_text_expansions_total",
                "The total number of template text expansions.",
            ),
            expansion_failures: registry.counter(
                "prometheus_template_text_expansion_failures_total",
                "The total number of template text expansion failures.",
            ),
            latency_summary: Summary::new(
                registry,
                "prometheus_notifications_latency_seconds",
                "Latency quantiles for sending alert notifications.",
                Some("alertmanager"),
                &[0.5, 0.9, 0.99],
            ),
            latency_seconds: registry.histogram_vec(
                "prometheus_notifications_latency_histogram_seconds",
                "Latency histogram for sending alert notifications.",
                &["alertmanager"],
                SECONDS,
            ),
            sent: receiver_counter("sent_total", "Total number of alerts sent."),
            errors: receiver_counter("errors_total", "Total number of sent alerts affected by errors."),
            dropped: receiver_counter(
                "dropped_total",
                "Total number of alerts dropped due to errors when sending to Alertmanager.",
            ),
            queue_length: registry.gauge_vec(
                "prometheus_notifications_queue_length",
                "The number of alert notifications in the queue.",
                &["alertmanager"],
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

    pub(crate) fn rule_took(&self, seconds: f64) {
        self.evaluation_summary.observe("", seconds);
        self.evaluation_seconds.observe(seconds);
    }

    pub(crate) fn group_took(&self, seconds: f64) {
        self.group_summary.observe("", seconds);
        self.group_seconds.observe(seconds);
    }

    pub(crate) fn sending_took(&self, url: &str, seconds: f64) {
        self.latency_summary.observe(url, seconds);
        self.latency_seconds.with(&[url]).observe(seconds);
    }

    /// Everything about a group is there from its start, at zero.
    pub(crate) fn begin_group(&self, key: &str, interval_ms: i64, rules: usize) {
        let counters =
            [&self.evaluations, &self.evaluation_failures, &self.iterations, &self.iterations_missed];
        for counter in counters {
            counter.with(&[key]);
        }
        let gauges = [
            &self.group_last_duration,
            &self.group_last_rule_sum,
            &self.group_last_evaluation,
            &self.group_last_samples,
        ];
        for gauge in gauges {
            gauge.with(&[key]);
        }
        self.group_interval.with(&[key]).set(interval_ms as f64 / 1000.0);
        self.group_rules.with(&[key]).set(rules as f64);
    }

    pub(crate) fn end_group(&self, key: &str) {
        let counters =
            [&self.evaluations, &self.evaluation_failures, &self.iterations, &self.iterations_missed];
        for counter in counters {
            counter.remove(&[key]);
        }
        let gauges = [
            &self.group_interval,
            &self.group_rules,
            &self.group_last_duration,
            &self.group_last_rule_sum,
            &self.group_last_restore,
            &self.group_last_evaluation,
            &self.group_last_samples,
        ];
        for gauge in gauges {
            gauge.remove(&[key]);
        }
    }

    pub(crate) fn begin_receiver(&self, url: &str) {
        for counter in [&self.sent, &self.errors, &self.dropped] {
            counter.with(&[url]);
        }
        self.queue_length.with(&[url]);
    }

    pub(crate) fn end_receiver(&self, url: &str) {
        for counter in [&self.sent, &self.errors, &self.dropped] {
            counter.remove(&[url]);
        }
        self.queue_length.remove(&[url]);
        self.latency_summary.remove(url);
        self.latency_seconds.remove(&[url]);
    }
}
