//! Health, reload, metrics.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::state::Api;

pub async fn ok() -> &'static str {
    "OK"
}

pub async fn reload(State(api): State<Api>) -> Response {
    match (api.reload)().await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(e) => {
            (StatusCode::INTERNAL_SERVER_ERROR, format!("failed to reload config: {e}\n")).into_response()
        }
    }
}

pub async fn post_only() -> Response {
    (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "OPTIONS, POST")], "Method Not Allowed\n")
        .into_response()
}

pub async fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "404 page not found\n").into_response()
}

pub async fn metrics(State(api): State<Api>, headers: HeaderMap) -> Response {
    front::metrics::render(&api.host.registry, &headers)
}
