//! Figures about selections: `index/stats`, `index/volume` and `index/volume_range`.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State;
use axum::response::Response;
use front::Params;
use logql::{Point, QueryError, Stats};
use model::{Labels, Matcher};
use storage::LogQuerier;
use storage::logs::{StreamHandle, TimeRangeNs};

use super::json;
use super::query::check_range;
use crate::error::ApiError;
use crate::state::Shared;
use crate::{params, render};

pub async fn stats(State(app): State<Shared>, params: Params) -> Result<Response, ApiError> {
    let range = params::query_bounds(&params, app.now())?;
    let matchers = logql_syntax::parse(params.get("query").unwrap_or("")).map(|expr| match expr {
        // A log query counts by its selector, as in the original.
        logql_syntax::Expr::Log(log) => Ok(log.matchers),
        logql_syntax::Expr::Metric(_) => Err(ApiError::bad("only label matchers are supported")),
    })??;
    let s = app.query(move |app, _| Ok(app.store.querier()?.statistics(&matchers, range)?)).await?;
    Ok(json(format!(
        "{{\"streams\":{},\"chunks\":{},\"entries\":{},\"bytes\":{}}}\n",
        s.streams, s.blocks, s.entries, s.bytes
    )))
}

/// What volumes are summed by: labels with their values, or a label's name with an empty value.
type Group = Vec<(String, String)>;

/// What a volume request asks for.
struct Volume {
    matchers: Vec<Matcher>,
    range: TimeRangeNs,
    limit: usize,
    target_labels: Vec<String>,
    by_label: bool,
}

impl Volume {
    fn read(app: &Shared, params: &Params) -> Result<Volume, ApiError> {
        let active = app.active();
        let limits = active.limits();
        if !limits.volume_enabled {
            return Err(ApiError::new(
                axum::http::StatusCode::NOT_FOUND,
                "volume is disabled by volume_enabled",
            ));
        }
        let mut range = params::query_bounds(params, app.now())?;
        check_range(app, &mut range)?;
        let query = params.get("query").unwrap_or("{}");
        let matchers = if query == "{}" { Vec::new() } else { logql_syntax::parse_matchers(query)? };
        let by_label = match params.get("aggregateBy") {
            None | Some("series") => false,
            Some("labels") => true,
            Some(_) => return Err(ApiError::bad("invalid aggregation option")),
        };
        let targets = params.get("targetLabels").unwrap_or("");
        let target_labels = targets.split(',').filter(|l| !l.is_empty()).map(str::to_owned).collect();
        let limit = params::limit(params)?.min(limits.volume_max_series);
        Ok(Volume { matchers, range, limit, target_labels, by_label })
    }

    /// The groups a stream counts in: the labels that were asked for, or else those the selector names.
    fn groups(&self, labels: &Labels) -> Vec<Group> {
        let wanted: BTreeSet<&str> = if self.target_labels.is_empty() {
            self.matchers.iter().map(|m| m.name.as_str()).collect()
        } else {
            self.target_labels.iter().map(String::as_str).collect()
        };
        if !self.target_labels.is_empty() && !wanted.iter().any(|name| labels.has(name)) {
            return Vec::new();
        }
        let chosen = |name: &str, all: bool| all || wanted.contains(name);
        if self.by_label {
            let names = labels.iter().filter(|(name, _)| chosen(name, self.target_labels.is_empty()));
            return names.map(|(name, _)| vec![(name.to_owned(), String::new())]).collect();
        }
        let pairs = labels.iter().filter(|(name, _)| chosen(name, wanted.is_empty()));
        vec![pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()]
    }

