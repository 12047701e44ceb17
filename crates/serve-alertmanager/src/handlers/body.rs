//! JSON bodies, refused with the original's words.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use serde_json::Value as Json;
use template::time::{Time, Zone, parse};

use crate::model::swagger_error;

pub type Refused = Box<Response>;

/// Checks the content type and parses the body; `what` names it in errors.
pub fn parse_body(headers: &HeaderMap, body: &Bytes, what: &str) -> Result<Json, Refused> {
    check_body(headers, body, what)?;
    parse_json(body, what)
}

/// Checks that there is a body and that it says it is JSON.
pub fn check_body(headers: &HeaderMap, body: &Bytes, what: &str) -> Result<(), Refused> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("");
    let media = kind.split(';').next().unwrap_or("").trim();
    if !media.eq_ignore_ascii_case("application/json") {
        let shown = if media.is_empty() { "application/octet-stream" } else { media };
        let message = format!("unsupported media type {shown:?}, only [application/json] are allowed");
        return Err(Box::new(swagger_error(StatusCode::UNSUPPORTED_MEDIA_TYPE, 415, &message)));
    }
    if body.is_empty() { Err(required(what)) } else { Ok(()) }
}

pub fn parse_json(body: &Bytes, what: &str) -> Result<Json, Refused> {
    serde_json::from_slice(body).map_err(|e| {
        let reason = if e.is_eof() { "unexpected EOF".to_owned() } else { e.to_string() };
        malformed(what, &reason)
    })
}

/// The body does not have the right form.
pub fn malformed(what: &str, reason: &str) -> Refused {
    let message = format!("parsing {what} body from \"\" failed, because {reason}");
    Box::new(swagger_error(StatusCode::BAD_REQUEST, 400, &message))
}

/// A required key is missing.
pub fn required(path: &str) -> Refused {
    let message = format!("{path} in body is required");
    Box::new(swagger_error(StatusCode::UNPROCESSABLE_ENTITY, 602, &message))
}

/// How Go names a JSON value's type.
pub fn kind(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "bool",
        Json::Number(_) => "number",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    }
}

fn mismatch(json: &Json, field: &str, wanted: &str) -> String {
    format!("json: cannot unmarshal {} into Go struct field {field} of type {wanted}", kind(json))
}

/// A text field; absent and null are empty.
pub fn text(object: &Json, key: &str, of: &str) -> Result<Option<String>, String> {
    match object.get(key) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) => Ok(Some(text.clone())),
        Some(other) => Err(mismatch(other, &format!("{of}.{key}"), "string")),
    }
}

/// A field that is true or false.
pub fn boolean(object: &Json, key: &str, of: &str) -> Result<Option<bool>, String> {
    match object.get(key) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::Bool(value)) => Ok(Some(*value)),
        Some(other) => Err(mismatch(other, &format!("{of}.{key}"), "bool")),
    }
}

/// A map of texts.
pub fn text_map(object: &Json, key: &str, of: &str) -> Result<Option<BTreeMap<String, String>>, String> {
    let map = match object.get(key) {
        None | Some(Json::Null) => return Ok(None),
        Some(Json::Object(map)) => map,
        Some(other) => return Err(mismatch(other, &format!("{of}.{key}"), "models.LabelSet")),
    };
    let mut out = BTreeMap::new();
    for (name, value) in map {
        let Json::String(value) = value else {
            return Err(mismatch(value, &format!("{of}.{key}.{name}"), "string"));
        };
        out.insert(name.clone(), value.clone());
    }
    Ok(Some(out))
}

/// A time; the zero time counts as absent.
pub fn time(object: &Json, key: &str, of: &str) -> Result<Option<i64>, String> {
    let Some(text) = text(object, key, of)?.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let layouts = [
        "2006-01-02T15:04:05Z07:00",
        "2006-01-02T15:04:05",
        "2006-01-02T15:04Z07:00",
        "2006-01-02T15:04",
        "2006-01-02",
    ];
    let mut last = String::new();
    for layout in layouts {
        match parse(layout, &text, &Zone::Utc) {
            Ok(time) if time.is_zero() => return Ok(None),
            Ok(time) => return Ok(Some(Time::unix_ns(&time))),
            Err(e) => last = e,
        }
    }
    Err(last)
}
