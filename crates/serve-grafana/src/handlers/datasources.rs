//! Data sources, read-only: they come from provisioning files.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::api::Api;
use crate::error::ApiError;
use crate::provisioning::datasources::Datasource;

pub async fn list(State(api): State<Api>) -> Json<Value> {
    let catalog = api.catalog.load();
    let mut all: Vec<&Datasource> = catalog.datasources.iter().collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Json(all.into_iter().map(Datasource::to_json).collect())
}

fn find(api: &Api, matches: impl Fn(&Datasource) -> bool) -> Result<Datasource, ApiError> {
    let catalog = api.catalog.load();
    let found = catalog.datasources.iter().find(|d| matches(d)).cloned();
    found.ok_or_else(|| ApiError::not_found("Data source not found"))
}

pub async fn by_uid(State(api): State<Api>, Path(uid): Path<String>) -> Result<Json<Value>, ApiError> {
    Ok(Json(find(&api, |d| d.uid == uid)?.to_json()))
}

pub async fn by_name(State(api): State<Api>, Path(name): Path<String>) -> Result<Json<Value>, ApiError> {
    Ok(Json(find(&api, |d| d.name == name)?.to_json()))
}

pub async fn id_by_name(State(api): State<Api>, Path(name): Path<String>) -> Result<Json<Value>, ApiError> {
    Ok(Json(json!({ "id": find(&api, |d| d.name == name)?.id })))
}

pub async fn by_id(State(api): State<Api>, Path(id): Path<usize>) -> Result<Json<Value>, ApiError> {
    Ok(Json(find(&api, |d| d.id == id)?.to_json()))
}

/// Asks the data source something cheap.
pub async fn health(State(api): State<Api>, Path(uid): Path<String>) -> Result<Response, ApiError> {
    let source = find(&api, |d| d.uid == uid)?;
    let path = match source.kind.as_str() {
        "prometheus" => "/api/v1/query?query=1%2B1",
        "loki" => "/loki/api/v1/labels",
        "jaeger" => "/api/services",
        "alertmanager" => "/api/v2/status",
        other => {
            let text = format!("no health check for data sources of type {other:?}");
            return Err(ApiError::new(StatusCode::NOT_IMPLEMENTED, text));
        }
    };
    let mut request = api.client.get(format!("{}{path}", source.url));
    if let Some((user, password)) = &source.basic_auth {
        request = request.basic_auth(user, Some(password.reveal()));
    }
    let problem = match request.send().await {
        Ok(reply) if reply.status().is_success() => None,
        Ok(reply) => Some(format!("it answered {}", reply.status())),
        Err(e) => Some(crate::proxy::reason(&e)),
    };
    Ok(match problem {
        None => {
            let body = json!({ "status": "OK", "message": format!("{} is answering.", source.name) });
            Json(body).into_response()
        }
        Some(problem) => {
            let body = json!({ "status": "ERROR", "message": format!("{}: {problem}", source.name) });
            (StatusCode::BAD_REQUEST, Json(body)).into_response()
        }
    })
}

/// Creating, changing and deleting data sources.
pub async fn read_only() -> ApiError {
    let text = "data sources are provisioned from files: edit grafana/provisioning/datasources and reload";
    ApiError::new(StatusCode::FORBIDDEN, text)
}
