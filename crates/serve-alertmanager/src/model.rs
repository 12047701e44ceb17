//! The API's JSON shapes.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use alerting::{AlertView, GroupView, Silence, fingerprint_text, format_matcher};
use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::Response;
use model::civil::Civil;
use model::{MatchOp, TimestampNs};
use serde_json::{Value as Json, json};

use crate::state::Shown;
use crate::stream::Sink;

/// A JSON reply as Go's encoder ends it.
pub fn reply(status: StatusCode, json: &Json) -> Response {
    reply_bytes(status, format!("{json}\n").into_bytes())
}

/// A JSON reply that is written already.
pub fn reply_bytes(status: StatusCode, json: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(json));
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
    let ms = ns.div_euclid(1_000_000);
    let civil = Civil::of_unix(ms.div_euclid(1000));
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        civil.year,
        civil.month,
        civil.day,
        civil.hour,
        civil.minute,
        civil.second,
        ms.rem_euclid(1000)
    )
}

/// `1.5s`, as Go prints a duration.
pub fn go_duration(duration: std::time::Duration) -> String {
    template::time::Duration(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)).to_string()
}

/// `1h30m`, as configuration files have it.
pub fn duration(duration: std::time::Duration) -> String {
    model::duration::format(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
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

/// Writes an alert as the API shows it. Lists of thousands of them are written straight to their bytes.
pub fn write_alert(out: &mut Vec<u8>, view: &AlertView) {
    let alert = &view.alert;
    out.extend_from_slice(b"{\"annotations\":");
    write_map(out, alert.annotations.iter());
    out.extend_from_slice(b",\"endsAt\":");
    write_time(out, alert.ends_at);
    out.extend_from_slice(b",\"fingerprint\":\"");
    out.extend_from_slice(fingerprint_text(view.fingerprint).as_bytes());
    out.extend_from_slice(b"\",\"receivers\":");
    write_list(out, &view.routes, |out, route| {
        out.extend_from_slice(b"{\"name\":");
        write_text(out, &route.receiver);
        out.push(b'}');
    });
    out.extend_from_slice(b",\"startsAt\":");
    write_time(out, alert.starts_at);
    out.extend_from_slice(b",\"status\":{\"inhibitedBy\":");
    write_list(out, view.inhibited_by.as_slice(), |out, inhibition| {
        write_text(out, &fingerprint_text(inhibition.source));
    });
    out.extend_from_slice(b",\"mutedBy\":");
    write_list(out, &view.muted_by, |out, name| write_text(out, name));
    out.extend_from_slice(b",\"silencedBy\":");
    write_list(out, &view.silenced_by, |out, id| write_text(out, id));
    out.extend_from_slice(b",\"state\":");
    write_text(out, view.state.as_str());
    out.extend_from_slice(b"},\"updatedAt\":");
    write_time(out, alert.updated_at);
    if !alert.generator_url.is_empty() {
        out.extend_from_slice(b",\"generatorURL\":");
        write_text(out, &alert.generator_url);
    }
    out.extend_from_slice(b",\"labels\":");
    write_map(out, alert.labels.iter());
    out.push(b'}');
}

/// Writes a group; breaks when its reader is gone.
pub fn write_group(sink: &mut Sink, view: &GroupView) -> ControlFlow<()> {
    sink.buffer.extend_from_slice(b"{\"alerts\":[");
    for (i, alert) in view.alerts.iter().enumerate() {
        if i > 0 {
            sink.buffer.push(b',');
        }
        write_alert(&mut sink.buffer, alert);
        sink.pass()?;
    }
    let out = &mut sink.buffer;
    out.extend_from_slice(b"],\"labels\":");
    write_map(out, view.labels.iter());
    out.extend_from_slice(b",\"receiver\":{\"name\":");
    write_text(out, &view.route.receiver);
    out.push(b'}');
    let route_labels = &view.route.labels;
    if !route_labels.is_empty() {
        out.extend_from_slice(b",\"routeLabels\":");
        write_map(out, route_labels.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    }
    out.push(b'}');
    sink.pass()
}

fn write_list<T>(out: &mut Vec<u8>, items: &[T], mut write: impl FnMut(&mut Vec<u8>, &T)) {
    out.push(b'[');
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}

fn write_map<'a>(out: &mut Vec<u8>, pairs: impl Iterator<Item = (&'a str, &'a str)>) {
    out.push(b'{');
    for (i, (name, value)) in pairs.enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write_text(out, name);
        out.push(b':');
        write_text(out, value);
    }
    out.push(b'}');
}

/// As Go writes a text: three characters that mean something in HTML, and two line ends, are escaped.
fn write_text(out: &mut Vec<u8>, text: &str) {
    let start = out.len();
    // Writing to memory cannot fail.
    let _ = serde_json::to_writer(&mut *out, text);
    let is_special = |bytes: &[u8]| bytes.iter().any(|b| matches!(b, b'<' | b'>' | b'&' | 0xe2));
    if is_special(out.get(start..).unwrap_or_default()) {
        let written = String::from_utf8_lossy(&out.split_off(start)).into_owned();
        out.extend_from_slice(escape_html(&written).as_bytes());
    }
}

/// Outside of texts JSON has none of these characters, so whole documents may be given.
pub fn escape_html(json: &str) -> String {
    let mut out = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        match c {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            '\u{2028}' => out.push_str("\\u2028"),
            '\u{2029}' => out.push_str("\\u2029"),
            c => out.push(c),
        }
    }
    out
}

fn write_time(out: &mut Vec<u8>, ns: TimestampNs) {
    out.push(b'"');
    out.extend_from_slice(time(ns).as_bytes());
    out.push(b'"');
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
