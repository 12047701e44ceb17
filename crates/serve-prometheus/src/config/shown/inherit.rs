//! What sections take from one another before they are shown.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// What is asked for unless the file says otherwise.
const PROTOCOLS: [&str; 4] =
    ["OpenMetricsText1.0.0", "OpenMetricsText0.0.1", "PrometheusText1.0.0", "PrometheusText0.0.4"];

/// The limits that a job takes over from `global` when it has none of its own.
const LIMITS: &[&str] = &[
    "body_size_limit",
    "sample_limit",
    "target_limit",
    "label_limit",
    "label_name_length_limit",
    "label_value_length_limit",
    "keep_dropped_targets",
    "scrape_failure_log_file",
];

/// The switches that a job takes over.
const SWITCHES: &[&str] = &[
    "scrape_native_histograms",
    "extra_scrape_metrics",
    "convert_classic_histograms_to_nhcb",
    "always_scrape_classic_histograms",
];

/// Fills in `global` and what every job takes from it.
pub fn prepare(tree: &mut Map<String, Value>, external_labels: &BTreeMap<String, String>) {
    let written = matches!(tree.get("global"), Some(Value::Object(fields)) if !fields.is_empty());
    if !written {
        tree.insert("global".into(), json!({ "metric_name_escaping_scheme": "allow-utf-8" }));
    }
    if let Some(Value::Object(global)) = tree.get_mut("global") {
        or(global, "scrape_interval", json!("1m"));
        or(global, "evaluation_interval", json!("1m"));
        or(global, "metric_name_validation_scheme", json!("utf8"));
        let timeout = shorter("10s", global.get("scrape_interval"));
        or(global, "scrape_timeout", timeout);
        if !external_labels.is_empty() {
            global.insert("external_labels".into(), json!(external_labels));
        }
    }
    let from = global(tree).clone();
    if let Some(Value::Array(jobs)) = tree.get_mut("scrape_configs") {
        jobs.iter_mut().for_each(|one| job(one, &from));
    }
    let window = tree
        .get("storage")
        .and_then(|s| s.get("tsdb"))
        .and_then(|t| t.get("out_of_order_time_window"))
        .and_then(Value::as_str);
    if let Some(ms) = window.and_then(|text| model::duration::parse(text).ok())
        && let Some(Value::Object(tsdb)) = tree.get_mut("storage").and_then(|s| s.get_mut("tsdb"))
    {
        tsdb.insert("outofordertimewindow".into(), json!(ms));
    }
    for remote in tree.get_mut("remote_write").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Value::Object(remote) = remote {
            // One endpoint, many requests at once: the original prefers connections to streams here.
            or(remote, "enable_http2", json!(false));
        }
    }
    tree.values_mut().for_each(tokens);
}

/// The prepared `global` section.
pub fn global(tree: &Map<String, Value>) -> &Map<String, Value> {
    static NONE: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
    tree.get("global").and_then(Value::as_object).unwrap_or(&NONE)
}

/// Fills in what one job takes from `global`.
pub fn job(job: &mut Value, global: &Map<String, Value>) {
    tokens(job);
    let Value::Object(job) = job else { return };
    for name in ["scrape_interval"].iter().chain(LIMITS).chain(SWITCHES) {
        if let Some(value) = global.get(*name) {
            or(job, name, value.clone());
        }
    }
    let timeout = global.get("scrape_timeout").and_then(Value::as_str).unwrap_or("10s");
    let timeout = shorter(timeout, job.get("scrape_interval"));
    or(job, "scrape_timeout", timeout);
    let native = job.get("scrape_native_histograms") == Some(&Value::Bool(true));
    let protocols = match global.get("scrape_protocols") {
        Some(list @ Value::Array(_)) => list.clone(),
        _ if native => json!(std::iter::once("PrometheusProto").chain(PROTOCOLS).collect::<Vec<_>>()),
        _ => json!(PROTOCOLS),
    };
    or(job, "scrape_protocols", protocols);
    let own = job.get("metric_name_validation_scheme").and_then(Value::as_str).filter(|s| !s.is_empty());
    let scheme =
        own.or(global.get("metric_name_validation_scheme").and_then(Value::as_str)).unwrap_or("utf8");
    let of_scheme = if scheme == "legacy" { "underscores" } else { "allow-utf-8" };
    let escaping = match (own, global.get("metric_name_escaping_scheme").and_then(Value::as_str)) {
        (None, Some(inherited)) if !inherited.is_empty() => inherited,
        _ => of_scheme,
    };
    let (scheme, escaping) = (json!(scheme), json!(escaping));
    or(job, "metric_name_validation_scheme", scheme);
    or(job, "metric_name_escaping_scheme", escaping);
}

/// Sets what is missing or empty.
fn or(fields: &mut Map<String, Value>, name: &str, value: Value) {
    let missing = match fields.get(name) {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.is_empty() || text == "0s" || text == "0",
        Some(Value::Number(number)) => number.as_f64() == Some(0.0),
        Some(_) => false,
    };
    if missing {
        fields.insert(name.to_owned(), value);
    }
}

/// The shorter of a duration and an interval that may be missing.
fn shorter(timeout: &str, interval: Option<&Value>) -> Value {
    let ms = |text: &str| model::duration::parse(text).unwrap_or(i64::MAX);
    match interval.and_then(Value::as_str) {
        Some(interval) if ms(interval) < ms(timeout) => json!(interval),
        _ => json!(timeout),
    }
}

/// `bearer_token` and `bearer_token_file` are an older way to write `authorization`.
fn tokens(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(tokens),
        Value::Object(fields) => {
            for (old, new) in [("bearer_token", "credentials"), ("bearer_token_file", "credentials_file")] {
                if let Some(token) = fields.remove(old) {
                    fields.insert("authorization".into(), json!({ "type": "Bearer", new: token }));
                }
            }
            fields.values_mut().for_each(tokens);
        }
        _ => {}
    }
}
