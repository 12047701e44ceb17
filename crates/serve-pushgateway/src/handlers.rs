//! What each request does.

use std::io::Read;
use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use expfmt::{Family, Format, LabelPairs};
use front::{Host, Pool, PoolError};

use crate::api;
use crate::grouping::{GroupingKey, PushPath, parse};
use crate::own::OwnMetrics;
use crate::store::{Push, PushError, Store};

/// Bodies larger than this are refused, before and after decompression.
const BODY_BYTES_MAX: usize = 64 << 20;

/// What may be done to a group.
const ALLOW: &str = "DELETE, OPTIONS, POST, PUT";

/// What all handlers share.
pub struct Gateway {
    pub store: Arc<Store>,
    pub pool: Pool,
    pub own: OwnMetrics,
    pub check: bool,
    pub lifecycle: bool,
    pub host: Host,
}

type Shared = State<Arc<Gateway>>;

/// The scrape. Rendering happens off the network threads: many groups make a long page.
pub async fn scrape(State(gateway): Shared) -> Response {
    let (store, registry) = (gateway.store.clone(), gateway.host.registry.clone());
    match tokio::task::spawn_blocking(move || crate::render::render(registry.gather(), &store)).await {
        Ok(Ok(text)) => ([(header::CONTENT_TYPE, Format::Text.content_type())], text).into_response(),
        Ok(Err(e)) => {
            let text = format!("An error has occurred while serving metrics:\n\n{e}\n");
            (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Everything below `/metrics/`. The path is decoded before it is taken apart, so `%2F` separates labels
/// just as a slash does: values with slashes come in base64.
pub async fn group(State(gateway): Shared, request: Request) -> Response {
    let method = request.method().clone();
    let path = decode_path(request.uri().path());
    let path = path.split_once("/metrics/").map_or("", |(_, rest)| rest);
    let parsed = parse(path);
    if parsed == PushPath::Unknown {
        return match path {
            "job/" | "job@base64/" => {
                let target = request.uri().path().trim_end_matches('/').to_owned();
                (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, target)]).into_response()
            }
            _ => not_found().await,
        };
    }
    let (handler, name) = match method {
        Method::PUT => ("push", "put"),
        Method::POST => ("push", "post"),
        Method::DELETE => ("delete", "delete"),
        Method::OPTIONS => return [(header::ALLOW, ALLOW)].into_response(),
        _ => return method_not_allowed(ALLOW),
    };
    let started = Instant::now();
    let (size, response) = match parsed {
        PushPath::Bad(reason) => (0, error(StatusCode::BAD_REQUEST, &reason)),
        PushPath::Group(key) if method == Method::DELETE => (0, answer(gateway.store.delete(&key))),
        PushPath::Group(key) => push(&gateway, key, method == Method::PUT, request).await,
        PushPath::Unknown => (0, not_found().await),
    };
    gateway.own.request(handler, name, response.status().as_u16());
    if handler == "push" {
        gateway.own.push(name, size, started.elapsed());
    }
    response
}

async fn push(gateway: &Gateway, key: GroupingKey, replace: bool, request: Request) -> (usize, Response) {
    let (parts, body) = request.into_parts();
    let body = match read(body).await {
        Ok(body) => body,
        Err(response) => return (0, response),
    };
    let size = body.len();
    let (store, check) = (gateway.store.clone(), gateway.check);
    let accepted = if check { StatusCode::OK } else { StatusCode::ACCEPTED };
    let work = move || -> Response {
        let families = match decode(&parts.headers, &body) {
            Ok(families) => families,
            Err(e) => return error(StatusCode::BAD_REQUEST, &e),
        };
        let push = Push { key, families, replace, check, now_ns: api::now_ns() };
        match store.push(push) {
            Ok(()) => accepted.into_response(),
            Err(PushError::Inconsistent(reason)) if check => {
                let prefix = "pushed metrics are invalid or inconsistent with existing metrics";
                tracing::error!("{prefix}: {reason}");
                error(StatusCode::BAD_REQUEST, &format!("{prefix}: {reason}"))
            }
            // Unchecked pushes are acknowledged before they are looked at; the failure time tells.
            Err(PushError::Inconsistent(_)) => accepted.into_response(),
            Err(refused @ PushError::ShuttingDown) => answer(Err(refused)),
        }
    };
    let response = match gateway.pool.run(work).await {
        Ok(response) => response,
        Err(e @ PoolError::Full(_)) => error(StatusCode::SERVICE_UNAVAILABLE, &e.to_string()),
        Err(e) => error(StatusCode::INTERNAL_SERVER_ERROR, &e.to_string()),
    };
    (size, response)
}

async fn read(body: Body) -> Result<bytes::Bytes, Response> {
    axum::body::to_bytes(body, BODY_BYTES_MAX).await.map_err(|e| {
        let text = e.to_string();
        if text.contains("limit") {
            let text = format!("the body has more than {BODY_BYTES_MAX} bytes");
            return error(StatusCode::PAYLOAD_TOO_LARGE, &text);
        }
        error(StatusCode::BAD_REQUEST, &text)
    })
}

/// Families in whatever form they came. Everything that is not the protobuf format is taken for text, as
/// in the original.
fn decode(headers: &HeaderMap, body: &[u8]) -> Result<Vec<Family<LabelPairs>>, String> {
    let header = |name| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or("");
    let unpacked = match header(header::CONTENT_ENCODING).to_ascii_lowercase().as_str() {
        "gzip" => Some(unpack(flate2::read::MultiGzDecoder::new(body))?),
        "snappy" => Some(unpack(snap::read::FrameDecoder::new(body))?),
        _ => None,
    };
    let body = unpacked.as_deref().unwrap_or(body);
    if is_delimited_protobuf(header(header::CONTENT_TYPE)) {
        return expfmt::protobuf::read_delimited(body);
    }
    expfmt::read_families(body).map_err(|e| e.to_string())
}

fn unpack(reader: impl Read) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    reader.take(BODY_BYTES_MAX as u64 + 1).read_to_end(&mut out).map_err(|e| e.to_string())?;
    if out.len() > BODY_BYTES_MAX {
        return Err(format!("the unpacked body has more than {BODY_BYTES_MAX} bytes"));
    }
    Ok(out)
}

fn is_delimited_protobuf(content_type: &str) -> bool {
    let mut fields = content_type.split(';').map(str::trim);
    let media = fields.next().unwrap_or("").eq_ignore_ascii_case("application/vnd.google.protobuf");
    let (mut delimited, mut family) = (false, false);
    for field in fields {
        match field.split_once('=').map(|(n, v)| (n.trim().to_ascii_lowercase(), v.trim().trim_matches('"')))
        {
            Some((name, "delimited")) if name == "encoding" => delimited = true,
            Some((name, "io.prometheus.client.MetricFamily")) if name == "proto" => family = true,
            _ => {}
        }
    }
    media && delimited && family
}

pub async fn wipe(State(gateway): Shared) -> Response {
    answer(gateway.store.wipe())
}

pub async fn status(State(gateway): Shared) -> Response {
    (cors(), Json(api::status(&gateway.host))).into_response()
}

pub async fn metrics(State(gateway): Shared) -> Response {
    let store = gateway.store.clone();
    match tokio::task::spawn_blocking(move || api::metrics(&store)).await {
        Ok(body) => (cors(), Json(body)).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

pub async fn options() -> Response {
    cors().into_response()
}

pub async fn healthy() -> &'static str {
    "OK"
}

pub async fn quit(State(gateway): Shared) -> Response {
    if !gateway.lifecycle {
        return (StatusCode::FORBIDDEN, "Lifecycle API is not enabled.").into_response();
    }
    gateway.host.shutdown.cancel();
    "Requesting termination... Goodbye!".into_response()
}

pub async fn quit_by_get() -> Response {
    (StatusCode::METHOD_NOT_ALLOWED, "Only POST or PUT requests allowed.").into_response()
}

pub async fn not_found() -> Response {
    error(StatusCode::NOT_FOUND, "404 page not found")
}

pub fn method_not_allowed(allow: &'static str) -> Response {
    let mut response = error(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed");
    response.headers_mut().insert(header::ALLOW, header::HeaderValue::from_static(allow));
    response
}

/// 202, or why not.
fn answer(result: Result<(), PushError>) -> Response {
    match result {
        Ok(()) => StatusCode::ACCEPTED.into_response(),
        Err(_) => error(StatusCode::SERVICE_UNAVAILABLE, "the service is shutting down"),
    }
}

/// Go's `http.Error`.
fn error(status: StatusCode, text: &str) -> Response {
    let headers =
        [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (status, headers, format!("{text}\n")).into_response()
}

fn cors() -> [(header::HeaderName, &'static str); 5] {
    [
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "Accept, Authorization, Content-Type, Origin"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, DELETE, OPTIONS"),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::ACCESS_CONTROL_EXPOSE_HEADERS, "Date"),
        (header::CACHE_CONTROL, "no-cache, no-store, must-revalidate"),
    ]
}

/// Percent decoding of a path; unlike in queries, `+` is itself.
fn decode_path(path: &str) -> String {
    front::params::decode(&path.replace('+', "%2B"))
}
