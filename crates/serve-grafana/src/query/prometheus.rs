//! Prometheus queries: instant, range or both, as time series or tables.

use serde_json::{Map, Value, json};

use super::frame::{Column, Field, Frame};
use super::{Query, QueryError, fetch};
use crate::provisioning::datasources::Datasource;

pub async fn run(
    client: &reqwest::Client,
    source: &Datasource,
    query: &Query,
) -> Result<Vec<Frame>, QueryError> {
    let mut frames = Vec::new();
    // A query that says neither is a range query, as old dashboards mean it.
    if query.range || !query.instant {
        let seconds = |ms: i64| model::float::format_f(ms as f64 / 1000.0);
        // Grafana aligns to the step, so that a refresh asks for the same points again.
        let step = query.interval.step_ms;
        let (start, end) = (query.interval.from / step * step, query.interval.to / step * step);
        let form = [
            ("query", query.expr.clone()),
            ("start", seconds(start)),
            ("end", seconds(end)),
            ("step", seconds(step)),
        ];
        let reply = fetch(client, source, "/api/v1/query_range", &form).await?;
        frames.extend(series_frames(&reply, query, true)?);
    }
    if query.instant {
        let time = model::float::format_f(query.interval.to as f64 / 1000.0);
        let form = [("query", query.expr.clone()), ("time", time)];
        let reply = fetch(client, source, "/api/v1/query", &form).await?;
        if query.format == "table" {
            frames.extend(table_frame(&reply, query)?);
        } else {
            frames.extend(series_frames(&reply, query, false)?);
        }
    }
    Ok(frames)
}

fn result(reply: &Value) -> Result<(&str, &[Value]), QueryError> {
    let data = &reply["data"];
    let kind = data["resultType"].as_str().unwrap_or("");
    match &data["result"] {
        Value::Array(items) => Ok((kind, items)),
        _ => Err(QueryError::new(502, "the data source's reply has no result")),
    }
}

/// One frame per series.
fn series_frames(reply: &Value, query: &Query, is_range: bool) -> Result<Vec<Frame>, QueryError> {
    let (kind, items) = result(reply)?;
    let mut frames = Vec::with_capacity(items.len());
    if matches!(kind, "scalar" | "string") {
        let (times, values) = points(std::slice::from_ref(&reply["data"]["result"]));
        frames.push(frame(query, is_range, Map::new(), times, values));
        return Ok(frames);
    }
    for item in items {
        let labels = item["metric"].as_object().cloned().unwrap_or_default();
        let (times, values) = match (&item["values"], &item["value"]) {
            (Value::Array(pairs), _) => points(pairs),
            (_, pair @ Value::Array(_)) => points(std::slice::from_ref(pair)),
            // A native histogram has no single value; its series is shown by its count.
            _ => histogram_counts(item),
        };
        frames.push(frame(query, is_range, labels, times, values));
    }
    Ok(frames)
}

fn frame(
    query: &Query,
    is_range: bool,
    labels: Map<String, Value>,
    times: Vec<i64>,
    values: Vec<f64>,
) -> Frame {
    let name = legend(&query.legend, &labels, &query.expr);
    let kind = if is_range { "timeseries-multi" } else { "numeric-multi" };
    let mut meta = json!({ "type": kind, "executedQueryString": executed(query) });
    if is_range {
        meta["custom"] = json!({ "resultType": "matrix" });
    }
    let value = Field {
        name: "Value".into(),
        labels,
        display_name: Some(name.clone()),
        column: Column::Number(values),
    };
    let mut time = Field::new("Time", Column::Time(times));
    time.display_name = None;
    Frame { ref_id: query.ref_id.clone(), name, meta, fields: vec![time, value] }
}

fn executed(query: &Query) -> String {
    format!("Expr: {}\nStep: {}", query.expr, model::duration::format(query.interval.step_ms))
}

