//! The route tables of the query port and the OTLP HTTP port.

use axum::Router;
use axum::middleware;
use axum::routing::{any, get, post};
use front::Instrument;

use crate::api::Api;
use crate::handlers::{self, dependencies, otlp, services, traces};
use crate::ingest::Ingest;

const PAGES: &[&str] = &["/", "/search", "/trace/{id}"];

pub fn query(api: Api) -> Router {
    let instrument = Instrument::new(
        &api.host.registry,
        "jaeger_query_http_requests_total",
        "jaeger_query_http_request_duration_seconds",
    );
    Router::new()
        .merge(front::assets::routes("jaeger", PAGES))
        .route("/api/services", get(services::services))
        .route("/api/services/{service}/operations", get(services::names))
        .route("/api/operations", get(services::operations))
        .route("/api/traces", get(traces::search))
        .route("/api/traces/{id}", get(traces::by_id))
        .route("/api/dependencies", get(dependencies::list))
        .route("/api/v3/services", get(services::services_v3))
        .route("/api/v3/operations", get(services::operations_v3))
        .route("/metrics", get(handlers::metrics))
        .route("/api/{*rest}", any(handlers::not_found))
        .layer(middleware::from_fn_with_state(instrument, Instrument::observe))
        .with_state(api)
}

pub fn otlp(ingest: Ingest) -> Router {
    Router::new().route("/v1/traces", post(otlp::export)).with_state(ingest)
}
