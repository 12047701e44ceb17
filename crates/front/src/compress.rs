//! Gzip or deflate for replies that are worth it, when the client asks.

use std::io::Write;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;

/// Replies below this are sent as they are.
const BYTES_MIN: u64 = 1024;

/// Replies of known size only: streams (live tail, large exports) pass through untouched.
pub(crate) async fn compress(request: Request, next: Next) -> Response {
    let asked = request.headers().get(header::ACCEPT_ENCODING).and_then(|v| v.to_str().ok()).unwrap_or("");
    // The first of the two that the client names, as in the original.
    let coding = asked.split(',').map(|e| e.trim().split(';').next().unwrap_or("")).find_map(|e| match e {
        "gzip" => Some(Coding::Gzip),
        "deflate" => Some(Coding::Deflate),
        _ => None,
    });
    let response = next.run(request).await;
    let Some(coding) = coding.filter(|_| is_worthwhile(&response)) else { return response };
    let (mut parts, body) = response.into_parts();
    let Ok(collected) = body.collect().await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let plain = collected.to_bytes();
    let packed = coding.pack(&plain);
    match packed {
        Ok(packed) => {
            parts.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
            parts.headers.append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
            parts.headers.remove(header::CONTENT_LENGTH);
            Response::from_parts(parts, Body::from(packed))
        }
        Err(_) => Response::from_parts(parts, Body::from(plain)),
    }
}

#[derive(Clone, Copy)]
enum Coding {
    Gzip,
    /// In HTTP that is zlib's format, not bare deflate.
    Deflate,
}

impl Coding {
    fn name(self) -> &'static str {
        match self {
            Coding::Gzip => "gzip",
            Coding::Deflate => "deflate",
        }
    }

    fn pack(self, plain: &[u8]) -> std::io::Result<Vec<u8>> {
        let level = flate2::Compression::fast();
        match self {
            Coding::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
                encoder.write_all(plain).and_then(|()| encoder.finish())
            }
            Coding::Deflate => {
                let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
                encoder.write_all(plain).and_then(|()| encoder.finish())
            }
        }
    }
}

fn is_worthwhile(response: &Response) -> bool {
    use axum::body::HttpBody;
    let text = response.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).is_some_and(|t| {
        t.starts_with("text/")
            || t.starts_with("application/json")
            || t.starts_with("application/openmetrics")
    });
    text && !response.headers().contains_key(header::CONTENT_ENCODING)
        && response.body().size_hint().exact().is_some_and(|n| n >= BYTES_MIN)
}
