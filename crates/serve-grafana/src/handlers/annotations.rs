//! Annotations.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::{Extension, Json};
use front::Params;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::Api;
use crate::error::ApiError;
use crate::state::{Annotation, User, now_ms};

pub async fn list(State(api): State<Api>, params: Params) -> Result<Json<Value>, ApiError> {
    let number = |name: &str, default: i64| params.get(name).and_then(|n| n.parse().ok()).unwrap_or(default);
    let (from, to, limit) = (number("from", 0), number("to", i64::MAX), number("limit", 0));
    let dashboard = params.get("dashboardUID").unwrap_or("").to_owned();
    let db = api.db.clone();
    let found = api.pool.run(move || db.annotations(&dashboard, from, to, limit)).await??;
    let tags: Vec<&str> = params.all("tags").collect();
    let wanted = found.iter().filter(|a| tags.iter().all(|t| a.tags.iter().any(|own| own == t)));
    Ok(Json(wanted.map(to_json).collect()))
}

fn to_json(a: &Annotation) -> Value {
    json!({
        "id": a.id, "alertId": 0, "alertName": "", "dashboardId": 0, "dashboardUID": a.dashboard_uid,
        "panelId": a.panel_id, "userId": 0, "newState": "", "prevState": "", "created": a.created_ms,
        "updated": a.created_ms, "time": a.time_ms, "timeEnd": a.time_end_ms, "text": a.text, "tags": a.tags,
        "login": a.login, "email": "", "avatarUrl": "", "data": {},
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct New {
    #[serde(default, rename = "dashboardUID")]
    dashboard_uid: String,
    #[serde(default)]
    panel_id: i64,
    #[serde(default)]
    time: i64,
    #[serde(default)]
    time_end: i64,
    #[serde(default)]
    text: String,
    #[serde(default)]
    tags: Vec<String>,
}

pub async fn add(
    State(api): State<Api>,
    Extension(user): Extension<Arc<User>>,
    Json(given): Json<New>,
) -> Result<Json<Value>, ApiError> {
    if given.text.is_empty() {
        return Err(ApiError::bad_request("text field should not be empty"));
    }
    let time = if given.time == 0 { now_ms() } else { given.time };
    let annotation = Annotation {
        id: 0,
        dashboard_uid: given.dashboard_uid,
        panel_id: given.panel_id,
        time_ms: time,
        time_end_ms: given.time_end.max(time),
        text: given.text,
        tags: given.tags,
        login: user.login.clone(),
        created_ms: 0,
    };
    let db = api.db.clone();
    let id = api.pool.run(move || db.add_annotation(&annotation)).await??;
    Ok(Json(json!({ "message": "Annotation added", "id": id })))
}

pub async fn delete(State(api): State<Api>, Path(id): Path<i64>) -> Result<Json<Value>, ApiError> {
    let db = api.db.clone();
    if !api.pool.run(move || db.delete_annotation(id)).await?? {
        return Err(ApiError::not_found("Could not find annotation to update"));
    }
    Ok(Json(json!({ "message": "Annotation deleted" })))
}
