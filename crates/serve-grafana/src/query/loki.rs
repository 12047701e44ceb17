//! Loki queries: log lines as one frame, metric queries as one frame per series.

use serde_json::{Value, json};

use super::frame::{Column, Field, Frame};
use super::prometheus::legend;
use super::{Query, QueryError, fetch};
use crate::provisioning::datasources::Datasource;

/// Lines of a query that asks for none, as in Grafana.
const LINES_DEFAULT: i64 = 1000;
const LINES_MAX: i64 = 5000;

pub async fn run(
    client: &reqwest::Client,
    source: &Datasource,
    query: &Query,
) -> Result<Vec<Frame>, QueryError> {
    let lines = if query.max_lines > 0 { query.max_lines.min(LINES_MAX) } else { LINES_DEFAULT };
    let ns = |ms: i64| format!("{ms}000000");
    let instant = query.query_type == "instant" || (query.instant && !query.range);
    let reply = if instant {
        let form =
            [("query", query.expr.clone()), ("time", ns(query.interval.to)), ("limit", lines.to_string())];
        fetch(client, source, "/loki/api/v1/query", &form).await?
    } else {
        let step = format!("{}ms", query.interval.step_ms);
        let form = [
            ("query", query.expr.clone()),
            ("start", ns(query.interval.from)),
            ("end", ns(query.interval.to)),
            ("step", step),
            ("limit", lines.to_string()),
            ("direction", "backward".to_owned()),
        ];
        fetch(client, source, "/loki/api/v1/query_range", &form).await?
    };
    let data = &reply["data"];
    let items = data["result"].as_array().map_or(&[][..], Vec::as_slice);
    Ok(match data["resultType"].as_str().unwrap_or("") {
        "streams" => vec![log_frame(items, query)],
        _ => items.iter().map(|item| series_frame(item, query)).collect(),
    })
}

/// All lines of all streams, newest first.
fn log_frame(streams: &[Value], query: &Query) -> Frame {
    let mut lines: Vec<(i128, &str, &Value)> = Vec::new();
    for stream in streams {
        for entry in stream["values"].as_array().into_iter().flatten() {
            let ns = entry[0].as_str().and_then(|t| t.parse().ok()).unwrap_or(0);
            lines.push((ns, entry[1].as_str().unwrap_or(""), &stream["stream"]));
        }
    }
    lines.sort_by_key(|line| std::cmp::Reverse(line.0));
    let id = |(i, line): (usize, &(i128, &str, &Value))| format!("{}_{i:x}", line.0);
    let fields = vec![
        Field::new("labels", Column::Json(lines.iter().map(|l| l.2.clone()).collect())),
        Field::new("Time", Column::Time(lines.iter().map(|l| (l.0 / 1_000_000) as i64).collect())),
        Field::new("Line", Column::Text(lines.iter().map(|l| l.1.to_owned()).collect())),
        Field::new("tsNs", Column::Text(lines.iter().map(|l| l.0.to_string()).collect())),
        Field::new("id", Column::Text(lines.iter().enumerate().map(id).collect())),
    ];
    let meta = json!({
        "type": "log-lines",
        "preferredVisualisationType": "logs",
        "executedQueryString": format!("Expr: {}", query.expr),
        "custom": { "frameType": "LabeledTimeValues" },
    });
    Frame { ref_id: query.ref_id.clone(), name: String::new(), meta, fields }
}

fn series_frame(item: &Value, query: &Query) -> Frame {
    let labels = item["metric"].as_object().cloned().unwrap_or_default();
    let single = std::slice::from_ref(&item["value"]);
    let pairs = item["values"].as_array().map_or(single, Vec::as_slice);
    let time = |pair: &Value| pair[0].as_f64().map_or(0, |s| (s * 1000.0).round() as i64);
    let value = |pair: &Value| pair[1].as_str().and_then(|v| v.parse().ok()).unwrap_or(f64::NAN);
    let name = legend(&query.legend, &labels, &query.expr);
    let fields = vec![
        Field::new("Time", Column::Time(pairs.iter().map(time).collect())),
        Field {
            name: "Value".into(),
            labels,
            display_name: Some(name.clone()),
            column: Column::Number(pairs.iter().map(value).collect()),
        },
    ];
    let meta = json!({ "type": "timeseries-multi", "executedQueryString": format!("Expr: {}", query.expr) });
    Frame { ref_id: query.ref_id.clone(), name, meta, fields }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::macros::Interval;

    #[test]
    fn lines_of_all_streams_are_merged_newest_first() {
        let query = Query {
            ref_id: "A".into(),
            expr: "{a=\"b\"}".into(),
            legend: String::new(),
            format: String::new(),
            query_type: String::new(),
            instant: false,
            range: true,
            max_lines: 0,
            interval: Interval::new(0, 1000, 0, 100, None, None),
        };
        let streams = [
            json!({"stream": {"a": "1"}, "values": [["1000001", "old"], ["3000001", "new"]]}),
            json!({"stream": {"a": "2"}, "values": [["2000001", "middle"]]}),
        ];
        let json = log_frame(&streams, &query).to_json();
        assert_eq!(json["data"]["values"][2], json!(["new", "middle", "old"]));
        assert_eq!(json["data"]["values"][1], json!([3, 2, 1]));
        assert_eq!(json["data"]["values"][0][1], json!({"a": "2"}));
    }
}
