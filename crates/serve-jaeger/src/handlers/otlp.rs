//! OTLP over HTTP: `POST /v1/traces` in protobuf or JSON, gzip or not. Errors are a `google.rpc.Status` in the
//! encoding of the request.

use std::io::Read;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::ingest::{Ingest, IngestError, MESSAGE_BYTES_MAX, UNPACKED_BYTES_MAX, rejection_text};

/// Seconds a throttled sender should wait.
const RETRY_AFTER: &str = "1";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Protobuf,
    Json,
}

/// gRPC status codes that the specification maps to HTTP.
const INVALID_ARGUMENT: u32 = 3;
const RESOURCE_EXHAUSTED: u32 = 8;
const INTERNAL: u32 = 13;
const UNAVAILABLE: u32 = 14;

pub async fn export(State(ingest): State<Ingest>, headers: HeaderMap, body: Body) -> Response {
    let text = |name| headers.get(name).and_then(|v: &header::HeaderValue| v.to_str().ok()).unwrap_or("");
    let encoding = match text(header::CONTENT_TYPE).split(';').next().unwrap_or("").trim() {
        "application/x-protobuf" => Encoding::Protobuf,
        "application/json" => Encoding::Json,
        other => {
            let message = format!(
                "unsupported media type {other:?}, supported: [application/json, application/x-protobuf]\n"
            );
            return (StatusCode::UNSUPPORTED_MEDIA_TYPE, message).into_response();
        }
    };
    let bytes = match axum::body::to_bytes(body, MESSAGE_BYTES_MAX).await {
        Ok(bytes) => bytes,
        Err(_) => {
            let message = format!("request body is larger than {MESSAGE_BYTES_MAX} bytes");
            return failure(encoding, StatusCode::PAYLOAD_TOO_LARGE, RESOURCE_EXHAUSTED, &message);
        }
    };
    let unpacked;
    let plain: &[u8] = match text(header::CONTENT_ENCODING) {
        "" | "identity" => &bytes,
        "gzip" => match gunzip(&bytes) {
            Ok(plain) => {
                unpacked = plain;
                &unpacked
            }
            Err(message) => return failure(encoding, StatusCode::BAD_REQUEST, INVALID_ARGUMENT, &message),
        },
        other => {
            let message = format!("unsupported Content-Encoding: {other}");
            return failure(encoding, StatusCode::BAD_REQUEST, INVALID_ARGUMENT, &message);
        }
    };
    let decoded = match encoding {
        Encoding::Protobuf => wire::otlp::decode_traces(plain),
        Encoding::Json => wire::otlp::decode_traces_json(plain),
    };
    let request = match decoded {
        Ok(request) => request,
        Err(e) => return failure(encoding, StatusCode::BAD_REQUEST, INVALID_ARGUMENT, &e.to_string()),
    };
    let rejected = request.rejected;
    match ingest.push("http", request).await {
        Ok(()) => success(encoding, rejected),
        Err(IngestError::Invalid(m)) => failure(encoding, StatusCode::BAD_REQUEST, INVALID_ARGUMENT, &m),
        Err(IngestError::Busy(m)) => {
            let mut response = failure(encoding, StatusCode::SERVICE_UNAVAILABLE, UNAVAILABLE, &m);
            response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static(RETRY_AFTER));
            response
        }
        Err(IngestError::Failed(m)) => failure(encoding, StatusCode::INTERNAL_SERVER_ERROR, INTERNAL, &m),
    }
}

fn gunzip(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut plain = Vec::new();
    let mut limited = flate2::read::MultiGzDecoder::new(bytes).take(UNPACKED_BYTES_MAX as u64 + 1);
    limited.read_to_end(&mut plain).map_err(|e| format!("malformed gzip body: {e}"))?;
    if plain.len() > UNPACKED_BYTES_MAX {
        return Err(format!("request unpacks to more than {UNPACKED_BYTES_MAX} bytes"));
    }
    Ok(plain)
}

fn success(encoding: Encoding, rejected: u64) -> Response {
    match encoding {
        Encoding::Protobuf => {
            ([(header::CONTENT_TYPE, "application/x-protobuf")], partial_success(rejected)).into_response()
        }
        Encoding::Json => {
            let body = match rejected {
                0 => json!({ "partialSuccess": {} }),
                n => {
                    json!({ "partialSuccess": { "rejectedSpans": n.to_string(), "errorMessage": rejection_text(n) } })
                }
            };
            ([(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
        }
    }
}

fn failure(encoding: Encoding, status: StatusCode, code: u32, message: &str) -> Response {
    match encoding {
        Encoding::Protobuf => {
            let mut body = Vec::new();
            put_varint(&mut body, 1, u64::from(code));
            put_bytes(&mut body, 2, message.as_bytes());
            (status, [(header::CONTENT_TYPE, "application/x-protobuf")], body).into_response()
        }
        Encoding::Json => {
            let body = json!({ "code": code, "message": message }).to_string();
            (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
        }
    }
}

/// An `ExportTraceServiceResponse`: empty when everything was stored.
pub fn partial_success(rejected: u64) -> Vec<u8> {
    let mut out = Vec::new();
    if rejected > 0 {
        let mut inner = Vec::new();
        put_varint(&mut inner, 1, rejected);
        put_bytes(&mut inner, 2, rejection_text(rejected).as_bytes());
        put_bytes(&mut out, 1, &inner);
    }
    out
}

fn put_varint(out: &mut Vec<u8>, number: u64, value: u64) {
    for mut n in [number << 3, value] {
        while n >= 0x80 {
            out.push(n as u8 | 0x80);
            n >>= 7;
        }
        out.push(n as u8);
    }
}

fn put_bytes(out: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    // The same bytes as a varint field with the length, but for the wire type.
    let start = out.len();
    put_varint(out, number, bytes.len() as u64);
    out[start] |= 2;
    out.extend_from_slice(bytes);
}
