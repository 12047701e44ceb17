//! `POST /api/ds/query`: many queries in one request, one answer each, in Grafana's data frames.

mod frame;
mod loki;
mod macros;
mod prometheus;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::api::Api;
use crate::catalog::Snapshot;
use crate::error::ApiError;
use frame::Frame;
use macros::Interval;

/// Queries of one request that run at the same time.
const CONCURRENT_MAX: usize = 8;
/// Queries one request may hold.
const QUERIES_MAX: usize = 500;
/// Larger replies of a data source are refused.
const REPLY_BYTES_MAX: usize = 128 << 20;
/// Points of a query that asks for none, as in Grafana.
const POINTS_DEFAULT: i64 = 100;

#[derive(Debug, Deserialize)]
pub struct Request {
    from: Value,
    to: Value,
    queries: Vec<Map<String, Value>>,
}

/// One query, read from its loose JSON.
struct Query {
    ref_id: String,
    expr: String,
    legend: String,
    format: String,
    query_type: String,
    instant: bool,
    range: bool,
    max_lines: i64,
    interval: Interval,
}

/// Why one query has no frames.
struct QueryError {
    status: u16,
    message: String,
}

impl QueryError {
    fn new(status: u16, message: impl Into<String>) -> QueryError {
        QueryError { status, message: message.into() }
    }
}

pub async fn handle(State(api): State<Api>, body: axum::body::Bytes) -> Result<Response, ApiError> {
    let request: Request =
        serde_json::from_slice(&body).map_err(|e| ApiError::bad_request(format!("bad request data: {e}")))?;
    if request.queries.is_empty() {
        return Err(ApiError::bad_request("no queries found"));
    }
    if request.queries.len() > QUERIES_MAX {
        return Err(ApiError::bad_request(format!("more than {QUERIES_MAX} queries in one request")));
    }
    let now = crate::state::now_ms();
    let time = |value: &Value, name: &str| {
        macros::parse_time(value, now)
            .ok_or_else(|| ApiError::bad_request(format!("invalid time {name}: {value}")))
    };
    let (from, to) = (time(&request.from, "from")?, time(&request.to, "to")?);
    let catalog = api.catalog.load();
    let (api, catalog) = (&api, &catalog);
    let results: Vec<(String, Result<Vec<Frame>, QueryError>)> = stream::iter(request.queries)
        .map(|query| async move {
            let ref_id = text(&query, "refId");
            let ref_id = if ref_id.is_empty() { "A".to_owned() } else { ref_id };
            let result = run(api, catalog, &query, &ref_id, from, to).await;
            (ref_id, result)
        })
        .buffer_unordered(CONCURRENT_MAX)
        .collect()
        .await;
    let any_failed = results.iter().find_map(|(_, r)| r.as_ref().err().map(|e| e.status));
    let all_failed = results.iter().all(|(_, r)| r.is_err());
    let mut out = Map::new();
    for (ref_id, result) in results {
        let value = match result {
            Ok(frames) => {
                json!({"status": 200, "frames": frames.iter().map(Frame::to_json).collect::<Vec<_>>()})
            }
            Err(e) => {
                json!({"status": e.status, "error": e.message, "errorSource": "downstream", "frames": []})
            }
        };
        out.insert(ref_id, value);
    }
    // Grafana answers 400 for a request that failed as a whole and 207 for one that failed in part.
    let status = match any_failed {
        None => StatusCode::OK,
        Some(_) if !all_failed => StatusCode::MULTI_STATUS,
        Some(status) if status >= 500 => StatusCode::INTERNAL_SERVER_ERROR,
        Some(_) => StatusCode::BAD_REQUEST,
    };
    Ok((status, Json(json!({ "results": out }))).into_response())
}

