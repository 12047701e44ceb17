//! One file per group of endpoints.

pub mod admin;
pub mod index;
pub mod labels;
pub mod push;
pub mod query;
pub mod tail;

use axum::http::header;
use axum::response::{IntoResponse, Response};

/// A body that already is JSON text.
fn json(body: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json; charset=UTF-8")], body).into_response()
}
