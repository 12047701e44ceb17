//! The format of test files.

use std::collections::BTreeMap;
use std::path::Path;

use config::Duration;
use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TestFile {
    pub rule_files: Vec<String>,
    /// One minute when absent.
    pub evaluation_interval: Option<Duration>,
    pub group_eval_order: Vec<String>,
    pub tests: Vec<Case>,
    /// Values may differ in their last bit.
    pub fuzzy_compare: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Case {
    /// The evaluation interval when absent.
    pub interval: Option<Duration>,
    pub input_series: Vec<Series>,
    pub alert_rule_test: Vec<AlertCheck>,
    pub promql_expr_test: Vec<ExprCheck>,
    pub external_labels: BTreeMap<String, String>,
    pub external_url: String,
    pub name: String,
    /// Unix seconds or RFC 3339; the epoch when absent.
    pub start_timestamp: Option<Start>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Start {
    Seconds(f64),
    Text(String),
}

impl Start {
    pub fn ms(&self) -> Result<i64, String> {
        match self {
            Start::Seconds(s) => Ok((s * 1000.0) as i64),
            Start::Text(text) => text
                .parse::<f64>()
                .map(|s| (s * 1000.0) as i64)
                .or_else(|_| text.parse::<jiff::Timestamp>().map(jiff::Timestamp::as_millisecond))
                .map_err(|_| format!("start_timestamp: cannot parse {text:?} to a valid timestamp")),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Series {
    pub series: String,
    pub values: Scalar,
}

/// A text that may look like a number: `values: 1`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Scalar {
    Text(String),
    Int(i64),
    Float(f64),
}

impl Scalar {
    pub fn as_text(&self) -> String {
        match self {
            Scalar::Text(text) => text.clone(),
            Scalar::Int(n) => n.to_string(),
            Scalar::Float(v) => model::float::format_g(*v),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlertCheck {
    pub eval_time: Duration,
    pub alertname: String,
    pub exp_alerts: Vec<ExpectedAlert>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExpectedAlert {
    pub exp_labels: BTreeMap<String, String>,
    pub exp_annotations: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExprCheck {
    pub expr: String,
    pub eval_time: Duration,
    pub exp_samples: Vec<ExpectedSample>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExpectedSample {
    pub labels: String,
    pub value: f64,
    pub histogram: String,
}

impl TestFile {
    /// Reads a file. `lenient` passes over what it does not know.
    pub fn load(path: &Path, lenient: bool) -> Result<TestFile, String> {
        let shown = path.display().to_string();
        let text = config::read(path).map_err(|e| e.to_string())?;
        let text = if lenient { known_fields(&shown, &text)? } else { text };
        let file: TestFile = config::parse_unchecked(&shown, &text).map_err(|e| e.to_string())?;
        Ok(file)
    }

    /// A group that `group_eval_order` names more than once.
    pub fn group_named_twice(&self) -> Option<&str> {
        let mut seen = std::collections::BTreeSet::new();
        self.group_eval_order.iter().find(|name| !seen.insert(*name)).map(String::as_str)
    }

    pub fn evaluation_interval_ms(&self) -> i64 {
        self.evaluation_interval.map_or(60_000, Duration::as_ms).max(1)
    }
}

/// The document without the fields that test files do not have.
fn known_fields(file: &str, text: &str) -> Result<String, String> {
    const KNOWN: &[&str] =
        &["rule_files", "evaluation_interval", "group_eval_order", "tests", "fuzzy_compare"];
    const CASE: &[&str] = &[
        "interval",
        "input_series",
        "alert_rule_test",
        "promql_expr_test",
        "external_labels",
        "external_url",
        "name",
        "start_timestamp",
    ];
    let mut document: serde_json::Value = config::parse_unchecked(file, text).map_err(|e| e.to_string())?;
    if let Some(map) = document.as_object_mut() {
        map.retain(|key, _| KNOWN.contains(&key.as_str()));
        for case in map.get_mut("tests").and_then(|t| t.as_array_mut()).into_iter().flatten() {
            if let Some(case) = case.as_object_mut() {
                case.retain(|key, _| CASE.contains(&key.as_str()));
            }
        }
    }
    // JSON is YAML.
    Ok(document.to_string())
}
