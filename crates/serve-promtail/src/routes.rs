//! Paths and methods.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::response::Redirect;
use axum::routing::{get, post};

use crate::handlers;
use crate::service::Service;

pub(crate) fn router(service: Arc<Service>) -> Router {
    let reloads = service.settings().config.server.enable_runtime_reload;
    let mut router = Router::new()
        .route("/", get(|| async { Redirect::to("/targets") }))
        .route("/ready", get(handlers::ready))
        .route("/metrics", get(handlers::metrics))
        .route("/targets", get(handlers::targets))
        .route("/service-discovery", get(handlers::service_discovery))
        .route("/config", get(handlers::config));
    if reloads {
        router = router.route("/reload", post(handlers::reload));
    }
    router.fallback(|| async { (StatusCode::NOT_FOUND, "404 page not found\n") }).with_state(service)
}
