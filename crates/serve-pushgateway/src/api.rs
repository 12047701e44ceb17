//! The JSON API.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use expfmt::{LabelPairs, Metric, MetricValue};
use front::Host;
use model::float::format_g;
use serde_json::{Map, Value, json};

use crate::check::type_name;
use crate::store::{Group, Store, Stored};

/// `/api/v1/status`.
pub fn status(host: &Host) -> Value {
    let build = json!({
        "branch": "main",
        "buildDate": "",
        "buildUser": "",
        "goVersion": "rust",
        "revision": "",
        "version": host.version,
    });
    let started = host.started.duration_since(UNIX_EPOCH).unwrap_or_default();
    let data = json!({
        "build_information": build,
        "flags": &*host.flags,
        "start_time": timestamp(i64::try_from(started.as_nanos()).unwrap_or(i64::MAX)),
    });
    success(data)
}

/// `/api/v1/metrics`: every group with its families; values are strings.
pub fn metrics(store: &Store) -> Value {
    success(Value::Array(store.groups().iter().map(|(key, group)| group_json(key, group)).collect()))
}

fn success(data: Value) -> Value {
    json!({"status": "success", "data": data})
}

fn group_json(key: &LabelPairs, group: &Group) -> Value {
    // Go writes maps with sorted keys.
    let mut out: BTreeMap<&str, Value> = BTreeMap::new();
    out.insert("labels", labels(key));
    out.insert("last_push_successful", Value::Bool(group.last_push_successful()));
    for (name, stored) in &group.families {
        out.insert(name, family_json(stored));
    }
    let out: Map<String, Value> = out.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Value::Object(out)
}

fn family_json(stored: &Stored) -> Value {
    let family = &stored.family;
    let mut out = Map::new();
    out.insert("time_stamp".into(), Value::String(timestamp(stored.time_ns)));
    out.insert("type".into(), type_name(family.kind).into());
    if !family.help.is_empty() {
        out.insert("help".into(), family.help.clone().into());
    }
    out.insert("metrics".into(), Value::Array(family.metrics.iter().map(metric_json).collect()));
    Value::Object(out)
}

fn metric_json(metric: &Metric<LabelPairs>) -> Value {
    let labels = labels(&metric.labels);
    let parts = |pairs: Vec<(f64, f64)>| {
        let sorted: BTreeMap<String, String> =
            pairs.into_iter().map(|(a, b)| (format_g(a), format_g(b))).collect();
        json!(sorted)
    };
    match &metric.value {
        MetricValue::Number(v) => json!({"labels": labels, "value": format_g(*v)}),
        MetricValue::Histogram { buckets, sum, count } => {
            // Counts are integers there, and printed as such.
            let counts: BTreeMap<String, String> =
                buckets.iter().map(|b| (format_g(b.upper_bound), b.cumulative_count.to_string())).collect();
            json!({"buckets": counts, "count": count.to_string(), "labels": labels, "sum": format_g(*sum)})
        }
        MetricValue::Summary { quantiles, sum, count } => {
            let quantiles = parts(quantiles.iter().map(|q| (q.quantile, q.value)).collect());
            json!({
                "count": count.to_string(),
                "labels": labels,
                "quantiles": quantiles,
                "sum": format_g(*sum),
            })
        }
    }
}

fn labels(pairs: &LabelPairs) -> Value {
    let sorted: BTreeMap<&str, &str> = pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    json!(sorted)
}

/// RFC 3339 with as many digits as needed.
fn timestamp(ns: i64) -> String {
    match jiff::Timestamp::from_nanosecond(i128::from(ns)) {
        Ok(t) => t.to_string(),
        Err(_) => "0001-01-01T00:00:00Z".to_owned(),
    }
}

/// Nanoseconds since the epoch.
pub fn now_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
