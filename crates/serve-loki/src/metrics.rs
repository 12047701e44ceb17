//! The service's own metrics, in Loki's names.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use expfmt::{Counter, CounterVec, Gauge, HistogramVec, Registry};

use crate::state::Shared;

/// Loki's bounds for request durations, in seconds.
const BOUNDS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0];

/// The one tenant there is, by the name Loki gives it.
pub const TENANT: &str = "fake";

pub struct Metrics {
    requests: HistogramVec,
    pub bytes_received: Counter,
    pub metadata_bytes_received: Counter,
    pub lines_received: Counter,
    discarded_samples: CounterVec,
    discarded_bytes: CounterVec,
    pub query_bytes: Counter,
    pub query_lines: Counter,
    pub tails: Gauge,
}

impl Metrics {
    pub fn new(registry: &Registry) -> Metrics {
        let received = |name: &str, help: &str| registry.counter_vec(name, help, &["tenant"]).with(&[TENANT]);
        Metrics {
            requests: registry.histogram_vec(
                "loki_request_duration_seconds",
                "Time (in seconds) spent serving HTTP requests.",
                &["method", "route", "status_code", "ws"],
                BOUNDS,
            ),
            bytes_received: received(
                "loki_distributor_bytes_received_total",
                "The total number of uncompressed bytes received per tenant. Includes structured metadata bytes.",
            ),
            metadata_bytes_received: received(
                "loki_distributor_structured_metadata_bytes_received_total",
                "The total number of uncompressed bytes received per tenant for entries' structured metadata",
            ),
            lines_received: received(
                "loki_distributor_lines_received_total",
                "The total number of lines received per tenant",
            ),
            discarded_samples: registry.counter_vec(
                "loki_discarded_samples_total",
                "The total number of samples that were discarded.",
                &["reason", "tenant"],
            ),
            discarded_bytes: registry.counter_vec(
                "loki_discarded_bytes_total",
                "The total number of bytes that were discarded.",
                &["reason", "tenant"],
            ),
            query_bytes: registry.counter(
                "loki_logql_querystats_bytes_processed_total",
                "Bytes of lines and structured metadata read by queries.",
            ),
            query_lines: registry
                .counter("loki_logql_querystats_lines_processed_total", "Lines read by queries."),
            tails: registry.gauge("loki_querier_tail_active", "Number of active tailers."),
        }
    }

    pub fn discard(&self, reason: &str, samples: u64, bytes: u64) {
        self.discarded_samples.with(&[reason, TENANT]).add(samples);
        self.discarded_bytes.with(&[reason, TENANT]).add(bytes);
    }
}

/// Times every request under Loki's route names: `loki_api_v1_push`.
pub async fn observe(State(app): State<Shared>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let route = request.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str);
    let route = route.trim_matches('/').replace(['/', '-'], "_").replace(['{', '}', '*'], "");
    let method = request.method().as_str().to_owned();
    let websocket = if request.headers().contains_key("upgrade") { "true" } else { "false" };
    let response = next.run(request).await;
    let status = response.status();
    let labels = [method.as_str(), route.as_str(), status.as_str(), websocket];
    app.metrics.requests.with(&labels).observe(started.elapsed().as_secs_f64());
    response
}
