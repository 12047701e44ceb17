//! What the original has no interface for, under `/api/cloudos/v1`: the history of notifications, receivers
//! at work, the routing tree and its trial, and why an alert is silent. For the web app and for people.

use alerting::{AlertView, Delivery, HistoryQuery, InhibitRule, LastAttempt, Route, RouteTree, Why};
use alerting::{HISTORY_ENTRIES_MAX, fingerprint_text, format_matcher};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use front::Params;
use model::{Labels, Matcher};
use serde_json::{Value as Json, json};

use crate::model::{self as wire, error_text, labels, reply, time};
use crate::state::Api;

/// Notifications shown when nobody says how many.
const NOTIFICATIONS_DEFAULT: usize = 100;

/// `GET notifications?limit=&receiver=&groupKey=`: newest first.
pub async fn notifications(State(api): State<Api>, params: Params) -> Response {
    let limit = match params.get("limit").map(str::parse::<usize>) {
        None => NOTIFICATIONS_DEFAULT,
        Some(Ok(limit)) => limit.min(HISTORY_ENTRIES_MAX),
        Some(Err(_)) => return error_text(StatusCode::BAD_REQUEST, "limit must be a number"),
    };
    let query = HistoryQuery {
        limit,
        receiver: params.get("receiver").map(str::to_owned),
        group_key: params.get("groupKey").map(str::to_owned),
    };
    let list: Json = api.manager.history(&query).iter().map(|d| notification(d)).collect();
    reply(StatusCode::OK, &list)
}

fn notification(delivery: &Delivery) -> Json {
    json!({
        "id": delivery.id,
        "at": time(delivery.at),
        "receiver": delivery.receiver,
        "integration": format!("{}[{}]", delivery.integration, delivery.index),
        "groupKey": delivery.group_key,
        "groupLabels": labels(&delivery.group_labels),
        "reason": delivery.reason.as_str(),
        "status": delivery.status.as_str(),
        "attempts": delivery.attempts,
        "durationMs": delivery.duration.as_millis() as u64,
        "firing": delivery.firing,
        "resolved": delivery.resolved,
        "rendered": delivery.rendered,
        "answer": delivery.answer,
        "error": delivery.error,
    })
}

/// `GET receivers`: each integration with its last attempt; nulls where there was none yet, and no error
/// after success.
pub async fn receivers(State(api): State<Api>) -> Response {
    let mut receivers = api.manager.receivers();
    // As the configuration lists them.
    let shown = api.shown();
    let place = |name: &str| shown.receivers.iter().position(|r| r.name == name);
    receivers.sort_by_key(|receiver| place(&receiver.name));
    let integration = |i: &alerting::IntegrationView| {
        let error = |last: &LastAttempt| (!last.error.is_empty()).then(|| last.error.clone());
        json!({
            "kind": i.kind,
            "index": i.index,
            "sendResolved": i.sends_resolved,
            "lastAttempt": i.last.as_ref().map(|last| time(last.at)),
            "lastDurationMs": i.last.as_ref().map(|last| last.duration.as_millis() as u64),
            "lastError": i.last.as_ref().and_then(error),
        })
    };
    let list: Json = receivers
        .iter()
        .map(|receiver| {
            let integrations: Vec<Json> = receiver.integrations.iter().map(integration).collect();
            json!({"name": receiver.name, "integrations": integrations})
        })
        .collect();
    reply(StatusCode::OK, &list)
}

/// `GET routes`: the tree with everything routes have inherited.
pub async fn routes(State(api): State<Api>) -> Response {
    let Some(tree) = api.manager.routes() else {
        return error_text(StatusCode::SERVICE_UNAVAILABLE, "no configuration is in force yet");
    };
    let routes: Vec<_> = tree.iter().cloned().collect();
    let root = routes.first().map(|root| route(root, &routes));
    reply(StatusCode::OK, &root.unwrap_or_default())
}