    /// Bytes of each group in `range`.
    fn bytes(
        &self,
        querier: &dyn LogQuerier,
        streams: &[StreamHandle],
        range: TimeRangeNs,
    ) -> Result<BTreeMap<Group, u64>, QueryError> {
        let mut volumes: BTreeMap<Group, u64> = BTreeMap::new();
        for stream in streams {
            let groups = self.groups(&stream.labels);
            if groups.is_empty() {
                continue;
            }
            let exactly: Vec<Matcher> = stream.labels.iter().map(|(n, v)| Matcher::equal(n, v)).collect();
            let bytes = querier.statistics(&exactly, range)?.bytes;
            for group in groups.into_iter().filter(|_| bytes > 0) {
                *volumes.entry(group).or_default() += bytes;
            }
        }
        Ok(volumes)
    }
}

/// Largest first, names in order where equal.
fn largest(volumes: BTreeMap<Group, u64>, limit: usize) -> Vec<(Group, u64)> {
    let mut sorted: Vec<(Group, u64)> = volumes.into_iter().collect();
    sorted.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    sorted.truncate(limit);
    sorted
}

/// The reply's envelope around one object per group.
fn reply(kind: &str, streams: usize, groups: &[(Group, String)]) -> Response {
    let stats = Stats { streams: streams as u64, ..Stats::default() };
    json(render::envelope(kind, "", &stats, |out| {
        out.push('[');
        for (i, (group, values)) in groups.iter().enumerate() {
            out.push_str(if i > 0 { ",{\"metric\":" } else { "{\"metric\":" });
            render::pairs(out, group.iter().map(|(name, value)| (name.as_str(), value.as_str())));
            out.push_str(values);
            out.push('}');
        }
        out.push(']');
    }))
}

pub async fn volume(State(app): State<Shared>, params: Params) -> Result<Response, ApiError> {
    let request = Volume::read(&app, &params)?;
    let (streams, groups) = app
        .query(move |app, _| {
            let querier = app.store.querier()?;
            let streams = querier.select(&request.matchers, request.range)?;
            let volumes = request.bytes(querier.as_ref(), &streams, request.range)?;
            let t = request.range.end.div_euclid(1_000_000);
            let value = |bytes: u64| {
                let mut out = String::from(",\"value\":");
                render::point(&mut out, &Point { t, v: bytes as f64 });
                out
            };
            let groups: Vec<(Group, String)> = largest(volumes, request.limit)
                .into_iter()
                .map(|(group, bytes)| (group, value(bytes)))
                .collect();
            Ok((streams.len(), groups))
        })
        .await?;
    Ok(reply("vector", streams, &groups))
}

pub async fn volume_range(State(app): State<Shared>, params: Params) -> Result<Response, ApiError> {
    let request = Volume::read(&app, &params)?;
    let step = params::step(&params, request.range)?;
    if request.range.end.saturating_sub(request.range.start) / step > 11_000 {
        return Err(ApiError::bad(
            "exceeded maximum resolution of 11,000 points per time series. Try increasing the value of the \
             step parameter",
        ));
    }
    let (streams, groups) = app
        .query(move |app, context| {
            let querier = app.store.querier()?;
            let streams = querier.select(&request.matchers, request.range)?;
            let mut totals: BTreeMap<Group, u64> = BTreeMap::new();
            let mut series: BTreeMap<Group, String> = BTreeMap::new();
            let mut start = request.range.start;
            while start < request.range.end {
                context.check()?;
                let end = start.saturating_add(step).min(request.range.end);
                for (group, bytes) in request.bytes(querier.as_ref(), &streams, TimeRangeNs { start, end })? {
                    *totals.entry(group.clone()).or_default() += bytes;
                    let points = series.entry(group).or_default();
                    points.push_str(if points.is_empty() { ",\"values\":[" } else { "," });
                    render::point(points, &Point { t: start.div_euclid(1_000_000), v: bytes as f64 });
                }
                start = end;
            }
            let groups: Vec<(Group, String)> = largest(totals, request.limit)
                .into_iter()
                .filter_map(|(group, _)| series.remove(&group).map(|points| (group, points + "]")))
                .collect();
            Ok((streams.len(), groups))
        })
        .await?;
    Ok(reply("matrix", streams, &groups))
}
