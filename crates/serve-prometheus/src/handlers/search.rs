//! `/api/v1/search/*`, behind the feature `search-api`: names found by parts of them, a batch a line.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use front::Params;
use model::Matcher;
use serde_json::{Value, json};
use storage::{Querier, StoreError};

use super::{matcher_sets, now_ms, time_or};
use crate::reply::{ApiError, ErrorType};
use crate::search::Search;
use crate::state::Api;

const HOUR_MS: i64 = 3_600_000;

pub async fn metric_names(State(api): State<Api>, params: Params) -> Result<Response, ApiError> {
    let search = parse(&api, &params, "metric_names")?;
    let with_metadata = match params.get("include_metadata") {
        None => false,
        Some(text) => super::parse_bool(text).ok_or_else(|| {
            ApiError::bad_data(format!("invalid include_metadata {text:?}: must be boolean"))
        })?,
    };
    let metadata = if with_metadata { api.scrape.metadata() } else { Vec::new() };
    let found = find(&api, &params, &search, |q, matchers| q.label_values("__name__", matchers)).await?;
    Ok(lines(&search, found, |name, row| {
        let known =
            metadata.iter().flat_map(|t| t.families.iter()).find(|(family, _)| family.as_str() == name);
        if let Some((_, meta)) = known {
            for (key, value) in [("type", meta.kind.as_str()), ("help", &meta.help), ("unit", &meta.unit)] {
                if !value.is_empty() {
                    row[key] = value.into();
                }
            }
        }
    }))
}

pub async fn label_names(State(api): State<Api>, params: Params) -> Result<Response, ApiError> {
    let search = parse(&api, &params, "label_names")?;
    let found = find(&api, &params, &search, |q, matchers| q.label_names(matchers)).await?;
    Ok(lines(&search, found, |_, _| {}))
}

pub async fn label_values(State(api): State<Api>, params: Params) -> Result<Response, ApiError> {
    let search = parse(&api, &params, "label_values")?;
    let Some(label) = params.get("label").map(str::to_owned) else {
        return Err(ApiError::bad_data("missing required parameter \"label\""));
    };
    let found = find(&api, &params, &search, move |q, matchers| q.label_values(&label, matchers)).await?;
    Ok(lines(&search, found, |_, _| {}))
}

fn parse(api: &Api, params: &Params, kind: &str) -> Result<Search, ApiError> {
    if !api.settings.features.is_on("search-api") {
        return Err(ApiError::new(ErrorType::Unavailable, "search API disabled"));
    }
    Search::parse(params, kind, api.settings.search_results_max)
}

/// The matching names of the last hour, or of the time asked for.
async fn find(
    api: &Api,
    params: &Params,
    search: &Search,
    read: impl Fn(&dyn Querier, &[Matcher]) -> Result<Vec<String>, StoreError> + Send + 'static,
) -> Result<Vec<(String, f64)>, ApiError> {
    let (start, end) = (time_or(params, "start", now_ms() - HOUR_MS)?, time_or(params, "end", now_ms())?);
    let mut sets = matcher_sets(params).map_err(ApiError::bad_data)?;
    if sets.is_empty() {
        sets.push(Vec::new());
    }
    let (store, search) = (api.store.clone(), search.clone());
    let found = api.queries.run(move || {
        let querier = store.querier(start, end)?;
        let mut names = BTreeSet::new();
        for set in &sets {
            names.extend(read(&*querier, set)?);
        }
        Ok::<_, StoreError>(search.filter(names))
    });
    Ok(found.await??)
}

/// One JSON object a line: the results in batches, then how it ended.
fn lines(search: &Search, mut found: Vec<(String, f64)>, more: impl Fn(&str, &mut Value)) -> Response {
    let has_more = found.len() > search.limit;
    found.truncate(search.limit);
    let rows: Vec<Value> = found
        .into_iter()
        .map(|(name, score)| {
            let mut row = json!({ "name": name });
            if search.include_score {
                row["score"] = score.into();
            }
            more(&name, &mut row);
            row
        })
        .collect();
    let mut out = String::new();
    let mut line = |value: Value| {
        out.push_str(&value.to_string());
        out.push('\n');
    };
    if rows.is_empty() {
        line(json!({ "results": [] }));
    }
    for batch in rows.chunks(search.batch.max(1)) {
        line(json!({ "results": batch }));
    }
    line(json!({ "status": "success", "has_more": has_more }));
    ([(header::CONTENT_TYPE, "application/x-ndjson; charset=utf-8")], out).into_response()
}
