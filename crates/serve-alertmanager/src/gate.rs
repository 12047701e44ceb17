//! How many requests the API serves at a time, and for how long.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use expfmt::{Counter, Gauge, Registry};
use tokio::sync::Semaphore;

/// Bounds GET requests at work, and the time of all requests.
#[derive(Clone)]
pub struct Gate {
    readers: Arc<Semaphore>,
    readers_max: usize,
    timeout: Option<Duration>,
    in_flight: Gauge,
    refused: Counter,
}

impl Gate {
    /// `readers_max` 0 means as many as there are processors, but at least eight.
    pub fn new(readers_max: usize, timeout: Option<Duration>, registry: &Registry) -> Gate {
        let readers_max = match readers_max {
            0 => std::thread::available_parallelism().map_or(8, usize::from).max(8),
            given => given.min(Semaphore::MAX_PERMITS),
        };
        let in_flight = registry.gauge_vec(
            "alertmanager_http_requests_in_flight",
            "Current number of HTTP requests being processed.",
            &["method"],
        );
        let refused = registry.counter_vec(
            "alertmanager_http_concurrency_limit_exceeded_total",
            "Total number of times an HTTP request failed because the concurrency limit was reached.",
            &["method"],
        );
        Gate {
            readers: Arc::new(Semaphore::new(readers_max)),
            readers_max,
            timeout,
            in_flight: in_flight.with(&["get"]),
            refused: refused.with(&["get"]),
        }
    }

    /// For `router.layer(axum::middleware::from_fn_with_state(gate, Gate::pass))`.
    pub async fn pass(State(this): State<Gate>, request: Request, next: Next) -> Response {
        let Some(timeout) = this.timeout else {
            return this.limited(request, next).await;
        };
        match tokio::time::timeout(timeout, this.limited(request, next)).await {
            Ok(response) => response,
            Err(_) => {
                let shown = crate::model::go_duration(timeout);
                let text = format!("Exceeded configured timeout of {shown}.\n");
                (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
            }
        }
    }

    async fn limited(&self, request: Request, next: Next) -> Response {
        if request.method() != Method::GET {
            return next.run(request).await;
        }
        let Ok(_permit) = self.readers.try_acquire() else {
            self.refused.inc();
            let text = format!(
                "Limit of concurrent GET requests reached ({}), try again later.\n\n",
                self.readers_max
            );
            return (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
        };
        let _busy = Busy::new(&self.in_flight);
        next.run(request).await
    }
}

/// One request at work, also when its client goes away.
struct Busy<'a>(&'a Gauge);

impl<'a> Busy<'a> {
    fn new(gauge: &'a Gauge) -> Busy<'a> {
        gauge.add(1.0);
        Busy(gauge)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.add(-1.0);
    }
}
