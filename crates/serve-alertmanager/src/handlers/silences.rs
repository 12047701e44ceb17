//! `/api/v2/silences` and `/api/v2/silence/{id}`.

use std::sync::Arc;

use alerting::{Silence, SilenceError, SilenceState};
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use front::Params;
use model::{MatchOp, Matcher};
use serde_json::{Value as Json, json};

use crate::handlers::body::{self, malformed, parse_body, required};
use crate::handlers::query::{filters, flag};
use crate::model::{self as wire, error_text, reply, swagger_error};
use crate::state::Api;

pub async fn list(State(api): State<Api>, params: Params) -> Response {
    let filter = match filters(&params, api.mode) {
        Ok(filter) => filter,
        Err(refused) => return *refused,
    };
    let now = api.manager.clock().now_ns();
    let shows = |state: SilenceState| flag(&params, state.as_str());
    let mut silences: Vec<Arc<Silence>> = api
        .manager
        .silences()
        .into_iter()
        .filter(|s| shows(s.state(now)))
        .filter(|s| filter.iter().all(|f| s.matchers.iter().any(|m| wire::same(m, f))))
        .collect();
    silences.sort_by_key(|s| match s.state(now) {
        SilenceState::Active => (0, s.ends_at),
        SilenceState::Pending => (1, s.starts_at),
        SilenceState::Expired => (2, -s.ends_at),
    });
    shown(&silences.iter().map(|s| wire::silence(s, now)).collect())
}

