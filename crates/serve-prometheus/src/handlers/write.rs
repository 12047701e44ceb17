//! `POST /api/v1/write`: the remote write receiver, off unless a flag says otherwise.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use front::PoolError;

use crate::ingest::{BODY_BYTES_MAX, Ingest, MessageType, RETRY_AFTER, WriteError, Written};
use crate::state::Api;

const PROTOBUF: &str = "application/x-protobuf";

pub async fn write(State(api): State<Api>, headers: HeaderMap, body: Body) -> Response {
    if !api.ingest.options.remote_write {
        let message = "remote write receiver needs to be enabled with --web.enable-remote-write-receiver";
        return text_error(StatusCode::NOT_FOUND, message);
    }
    let message = match message_type(&headers, &api.ingest.options.messages) {
        Ok(message) => message,
        Err(why) => return text_error(StatusCode::UNSUPPORTED_MEDIA_TYPE, why),
    };
    let body = match read_body(body).await {
        Ok(body) => body,
        Err(response) => return response,
    };
    let done = run(&api.ingest, move |ingest| {
        Ok(match message {
            MessageType::V1 => (None, ingest.write_v1(&body)),
            MessageType::V2 => {
                let (written, result) = ingest.write_v2(&body);
                (Some(written), result)
            }
        })
    });
    match done.await {
        Ok((written, result)) => {
            let mut response = match result {
                Ok(()) => StatusCode::NO_CONTENT.into_response(),
                Err(e) => e.into_response(),
            };
            if let Some(written) = written {
                count(response.headers_mut(), written);
            }
            response
        }
        Err(response) => response,
    }
}

/// Version 2.0 wants these in every reply.
fn count(headers: &mut HeaderMap, written: Written) {
    for (name, n) in [
        ("x-prometheus-remote-write-samples-written", written.samples),
        ("x-prometheus-remote-write-histograms-written", written.histograms),
        ("x-prometheus-remote-write-exemplars-written", written.exemplars),
    ] {
        headers.insert(name, HeaderValue::from(n));
    }
}

/// Which message a request carries. One that does not say is taken for what version 1.0 sends.
fn message_type(headers: &HeaderMap, accepted: &[MessageType]) -> Result<MessageType, String> {
    let text = |name| headers.get(name).map_or("", |v| v.to_str().unwrap_or("?"));
    let message = named_message(text(header::CONTENT_TYPE).trim())?;
    if !accepted.contains(&message) {
        return Err(format!(
            "{} protobuf message is not accepted by this server; only accepts {}",
            message.name(),
            MessageType::list(accepted)
        ));
    }
    let encoding = text(header::CONTENT_ENCODING);
    if !encoding.is_empty() && !encoding.eq_ignore_ascii_case("snappy") {
        return Err(format!(
            "{encoding} encoding (compression) is not accepted by this server; only snappy is acceptable"
        ));
    }
    Ok(message)
}

fn named_message(content_type: &str) -> Result<MessageType, String> {
    let mut parts = content_type.split(';');
    let media_type = parts.next().unwrap_or_default();
    if !content_type.is_empty() && media_type != PROTOBUF {
        return Err(format!(
            "expected {PROTOBUF} as the first (media) part, got {content_type} content-type"
        ));
    }
    for parameter in parts {
        let Some((name, value)) = parameter.split_once('=').filter(|(_, value)| !value.contains('=')) else {
            return Err(format!(
                "as per https://www.rfc-editor.org/rfc/rfc9110#parameter expected parameters to be key-values, \
                 got {parameter} in {content_type} content-type"
            ));
        };
        if name == "proto" {
            let named = MessageType::named(value);
            return named.map_err(|e| format!("got {content_type} content type; {e}"));
        }
    }
    Ok(MessageType::V1)
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
