//! Request counters and the last line of defence against panics.

use std::time::Instant;

use axum::body::HttpBody;
use axum::extract::{MatchedPath, Request};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use expfmt::{CounterVec, HistogramVec, Registry};
use futures_util::FutureExt;

/// Latency bounds of Prometheus' own handlers, in seconds.
const BOUNDS: &[f64] = &[0.1, 0.2, 0.4, 1.0, 3.0, 8.0, 20.0, 60.0, 120.0];

/// Size bounds of the same, in bytes.
const SIZE_BOUNDS: &[f64] = &[100.0, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

/// Counts requests by handler and status and times them. Metric names are the original's.
#[derive(Clone)]
pub struct Instrument {
    requests: CounterVec,
    durations: HistogramVec,
    sizes: Option<HistogramVec>,
}

impl Instrument {
    /// `requests` and `durations` are the full metric names, such as `prometheus_http_requests_total`.
    pub fn new(registry: &Registry, requests: &str, durations: &str) -> Instrument {
        Instrument {
            requests: registry.counter_vec(requests, "Counter of HTTP requests.", &["handler", "code"]),
            durations: registry.histogram_vec(
                durations,
                "Histogram of latencies for HTTP requests.",
                &["handler"],
                BOUNDS,
            ),
            sizes: None,
        }
    }

    /// Also counts the bytes of replies, in a histogram of this name. Streams are not among them: their
    /// length is not known when they begin.
    #[must_use]
    pub fn with_sizes(mut self, registry: &Registry, name: &str) -> Instrument {
        let help = "Histogram of response size for HTTP requests.";
        self.sizes = Some(registry.histogram_vec(name, help, &["handler"], SIZE_BOUNDS));
        self
    }

    /// For `router.layer(axum::middleware::from_fn_with_state(instrument, Instrument::observe))`.
    pub async fn observe(
        axum::extract::State(this): axum::extract::State<Instrument>,
        request: Request,
        next: Next,
    ) -> Response {
        let handler = request.extensions().get::<MatchedPath>().map_or("/*", MatchedPath::as_str);
        // Parameters as the original's router writes them: `/label/:name/values`.
        let handler = handler.replace("{*", "*").replace('{', ":").replace('}', "");
        this.observe_as(&handler, next.run(request)).await
    }

    /// Counts and times the reply of `handler`, which no router has named.
    pub async fn observe_as(&self, handler: &str, reply: impl Future<Output = Response>) -> Response {
        let started = Instant::now();
        let response = reply.await;
        self.requests.with(&[handler, response.status().as_str()]).inc();
        self.durations.with(&[handler]).observe(started.elapsed().as_secs_f64());
        if let (Some(sizes), Some(bytes)) = (&self.sizes, response.body().size_hint().exact()) {
            sizes.with(&[handler]).observe(bytes as f64);
        }
        response
    }
}

/// Turns a panic in a handler into a 500 and a log line, and the service lives on.
pub async fn catch_panic(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    match std::panic::AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(_) => {
            tracing::error!(path, "a request handler panicked; please report this with the log lines above");
            (StatusCode::INTERNAL_SERVER_ERROR, "internal error: the request handler failed\n")
                .into_response()
        }
    }
}
