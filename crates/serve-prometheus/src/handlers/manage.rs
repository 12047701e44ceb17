//! `/-/reload`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::early::forbidden;
use crate::shell;
use crate::state::Api;

pub async fn reload(State(api): State<Api>) -> Response {
    if !api.settings.lifecycle {
        return forbidden();
    }
    match (api.reload)().await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(e) => shell::plain(StatusCode::INTERNAL_SERVER_ERROR, format!("failed to reload config: {e}\n")),
    }
}
