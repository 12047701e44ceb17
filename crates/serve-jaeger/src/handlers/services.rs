//! Services and operations, in both API versions.

use axum::Json;
use axum::extract::{Path, State};
use front::Params;
use model::span::SpanKind;
use serde_json::{Value, json};
use storage::traces::Operation;

use crate::api::Api;
use crate::reply::{ApiError, Reply};

pub async fn services(State(api): State<Api>) -> Result<Reply<Vec<String>>, ApiError> {
    Ok(Reply::counted(api.read(|store| store.services()).await?))
}

/// Names only, each once.
pub async fn names(
    State(api): State<Api>,
    Path(service): Path<String>,
) -> Result<Reply<Vec<String>>, ApiError> {
    let mut names: Vec<String> =
        api.read(move |store| store.operations(&service, None)).await?.into_iter().map(|o| o.name).collect();
    names.dedup();
    Ok(Reply::counted(names))
}

pub async fn operations(State(api): State<Api>, params: Params) -> Result<Reply<Vec<Value>>, ApiError> {
    let found = find(&api, &params).await?;
    let row =
        |o: Operation| json!({ "name": o.name, "spanKind": SpanKind::from_number(o.kind_number).as_str() });
    Ok(Reply::counted(found.into_iter().map(row).collect()))
}

pub async fn services_v3(State(api): State<Api>) -> Result<Json<Value>, ApiError> {
    Ok(Json(json!({ "services": api.read(|store| store.services()).await? })))
}

pub async fn operations_v3(State(api): State<Api>, params: Params) -> Result<Json<Value>, ApiError> {
    let row = |o: Operation| {
        let kind = SpanKind::from_number(o.kind_number).as_str();
        json!({ "name": o.name, "spanKind": if kind.is_empty() { "internal" } else { kind } })
    };
    let rows: Vec<Value> = find(&api, &params).await?.into_iter().map(row).collect();
    Ok(Json(json!({ "operations": rows })))
}

async fn find(api: &Api, params: &Params) -> Result<Vec<Operation>, ApiError> {
    let service =
        params.get("service").ok_or_else(|| ApiError::bad_request("parameter 'service' is required"))?;
    let service = service.to_owned();
    let kind = match params.get("spanKind").unwrap_or("") {
        "" => None,
        "internal" => Some(SpanKind::Internal),
        "server" => Some(SpanKind::Server),
        "client" => Some(SpanKind::Client),
        "producer" => Some(SpanKind::Producer),
        "consumer" => Some(SpanKind::Consumer),
        other => return Err(ApiError::bad_request(format!("invalid 'spanKind': {other:?}"))),
    };
    api.read(move |store| store.operations(&service, kind)).await
}
