//! `/api/v1/query`, `/query_range`, `/query_exemplars`, `/format_query`.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use axum::extract::State;
use front::Params;
use model::Matcher;
use promql::{ErrorKind, QueryContext, QueryError};

use promql_syntax::Expr;

use super::{CancelOnDrop, deadline, limit, now_ms, required, time_or};
use crate::render;
use crate::reply::{ApiError, ErrorType, Reply, write_labels, write_string};
use crate::state::Api;
use crate::times;

/// Points per series a range query may ask for.
const POINTS_MAX: i64 = 11_000;

pub async fn instant(State(api): State<Api>, params: Params) -> Result<Reply, ApiError> {
    let limit = limit(&params)?;
    let time = time_or(&params, "time", now_ms())?;
    let context = context(&api, &params)?;
    let _guard = context.cancel.clone().map(CancelOnDrop);
    let query = required(&params, "query").to_owned();
    let (engine, store) = (api.engine.clone(), api.store.clone());
    let (result, seconds) = timed(&api, move || engine.instant(&*store, &query, time, &context)).await?;
    let stats = params.get("stats").map(|_| seconds);
    Ok(render::result(result.map_err(query_error)?, limit, stats))
}

pub async fn range(State(api): State<Api>, params: Params) -> Result<Reply, ApiError> {
    let limit = limit(&params)?;
    let point =
        |name: &str| times::parse_time(required(&params, name)).map_err(|e| ApiError::parameter(name, e));
    let (start, end) = (point("start")?, point("end")?);
    if end < start {
        return Err(ApiError::parameter("end", "end timestamp must not be before start time"));
    }
    let step =
        times::parse_duration(required(&params, "step")).map_err(|e| ApiError::parameter("step", e))?;
    if step <= 0 {
        let why = "zero or negative query resolution step widths are not accepted. Try a positive integer";
        return Err(ApiError::parameter("step", why));
    }
    if (end - start) / step > POINTS_MAX {
        return Err(ApiError::bad_data(
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query \
             resolution (?step=XX)",
        ));
    }
    let context = context(&api, &params)?;
    let _guard = context.cancel.clone().map(CancelOnDrop);
    let query = required(&params, "query").to_owned();
    let (engine, store) = (api.engine.clone(), api.store.clone());
    let (result, seconds) =
        timed(&api, move || engine.range(&*store, &query, start, end, step, &context)).await?;
    let stats = params.get("stats").map(|_| seconds);
    Ok(render::result(result.map_err(query_error)?, limit, stats))
}

/// Runs a query on the pool; also says how many seconds it took once it had its turn.
async fn timed<T: Send + 'static>(
    api: &Api,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<(T, f64), ApiError> {
    let timed = move || {
        let began = Instant::now();
        let result = work();
        (result, began.elapsed().as_secs_f64())
    };
    Ok(api.queries.run(timed).await?)
}

pub async fn exemplars(State(api): State<Api>, params: Params) -> Result<Reply, ApiError> {
    let start = time_or(&params, "start", times::MIN_TIME)?;
    let end = time_or(&params, "end", times::MAX_TIME)?;
    if end < start {
        return Err(ApiError::bad_data("end timestamp must not be before start timestamp"));
    }
    let expr =
        promql_syntax::parse(required(&params, "query")).map_err(|e| ApiError::bad_data(e.to_string()))?;
    let mut selectors = Vec::new();
    collect_selectors(&expr, &mut selectors);
    let store = api.store.clone();
    let found = api.queries.run(move || store.exemplars(&selectors, start, end)).await??;
    let mut out = String::from("[");
    for (i, (labels, exemplars)) in found.iter().enumerate() {
        out.push_str(if i > 0 { ",{\"seriesLabels\":" } else { "{\"seriesLabels\":" });
        write_labels(&mut out, labels);
        out.push_str(",\"exemplars\":[");
        for (i, exemplar) in exemplars.iter().enumerate() {
            out.push_str(if i > 0 { ",{\"labels\":" } else { "{\"labels\":" });
            write_labels(&mut out, &exemplar.labels);
            out.push_str(",\"value\":\"");
            model::float::write_json(&mut out, exemplar.value);
            out.push_str("\",\"timestamp\":");
            times::write_seconds(&mut out, exemplar.timestamp.unwrap_or(0));
            out.push('}');
        }
        out.push_str("]}");
    }
    out.push(']');
    Ok(Reply::new(out))
}

/// The matchers of every selector of an expression.
fn collect_selectors(expr: &Expr, out: &mut Vec<Vec<Matcher>>) {
    if let Expr::Vector(selector) = expr {
        out.push(selector.matchers.clone());
    }
    for child in expr.children() {
        collect_selectors(child, out);
    }
}

pub async fn format(params: Params) -> Result<Reply, ApiError> {
    let expr =
        promql_syntax::parse(required(&params, "query")).map_err(|e| ApiError::parameter("query", e))?;
    let mut out = String::new();
    write_string(&mut out, &expr.to_string());
    Ok(Reply::new(out))
}

fn context(api: &Api, params: &Params) -> Result<QueryContext, ApiError> {
    let deadline: Instant = deadline(params, api.options.query_timeout)?;
    let lookback_ms = match params.get("lookback_delta") {
        None => None,
        Some(text) => {
            Some(times::parse_duration(text).map_err(|e| ApiError::parameter("lookback_delta", e))?)
        }
    };
    Ok(QueryContext { cancel: Some(Arc::new(AtomicBool::new(false))), deadline: Some(deadline), lookback_ms })
}

fn query_error(e: QueryError) -> ApiError {
    let kind = match e.kind {
        // A parse error is about the parameter, and says so.
        ErrorKind::BadData => return ApiError::parameter("query", e.message),
        ErrorKind::Execution | ErrorKind::TooManySamples => ErrorType::Execution,
        ErrorKind::Timeout => ErrorType::Timeout,
        ErrorKind::Canceled => ErrorType::Canceled,
        ErrorKind::Internal => ErrorType::Internal,
    };
    ApiError::new(kind, e.message)
}
