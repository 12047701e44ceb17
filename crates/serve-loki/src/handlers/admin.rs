//! Readiness, self-metrics, configuration and the other endpoints for operators.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::json;
use crate::error::ApiError;
use crate::render;
use crate::state::Shared;

/// 200 once the store answers.
pub async fn ready(State(app): State<Shared>) -> Response {
    let store = app.store.clone();
    let answered = tokio::task::spawn_blocking(move || store.querier().map(|_| ())).await;
    match answered {
        Ok(Ok(())) => "ready\n".into_response(),
        Ok(Err(e)) => unavailable(&e.message),
        Err(_) => unavailable("the store does not answer"),
    }
}

fn unavailable(why: &str) -> Response {
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, format!("Ingester not ready: {why}")).into_response()
}

pub async fn metrics(State(app): State<Shared>, headers: HeaderMap) -> Response {
    front::metrics::render(&app.host.registry, &headers)
}

pub async fn config(State(app): State<Shared>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], app.active().config.to_yaml()).into_response()
}

/// The parts of Loki that run here, in its wording.
pub async fn services() -> &'static str {
    "server => Running\nstore => Running\ndistributor => Running\ningester => Running\nquerier => Running\n"
}

pub async fn build_info(State(app): State<Shared>) -> Response {
    let mut out = String::from("{\"version\":");
    render::string(&mut out, app.host.version);
    out.push_str(
        ",\"revision\":\"\",\"branch\":\"main\",\"buildUser\":\"\",\"buildDate\":\"\",\"goVersion\":\"\"}\n",
    );
    json(out)
}

pub async fn log_level(State(app): State<Shared>) -> Response {
    let mut out = String::from("{\"message\":");
    render::string(&mut out, &format!("Current log level is {}", app.active().config.server.log_level));
    out.push_str("}\n");
    json(out)
}

pub async fn set_log_level() -> ApiError {
    ApiError::new(
        StatusCode::NOT_IMPLEMENTED,
        "the log level belongs to the whole process and is set at its start by CLOUDOS_LOG_LEVEL",
    )
}

/// Everything acknowledged is already durable, so there is nothing to wait for.
pub async fn flush() -> StatusCode {
    StatusCode::NO_CONTENT
}
