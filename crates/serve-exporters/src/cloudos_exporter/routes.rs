//! Paths and handlers.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::any;
use collect_cloudos::CloudosCollector;
use front::Host;

use super::Settings;
use crate::scrape::{Formats, Scrapes};
use crate::{page, plain};

struct Exporter {
    collector: Arc<CloudosCollector>,
    scrapes: Scrapes,
    telemetry_path: String,
    version: &'static str,
}

pub fn router(settings: &Settings, collector: Arc<CloudosCollector>, host: &Host) -> Router {
    let scrapes = Scrapes::new(host, settings.max_requests, true, Formats::Negotiated);
    let telemetry_path = settings.telemetry_path.clone();
    let healthy = any(|| async { plain(StatusCode::OK, "CloudOS Exporter is Healthy.\n") });
    let mut router = Router::new()
        .route(&telemetry_path, any(metrics))
        .route("/health", healthy.clone())
        .route("/-/healthy", healthy)
        .route("/-/ready", any(|| async { plain(StatusCode::OK, "CloudOS Exporter is Ready.\n") }));
    if telemetry_path != "/" {
        router = router.route("/", any(landing));
    }
    let state = Exporter { collector, scrapes, telemetry_path, version: host.version };
    router.fallback(crate::not_found).with_state(Arc::new(state))
}

async fn metrics(State(exporter): State<Arc<Exporter>>, headers: HeaderMap) -> Response {
    let collector = exporter.collector.clone();
    exporter.scrapes.answer(&headers, move || collector.collect()).await
}

async fn landing(State(exporter): State<Arc<Exporter>>) -> Response {
    page::landing(
        "CloudOS Exporter",
        "CloudOS metrics of this host: system, containers, logins, cluster.",
        exporter.version,
        &[(&exporter.telemetry_path, "Metrics"), ("/health", "Health")],
    )
}
