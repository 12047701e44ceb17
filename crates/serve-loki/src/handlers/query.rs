//! `query`, `query_range` and `format_query`.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use front::Params;
use logql::{LogParams, TimeParams};
use logql_syntax::Expr;
use logql_syntax::ast::MetricExpr;
use storage::logs::TimeRangeNs;

use super::json;
use crate::config::LimitsConfig;
use crate::error::ApiError;
use crate::state::Shared;
use crate::{params, render};

/// Asks for structured metadata and parsed labels to be kept apart from the stream's.
const ENCODING_FLAGS: &str = "X-Loki-Response-Encoding-Flags";
const CATEGORIZE: &str = "categorize-labels";

/// Steps of a range query.
const STEPS_MAX: i64 = 11_000;

pub async fn instant(
    State(app): State<Shared>,
    headers: HeaderMap,
    params: Params,
) -> Result<Response, ApiError> {
    let at = params.get("time").map_or(Ok(app.now()), params::parse_time)?;
    let log = log_params(&headers, &params)?;
    run(app, &params, TimeParams::Instant(at), log).await
}

pub async fn range(
    State(app): State<Shared>,
    headers: HeaderMap,
    params: Params,
) -> Result<Response, ApiError> {
    let mut range = params::query_bounds(&params, app.now())?;
    let step = params::step(&params, range)?;
    if range.end.saturating_sub(range.start) / step > STEPS_MAX {
        return Err(ApiError::bad(
            "exceeded maximum resolution of 11,000 points per time series. Try increasing the value of the \
             step parameter",
        ));
    }
    let log = log_params(&headers, &params)?;
    check_range(&app, &mut range)?;
    run(app, &params, TimeParams::Range { start: range.start, end: range.end, step }, log).await
}

/// Applies `max_query_lookback` and `max_query_length`.
pub fn check_range(app: &Shared, range: &mut TimeRangeNs) -> Result<(), ApiError> {
    let active = app.active();
    let limits = active.limits();
    if limits.max_query_lookback.as_ns() > 0 {
        range.start = range.start.max(app.now().saturating_sub(limits.max_query_lookback.as_ns()));
    }
    let (length, limit) = (range.end.saturating_sub(range.start), limits.max_query_length);
    if limit.as_ns() > 0 && length > limit.as_ns() {
        let length = logql_syntax::units::format_go_duration(length);
        return Err(ApiError::bad(format!(
            "the query time range exceeds the limit (query length: {length}, limit: {limit})"
        )));
    }
    Ok(())
}

fn log_params(headers: &HeaderMap, params: &Params) -> Result<LogParams, ApiError> {
    let flags = headers.get(ENCODING_FLAGS).and_then(|v| v.to_str().ok()).unwrap_or("");
    Ok(LogParams {
        limit: params::limit(params)?,
        direction: params::direction(params)?,
        interval: params::interval(params)?,
        categorize: flags.split(',').any(|flag| flag.trim() == CATEGORIZE),
    })
}

async fn run(app: Shared, params: &Params, time: TimeParams, log: LogParams) -> Result<Response, ApiError> {
    let expr = logql_syntax::parse(params.get("query").unwrap_or(""))?;
    let active = app.active();
    check_limits(&expr, active.limits(), &log)?;
    let body = app
        .query(move |app, context| {
            let querier = app.store.querier()?;
            let result = active.engine.query(querier.as_ref(), &expr, time, &log, context)?;
            app.metrics.query_bytes.add(result.stats.bytes);
            app.metrics.query_lines.add(result.stats.lines);
            Ok(render::query(&result, log.categorize))
        })
        .await?;
    Ok(json(body))
}

fn check_limits(expr: &Expr, limits: &LimitsConfig, log: &LogParams) -> Result<(), ApiError> {
    let max = limits.max_entries_limit_per_query;
    if matches!(expr, Expr::Log(_)) && max > 0 && log.limit > max {
        return Err(ApiError::bad(format!(
            "max entries limit per query exceeded, limit > max_entries_limit_per_query ({} > {max})",
            log.limit
        )));
    }
    let mut outcome = Ok(());
    visit_selections(expr, &mut |matchers, range_ns| {
        let result = check_selection(matchers, range_ns, limits);
        if outcome.is_ok() {
            outcome = result;
        }
    });
    outcome
}

fn check_selection(
    matchers: &[model::Matcher],
    range_ns: i64,
    limits: &LimitsConfig,
) -> Result<(), ApiError> {
    let (count, max) = (matchers.len(), limits.max_streams_matchers_per_query);
    if max > 0 && count > max {
        return Err(ApiError::bad(format!(
            "max streams matchers per query exceeded, matchers-count > limit ({count} > {max})"
        )));
    }
    let max = limits.max_query_range;
    if max.as_ns() > 0 && range_ns > max.as_ns() {
        let given = model::duration::format(range_ns / 1_000_000);
        return Err(ApiError::bad(format!("[interval] value exceeds limit: [{given}] > [{max}]")));
    }
    let missing: Vec<&str> = limits
        .required_labels
        .iter()
        .map(String::as_str)
        .filter(|required| !matchers.iter().any(|m| m.name == *required))
        .collect();
    if !missing.is_empty() {
        return Err(ApiError::bad(format!(
            "stream selector is missing required matchers [{}], labels present in the query were [{}]",
            missing.join(", "),
            names(matchers)
        )));
    }
    if count < limits.minimum_labels_number {
        return Err(ApiError::bad(format!(
            "stream selector has less label matchers than required: (present: [{}], number_present: {count}, \
             required_number_label_matchers: {})",
            names(matchers),
            limits.minimum_labels_number
        )));
    }
    Ok(())
}

fn names(matchers: &[model::Matcher]) -> String {
    matchers.iter().map(|m| m.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// Calls `visit` with every stream selector and its range in nanoseconds (0 for log queries).
fn visit_selections(expr: &Expr, visit: &mut dyn FnMut(&[model::Matcher], i64)) {
    match expr {
        Expr::Log(log) => visit(&log.matchers, 0),
        Expr::Metric(metric) => visit_metric(metric, visit),
    }
}

fn visit_metric(metric: &MetricExpr, visit: &mut dyn FnMut(&[model::Matcher], i64)) {
    match metric {
        MetricExpr::Range(range) => visit(&range.log.matchers, range.range_ns),
        MetricExpr::Vector(vector) => visit_metric(&vector.inner, visit),
        MetricExpr::Binary(binary) => {
            visit_metric(&binary.left, visit);
            visit_metric(&binary.right, visit);
        }
        MetricExpr::LabelReplace(replace) => visit_metric(&replace.inner, visit),
        MetricExpr::Literal(_) | MetricExpr::VectorLiteral(_) => {}
    }
}

pub async fn format(params: Params) -> Response {
    let mut out = String::new();
    match logql_syntax::parse(params.get("query").unwrap_or("")) {
        Ok(expr) => {
            out.push_str("{\"status\":\"success\",\"data\":");
            render::string(&mut out, &expr.to_string());
            out.push_str("}\n");
            json(out)
        }
        Err(e) => {
            out.push_str("{\"status\":\"invalid-query\",\"error\":");
            render::string(&mut out, &e.to_string());
            out.push_str("}\n");
            (StatusCode::BAD_REQUEST, json(out)).into_response()
        }
    }
}
