//! Promtail's metrics, under its names.

use std::sync::Arc;

use expfmt::{CounterVec, GaugeVec, HistogramVec, Registry};

use crate::stages::CustomMetrics;

/// Registered once; engines come and go with the configuration.
pub struct Metrics {
    pub(crate) read_bytes: GaugeVec,
    pub(crate) file_bytes: GaugeVec,
    pub(crate) read_lines: CounterVec,
    pub(crate) files_active: expfmt::Gauge,
    pub(crate) targets_active: expfmt::Gauge,
    pub(crate) targets_failed: CounterVec,
    pub(crate) encoded_bytes: CounterVec,
    pub(crate) sent_bytes: CounterVec,
    pub(crate) sent_entries: CounterVec,
    pub(crate) dropped_bytes: CounterVec,
    pub(crate) dropped_entries: CounterVec,
    pub(crate) mutated_entries: CounterVec,
    pub(crate) retries: CounterVec,
    pub(crate) request_seconds: HistogramVec,
    pub(crate) journal_lines: expfmt::Counter,
    pub(crate) journal_errors: CounterVec,
    dropped_lines: CounterVec,
    pub(crate) custom: Arc<CustomMetrics>,
}

impl Metrics {
    pub fn new(registry: &Registry) -> Metrics {
        let custom: Arc<CustomMetrics> = Arc::default();
        let shown = custom.clone();
        registry.collector(move |out| shown.collect(out));
        let reasons = &["host", "tenant", "reason"];
        Metrics {
            read_bytes: registry.gauge_vec(
                "promtail_read_bytes_total",
                "Bytes of a file that were read.",
                &["path"],
            ),
            file_bytes: registry.gauge_vec(
                "promtail_file_bytes_total",
                "Size of a followed file.",
                &["path"],
            ),
            read_lines: registry.counter_vec("promtail_read_lines_total", "Lines read of a file.", &["path"]),
            files_active: registry.gauge("promtail_files_active_total", "Files that are followed."),
            targets_active: registry.gauge("promtail_targets_active_total", "Targets that are active."),
            targets_failed: registry.counter_vec(
                "promtail_targets_failed_total",
                "Targets and files that could not be followed.",
                &["reason"],
            ),
            encoded_bytes: registry.counter_vec(
                "promtail_encoded_bytes_total",
                "Bytes of requests, encoded and ready to send.",
                &["host"],
            ),
            sent_bytes: registry.counter_vec(
                "promtail_sent_bytes_total",
                "Bytes of acknowledged requests.",
                &["host"],
            ),
            sent_entries: registry.counter_vec(
                "promtail_sent_entries_total",
                "Lines of acknowledged requests.",
                &["host"],
            ),
            dropped_bytes: registry.counter_vec(
                "promtail_dropped_bytes_total",
                "Bytes of lines that were given up.",
                reasons,
            ),
            dropped_entries: registry.counter_vec(
                "promtail_dropped_entries_total",
                "Lines that were given up.",
                reasons,
            ),
            mutated_entries: registry.counter_vec(
                "promtail_mutated_entries_total",
                "Lines that were cut to be accepted.",
                reasons,
            ),
            retries: registry.counter_vec(
                "promtail_batch_retries_total",
                "Requests that were tried again.",
                &["host", "tenant"],
            ),
            request_seconds: registry.histogram_vec(
                "promtail_request_duration_seconds",
                "Duration of push requests.",
                &["status_code", "host"],
                &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0],
            ),
            journal_lines: registry
                .counter("promtail_journal_target_lines_total", "Lines read of the journal."),
            journal_errors: registry.counter_vec(
                "promtail_journal_target_parsing_errors_total",
                "Journal entries that could not be used.",
                &["error"],
            ),
            dropped_lines: registry.counter_vec(
                "logentry_dropped_lines_total",
                "Lines that stages dropped.",
                &["reason"],
            ),
            custom,
        }
    }

    pub(crate) fn dropped_lines(&self, reason: &str) {
        self.dropped_lines.with(&[reason]).inc();
    }
}
