//! Logging in and out.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use ring::rand::{SecureRandom, SystemRandom};
use serde::Deserialize;
use serde_json::json;

use crate::api::Api;
use crate::auth::{self, AGE_MS_MAX, COOKIE};
use crate::error::ApiError;
use crate::flags::DEFAULT_PASSWORD;

/// A login body is two short strings.
const BODY_BYTES_MAX: usize = 64 << 10;

#[derive(Deserialize)]
struct Credentials {
    user: String,
    password: String,
    /// Given when the default password must be changed on the way in.
    #[serde(default, rename = "newPassword")]
    new_password: String,
}

pub async fn login(State(api): State<Api>, request: Request) -> Result<Response, ApiError> {
    let peer = auth::peer_of(&request);
    let body = axum::body::to_bytes(request.into_body(), BODY_BYTES_MAX)
        .await
        .map_err(|_| ApiError::bad_request("bad login data"))?;
    let given: Credentials =
        serde_json::from_slice(&body).map_err(|_| ApiError::bad_request("bad login data"))?;
    let user = auth::check_password(&api, &given.user, &given.password, peer).await?;
    if given.password == DEFAULT_PASSWORD && !api.loopback_only {
        // Everybody knows this password and anybody can reach this port.
        if given.new_password.is_empty() {
            let text = "the default password must be changed first: send newPassword with the login, or set \
                        GF_SECURITY_ADMIN_PASSWORD before the first start";
            return Err(ApiError::new(StatusCode::FORBIDDEN, text));
        }
        super::users::change_password(&api, user.id, given.new_password, &[]).await?;
    }
    let mut secret = [0u8; 32];
    SystemRandom::new().fill(&mut secret).map_err(|_| ApiError::internal("no randomness for a session"))?;
    let token: String = secret.iter().map(|b| format!("{b:02x}")).collect();
    let (db, hash) = (api.db.clone(), auth::token_hash(&token));
    api.pool.run(move || db.add_session(&hash, user.id, AGE_MS_MAX)).await??;
    tracing::info!(login = user.login, %peer, "logged in");
    let cookie = format!("{COOKIE}={token}; Path=/; Max-Age={}; HttpOnly; SameSite=Lax", AGE_MS_MAX / 1000);
    let body = Json(json!({ "message": "Logged in", "redirectUrl": "/" }));
    Ok(([(header::SET_COOKIE, cookie)], body).into_response())
}

pub async fn logout(State(api): State<Api>, headers: HeaderMap) -> Result<Response, ApiError> {
    if let Some(token) = auth::session_token(&headers) {
        let (db, hash) = (api.db.clone(), auth::token_hash(&token));
        api.pool.run(move || db.remove_session(&hash)).await??;
    }
    let cookie = format!("{COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to("/login")).into_response())
}

pub async fn ping(State(api): State<Api>, headers: HeaderMap) -> Result<Response, ApiError> {
    let Some(token) = auth::session_token(&headers) else { return Err(ApiError::unauthorized()) };
    let (db, hash) = (api.db.clone(), auth::token_hash(&token));
    let user = api.pool.run(move || db.user_by_session(&hash, auth::IDLE_MS_MAX, AGE_MS_MAX)).await??;
    match user {
        Some(_) => Ok(Json(json!({ "message": "Logged in" })).into_response()),
        None => Err(ApiError::unauthorized()),
    }
}
