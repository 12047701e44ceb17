//! Health, settings for clients, metrics.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::api::Api;

/// The Grafana version clients pick their code paths by.
pub const COMPATIBLE_VERSION: &str = "13.0.0";

pub async fn health(State(api): State<Api>) -> Response {
    let db = api.db.clone();
    let ok = matches!(api.pool.run(move || db.has_users()).await, Ok(Ok(_)));
    let status = if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({
        "database": if ok { "ok" } else { "failing" },
        "version": COMPATIBLE_VERSION,
        "commit": format!("cloudos-monitor-{}", api.host.version),
    });
    (status, Json(body)).into_response()
}

pub async fn healthz() -> &'static str {
    "Ok"
}

pub async fn robots() -> &'static str {
    "User-agent: *\nDisallow: /\n"
}

pub async fn metrics(State(api): State<Api>, headers: HeaderMap) -> Response {
    front::metrics::render(&api.host.registry, &headers)
}

pub async fn frontend_settings(State(api): State<Api>) -> Json<Value> {
    let catalog = api.catalog.load();
    let mut datasources = Map::new();
    for d in &catalog.datasources {
        datasources.insert(
            d.name.clone(),
            json!({
                "id": d.id, "uid": d.uid, "name": d.name, "type": d.kind, "access": "proxy",
                "isDefault": d.is_default, "jsonData": d.json_data,
                "url": format!("/api/datasources/proxy/uid/{}", d.uid),
            }),
        );
    }
    let default = catalog.resolve("").map_or("", |d| d.name.as_str());
    Json(json!({
        "appSubUrl": "",
        "buildInfo": {
            "version": COMPATIBLE_VERSION, "commit": format!("cloudos-monitor-{}", api.host.version),
            "edition": "Open Source", "env": "production",
        },
        "datasources": datasources,
        "defaultDatasource": default,
    }))
}
