//! `/api/v1/features`: what this server can do, by area, so that clients need not ask for versions.

use axum::extract::State;
use serde_json::{Map, Value, json};

use crate::reply::{ApiError, Reply};
use crate::state::Api;

/// PromQL's operators and aggregations, each with whether it is experimental.
const OPERATORS: &[(&str, bool)] = &[
    ("!=", false),
    ("!~", false),
    ("%", false),
    ("*", false),
    ("+", false),
    ("-", false),
    ("/", false),
    ("<", false),
    ("<=", false),
    ("==", false),
    ("=~", false),
    (">", false),
    (">=", false),
    ("@", false),
    ("^", false),
    ("and", false),
    ("atan2", false),
    ("avg", false),
    ("bottomk", false),
    ("count", false),
    ("count_values", false),
    ("group", false),
    ("limit_ratio", true),
    ("limitk", true),
    ("max", false),
    ("min", false),
    ("or", false),
    ("quantile", false),
    ("stddev", false),
    ("stdvar", false),
    ("sum", false),
    ("topk", false),
    ("unless", false),
];

/// Where targets can come from.
const DISCOVERY: &[&str] = &["file", "http", "static"];

/// What alert templates may call.
const TEMPLATES: &[&str] = &[
    "args",
    "externalURL",
    "first",
    "graphLink",
    "humanize",
    "humanize1024",
    "humanizeDuration",
    "humanizePercentage",
    "humanizeTimestamp",
    "label",
    "match",
    "now",
    "parseDuration",
    "pathPrefix",
    "query",
    "reReplaceAll",
    "safeHtml",
    "sortByLabel",
    "stripDomain",
    "stripPort",
    "strvalue",
    "tableLink",
    "title",
    "toDuration",
    "toLower",
    "toTime",
    "toUpper",
    "urlQueryEscape",
    "value",
];

pub async fn features(State(api): State<Api>) -> Result<Reply, ApiError> {
    let settings = &api.settings;
    let on = |name: &str| settings.features.is_on(name);
    let experimental = on("promql-experimental-functions");
    let functions = promql_syntax::functions();
    let all = |names: &[&str]| -> Map<String, Value> {
        names.iter().map(|name| ((*name).to_owned(), Value::Bool(true))).collect()
    };
    let functions: Map<String, Value> =
        functions.iter().map(|f| (f.name.to_owned(), Value::Bool(!f.experimental || experimental))).collect();
    let operators: Map<String, Value> =
        OPERATORS.iter().map(|(name, exp)| ((*name).to_owned(), Value::Bool(!exp || experimental))).collect();
    let ranges = on("promql-extended-range-selectors");
    let fill = on("promql-binop-fill-modifiers");
    Reply::json(&json!({
        "api": {
            "admin": settings.admin,
            "exclude_alerts": true,
            "label_values_match": true,
            "lifecycle": settings.lifecycle,
            "openapi_3.1": true,
            "openapi_3.2": false,
            "otlp_write_receiver": settings.ingest.otlp,
            "query_stats": true,
            "query_warnings": true,
            "remote_write_receiver": settings.ingest.remote_write,
            "search": on("search-api"),
            "time_range_labels": true,
            "time_range_series": true,
        },
        "otlp_receiver": {
            "delta_conversion": on("otlp-deltatocumulative"),
            "native_delta_ingestion": on("otlp-native-delta-ingestion"),
        },
        "prometheus": {
            "agent_mode": on("agent"),
            "auto_reload_config": settings.auto_reload.is_some(),
            "server_mode": !on("agent"),
            "stringlabels": true,
        },
        "promql": {
            "anchored": ranges,
            "at_modifier": true,
            "bool": true,
            "by": true,
            "delayed_name_removal": on("promql-delayed-name-removal"),
            "duration_expr": true,
            "fill": fill,
            "fill_left": fill,
            "fill_right": fill,
            "group_left": true,
            "group_right": true,
            "ignoring": true,
            "negative_offset": true,
            "offset": true,
            "on": true,
            "per_query_lookback_delta": true,
            "per_step_stats": on("promql-per-step-stats"),
            "smoothed": ranges,
            "subqueries": true,
            "type_and_unit_labels": on("type-and-unit-labels"),
            "without": true,
        },
        "promql_functions": functions,
        "promql_operators": operators,
        "rules": {
            "concurrent_rule_eval": on("concurrent-rule-eval"),
            "keep_firing_for": true,
            "query_offset": true,
        },
        "scrape": {
            "extra_scrape_metrics": true,
            "start_timestamp_zero_ingestion": on("created-timestamp-zero-ingestion"),
            "type_and_unit_labels": on("type-and-unit-labels"),
        },
        "service_discovery_providers": all(DISCOVERY),
        "templating_functions": all(TEMPLATES),
        "tsdb": {
            "delayed_compaction": false,
            "exemplar_storage": true,
            "isolation": true,
            "native_histograms": true,
            "use_uncached_io": false,
        },
        "ui": { "ui_v2": false, "ui_v3": true },
    }))
}