/// One frame for all series: time, one column per label, value.
fn table_frame(reply: &Value, query: &Query) -> Result<Vec<Frame>, QueryError> {
    let (kind, items) = result(reply)?;
    if matches!(kind, "scalar" | "string") {
        return series_frames(reply, query, false);
    }
    let mut names: Vec<&String> = Vec::new();
    for item in items {
        for name in item["metric"].as_object().into_iter().flat_map(Map::keys) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names.sort();
    let (mut times, mut values) = (Vec::new(), Vec::new());
    for item in items {
        let (t, v) = match &item["value"] {
            pair @ Value::Array(_) => points(std::slice::from_ref(pair)),
            _ => histogram_counts(item),
        };
        times.push(t.first().copied().unwrap_or(0));
        values.push(v.first().copied().unwrap_or(f64::NAN));
    }
    let mut fields = vec![Field::new("Time", Column::Time(times))];
    for name in names {
        let column = items
            .iter()
            .map(|item| item["metric"][name.as_str()].as_str().unwrap_or("").to_owned())
            .collect();
        fields.push(Field::new(name, Column::Text(column)));
    }
    // Several tables are told apart by the value's name, as in Grafana.
    let panel_ref = query.ref_id.rsplit('/').next().unwrap_or("A");
    let name = if panel_ref == "A" || panel_ref.is_empty() {
        "Value".to_owned()
    } else {
        format!("Value #{panel_ref}")
    };
    fields.push(Field::new(&name, Column::Number(values)));
    let meta = json!({ "type": "table", "executedQueryString": executed(query) });
    Ok(vec![Frame { ref_id: query.ref_id.clone(), name: String::new(), meta, fields }])
}

/// `[[seconds, "value"], …]` as milliseconds and floats.
fn points(pairs: &[Value]) -> (Vec<i64>, Vec<f64>) {
    let (mut times, mut values) = (Vec::with_capacity(pairs.len()), Vec::with_capacity(pairs.len()));
    for pair in pairs {
        times.push(pair[0].as_f64().map_or(0, |s| (s * 1000.0).round() as i64));
        values.push(pair[1].as_str().map_or(f64::NAN, parse_float));
    }
    (times, values)
}

fn histogram_counts(item: &Value) -> (Vec<i64>, Vec<f64>) {
    let single = std::slice::from_ref(&item["histogram"]);
    let pairs = item["histograms"].as_array().map_or(single, Vec::as_slice);
    let time = |pair: &Value| pair[0].as_f64().map_or(0, |s| (s * 1000.0).round() as i64);
    let count = |pair: &Value| pair[1]["count"].as_str().map_or(f64::NAN, parse_float);
    (pairs.iter().map(time).collect(), pairs.iter().map(count).collect())
}

fn parse_float(text: &str) -> f64 {
    match text {
        "+Inf" | "Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        text => text.parse().unwrap_or(f64::NAN),
    }
}

/// `{{label}}` templates; `__auto` and nothing mean the series' own notation.
pub(super) fn legend(format: &str, labels: &Map<String, Value>, expr: &str) -> String {
    if !matches!(format, "" | "__auto") {
        let mut out = String::new();
        let mut rest = format;
        while let Some((before, after)) = rest.split_once("{{") {
            out.push_str(before);
            let Some((name, tail)) = after.split_once("}}") else {
                out.push_str("{{");
                rest = after;
                break;
            };
            out.push_str(labels.get(name.trim()).and_then(Value::as_str).unwrap_or(""));
            rest = tail;
        }
        out.push_str(rest);
        return out;
    }
    let metric = labels.get("__name__").and_then(Value::as_str).unwrap_or("");
    let mut pairs: Vec<String> = labels
        .iter()
        .filter(|(name, _)| *name != "__name__")
        .map(|(name, value)| format!("{name}={:?}", value.as_str().unwrap_or("")))
        .collect();
    pairs.sort();
    match (metric, pairs.is_empty()) {
        ("", true) => expr.to_owned(),
        (metric, true) => metric.to_owned(),
        (metric, false) => format!("{metric}{{{}}}", pairs.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legends() {
        let labels: Map<String, Value> =
            serde_json::from_value(json!({"__name__": "up", "job": "node", "a": "b"})).unwrap();
        let check = |format: &str, expected: &str| assert_eq!(legend(format, &labels, "e"), expected);
        check("{{job}} on {{ a }}{{none}}", "node on b");
        check("", "up{a=\"b\", job=\"node\"}");
        check("__auto", "up{a=\"b\", job=\"node\"}");
        check("x {{job", "x {{job");
        assert_eq!(legend("", &Map::new(), "1 + 1"), "1 + 1");
    }
}
