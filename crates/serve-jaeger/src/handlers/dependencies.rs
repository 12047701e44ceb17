//! Which service calls which.

use axum::extract::State;
use front::Params;
use serde_json::{Value, json};

use super::now_ns;
use crate::api::Api;
use crate::reply::{ApiError, Reply};

/// Looked back over unless asked otherwise.
const LOOKBACK_MS: i64 = 86_400_000;

pub async fn list(State(api): State<Api>, params: Params) -> Result<Reply<Vec<Value>>, ApiError> {
    let number = |name: &str, default: i64| match params.get(name) {
        None => Ok(default),
        Some(text) => text.parse::<i64>().map_err(|_| {
            let reason = format!("strconv.ParseInt: parsing {text:?}: invalid syntax");
            ApiError::bad_request(format!("unable to parse param '{name}': {reason}"))
        }),
    };
    let end = number("endTs", now_ns() / 1_000_000)?;
    let start = end.saturating_sub(number("lookback", LOOKBACK_MS)?);
    let service = params.get("service").map(str::to_owned);
    let edges = api
        .read(move |store| store.edges(start.saturating_mul(1_000_000), end.saturating_mul(1_000_000)))
        .await?;
    let wanted =
        edges.into_iter().filter(|e| service.as_ref().is_none_or(|s| *s == e.parent || *s == e.child));
    let rows = wanted.map(|e| json!({ "parent": e.parent, "child": e.child, "callCount": e.calls }));
    Ok(Reply::new(rows.collect()))
}
