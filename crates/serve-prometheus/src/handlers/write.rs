//! `POST /api/v1/write`: the remote write receiver, off unless a flag says otherwise.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use front::PoolError;

use crate::ingest::{BODY_BYTES_MAX, Ingest, RETRY_AFTER, WriteError};
use crate::state::Api;

const PROTOBUF: &str = "application/x-protobuf";

pub async fn write(State(api): State<Api>, headers: HeaderMap, body: Body) -> Response {
    if !api.options.remote_write_receiver {
        let message = "remote write receiver needs to be enabled with --web.enable-remote-write-receiver";
        return text_error(StatusCode::NOT_FOUND, message);
    }
    if let Err(message) = check_content(&headers) {
        return text_error(StatusCode::UNSUPPORTED_MEDIA_TYPE, message);
    }
    let body = match read_body(body).await {
        Ok(body) => body,
        Err(response) => return response,
    };
    match run(&api.ingest, move |ingest| ingest.write_v1(&body)).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(response) => response,
    }
}

/// Requests without these headers are taken for what version 1.0 sends.
fn check_content(headers: &HeaderMap) -> Result<(), String> {
    let text = |name| headers.get(name).map_or("", |v| v.to_str().unwrap_or("?"));
    let content_type = text(header::CONTENT_TYPE).trim();
    let media_type = content_type.split(';').next().unwrap_or_default();
    if !content_type.is_empty() && media_type != PROTOBUF {
        return Err(format!(
            "expected {PROTOBUF} as the first (media) part, got {content_type} content-type"
        ));
    }
    let encoding = text(header::CONTENT_ENCODING);
    if !encoding.is_empty() && !encoding.eq_ignore_ascii_case("snappy") {
        return Err(format!(
            "{encoding} encoding (compression) is not accepted by this server; only snappy is acceptable"
        ));
    }
    Ok(())
}

/// The whole body, or the refusal of one that is too large.
pub(crate) async fn read_body(body: Body) -> Result<Bytes, Response> {
    axum::body::to_bytes(body, BODY_BYTES_MAX).await.map_err(|e| {
        let too_large =
            std::error::Error::source(&e).is_some_and(|e| e.is::<http_body_util::LengthLimitError>());
        if too_large {
            let message = format!("request body is larger than {BODY_BYTES_MAX} bytes");
            return text_error(StatusCode::PAYLOAD_TOO_LARGE, message);
        }
        text_error(StatusCode::BAD_REQUEST, e.to_string())
    })
}

/// Runs the work of a write on the ingestion pool.
pub(crate) async fn run<T: Send + 'static>(
    ingest: &Ingest,
    work: impl FnOnce(&Ingest) -> Result<T, WriteError> + Send + 'static,
) -> Result<T, Response> {
    let worker = ingest.clone();
    match ingest.pool.run(move || work(&worker)).await {
        Ok(result) => result.map_err(WriteError::into_response),
        Err(e @ PoolError::Full(_)) => {
            let mut response = text_error(StatusCode::SERVICE_UNAVAILABLE, e.to_string());
            let seconds = HeaderValue::from(RETRY_AFTER.as_secs());
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
            Err(response)
        }
        Err(e) => Err(text_error(StatusCode::INTERNAL_SERVER_ERROR, e.to_string())),
    }
}

impl IntoResponse for WriteError {
    fn into_response(self) -> Response {
        match self {
            WriteError::Bad(message) => text_error(StatusCode::BAD_REQUEST, message),
            WriteError::TooLarge(message) => text_error(StatusCode::PAYLOAD_TOO_LARGE, message),
            WriteError::Failed(message) => {
                tracing::error!("a remote write failed: {message}");
                text_error(StatusCode::INTERNAL_SERVER_ERROR, message)
            }
        }
    }
}

/// An error as Go's `http.Error` writes it: plain text and a line end.
pub(crate) fn text_error(status: StatusCode, message: impl std::fmt::Display) -> Response {
    let headers =
        [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (status, headers, format!("{message}\n")).into_response()
}
