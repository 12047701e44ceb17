//! The route table.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::{any, delete, get, post, put};
use front::Instrument;

use crate::api::Api;
use crate::handlers::{annotations, dashboards, datasources, login, meta, not_found, search, users};
use crate::{auth, proxy, query};

/// Bodies of the API: a dashboard is the largest thing sent.
const BODY_BYTES_MAX: usize = 16 << 20;

/// Pages of the web app.
const PAGES: &[&str] = &[
    "/",
    "/login",
    "/dashboards",
    "/dashboards/f/{uid}/{slug}",
    "/d/{uid}",
    "/d/{uid}/{slug}",
    "/explore",
    "/alerting",
    "/alerting/{*rest}",
    "/targets",
    "/rules",
    "/runbooks",
    "/runbooks/{name}",
    "/traces",
    "/trace/{id}",
];

pub fn router(api: Api) -> Router {
    let instrument = Instrument::new(
        &api.host.registry,
        "grafana_http_requests_total",
        "grafana_http_request_duration_seconds",
    );
    Router::new()
        .merge(front::assets::routes("grafana", PAGES))
        .route("/login", post(login::login))
        .route("/logout", get(login::logout))
        .route("/healthz", get(meta::healthz))
        .route("/robots.txt", get(meta::robots))
        .route("/metrics", get(meta::metrics))
        .route("/api/health", get(meta::health))
        .route("/api/login/ping", get(login::ping))
        .route("/api/frontend/settings", get(meta::frontend_settings))
        .route("/api/search", get(search::search))
        .route("/api/folders", get(search::folders))
        .route("/api/folders/{uid}", get(search::folder))
        .route("/api/dashboards/home", get(dashboards::home))
        .route("/api/dashboards/tags", get(search::tags))
        .route("/api/dashboards/db", post(dashboards::save))
        .route("/api/dashboards/uid/{uid}", get(dashboards::by_uid).delete(dashboards::delete))
        .route("/api/datasources", get(datasources::list).post(datasources::read_only))
        .route("/api/datasources/{id}", get(datasources::by_id))
        .route("/api/datasources/id/{name}", get(datasources::id_by_name))
        .route("/api/datasources/name/{name}", get(datasources::by_name))
        .route(
            "/api/datasources/uid/{uid}",
            get(datasources::by_uid).put(datasources::read_only).delete(datasources::read_only),
        )
        .route("/api/datasources/uid/{uid}/health", get(datasources::health))
        .route("/api/datasources/uid/{uid}/resources/{*path}", any(proxy::forward))
        .route("/api/datasources/proxy/uid/{uid}/{*path}", any(proxy::forward))
        .route("/api/ds/query", post(query::handle))
        .route("/api/annotations", get(annotations::list).post(annotations::add))
        .route("/api/annotations/{id}", delete(annotations::delete))
        .route("/api/user", get(users::current))
        .route("/api/user/orgs", get(users::orgs))
        .route("/api/user/preferences", get(users::preferences).put(users::set_preferences))
        .route("/api/user/password", put(users::set_password))
        .route("/api/org", get(users::org))
        .route("/api/{*rest}", any(not_found))
        .layer(middleware::from_fn_with_state(api.clone(), auth::guard))
        .layer(middleware::from_fn_with_state(instrument, Instrument::observe))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(api)
}
