//! The URL table.

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{MethodRouter, delete, get, post};
use front::Instrument;

use crate::gate::Gate;
use crate::handlers::{alerts, manage, own, silences, status};
use crate::model::swagger_error;
use crate::state::Api;

/// Request bodies larger than this are refused.
const BODY_BYTES_MAX: usize = 64 << 20;

/// All routes under `prefix`. `base` is the path under which browsers see them, which differs behind a proxy.
pub fn router(api: Api, prefix: &str, base: &str) -> Router {
    let page = front::assets::Page {
        base: base.to_owned(),
        dashboards: api.host.dashboards,
        ..front::assets::Page::of("alertmanager")
    };
    let instrument = Instrument::new(
        &api.host.registry,
        "alertmanager_http_requests_total",
        "alertmanager_http_request_duration_seconds",
    );
    let v2 = Router::new()
        .route("/api/v2/status", only(get(status::v2), "GET"))
        .route("/api/v2/receivers", only(get(status::receivers), "GET"))
        .route("/api/v2/alerts", only(get(alerts::list).post(alerts::post), "GET,POST"))
        .route("/api/v2/alerts/groups", only(get(alerts::groups), "GET"))
        .route("/api/v2/silences", only(get(silences::list).post(silences::post), "GET,POST"))
        .route("/api/v2/silence/{id}", only(get(silences::get).merge(delete(silences::expire)), "DELETE,GET"))
        .route("/api/v2/{*path}", axum::routing::any(not_found))
        .layer(from_fn(v2_headers))
        .layer(from_fn_with_state(api.gate.clone(), Gate::pass));
    let own = Router::new()
        .route("/api/cloudos/v1/notifications", get(own::notifications))
        .route("/api/cloudos/v1/receivers", get(own::receivers))
        .route("/api/cloudos/v1/routes", get(own::routes))
        .route("/api/cloudos/v1/routes/test", get(own::test))
        .route("/api/cloudos/v1/alerts/{fingerprint}/why", get(own::why))
        .layer(from_fn(v2_headers))
        .layer(from_fn_with_state(api.gate.clone(), Gate::pass));
    let app = Router::new()
        .merge(v2)
        .merge(own)
        .route("/api/v1/status", get(status::v1))
        .route("/api/v1/receivers", get(status::gone))
        .route("/api/v1/alerts", get(status::gone).post(status::gone))
        .route("/api/v1/silences", get(status::gone).post(status::gone))
        .route("/api/v1/silence/{id}", get(status::gone).delete(status::gone))
        .route("/-/healthy", get(manage::ok))
        .route("/-/ready", get(manage::ok))
        .route("/-/reload", post(manage::reload).fallback(manage::post_only))
        .route("/metrics", get(manage::metrics))
        .route("/api/v1/{*path}", axum::routing::any(manage::not_found))
        .merge(front::assets::page_routes(page, &["/"]))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn_with_state(instrument, Instrument::observe));
    let app = app.with_state(api);
    if prefix.is_empty() {
        return app;
    }
    let target = format!("{prefix}/");
    Router::new().nest(prefix, app).route("/", get(move || async move { Redirect::to(&target) }))
}

/// Other methods get the API's own 405.
fn only(router: MethodRouter<Api>, allowed: &'static str) -> MethodRouter<Api> {
    router.fallback(move |method: Method| async move {
        let message = format!("method {method} is not allowed, but [{allowed}] are");
        let mut response = swagger_error(StatusCode::METHOD_NOT_ALLOWED, 405, &message);
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
        response
    })
}

async fn not_found(request: Request) -> Response {
    let message = format!("path {} was not found", request.uri().path());
    swagger_error(StatusCode::NOT_FOUND, 404, &message)
}

/// Cross-origin reading is allowed, caching is not.
async fn v2_headers(request: Request, next: Next) -> Response {
    let origin = request.headers().contains_key(header::ORIGIN);
    let preflight = request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if preflight {
        return answer_preflight(request.headers());
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    }
    response
}

/// What a page of another origin may do: read and post, with simple headers. Nothing is said to one that
/// asks for more.
fn answer_preflight(asked: &HeaderMap) -> Response {
    const METHODS: [&str; 3] = ["GET", "POST", "HEAD"];
    const HEADERS: [&str; 4] = ["accept", "content-type", "x-requested-with", "origin"];
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    let vary = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";
    headers.insert(header::VARY, HeaderValue::from_static(vary));
    let method = asked.get(header::ACCESS_CONTROL_REQUEST_METHOD);
    let wanted = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS);
    let names = wanted.and_then(|v| v.to_str().ok()).unwrap_or("");
    let allows_headers = names
        .split(',')
        .map(|name| name.trim().to_ascii_lowercase())
        .all(|name| name.is_empty() || HEADERS.contains(&name.as_str()));
    let allows_method = method.and_then(|v| v.to_str().ok()).is_some_and(|m| METHODS.contains(&m));
    if asked.contains_key(header::ORIGIN) && allows_method && allows_headers {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        for (name, value) in
            [(header::ACCESS_CONTROL_ALLOW_METHODS, method), (header::ACCESS_CONTROL_ALLOW_HEADERS, wanted)]
        {
            if let Some(value) = value {
                headers.insert(name, value.clone());
            }
        }
    }
    response
}
