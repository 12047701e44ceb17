//! Pipeline stages as they are written.

use std::collections::BTreeMap;

use config::Duration;
use serde::Deserialize;

use super::{ByteSize, Refused};

/// One item of `pipeline_stages`: a mapping with one key.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StageConfig {
    Docker(Option<Empty>),
    Cri(Option<CriConfig>),
    Json(JsonConfig),
    Logfmt(LogfmtConfig),
    Regex(RegexConfig),
    Replace(ReplaceConfig),
    Template(TemplateConfig),
    Timestamp(TimestampConfig),
    Output(OutputConfig),
    Labels(BTreeMap<String, Option<String>>),
    Labeldrop(Vec<String>),
    Labelallow(Vec<String>),
    StaticLabels(BTreeMap<String, Option<String>>),
    StructuredMetadata(BTreeMap<String, Option<String>>),
    /// The old name of `structured_metadata`.
    NonIndexedLabels(BTreeMap<String, Option<String>>),
    Match(MatchConfig),
    Drop(DropConfig),
    Multiline(MultilineConfig),
    Tenant(TenantConfig),
    Limit(LimitConfig),
    Pack(PackConfig),
    Decolorize(Option<Empty>),
    Sampling(SamplingConfig),
    Metrics(BTreeMap<String, MetricConfig>),
    Geoip(Refused),
    Eventlogmessage(Refused),
    /// Holds a name in the original.
    Pipeline(serde::de::IgnoredAny),
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Empty {}

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CriConfig {
    pub max_partial_lines: usize,
    pub max_partial_line_size: ByteSize,
    pub max_partial_line_size_truncate: bool,
}

impl Default for CriConfig {
    fn default() -> CriConfig {
        CriConfig {
            max_partial_lines: 100,
            max_partial_line_size: ByteSize(0),
            max_partial_line_size_truncate: false,
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JsonConfig {
    /// Name of the extracted value and where it is (JMESPath); empty: under that name.
    pub expressions: BTreeMap<String, Option<String>>,
    pub source: Option<String>,
    #[serde(default)]
    pub drop_malformed: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogfmtConfig {
    pub mapping: BTreeMap<String, Option<String>>,
    pub source: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegexConfig {
    pub expression: String,
    pub source: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplaceConfig {
    pub expression: String,
    pub source: Option<String>,
    #[serde(default)]
    pub replace: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateConfig {
    pub source: String,
    pub template: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimestampConfig {
    pub source: String,
    pub format: String,
    #[serde(default)]
    pub fallback_formats: Vec<String>,
    pub location: Option<String>,
    #[serde(default)]
    pub action_on_failure: ActionOnFailure,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActionOnFailure {
    /// The time of the last line that had one, plus a nanosecond.
    #[default]
    Fudge,
    /// The time when the line was read.
    Skip,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputConfig {
    pub source: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MatchConfig {
    pub selector: String,
    #[serde(default)]
    pub stages: Vec<StageConfig>,
    #[serde(default)]
    pub action: MatchAction,
    #[serde(default)]
    pub pipeline_name: Option<String>,
    pub drop_counter_reason: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MatchAction {
    #[default]
    Keep,
    Drop,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DropConfig {
    pub source: OneOrMany,
    pub separator: Option<String>,
    pub expression: Option<String>,
    pub value: Option<String>,
    pub older_than: Option<Duration>,
    pub longer_than: Option<ByteSize>,
    pub drop_counter_reason: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    #[default]
    None,
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    pub fn list(&self) -> Vec<String> {
        match self {
            OneOrMany::None => Vec::new(),
            OneOrMany::One(one) => vec![one.clone()],
            OneOrMany::Many(many) => many.clone(),
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MultilineConfig {
    pub firstline: String,
    #[serde(default = "MultilineConfig::wait")]
    pub max_wait_time: Duration,
    #[serde(default = "MultilineConfig::lines")]
    pub max_lines: usize,
}

impl MultilineConfig {
    fn wait() -> Duration {
        Duration::from_secs(3)
    }

    fn lines() -> usize {
        128
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TenantConfig {
    pub label: Option<String>,
    pub source: Option<String>,
    pub value: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitConfig {
    pub rate: f64,
    pub burst: f64,
    pub drop: bool,
    pub by_label_name: String,
    pub max_distinct_labels: usize,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PackConfig {
    pub labels: Vec<String>,
    pub ingest_timestamp: bool,
}

impl Default for PackConfig {
    fn default() -> PackConfig {
        PackConfig { labels: Vec::new(), ingest_timestamp: true }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SamplingConfig {
    pub rate: f64,
    pub drop_counter_reason: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricConfig {
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default)]
    pub description: String,
    pub source: Option<String>,
    #[serde(default = "MetricConfig::prefix")]
    pub prefix: String,
    #[serde(default = "MetricConfig::idle")]
    pub max_idle_duration: Duration,
    #[serde(default)]
    pub config: MetricAction,
}

impl MetricConfig {
    fn prefix() -> String {
        "promtail_custom_".into()
    }

    fn idle() -> Duration {
        Duration::from_secs(300)
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MetricAction {
    pub match_all: Option<bool>,
    pub count_entry_bytes: Option<bool>,
    pub value: Option<String>,
    pub action: String,
    pub buckets: Vec<f64>,
}
