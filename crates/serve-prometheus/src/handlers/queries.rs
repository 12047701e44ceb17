//! `/api/v1/status/active_queries` with `/cancel`, and `/api/v1/status/top_queries`, shaped as
//! VictoriaMetrics shapes them.

use std::fmt::Write;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use front::Params;

use crate::reply::{ApiError, ErrorType, Reply, write_string};
use crate::state::Api;
use crate::times;
use crate::watch::TopQuery;

/// What `topN` and `maxLifetime` are when not given.
const TOP_DEFAULT: usize = 20;
const LIFETIME_DEFAULT_MS: i64 = 10 * 60_000;

/// Queries that run, longest first.
pub async fn active(State(api): State<Api>) -> Reply {
    let mut out = String::from("[");
    for (i, query) in api.watch.active.list().iter().enumerate() {
        out.push_str(if i > 0 { ",{" } else { "{" });
        let info = &query.info;
        let _ = write!(out, "\"duration\":\"{:.3}s\",\"id\":\"{}\"", query.running.as_secs_f64(), query.id);
        out.push_str(",\"remote_addr\":");
        write_string(&mut out, &info.client);
        out.push_str(",\"query\":");
        write_string(&mut out, &info.query);
        let _ = write!(out, ",\"start\":{},\"end\":{},\"step\":{}}}", info.start, info.end, info.step);
    }
    out.push(']');
    Reply::new(out)
}

/// Stops the query with the given `id`.
pub async fn cancel(State(api): State<Api>, params: Params) -> Result<Reply, ApiError> {
    let text = params.get("id").unwrap_or("");
    let id: u64 =
        text.parse().map_err(|_| ApiError::parameter("id", format!("{text:?} is not the id of a query")))?;
    if !api.watch.active.cancel(id) {
        return Err(ApiError::new(ErrorType::NotFound, format!("no query with id {id} is running")));
    }
    Ok(Reply::new("{}".into()))
}

/// What came often, took long on average, and took long in total.
pub async fn top(State(api): State<Api>, params: Params) -> Result<Response, ApiError> {
    let top = match params.get("topN") {
        None => TOP_DEFAULT,
        Some(text) => text
            .parse()
            .map_err(|_| ApiError::parameter("topN", format!("cannot parse {text:?} as a number")))?,
    };
    let lifetime_ms = match params.get("maxLifetime") {
        None => LIFETIME_DEFAULT_MS,
        Some(text) => times::parse_duration(text).map_err(|e| ApiError::parameter("maxLifetime", e))?,
    };
    let mut found = api.watch.top.list(Duration::from_millis(lifetime_ms.max(0) as u64));
    let mut out = String::from("{\"topN\":");
    write_string(&mut out, &top.to_string());
    let _ = write!(
        out,
        ",\"maxLifetime\":\"{}\",\"search.queryStats.lastQueriesCount\":{},\"search.queryStats.minQueryDuration\":\"{}ms\"",
        model::duration::format(lifetime_ms.max(0)),
        crate::watch::REMEMBERED_MAX,
        crate::watch::DURATION_MIN.as_millis(),
    );
    let seconds = |name: &str, d: Duration| format!(",\"{name}\":{:.3}", d.as_secs_f64());
    found.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.query.cmp(&b.query)));
    write_list(&mut out, "topByCount", found.iter().take(top), |_| String::new());
    found.sort_by(|a, b| b.average().cmp(&a.average()).then_with(|| a.query.cmp(&b.query)));
    write_list(&mut out, "topByAvgDuration", found.iter().take(top), |q| {
        seconds("avgDurationSeconds", q.average())
    });
    found.sort_by(|a, b| b.total.cmp(&a.total).then_with(|| a.query.cmp(&b.query)));
    write_list(&mut out, "topBySumDuration", found.iter().take(top), |q| {
        seconds("sumDurationSeconds", q.total)
    });
    out.push('}');
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, "application/json")], out).into_response())
}

fn write_list<'q>(
    out: &mut String,
    name: &str,
    queries: impl Iterator<Item = &'q TopQuery>,
    more: impl Fn(&TopQuery) -> String,
) {
    let _ = write!(out, ",\"{name}\":[");
    for (i, query) in queries.enumerate() {
        out.push_str(if i > 0 { ",{\"query\":" } else { "{\"query\":" });
        write_string(out, &query.query);
        let _ = write!(
            out,
            ",\"timeRangeSeconds\":{}{},\"count\":{}}}",
            query.range_seconds,
            more(query),
            query.count
        );
    }
    out.push(']');
}
