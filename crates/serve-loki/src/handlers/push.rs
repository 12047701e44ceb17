//! `POST /loki/api/v1/push`.

use std::io::Read;

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use wire::loki::{DecodeError, PushStream};

use crate::error::ApiError;
use crate::ingest::Ingest;
use crate::metrics::TENANT;
use crate::state::Shared;

/// Bytes of a push after decompression. Loki takes 5 GB; one machine's memory does not.
const DECOMPRESSED_BYTES_MAX: usize = 128 << 20;

pub async fn push(
    State(app): State<Shared>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let body = body.map_err(|e| {
        let message = if e.status() == StatusCode::PAYLOAD_TOO_LARGE {
            format!("request body is larger than {} bytes", crate::routes::PUSH_BYTES_MAX)
        } else {
            e.to_string()
        };
        ApiError::new(e.status(), message)
    })?;
    let encoding = header_text(&headers, header::CONTENT_ENCODING)?;
    let content_type = header_text(&headers, header::CONTENT_TYPE)?;
    let worker = app.clone();
    app.pushes.run(move || store(&worker, &body, &encoding, &content_type)).await??;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn header_text(headers: &HeaderMap, name: header::HeaderName) -> Result<String, ApiError> {
    match headers.get(&name).map(|v| v.to_str()) {
        None => Ok(String::new()),
        Some(Ok(text)) => Ok(text.to_owned()),
        Some(Err(_)) => Err(ApiError::bad(format!("header {name} is not text"))),
    }
}

/// Decodes, checks and stores a request. Returns when its good entries are durable.
fn store(app: &Shared, body: &[u8], encoding: &str, content_type: &str) -> Result<(), ApiError> {
    let streams = decode(body, encoding, content_type)?;
    let active = app.active();
    let ingest = Ingest::check(streams, active.limits(), app.now(), &app.metrics)?;
    if let Some(bucket) = &active.ingestion
        && !bucket.take(usize::try_from(ingest.bytes).unwrap_or(usize::MAX))
    {
        app.metrics.discard("rate_limited", ingest.lines, ingest.bytes);
        return Err(ApiError::new(
            StatusCode::TOO_MANY_REQUESTS,
            format!(
                "ingestion rate limit exceeded for user {TENANT} (limit: {} bytes/sec) while attempting to \
                 ingest '{}' lines totaling '{}' bytes, reduce log volume or contact your Loki administrator \
                 to see if the limit can be increased",
                bucket.rate(),
                ingest.lines,
                ingest.bytes
            ),
        ));
    }
    let refusal = ingest.refusal();
    if !ingest.batches.is_empty() {
        app.store.push(ingest.batches)?;
        app.metrics.bytes_received.add(ingest.bytes);
        app.metrics.metadata_bytes_received.add(ingest.metadata_bytes);
        app.metrics.lines_received.add(ingest.lines);
    }
    refusal.map_or(Ok(()), Err)
}

fn decode(body: &[u8], encoding: &str, content_type: &str) -> Result<Vec<PushStream>, ApiError> {
    let unpacked;
    let body = match encoding {
        "" | "snappy" => body,
        "gzip" => {
            unpacked = inflate(flate2::read::MultiGzDecoder::new(body))?;
            &unpacked
        }
        "deflate" => {
            unpacked = inflate(flate2::read::DeflateDecoder::new(body))?;
            &unpacked
        }
        other => return Err(ApiError::bad(format!("Content-Encoding {other:?} not supported"))),
    };
    let media_type = content_type.split(';').next().unwrap_or("").trim();
    let decoded = if media_type.eq_ignore_ascii_case("application/json") {
        wire::loki::decode_json(body)
    } else {
        wire::loki::decode_proto(body, DECOMPRESSED_BYTES_MAX)
    };
    decoded.map_err(|e| match e {
        DecodeError::TooLarge { .. } => ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, e.to_string()),
        DecodeError::Malformed(message) => ApiError::bad(message),
    })
}

fn inflate(reader: impl Read) -> Result<Vec<u8>, ApiError> {
    let mut out = Vec::new();
    let limit = DECOMPRESSED_BYTES_MAX as u64;
    reader.take(limit + 1).read_to_end(&mut out).map_err(|e| ApiError::bad(e.to_string()))?;
    if out.len() as u64 > limit {
        let e = DecodeError::TooLarge { limit: DECOMPRESSED_BYTES_MAX };
        return Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, e.to_string()));
    }
    Ok(out)
}