/// Sub-routes are nested as deep as the configuration file was, whose depth its parser bounds.
fn route(route_: &Route, all: &[std::sync::Arc<Route>]) -> Json {
    let children: Vec<Json> =
        route_.children().iter().filter_map(|id| all.get(*id)).map(|child| route(child, all)).collect();
    let group_by: Vec<&str> = match route_.group_by_all {
        true => vec!["..."],
        false => route_.group_by.iter().map(String::as_str).collect(),
    };
    json!({
        "id": route_.id.to_string(),
        "receiver": route_.receiver,
        "matchers": matchers(&route_.matchers),
        "continue": route_.continues(),
        "groupBy": group_by,
        "groupWait": duration(route_.group_wait),
        "groupInterval": duration(route_.group_interval),
        "repeatInterval": duration(route_.repeat_interval),
        "muteTimeIntervals": route_.mute_time_intervals,
        "activeTimeIntervals": route_.active_time_intervals,
        "labels": route_.labels,
        "routes": children,
    })
}

/// `GET routes/test?label=name%3Dvalue&…`: the routes an alert with these labels would take, and their
/// receivers, each once.
pub async fn test(State(api): State<Api>, params: Params) -> Response {
    let mut pairs = Vec::new();
    for label in params.all("label") {
        match label.split_once('=') {
            Some((name, value)) if !name.is_empty() => pairs.push((name, value)),
            _ => {
                let message = format!("label {label:?} is not of the form name=value");
                return error_text(StatusCode::BAD_REQUEST, &message);
            }
        }
    }
    let labels = Labels::from_pairs(pairs);
    let tree = api.manager.routes();
    let matched = tree.as_ref().map(|tree: &RouteTree| tree.matching(&labels)).unwrap_or_default();
    let ids: Vec<String> = matched.iter().map(|route| route.id.to_string()).collect();
    let mut receivers: Vec<&str> = Vec::new();
    for route in &matched {
        if !receivers.contains(&route.receiver.as_str()) {
            receivers.push(&route.receiver);
        }
    }
    reply(StatusCode::OK, &json!({"matched": ids, "receivers": receivers}))
}

/// `GET alerts/{fingerprint}/why`: what keeps an alert from being told, or where it is told.
pub async fn why(State(api): State<Api>, Path(fingerprint): Path<String>) -> Response {
    let parsed = (fingerprint.len() == 16).then(|| u64::from_str_radix(&fingerprint, 16));
    let Some(Ok(parsed)) = parsed else {
        let message = format!("{fingerprint:?} is not a fingerprint: sixteen hexadecimal digits are");
        return error_text(StatusCode::BAD_REQUEST, &message);
    };
    match api.manager.why(parsed) {
        Some(found) => reply(StatusCode::OK, &explanation(&found)),
        None => error_text(StatusCode::NOT_FOUND, "no such alert is firing"),
    }
}

fn explanation(why: &Why) -> Json {
    let view: &AlertView = &why.view;
    let silences: Vec<Json> = why
        .silences
        .iter()
        .map(|s| {
            json!({
                "id": s.id,
                "createdBy": s.created_by,
                "comment": s.comment,
                "endsAt": time(s.ends_at),
                "matchers": matchers(&s.matchers),
            })
        })
        .collect();
    let inhibitions: Vec<Json> = why
        .inhibition
        .iter()
        .map(|(source, rule)| {
            json!({
                "fingerprint": fingerprint_text(source.fingerprint()),
                "labels": labels(&source.labels),
                "rule": inhibit_rule(rule),
            })
        })
        .collect();
    let routes: Vec<Json> = why
        .routes
        .iter()
        .map(|(route, intervals)| {
            json!({"id": route.id.to_string(), "receiver": route.receiver, "mutedBy": intervals})
        })
        .collect();
    json!({
        "fingerprint": fingerprint_text(view.fingerprint),
        "labels": labels(&view.alert.labels),
        "state": view.state.as_str(),
        "silencedBy": silences,
        "inhibitedBy": inhibitions,
        "routes": routes,
    })
}

fn inhibit_rule(rule: &InhibitRule) -> Json {
    json!({
        "name": rule.name,
        "sourceMatchers": matchers(&rule.source),
        "targetMatchers": matchers(&rule.target),
        "equal": rule.equal,
    })
}

fn matchers(all: &[Matcher]) -> Vec<String> {
    all.iter().map(format_matcher).collect()
}

fn duration(duration: std::time::Duration) -> String {
    wire::duration(duration)
}
