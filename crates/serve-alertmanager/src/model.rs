//! The API's JSON shapes.

use std::collections::BTreeMap;

use alerting::{AlertView, GroupView, Silence, format_matcher};
use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::Response;
use model::{MatchOp, TimestampNs};
use serde_json::{Value as Json, json};
use template::time::Time;

use crate::state::Shown;

/// A JSON reply as Go's encoder ends it.
pub fn reply(status: StatusCode, json: &Json) -> Response {
    let mut response = Response::new(Body::from(format!("{json}\n")));
    *response.status_mut() = status;
    let kind = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// An error the handlers themselves raise: a bare JSON string.
pub fn error_text(status: StatusCode, message: &str) -> Response {
    reply(status, &Json::from(message))
}

/// An error of the request's form.
pub fn swagger_error(status: StatusCode, code: u32, message: &str) -> Response {
    let mut response = Response::new(Body::from(json!({"code": code, "message": message}).to_string()));
    *response.status_mut() = status;
    let kind = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// Milliseconds and UTC.
pub fn time(ns: TimestampNs) -> String {
    Time::from_ns(ns).format("2006-01-02T15:04:05.000Z07:00")
}

pub fn labels(labels: &model::Labels) -> BTreeMap<&str, &str> {
    labels.iter().collect()
}

pub fn receiver(name: &str, shown: &Shown) -> Json {
    match shown.labels.get(name) {
        Some(labels) => json!({"labels": labels, "name": name}),
        None => json!({"name": name}),
    }
}

pub fn alert(view: &AlertView) -> Json {
    let alert = &view.alert;
    let mut json = json!({
        "annotations": alert.annotations,
        "endsAt": time(alert.ends_at),
        "fingerprint": view.fingerprint,
        "receivers": view.receivers.iter().map(|name| json!({"name": name})).collect::<Vec<_>>(),
        "startsAt": time(alert.starts_at),
        "status": {
            "inhibitedBy": view.inhibited_by,
            "mutedBy": view.muted_by,
            "silencedBy": view.silenced_by,
            "state": view.state.as_str(),
        },
        "updatedAt": time(alert.updated_at),
    });
    if let Json::Object(map) = &mut json {
        if !alert.generator_url.is_empty() {
            map.insert("generatorURL".into(), alert.generator_url.as_str().into());
        }
        map.insert("labels".into(), json!(labels(&alert.labels)));
    }
    json
}

pub fn group(view: &GroupView) -> Json {
    let mut json = json!({
        "alerts": view.alerts.iter().map(alert).collect::<Vec<_>>(),
        "labels": labels(&view.labels),
        "receiver": {"name": view.receiver},
    });
    if let Json::Object(map) = &mut json
        && !view.route_labels.is_empty()
    {
        map.insert("routeLabels".into(), json!(view.route_labels));
    }
    json
}

pub fn silence(silence: &Silence, now: TimestampNs) -> Json {
    let matchers: Vec<Json> = silence
        .matchers
        .iter()
        .map(|m| {
            json!({
                "isEqual": matches!(m.op, MatchOp::Equal | MatchOp::Regex),
                "isRegex": matches!(m.op, MatchOp::Regex | MatchOp::NotRegex),
                "name": m.name,
                "value": m.value,
            })
        })
        .collect();
    let mut json = json!({
        "id": silence.id,
        "status": {"state": silence.state(now).as_str()},
        "updatedAt": time(silence.updated_at),
        "comment": silence.comment,
        "createdBy": silence.created_by,
        "endsAt": time(silence.ends_at),
        "matchers": matchers,
        "startsAt": time(silence.starts_at),
    });
    if let Json::Object(map) = &mut json
        && !silence.annotations.is_empty()
    {
        map.insert("annotations".into(), json!(silence.annotations));
    }
    json
}

/// Whether two matchers are the same, for filters over silences.
pub fn same(a: &model::Matcher, b: &model::Matcher) -> bool {
    format_matcher(a) == format_matcher(b)
}
