//! Label names, label values and series.

use axum::extract::{Path, State};
use axum::response::Response;
use front::Params;
use model::{Labels, Matcher};
use storage::logs::TimeRangeNs;

use super::json;
use super::query::check_range;
use crate::error::ApiError;
use crate::state::Shared;
use crate::{params, render};

/// Matchers of an optional selector; none and `{}` mean everything.
fn optional_matchers(text: Option<&str>) -> Result<Vec<Matcher>, ApiError> {
    match text.map(str::trim) {
        None | Some("" | "{}" | "*") => Ok(Vec::new()),
        Some(text) => match logql_syntax::parse_matchers(text) {
            Ok(matchers) => Ok(matchers),
            Err(e) if e.message == "only label matchers are supported" => Err(ApiError::bad(e.message)),
            Err(e) => Err(e.into()),
        },
    }
}

fn bounds(app: &Shared, params: &Params) -> Result<TimeRangeNs, ApiError> {
    let mut range = params::bounds(params, app.now())?;
    check_range(app, &mut range)?;
    Ok(range)
}

pub async fn names(State(app): State<Shared>, params: Params) -> Result<Response, ApiError> {
    let (range, matchers) = (bounds(&app, &params)?, optional_matchers(params.get("query"))?);
    let names = app.query(move |app, _| Ok(app.store.querier()?.label_names(&matchers, range)?)).await?;
    Ok(json(render::list(&names)))
}

pub async fn values(
    State(app): State<Shared>,
    Path(name): Path<String>,
    params: Params,
) -> Result<Response, ApiError> {
    let (range, matchers) = (bounds(&app, &params)?, optional_matchers(params.get("query"))?);
    let work = move |app: &crate::state::App, _: &logql::QueryContext| {
        Ok(app.store.querier()?.label_values(&name, &matchers, range)?)
    };
    let values = app.query(work).await?;
    Ok(json(render::list(&values)))
}

pub async fn series(State(app): State<Shared>, params: Params) -> Result<Response, ApiError> {
    let range = bounds(&app, &params)?;
    let given: Vec<&str> = params.all("match").chain(params.all("match[]")).collect();
    let mut groups = Vec::with_capacity(given.len());
    for text in &given {
        let matchers = optional_matchers(Some(text))?;
        if matchers.is_empty() && given.len() > 1 {
            return Err(ApiError::bad(format!("0 matchers in group: {text}")));
        }
        groups.push(matchers);
    }
    if groups.is_empty() {
        groups.push(Vec::new());
    }
    let series = app
        .query(move |app, context| {
            let querier = app.store.querier()?;
            let mut series: Vec<Labels> = Vec::new();
            for matchers in &groups {
                context.check()?;
                series.extend(querier.select(matchers, range)?.into_iter().map(|stream| stream.labels));
            }
            series.sort_unstable();
            series.dedup();
            Ok(series)
        })
        .await?;
    let mut out = String::from("{\"status\":\"success\",\"data\":[");
    for (i, labels) in series.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        render::labels(&mut out, labels);
    }
    out.push_str("]}\n");
    Ok(json(out))
}

/// Labels worth grouping by, with the number of their values.
pub async fn detected(State(app): State<Shared>, params: Params) -> Result<Response, ApiError> {
    let (range, matchers) = (bounds(&app, &params)?, optional_matchers(params.get("query"))?);
    let found = app
        .query(move |app, context| {
            let querier = app.store.querier()?;
            let mut found = Vec::new();
            for name in querier.label_names(&matchers, range)? {
                context.check()?;
                let values = querier.label_values(&name, &matchers, range)?;
                if !values.iter().all(|value| is_identifier(value)) {
                    found.push((name, values.len()));
                }
            }
            Ok(found)
        })
        .await?;
    let mut out = String::from("{\"detectedLabels\":[");
    for (i, (name, cardinality)) in found.iter().enumerate() {
        out.push_str(if i > 0 { ",{\"label\":" } else { "{\"label\":" });
        render::string(&mut out, name);
        out.push_str(&format!(",\"cardinality\":{cardinality}}}"));
    }
    out.push_str("]}\n");
    Ok(json(out))
}

/// Numbers and UUIDs name single things; a label that holds nothing else is not offered.
fn is_identifier(value: &str) -> bool {
    let number = value.parse::<f64>().is_ok();
    let uuid = value.len() == 36
        && value.bytes().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit(),
        });
    number || uuid
}
