//! The data source proxy: a request below `/api/datasources/proxy/uid/<uid>/` or `…/uid/<uid>/resources/` is
//! passed to the data source and its reply streamed back.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::api::Api;
use crate::error::ApiError;
use crate::provisioning::datasources::Datasource;

/// Request bodies above this are refused.
const BODY_BYTES_MAX: usize = 32 << 20;

/// How long a data source may take to answer a WebSocket's handshake.
const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(10);

/// How long one WebSocket may live.
const TUNNEL_TIME_MAX: Duration = Duration::from_secs(24 * 3600);

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
    request: Request,
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
    let mut url = reqwest::Url::parse(&format!("{}/{path}", datasource.url))
        .map_err(|e| ApiError::bad_request(format!("bad data source URL: {e}")))?;
    // Parsing resolves what looks like "..", "%2e%2e" and backslashes included.
    let base = reqwest::Url::parse(&format!("{}/", datasource.url))
        .map_err(|e| ApiError::bad_request(format!("bad data source URL: {e}")))?;
    if url.origin() != base.origin() || !url.path().starts_with(base.path()) {
        return Err(ApiError::bad_request("path leads out of the data source"));
    }
    url.set_query(query.as_deref());
    if request.headers().contains_key(header::UPGRADE) {
        return tunnel(&api, datasource, url, request).await;
    }
    let (parts, body) = request.into_parts();
    let (method, headers) = (parts.method, parts.headers);
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
    let reply = request.send().await.map_err(|e| unreachable_source(&uid, &e))?;
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

/// A WebSocket to the data source (Loki's live tail): the handshake is passed on, then bytes both ways until
/// either side ends.
async fn tunnel(
    api: &Api,
    datasource: &Datasource,
    url: reqwest::Url,
    mut request: Request,
) -> Result<Response, ApiError> {
    let mut handshake = api.client.get(url).timeout(TUNNEL_TIME_MAX);
    for (name, value) in request.headers() {
        let wanted = [header::CONNECTION, header::UPGRADE].contains(name)
            || name.as_str().starts_with("sec-websocket-");
        if wanted {
            handshake = handshake.header(name, value);
        }
    }
    if let Some((user, password)) = &datasource.basic_auth {
        handshake = handshake.basic_auth(user, Some(password.reveal()));
    }
    let reply = tokio::time::timeout(HANDSHAKE_TIME_MAX, handshake.send()).await.map_err(|_| {
        let text = format!("data source {} did not answer the WebSocket's handshake", datasource.uid);
        ApiError::new(StatusCode::GATEWAY_TIMEOUT, text)
    })?;
    let reply = reply.map_err(|e| unreachable_source(&datasource.uid, &e))?;
    let mut out = Response::builder().status(reply.status());
    for (name, value) in reply.headers() {
        let wanted = [header::CONNECTION, header::UPGRADE, header::CONTENT_TYPE].contains(name)
            || name.as_str().starts_with("sec-websocket-");
        if wanted {
            out = out.header(name, value);
        }
    }
    if reply.status() != StatusCode::SWITCHING_PROTOCOLS {
        let stream = Body::from_stream(reply.bytes_stream());
        return out.body(stream).map_err(ApiError::internal);
    }
    let ours = hyper::upgrade::on(&mut request);
    let (uid, shutdown) = (datasource.uid.clone(), api.host.shutdown.clone());
    tokio::spawn(async move {
        let (Ok(mut theirs), Ok(ours)) = (reply.upgrade().await, ours.await) else {
            tracing::debug!("data source {uid}: the WebSocket was given up before it began");
            return;
        };
        let mut ours = hyper_util::rt::TokioIo::new(ours);
        tokio::select! {
            () = shutdown.cancelled() => {}
            // Either side may end it at any time; that is how such connections end.
            _ = tokio::io::copy_bidirectional(&mut ours, &mut theirs) => {}
        }
    });
    out.body(Body::empty()).map_err(ApiError::internal)
}

fn unreachable_source(uid: &str, e: &reqwest::Error) -> ApiError {
    tracing::debug!("data source {uid}: {e}");
    ApiError::new(StatusCode::BAD_GATEWAY, format!("data source {uid} is not reachable: {}", reason(e)))
}

/// The innermost cause: "Connection refused" says more than "error sending request".
pub fn reason(e: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = e;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