async fn run(
    api: &Api,
    catalog: &Arc<Snapshot>,
    raw: &Map<String, Value>,
    ref_id: &str,
    from: i64,
    to: i64,
) -> Result<Vec<Frame>, QueryError> {
    if to < from {
        return Err(QueryError::new(400, "the time range ends before it begins"));
    }
    let reference = match raw.get("datasource") {
        Some(Value::Object(d)) => d.get("uid").and_then(Value::as_str).unwrap_or("").to_owned(),
        Some(Value::String(name)) => name.clone(),
        _ => String::new(),
    };
    let datasource = catalog
        .resolve(&reference)
        .ok_or_else(|| QueryError::new(404, format!("data source {reference:?} not found")))?;
    let number = |key: &str| raw.get(key).and_then(Value::as_f64).map_or(0, |n| n as i64);
    let points = match number("maxDataPoints") {
        n if n > 0 => n,
        _ => POINTS_DEFAULT,
    };
    let interval = Interval::new(
        from,
        to,
        number("intervalMs"),
        points,
        model::duration::parse(&text(raw, "interval")).ok(),
        datasource.duration_ms("timeInterval"),
    );
    let flag = |key: &str| raw.get(key).and_then(Value::as_bool).unwrap_or(false);
    let query = Query {
        ref_id: ref_id.to_owned(),
        expr: interval.interpolate(&text(raw, "expr")),
        legend: text(raw, "legendFormat"),
        format: text(raw, "format"),
        query_type: text(raw, "queryType"),
        instant: flag("instant"),
        range: flag("range"),
        max_lines: number("maxLines"),
        interval,
    };
    if query.expr.trim().is_empty() {
        return Err(QueryError::new(400, "the query has no expression"));
    }
    match datasource.kind.as_str() {
        "prometheus" => prometheus::run(&api.client, datasource, &query).await,
        "loki" => loki::run(&api.client, datasource, &query).await,
        other => {
            let message = format!("data sources of type {other:?} cannot be queried here; use its own API");
            Err(QueryError::new(400, message))
        }
    }
}

fn text(raw: &Map<String, Value>, key: &str) -> String {
    raw.get(key).and_then(Value::as_str).unwrap_or("").to_owned()
}

/// Sends a query to a data source and reads its JSON reply, turning its error texts into ours.
async fn fetch(
    client: &reqwest::Client,
    datasource: &crate::provisioning::datasources::Datasource,
    path: &str,
    form: &[(&str, String)],
) -> Result<Value, QueryError> {
    let mut request = client.post(format!("{}{path}", datasource.url)).form(form);
    if let Some((user, password)) = &datasource.basic_auth {
        request = request.basic_auth(user, Some(password.reveal()));
    }
    let mut reply = request.send().await.map_err(|e| {
        QueryError::new(502, format!("{} is not reachable: {}", datasource.name, crate::proxy::reason(&e)))
    })?;
    let status = reply.status().as_u16();
    let mut body = Vec::new();
    loop {
        let chunk = reply.chunk().await.map_err(|e| {
            QueryError::new(502, format!("{}: {}", datasource.name, crate::proxy::reason(&e)))
        })?;
        let Some(chunk) = chunk else { break };
        if body.len() + chunk.len() > REPLY_BYTES_MAX {
            let text = format!(
                "{} answered more than {REPLY_BYTES_MAX} bytes: ask for fewer series or a shorter range",
                datasource.name
            );
            return Err(QueryError::new(502, text));
        }
        body.extend_from_slice(&chunk);
    }
    let parsed: Result<Value, _> = serde_json::from_slice(&body);
    match parsed {
        Ok(value) if status == 200 => Ok(value),
        Ok(value) => {
            let message = value.get("error").or(value.get("message")).and_then(Value::as_str);
            let kind = value.get("errorType").and_then(Value::as_str).map(|k| format!("{k}: "));
            let message = message.map_or_else(|| value.to_string(), str::to_owned);
            Err(QueryError::new(status, format!("{}{message}", kind.unwrap_or_default())))
        }
        Err(_) if status != 200 => {
            Err(QueryError::new(status, String::from_utf8_lossy(&body).trim().to_owned()))
        }
        Err(e) => Err(QueryError::new(502, format!("{} answered no JSON: {e}", datasource.name))),
    }
}
