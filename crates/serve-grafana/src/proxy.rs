//! The data source proxy: a request below `/api/datasources/proxy/uid/<uid>/` or `…/uid/<uid>/resources/` is
//! passed to the data source and its reply streamed back.

use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::api::Api;
use crate::error::ApiError;

/// Request bodies above this are refused.
const BODY_BYTES_MAX: usize = 32 << 20;

/// Headers that travel to the data source. Cookies and credentials of ours do not.
const FORWARDED: &[HeaderName] =
    &[header::ACCEPT, header::CONTENT_TYPE, header::CONTENT_ENCODING, header::RANGE, header::USER_AGENT];

/// Headers that travel back.
const RETURNED: &[HeaderName] =
    &[header::CONTENT_TYPE, header::CACHE_CONTROL, header::RETRY_AFTER, header::LOCATION, header::ALLOW];

pub async fn forward(
    State(api): State<Api>,
    Path((uid, path)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    method: Method,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let catalog = api.catalog.load();
    let not_found = || ApiError::not_found("Data source not found");
    let datasource = catalog.datasource(&uid).ok_or_else(not_found)?;
    if datasource.url.is_empty() {
        return Err(ApiError::bad_request("data source has no URL"));
    }
    if path.split('/').any(|part| part == "..") {
        return Err(ApiError::bad_request("path with .. is not allowed"));
    }
    if headers.contains_key(header::UPGRADE) {
        let text = "the proxy passes no WebSockets; connect to the data source's own port";
        return Err(ApiError::new(StatusCode::NOT_IMPLEMENTED, text));
    }
    let mut url = reqwest::Url::parse(&format!("{}/{path}", datasource.url))
        .map_err(|e| ApiError::bad_request(format!("bad data source URL: {e}")))?;
    url.set_query(query.as_deref());
    let body: Bytes = axum::body::to_bytes(body, BODY_BYTES_MAX)
        .await
        .map_err(|_| ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "request body is too large"))?;
    let mut request = api.client.request(method, url).body(body);
    for name in FORWARDED {
        if let Some(value) = headers.get(name) {
            request = request.header(name, value);
        }
    }
    if let Some((user, password)) = &datasource.basic_auth {
        request = request.basic_auth(user, Some(password.reveal()));
    }
    let reply = request.send().await.map_err(|e| {
        tracing::debug!("data source {uid}: {e}");
        ApiError::new(StatusCode::BAD_GATEWAY, format!("data source {uid} is not reachable: {}", reason(&e)))
    })?;
    let mut out = Response::builder().status(reply.status());
    for name in RETURNED {
        if let Some(value) = reply.headers().get(name) {
            out = out.header(name, value);
        }
    }
    match reply.content_length() {
        // Small replies come as one piece, so that they can be compressed on the way out.
        Some(n) if n < 1 << 20 => {
            let body = reply.bytes().await.map_err(|e| {
                ApiError::new(StatusCode::BAD_GATEWAY, format!("data source {uid}: {}", reason(&e)))
            })?;
            Ok(out.body(Body::from(body)).map_err(ApiError::internal)?.into_response())
        }
        _ => {
            let stream = Body::from_stream(reply.bytes_stream());
            Ok(out.body(stream).map_err(ApiError::internal)?.into_response())
        }
    }
}

/// The innermost cause: "Connection refused" says more than "error sending request".
pub fn reason(e: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = e;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
