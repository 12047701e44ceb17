//! Replies that say no: plain text, as Go's `http.Error` writes them.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use front::PoolError;
use logql::{ErrorKind, QueryError};
use logql_syntax::ParseError;
use storage::StoreError;

/// nginx's number for a client that went away, which Loki uses too.
const CLIENT_CLOSED_REQUEST: u16 = 499;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    pub status: StatusCode,
    pub message: String,
}

impl ApiError {
    pub fn new(status: StatusCode, message: impl Into<String>) -> ApiError {
        ApiError { status, message: message.into() }
    }

    pub fn bad(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::BAD_REQUEST, message)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, format!("{}\n", self.message)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        response
    }
}

impl From<ParseError> for ApiError {
    fn from(e: ParseError) -> ApiError {
        ApiError::bad(e.to_string())
    }
}

impl From<QueryError> for ApiError {
    fn from(e: QueryError) -> ApiError {
        let status = match e.kind {
            ErrorKind::Bad | ErrorKind::Limit | ErrorKind::Pipeline => StatusCode::BAD_REQUEST,
            ErrorKind::Timeout => StatusCode::GATEWAY_TIMEOUT,
            ErrorKind::Cancelled => {
                StatusCode::from_u16(CLIENT_CLOSED_REQUEST).unwrap_or(StatusCode::BAD_REQUEST)
            }
            ErrorKind::Store => StatusCode::INTERNAL_SERVER_ERROR,
        };
        ApiError::new(status, e.message)
    }
}

impl From<StoreError> for ApiError {
    fn from(e: StoreError) -> ApiError {
        let status = match e.kind {
            storage::ErrorKind::OutOfOrder
            | storage::ErrorKind::OutOfBounds
            | storage::ErrorKind::DuplicateTimestamp
            | storage::ErrorKind::Invalid => StatusCode::BAD_REQUEST,
            storage::ErrorKind::LimitExceeded => StatusCode::TOO_MANY_REQUESTS,
            storage::ErrorKind::NoSpace | storage::ErrorKind::Closed => StatusCode::SERVICE_UNAVAILABLE,
            storage::ErrorKind::Cancelled => StatusCode::GATEWAY_TIMEOUT,
            storage::ErrorKind::Io | storage::ErrorKind::Corrupt => StatusCode::INTERNAL_SERVER_ERROR,
        };
        ApiError::new(status, e.message)
    }
}

impl From<PoolError> for ApiError {
    fn from(e: PoolError) -> ApiError {
        match e {
            PoolError::Full(_) => {
                ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too many outstanding requests")
            }
            PoolError::Panicked => ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, e.to_string()),
        }
    }
}
