//! Paths and methods.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::routing::{MethodRouter, get, post};

use crate::error::ApiError;
use crate::handlers::{admin, index, labels, push, query, tail};
use crate::metrics;
use crate::state::Shared;

/// Compressed bytes of a push; Loki's `max_recv_msg_size`.
pub const PUSH_BYTES_MAX: usize = 100 << 20;

pub fn router(app: Shared) -> Router {
    fn both<H, T>(handler: H) -> MethodRouter<Shared>
    where
        H: axum::handler::Handler<T, Shared> + Clone,
        T: 'static,
    {
        get(handler.clone()).post(handler)
    }
    Router::new()
        .route("/loki/api/v1/push", post(push::push))
        .route("/api/prom/push", post(push::push))
        .route("/loki/api/v1/query", both(query::instant))
        .route("/loki/api/v1/query_range", both(query::range))
        .route("/loki/api/v1/labels", both(labels::names))
        .route("/loki/api/v1/label", both(labels::names))
        .route("/loki/api/v1/label/{name}/values", both(labels::values))
        .route("/loki/api/v1/series", both(labels::series))
        .route("/loki/api/v1/detected_labels", both(labels::detected))
        .route("/loki/api/v1/index/stats", both(index::stats))
        .route("/loki/api/v1/index/volume", both(index::volume))
        .route("/loki/api/v1/index/volume_range", both(index::volume_range))
        .route("/loki/api/v1/tail", get(tail::tail))
        .route("/api/prom/tail", get(tail::tail))
        .route("/loki/api/v1/format_query", both(query::format))
        .route("/loki/api/v1/status/buildinfo", get(admin::build_info))
        .route("/ready", get(admin::ready))
        .route("/metrics", get(admin::metrics))
        .route("/config", get(admin::config))
        .route("/services", get(admin::services))
        .route("/log_level", get(admin::log_level).post(admin::set_log_level))
        .route("/flush", both(admin::flush))
        .layer(DefaultBodyLimit::max(PUSH_BYTES_MAX))
        .layer(axum::middleware::from_fn_with_state(app.clone(), metrics::observe))
        .merge(front::assets::routes("loki", &["/"]))
        // Go's wording for paths that nobody serves.
        .fallback(|| async { ApiError::new(StatusCode::NOT_FOUND, "404 page not found") })
        .with_state(app)
}
