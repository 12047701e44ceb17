//! `/-/healthy`, `/-/ready`, `/-/reload`, `/-/quit`, `/metrics`, `/version`.

use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::state::Api;

pub async fn healthy() -> &'static str {
    "Prometheus Server is Healthy.\n"
}

pub async fn ready(State(api): State<Api>) -> Response {
    if api.ready.load(Ordering::Acquire) {
        "Prometheus Server is Ready.\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable").into_response()
    }
}

pub async fn reload(State(api): State<Api>) -> Response {
    if !api.options.lifecycle {
        return (StatusCode::FORBIDDEN, "Lifecycle API is not enabled.").into_response();
    }
    match (api.reload)().await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(e) => {
            (StatusCode::INTERNAL_SERVER_ERROR, format!("failed to reload config: {e}\n")).into_response()
        }
    }
}

pub async fn quit(State(api): State<Api>) -> Response {
    if !api.options.lifecycle {
        return (StatusCode::FORBIDDEN, "Lifecycle API is not enabled.").into_response();
    }
    api.host.shutdown.cancel();
    "Requesting termination... Goodbye!".into_response()
}

pub async fn metrics(State(api): State<Api>, headers: HeaderMap) -> Response {
    front::metrics::render(&api.host.registry, &headers)
}
