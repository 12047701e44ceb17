//! `/api/v2/alerts` and `/api/v2/alerts/groups`.

use alerting::Alert;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use front::Params;
use model::Labels;
use serde_json::Value as Json;

use crate::handlers::body::{self, Refused, check_body, malformed, parse_json, required};
use crate::handlers::posted;
use crate::handlers::query::alert_query;
use crate::model::{self as wire, error_text};
use crate::state::Api;
use crate::stream;

/// Alerts in one request.
const ALERTS_MAX: usize = 100_000;

pub async fn list(State(api): State<Api>, params: Params) -> Response {
    let query = match alert_query(&params, &api) {
        Ok(query) => query,
        Err(refused) => return *refused,
    };
    stream::json(move |sink| {
        sink.buffer.push(b'[');
        let mut is_first = true;
        api.manager.query_alerts(&query, &mut |view| {
            if !std::mem::take(&mut is_first) {
                sink.buffer.push(b',');
            }
            wire::write_alert(&mut sink.buffer, &view);
            sink.pass()
        });
        sink.buffer.extend_from_slice(b"]\n");
    })
    .await
}

pub async fn groups(State(api): State<Api>, params: Params) -> Response {
    let query = match alert_query(&params, &api) {
        Ok(query) => query,
        Err(refused) => return *refused,
    };
    stream::json(move |sink| {
        sink.buffer.push(b'[');
        for (i, group) in api.manager.query_groups(&query).iter().enumerate() {
            if i > 0 {
                sink.buffer.push(b',');
            }
            if wire::write_group(sink, group).is_break() {
                return;
            }
        }
        sink.buffer.extend_from_slice(b"]\n");
    })
    .await
}

pub async fn post(State(api): State<Api>, headers: HeaderMap, bytes: Bytes) -> Response {
    if let Err(refused) = check_body(&headers, &bytes, "alerts") {
        return *refused;
    }
    let done = tokio::task::spawn_blocking(move || {
        let now = api.manager.clock().now_ns();
        let alerts = match posted::read(&bytes, now) {
            Some(alerts) => alerts,
            None => read_slowly(&bytes, now)?,
        };
        if alerts.len() > ALERTS_MAX {
            return Err(malformed("alerts", &format!("{} alerts are more than {ALERTS_MAX}", alerts.len())));
        }
        let refuse = |refused: Vec<String>| error_text(StatusCode::BAD_REQUEST, &refused.join("\n"));
        api.manager.put(alerts).map_err(|refused| Box::new(refuse(refused)))
    });
    match done.await {
        Ok(Ok(())) => StatusCode::OK.into_response(),
        Ok(Err(refused)) => *refused,
        Err(_) => error_text(StatusCode::INTERNAL_SERVER_ERROR, "taking the alerts in failed"),
    }
}

/// Reads a body that is not as it should be, or that has times in an unusual form.
fn read_slowly(bytes: &Bytes, now: i64) -> Result<Vec<(Alert, bool)>, Refused> {
    let json = parse_json(bytes, "alerts")?;
    let Json::Array(items) = &json else {
        let reason = format!(
            "json: cannot unmarshal {} into Go value of type models.PostableAlerts",
            body::kind(&json)
        );
        return Err(malformed("alerts", &reason));
    };
    let mut alerts = Vec::with_capacity(items.len());
    for item in items {
        alerts.push(alert(item, now).map_err(|reason| malformed("alerts", &reason))?);
    }
    if let Some(index) = alerts.iter().position(Option::is_none) {
        return Err(required(&format!("{index}.labels")));
    }
    Ok(alerts.into_iter().flatten().collect())
}

/// One posted alert and whether it says when it ends; `None` when it has no labels at all.
fn alert(json: &Json, now: i64) -> Result<Option<(Alert, bool)>, String> {
    if !json.is_object() {
        let message = "json: cannot unmarshal %KIND into Go value of type models.PostableAlert";
        return Err(message.replace("%KIND", body::kind(json)));
    }
    let labels = body::text_map(json, "labels", "Alert")?;
    let annotations = body::text_map(json, "annotations", "PostableAlert")?.unwrap_or_default();
    let (starts, ends) = (body::time(json, "startsAt", "")?, body::time(json, "endsAt", "")?);
    let generator_url = body::text(json, "generatorURL", "Alert")?.unwrap_or_default();
    let Some(labels) = labels else {
        return Ok(None);
    };
    let starts_at = starts.or(ends).unwrap_or(now);
    let alert = Alert {
        labels: Labels::from_pairs(labels),
        annotations: annotations.into_iter().collect(),
        starts_at,
        ends_at: ends.unwrap_or(0),
        updated_at: now,
        generator_url,
        timeout: false,
        inherited: false,
    };
    Ok(Some((alert, ends.is_some())))
}
