//! Paths and handlers.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use collect_node::NodeCollector;
use front::{Host, Params};

use super::Settings;
use crate::page;
use crate::scrape::{Formats, Scrapes};

struct Exporter {
    collector: Arc<NodeCollector>,
    scrapes: Scrapes,
    telemetry_path: String,
    version: &'static str,
}

pub fn router(settings: &Settings, collector: Arc<NodeCollector>, host: &Host) -> Router {
    let scrapes = Scrapes::new(host, settings.max_requests, settings.exporter_metrics, Formats::TextOnly);
    let telemetry_path = settings.telemetry_path.clone();
    let mut router = Router::new().route(&telemetry_path, any(metrics));
    if telemetry_path != "/" {
        router = router.route("/", any(landing));
    }
    let state = Exporter { collector, scrapes, telemetry_path, version: host.version };
    router.fallback(crate::not_found).with_state(Arc::new(state))
}

async fn metrics(State(exporter): State<Arc<Exporter>>, headers: HeaderMap, params: Params) -> Response {
    let all = |name: &'static str| params.all(name).collect::<Vec<_>>();
    let selection = match exporter.collector.select(&all("collect[]"), &all("exclude[]")) {
        Ok(selection) => selection,
        Err(message) => {
            let kind = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
            return (StatusCode::BAD_REQUEST, kind, message).into_response();
        }
    };
    let collector = exporter.collector.clone();
    exporter.scrapes.answer(&headers, move || collector.collect(&selection)).await
}

async fn landing(State(exporter): State<Arc<Exporter>>) -> Response {
    page::landing(
        "Node Exporter",
        "Metrics of this host: hardware and operating system.",
        exporter.version,
        &[(&exporter.telemetry_path, "Metrics")],
    )
}
