//! The user who asks, and the one organisation there is.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::Api;
use crate::auth;
use crate::error::ApiError;
use crate::flags::DEFAULT_PASSWORD;
use crate::state::{User, hash_password, verify_password};

/// Grafana's shortest password.
const PASSWORD_CHARS_MIN: usize = 4;

pub async fn current(Extension(user): Extension<Arc<User>>) -> Json<Value> {
    Json(json!({
        "id": user.id,
        "uid": format!("user-{}", user.id),
        "email": user.email,
        "name": user.name,
        "login": user.login,
        "theme": user.theme,
        "orgId": 1,
        "isGrafanaAdmin": user.role == "Admin",
        "isDisabled": false,
        "isExternal": false,
        "authLabels": [],
    }))
}

pub async fn orgs(Extension(user): Extension<Arc<User>>) -> Json<Value> {
    Json(json!([{ "orgId": 1, "name": "Main Org.", "role": user.role }]))
}

pub async fn org() -> Json<Value> {
    Json(json!({ "id": 1, "name": "Main Org.", "address": {
        "address1": "", "address2": "", "city": "", "zipCode": "", "state": "", "country": ""
    } }))
}

pub async fn preferences(Extension(user): Extension<Arc<User>>) -> Json<Value> {
    Json(json!({ "theme": user.theme, "timezone": "", "weekStart": "", "homeDashboardUID": "" }))
}

#[derive(Deserialize)]
pub struct Preferences {
    #[serde(default)]
    theme: String,
}

pub async fn set_preferences(
    State(api): State<Api>,
    Extension(user): Extension<Arc<User>>,
    Json(given): Json<Preferences>,
) -> Result<Json<Value>, ApiError> {
    if !matches!(given.theme.as_str(), "" | "dark" | "light" | "system") {
        return Err(ApiError::bad_request("Invalid theme"));
    }
    let (db, id) = (api.db.clone(), user.id);
    api.pool.run(move || db.set_theme(id, &given.theme)).await??;
    Ok(Json(json!({ "message": "Preferences updated" })))
}

#[derive(Deserialize)]
pub struct PasswordChange {
    #[serde(rename = "oldPassword")]
    old: String,
    #[serde(rename = "newPassword")]
    new: String,
}

pub async fn set_password(
    State(api): State<Api>,
    Extension(user): Extension<Arc<User>>,
    headers: HeaderMap,
    Json(given): Json<PasswordChange>,
) -> Result<Json<Value>, ApiError> {
    let hash = user.password_hash.clone();
    let old = given.old;
    if !api.pool.run(move || verify_password(&old, &hash)).await? {
        return Err(ApiError::new(axum::http::StatusCode::UNAUTHORIZED, "invalid old password"));
    }
    let keep = auth::session_token(&headers).map(|t| auth::token_hash(&t)).unwrap_or_default();
    change_password(&api, user.id, given.new, &keep).await?;
    Ok(Json(json!({ "message": "User password changed" })))
}

/// Sets a new password and ends all other sessions.
pub async fn change_password(api: &Api, user_id: i64, new: String, keep: &[u8]) -> Result<(), ApiError> {
    if new.chars().count() < PASSWORD_CHARS_MIN {
        return Err(ApiError::bad_request("New password is too short"));
    }
    if new == DEFAULT_PASSWORD {
        return Err(ApiError::bad_request("the default password cannot be chosen"));
    }
    let (db, keep) = (api.db.clone(), keep.to_vec());
    api.pool
        .run(move || -> Result<(), ApiError> {
            let hash = hash_password(&new).map_err(ApiError::internal)?;
            db.set_password(user_id, &hash)?;
            Ok(db.remove_other_sessions(user_id, &keep)?)
        })
        .await??;
    api.verified.clear();
    Ok(())
}
