//! The route table.

use axum::Router;
use axum::http::StatusCode;
use axum::middleware;
use axum::response::Redirect;
use axum::routing::{any, get, post};
use front::Instrument;

use crate::handlers::{admin, manage, query, rules, series, status, targets, write};
use crate::reply::{ApiError, ErrorType};
use crate::state::Api;

const PAGES: &[&str] = &[
    "/query",
    "/alerts",
    "/rules",
    "/targets",
    "/service-discovery",
    "/queries",
    "/status",
    "/flags",
    "/config",
    "/tsdb-status",
    "/agent",
];

pub fn router(api: Api) -> Router {
    let instrument = Instrument::new(
        &api.host.registry,
        "prometheus_http_requests_total",
        "prometheus_http_request_duration_seconds",
    );
    let v1 = Router::new()
        .route("/query", get(query::instant).post(query::instant))
        .route("/query_range", get(query::range).post(query::range))
        .route("/query_exemplars", get(query::exemplars).post(query::exemplars))
        .route("/write", post(write::write))
        .route("/format_query", get(query::format).post(query::format))
        .route("/labels", get(series::label_names).post(series::label_names))
        .route("/label/{name}/values", get(series::label_values))
        .route("/series", get(series::series).post(series::series))
        .route("/metadata", get(series::metadata))
        .route("/targets", get(targets::targets))
        .route("/targets/metadata", get(targets::metadata))
        .route("/scrape_pools", get(targets::scrape_pools))
        .route("/alertmanagers", get(targets::alertmanagers))
        .route("/rules", get(rules::rules))
        .route("/alerts", get(rules::alerts))
        .route("/status/config", get(status::config))
        .route("/status/flags", get(status::flags))
        .route("/status/runtimeinfo", get(status::runtime_info))
        .route("/status/buildinfo", get(status::build_info))
        .route("/status/tsdb", get(status::tsdb))
        .route("/admin/tsdb/delete_series", post(admin::delete_series).put(admin::delete_series))
        .route("/{*rest}", any(not_found));
    Router::new()
        .merge(front::assets::routes("prometheus", PAGES))
        .nest("/api/v1", v1)
        .route("/", get(|| async { Redirect::to("/query") }))
        .route("/graph", get(graph))
        .route("/-/healthy", get(manage::healthy))
        .route("/-/ready", get(manage::ready))
        .route("/-/reload", post(manage::reload).put(manage::reload).fallback(only_post))
        .route("/-/quit", post(manage::quit).put(manage::quit).fallback(only_post))
        .route("/metrics", get(manage::metrics))
        .layer(middleware::from_fn_with_state(instrument, Instrument::observe))
        .layer(middleware::from_fn(cross_origin))
        .with_state(api)
}

/// Old links keep their expression.
async fn graph(uri: axum::http::Uri) -> Redirect {
    Redirect::to(&uri.query().map_or("/query".to_owned(), |q| format!("/query?{q}")))
}

async fn only_post() -> (StatusCode, &'static str) {
    (StatusCode::METHOD_NOT_ALLOWED, "Only POST or PUT requests allowed")
}

async fn not_found() -> ApiError {
    ApiError::new(ErrorType::NotFound, "there is no such API endpoint, or it is not available yet")
}

/// The original lets pages of any origin read its API.
async fn cross_origin(request: axum::extract::Request, next: middleware::Next) -> axum::response::Response {
    use axum::http::{HeaderValue, Method, header};
    use axum::response::IntoResponse;
    let origin = request.headers().contains_key(header::ORIGIN);
    let api = request.uri().path().starts_with("/api/");
    let mut response = if api && request.method() == Method::OPTIONS {
        StatusCode::NO_CONTENT.into_response()
    } else {
        next.run(request).await
    };
    if origin && api {
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        let methods = HeaderValue::from_static("GET, POST, OPTIONS");
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
        let allowed = HeaderValue::from_static("Accept, Authorization, Content-Type, Origin");
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed);
    }
    response
}
