//! `POST /api/v1/otlp/v1/metrics`: OpenTelemetry's exporters, off unless a flag says otherwise.

use std::io::Read;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use wire::otlp::{decode_metrics, decode_metrics_json};

use super::write::{read_body, run, text_error};
use crate::ingest::WriteError;
use crate::state::Api;

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

/// Bytes of a request after decompression.
const PLAIN_BYTES_MAX: u64 = 64 << 20;

pub async fn metrics(State(api): State<Api>, headers: HeaderMap, body: Body) -> Response {
    if !api.ingest.options.otlp {
        let message = "otlp write receiver needs to be enabled with --web.enable-otlp-receiver";
        return text_error(StatusCode::NOT_FOUND, message);
    }
    let text = |name| headers.get(name).map_or("", |v| v.to_str().unwrap_or("?"));
    let content_type = text(header::CONTENT_TYPE);
    let decode = match content_type {
        PROTOBUF => decode_metrics,
        JSON => decode_metrics_json,
        other => {
            let message = format!("unsupported content type: {other}, supported: [{JSON}, {PROTOBUF}]");
            return text_error(StatusCode::BAD_REQUEST, message);
        }
    };
    let gzip = match text(header::CONTENT_ENCODING) {
        "" => false,
        "gzip" => true,
        other => {
            let message =
                format!("unsupported compression: {other}. Only \"gzip\" or no compression supported");
            return text_error(StatusCode::BAD_REQUEST, message);
        }
    };
    let body = match read_body(body).await {
        Ok(body) => body,
        Err(response) => return response,
    };
    let config = api.config.load_full();
    let done = run(&api.ingest, move |ingest| {
        let bad = |e: &dyn std::fmt::Display| WriteError::Bad(e.to_string());
        let request = if gzip { decode(&gunzip(&body, PLAIN_BYTES_MAX)?) } else { decode(&body) };
        ingest.write_otlp(request.map_err(|e| bad(&e))?, &config.otlp)
    });
    match done.await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(response) => response,
    }
}

/// Decompresses up to `limit` bytes.
pub(crate) fn gunzip(body: &[u8], limit: u64) -> Result<Vec<u8>, WriteError> {
    let mut plain = Vec::new();
    let reader = flate2::read::MultiGzDecoder::new(body);
    reader.take(limit + 1).read_to_end(&mut plain).map_err(|e| WriteError::Bad(format!("gzip: {e}")))?;
    if plain.len() as u64 > limit {
        return Err(WriteError::Bad(format!("decoded size exceeds the {limit} bytes limit")));
    }
    Ok(plain)
}
