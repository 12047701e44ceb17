//! One file per group of endpoints.

pub mod annotations;
pub mod dashboards;
pub mod datasources;
pub mod login;
pub mod meta;
pub mod search;
pub mod users;

use axum::response::{IntoResponse, Response};

use crate::error::ApiError;

/// Any unknown path below `/api`.
pub async fn not_found() -> Response {
    ApiError::not_found("Not found").into_response()
}