pub async fn get(State(api): State<Api>, Path(id): Path<String>) -> Response {
    if let Err(refused) = check_id(&id) {
        return *refused;
    }
    let now = api.manager.clock().now_ns();
    match api.manager.silence(&id.to_ascii_lowercase()) {
        Some(silence) => shown(&wire::silence(&silence, now)),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn shown(json: &Json) -> Response {
    wire::reply_bytes(StatusCode::OK, (wire::escape_html(&json.to_string()) + "\n").into_bytes())
}

pub async fn expire(State(api): State<Api>, Path(id): Path<String>) -> Response {
    if let Err(refused) = check_id(&id) {
        return *refused;
    }
    let manager = api.manager.clone();
    let done = tokio::task::spawn_blocking(move || manager.expire_silence(&id.to_ascii_lowercase())).await;
    match done {
        Ok(Ok(())) => StatusCode::OK.into_response(),
        Ok(Err(SilenceError::NotFound)) => StatusCode::NOT_FOUND.into_response(),
        Ok(Err(e)) => error_text(StatusCode::INTERNAL_SERVER_ERROR, &e.to_string()),
        Err(_) => error_text(StatusCode::INTERNAL_SERVER_ERROR, "expiring the silence failed"),
    }
}

pub async fn post(State(api): State<Api>, headers: HeaderMap, bytes: Bytes) -> Response {
    let json = match parse_body(&headers, &bytes, "silence") {
        Ok(json) => json,
        Err(refused) => return *refused,
    };
    let silence = match silence(&json) {
        Ok(silence) => silence,
        Err(refused) => return *refused,
    };
    let refuse =
        |message: &str| error_text(StatusCode::BAD_REQUEST, &format!("Failed to create silence: {message}"));
    if silence.starts_at >= silence.ends_at {
        return refuse("start time must be before end time");
    }
    if silence.ends_at < api.manager.clock().now_ns() {
        return refuse("end time can't be in the past");
    }
    let manager = api.manager.clone();
    match tokio::task::spawn_blocking(move || manager.set_silence(silence)).await {
        Ok(Ok(id)) => reply(StatusCode::OK, &json!({"silenceID": id})),
        Ok(Err(e @ SilenceError::NotFound)) => error_text(StatusCode::NOT_FOUND, &e.to_string()),
        Ok(Err(e @ SilenceError::Invalid(_))) => error_text(StatusCode::BAD_REQUEST, &e.to_string()),
        Ok(Err(e)) => error_text(StatusCode::INTERNAL_SERVER_ERROR, &e.to_string()),
        Err(_) => error_text(StatusCode::INTERNAL_SERVER_ERROR, "storing the silence failed"),
    }
}

fn silence(json: &Json) -> Result<Silence, body::Refused> {
    let of = "PostableSilence";
    let bad = |reason: String| malformed("silence", &reason);
    if !json.is_object() {
        let kind = body::kind(json);
        return Err(bad(format!(
            "json: cannot unmarshal {kind} into Go value of type struct {{ ID string \"json:\\\"id,omitempty\\\"\" }}"
        )));
    }
    let id = body::text(json, "id", of).map_err(bad)?.unwrap_or_default();
    let comment = body::text(json, "comment", of).map_err(bad)?;
    let created_by = body::text(json, "createdBy", of).map_err(bad)?;
    let annotations = body::text_map(json, "annotations", of).map_err(bad)?.unwrap_or_default();
    let (starts_at, ends_at) =
        (body::time(json, "startsAt", of).map_err(bad)?, body::time(json, "endsAt", of).map_err(bad)?);
    let comment = comment.ok_or_else(|| required("comment"))?;
    let created_by = created_by.ok_or_else(|| required("createdBy"))?;
    let ends_at = ends_at.ok_or_else(|| required("endsAt"))?;
    let items = match json.get("matchers") {
        Some(Json::Array(items)) => items,
        None | Some(Json::Null) => return Err(required("matchers")),
        Some(other) => {
            let kind = body::kind(other);
            let field = "PostableSilence.matchers of type models.Matchers";
            return Err(bad(format!("json: cannot unmarshal {kind} into Go struct field {field}")));
        }
    };
    if items.is_empty() {
        let message = "matchers in body should have at least 1 items";
        return Err(Box::new(swagger_error(StatusCode::UNPROCESSABLE_ENTITY, 612, message)));
    }
    let matchers =
        items.iter().enumerate().map(|(i, item)| matcher(i, item)).collect::<Result<Vec<_>, _>>()?;
    let starts_at = starts_at.ok_or_else(|| required("startsAt"))?;
    Ok(Silence { id, matchers, starts_at, ends_at, updated_at: 0, created_by, comment, annotations })
}

fn matcher(index: usize, json: &Json) -> Result<Matcher, body::Refused> {
    let of = "Matcher";
    let bad = |reason: String| malformed("silence", &reason);
    let missing = |key: &str| required(&format!("matchers.{index}.{key}"));
    let is_regex = body::boolean(json, "isRegex", of).map_err(bad)?.ok_or_else(|| missing("isRegex"))?;
    let is_equal = body::boolean(json, "isEqual", of).map_err(bad)?.unwrap_or(true);
    let name = body::text(json, "name", of).map_err(bad)?.ok_or_else(|| missing("name"))?;
    let value = body::text(json, "value", of).map_err(bad)?.ok_or_else(|| missing("value"))?;
    let op = match (is_regex, is_equal) {
        (false, true) => MatchOp::Equal,
        (false, false) => MatchOp::NotEqual,
        (true, true) => MatchOp::Regex,
        (true, false) => MatchOp::NotRegex,
    };
    Matcher::new(op, name, value.clone()).map_err(|_| {
        let reason = re2::Regex::new(&value).err().map(|e| e.to_string()).unwrap_or_default();
        let message = format!(
            "invalid silence: invalid label matcher {index} in set 0: invalid regular expression {value:?}: {reason}"
        );
        Box::new(error_text(StatusCode::BAD_REQUEST, &message))
    })
}

fn check_id(id: &str) -> Result<(), body::Refused> {
    let parts: Vec<usize> = id.split('-').map(str::len).collect();
    let hex = id.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    if hex && parts == [8, 4, 4, 4, 12] {
        return Ok(());
    }
    let message = format!("silenceID in path must be of type uuid: {id:?}");
    Err(Box::new(swagger_error(StatusCode::UNPROCESSABLE_ENTITY, 601, &message)))
}
