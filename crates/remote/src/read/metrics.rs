//! Metrics of remote reading, under the original's names.

use expfmt::{CounterVec, Gauge, GaugeVec, Histogram, HistogramVec, Registry};

use crate::config::RemoteReadConfig;

const DURATION_BOUNDS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 60.0];

pub struct ReadFamilies {
    running: GaugeVec,
    total: CounterVec,
    duration: HistogramVec,
}

/// The metrics of one remote.
pub struct ReadMetrics {
    pub running: Gauge,
    pub duration: Histogram,
    total: CounterVec,
    labels: [String; 2],
}

impl ReadFamilies {
    pub fn new(registry: &Registry) -> ReadFamilies {
        let labels = &["remote_name", "url"];
        ReadFamilies {
            running: registry.gauge_vec(
                "prometheus_remote_read_client_queries",
                "The number of in-flight remote read queries.",
                labels,
            ),
            total: registry.counter_vec(
                "prometheus_remote_read_client_queries_total",
                "The total number of remote read queries.",
                &["remote_name", "url", "code"],
            ),
            duration: registry.histogram_vec(
                "prometheus_remote_read_client_request_duration_seconds",
                "Histogram of the latency for remote read requests.",
                labels,
                DURATION_BOUNDS,
            ),
        }
    }

    pub fn of(&self, config: &RemoteReadConfig) -> ReadMetrics {
        let labels = [config.label(), config.url.clone()];
        let texts = [labels[0].as_str(), labels[1].as_str()];
        ReadMetrics {
            running: self.running.with(&texts),
            duration: self.duration.with(&texts),
            total: self.total.clone(),
            labels,
        }
    }
}

impl ReadMetrics {
    /// `code` is the status, or empty when there was no answer.
    pub fn count(&self, code: &str) {
        self.total.with(&[&self.labels[0], &self.labels[1], code]).inc();
    }
}
