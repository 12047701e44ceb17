//! Reading, saving and deleting dashboards.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};

use super::search::slug;
use crate::api::Api;
use crate::error::ApiError;
use crate::state::{SaveError, User};

pub async fn by_uid(State(api): State<Api>, Path(uid): Path<String>) -> Result<Json<Value>, ApiError> {
    let (db, key) = (api.db.clone(), uid.clone());
    let saved = api.pool.run(move || db.dashboard(&key)).await??;
    let catalog = api.catalog.load();
    if let Some(saved) = saved {
        let mut json: Value = serde_json::from_str(&saved.json).map_err(ApiError::internal)?;
        json["version"] = saved.version.into();
        let folders = catalog.folders();
        let folder = folders.get(saved.folder_uid.as_str()).copied().unwrap_or("");
        let updated = time_text(saved.updated_ms);
        return Ok(Json(reply(
            &uid,
            &saved.title,
            (&saved.folder_uid, folder),
            saved.version,
            &updated,
            None,
            json,
        )));
    }
    let found = catalog.dashboard(&uid).ok_or_else(|| ApiError::not_found("Dashboard not found"))?;
    let mut json = (*found.json).clone();
    json["version"] = json.get("version").and_then(Value::as_i64).unwrap_or(1).into();
    let version = json["version"].as_i64().unwrap_or(1);
    let since = found.modified.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let updated = time_text(since.as_millis() as i64);
    let file = found.file.file_name().map(|n| n.to_string_lossy().into_owned());
    let folder = (found.folder_uid.as_str(), found.folder.as_str());
    Ok(Json(reply(&uid, &found.title, folder, version, &updated, file, json)))
}

/// Clients insist on a full `meta`.
fn reply(
    uid: &str,
    title: &str,
    (folder_uid, folder): (&str, &str),
    version: i64,
    updated: &str,
    file: Option<String>,
    dashboard: Value,
) -> Value {
    let slug = slug(title);
    let folder_url = if folder_uid.is_empty() {
        String::new()
    } else {
        format!("/dashboards/f/{folder_uid}/{}", self::slug(folder))
    };
    json!({
        "meta": {
            "type": "db", "canSave": true, "canEdit": true, "canAdmin": true, "canStar": true,
            "canDelete": file.is_none(), "slug": slug, "url": format!("/d/{uid}/{slug}"),
            "expires": "0001-01-01T00:00:00Z", "created": updated, "updated": updated, "updatedBy": "",
            "createdBy": "", "version": version, "hasAcl": false, "isFolder": false, "folderId": 0,
            "folderUid": folder_uid, "folderTitle": if folder.is_empty() { "General" } else { folder },
            "folderUrl": folder_url, "provisioned": file.is_some(),
            "provisionedExternalId": file.unwrap_or_default(),
            "annotationsPermissions": {
                "dashboard": { "canAdd": true, "canEdit": true, "canDelete": true },
                "organization": { "canAdd": true, "canEdit": true, "canDelete": true },
            },
        },
        "dashboard": dashboard,
    })
}

fn time_text(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| String::new(), |t| t.to_string())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Save {
    dashboard: Value,
    #[serde(default)]
    folder_uid: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    overwrite: bool,
}

pub async fn save(
    State(api): State<Api>,
    Extension(user): Extension<Arc<User>>,
    Json(given): Json<Save>,
) -> Result<Response, ApiError> {
    if user.role == "Viewer" {
        return Err(ApiError::new(StatusCode::FORBIDDEN, "Access denied to this dashboard"));
    }
    let mut dashboard = given.dashboard;
    let object = dashboard.as_object_mut().ok_or_else(|| ApiError::bad_request("bad request data"))?;
    let title = object.get("title").and_then(Value::as_str).unwrap_or("").trim().to_owned();
    if title.is_empty() {
        return Err(ApiError::bad_request("Dashboard title cannot be empty"));
    }
    let uid = match object.get("uid").and_then(Value::as_str).filter(|u| !u.is_empty()) {
        Some(uid) if uid.len() > 40 => return Err(ApiError::bad_request("uid too long, max 40 characters")),
        Some(uid) if !uid.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)) => {
            return Err(ApiError::bad_request("uid contains illegal characters"));
        }
        Some(uid) => uid.to_owned(),
        None => new_uid(),
    };
    let catalog = api.catalog.load();
    if catalog.dashboard(&uid).is_some_and(|p| !p.allow_ui_updates) {
        return Err(ApiError::bad_request("Cannot save provisioned dashboard"));
    }
    if !given.folder_uid.is_empty() && !catalog.folders().contains_key(given.folder_uid.as_str()) {
        return Err(ApiError::bad_request("folder not found"));
    }
    let base = object.get("version").and_then(Value::as_i64).unwrap_or(0);
    object.insert("uid".into(), uid.clone().into());
    object.remove("id");
    let text = dashboard.to_string();
    let (db, key, name, overwrite) = (api.db.clone(), uid.clone(), title.clone(), given.overwrite);
    let saved = api
        .pool
        .run(move || {
            let base = (!overwrite).then_some(base);
            db.save_dashboard(&key, &name, &given.folder_uid, &text, &given.message, base)
        })
        .await?;
    match saved {
        Ok(version) => Ok(Json(json!({
            "id": 0, "uid": uid, "url": format!("/d/{uid}/{}", slug(&title)), "status": "success",
            "version": version, "slug": slug(&title),
        }))
        .into_response()),
        Err(SaveError::VersionMismatch) => {
            let text = "The dashboard has been changed by someone else";
            let body = json!({ "message": text, "status": "version-mismatch" });
            Ok((StatusCode::PRECONDITION_FAILED, Json(body)).into_response())
        }
        Err(SaveError::Database(e)) => Err(e.into()),
    }
}

fn new_uid() -> String {
    use ring::rand::{SecureRandom, SystemRandom};
    let mut bytes = [0u8; 9];
    // Without randomness the time still makes a name of its own.
    if SystemRandom::new().fill(&mut bytes).is_err() {
        return format!("t{:x}", crate::state::now_ms());
    }
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

pub async fn delete(
    State(api): State<Api>,
    Extension(user): Extension<Arc<User>>,
    Path(uid): Path<String>,
) -> Result<Json<Value>, ApiError> {
    if user.role == "Viewer" {
        return Err(ApiError::new(StatusCode::FORBIDDEN, "Access denied to this dashboard"));
    }
    let (db, key) = (api.db.clone(), uid.clone());
    let saved = api.pool.run(move || db.dashboard(&key)).await??;
    let Some(saved) = saved else {
        return Err(match api.catalog.load().dashboard(&uid) {
            Some(_) => ApiError::bad_request("provisioned dashboard cannot be deleted"),
            None => ApiError::not_found("Dashboard not found"),
        });
    };
    let db = api.db.clone();
    api.pool.run(move || db.delete_dashboard(&saved.uid)).await??;
    let message = format!("Dashboard {} deleted", saved.title);
    Ok(Json(json!({ "title": saved.title, "message": message, "uid": uid })))
}

/// Where `/` of other clients goes; our own app has a home page.
pub async fn home(State(api): State<Api>) -> Json<Value> {
    let catalog = api.catalog.load();
    match catalog
        .dashboards
        .values()
        .find(|d| d.uid == "cloudos-system-overview")
        .or(catalog.dashboards.values().next())
    {
        Some(d) => Json(json!({ "redirectUri": format!("/d/{}/{}", d.uid, slug(&d.title)) })),
        None => Json(json!({ "redirectUri": "/dashboards" })),
    }
}
