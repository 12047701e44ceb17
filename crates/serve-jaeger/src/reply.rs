//! Jaeger's envelope. Errors travel in it too, but as plain text: the original sends them through Go's error
//! helper, and clients look at the content type.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;

/// A part of a reply that failed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StructuredError {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<u16>,
    pub msg: String,
    #[serde(rename = "traceID", skip_serializing_if = "String::is_empty")]
    pub trace_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    status: StatusCode,
    message: String,
}

impl ApiError {
    pub fn bad_request(message: impl Into<String>) -> ApiError {
        ApiError { status: StatusCode::BAD_REQUEST, message: message.into() }
    }

    pub fn not_found(message: impl Into<String>) -> ApiError {
        ApiError { status: StatusCode::NOT_FOUND, message: message.into() }
    }

    pub fn internal(message: impl Into<String>) -> ApiError {
        ApiError { status: StatusCode::INTERNAL_SERVER_ERROR, message: message.into() }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let error =
            StructuredError { code: Some(self.status.as_u16()), msg: self.message, trace_id: String::new() };
        let body = json!({ "data": null, "total": 0, "limit": 0, "offset": 0, "errors": [error] });
        let headers = [
            (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        (self.status, headers, format!("{body}\n")).into_response()
    }
}

/// A successful reply.
#[derive(Debug, Clone, Serialize)]
pub struct Reply<T> {
    pub data: T,
    pub total: usize,
    pub limit: usize,
    pub offset: usize,
    /// Null, not an empty list, when all went well.
    pub errors: Option<Vec<StructuredError>>,
}

impl<T> Reply<T> {
    pub fn new(data: T) -> Reply<T> {
        Reply { data, total: 0, limit: 0, offset: 0, errors: None }
    }
}

impl<T> Reply<Vec<T>> {
    /// A list that says how long it is.
    pub fn counted(data: Vec<T>) -> Reply<Vec<T>> {
        Reply { total: data.len(), ..Reply::new(data) }
    }
}

impl<T: Serialize> IntoResponse for Reply<T> {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}
