//! `storage`: what the store keeps, and for how long.

use config::Duration;
use model::Matcher;
use scrape::config::ByteSize;
use serde::Deserialize;

/// Exemplars kept unless the file says otherwise.
pub const EXEMPLARS_DEFAULT: i64 = 100_000;

/// As many as the store keeps track of.
const RETENTION_RULES_MAX: usize = 63;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Storage {
    pub tsdb: Tsdb,
    pub exemplars: Exemplars,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tsdb {
    pub out_of_order_time_window: Duration,
    /// A field of the original that its own `/api/v1/status/config` shows; reading it back changes nothing.
    #[serde(rename = "outofordertimewindow")]
    pub out_of_order_window_shown: i64,
    /// Share of stale series from which the original empties its head early. Ours forgets stale series at
    /// every flush, so the number has nothing to decide.
    pub stale_series_compaction_threshold: f64,
    pub chunk_encoding: ChunkEncoding,
    pub retention: Retention,
}

/// How the original packs samples. The store here picks a codec per column by looking at the data; the
/// choice is checked and otherwise left alone.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChunkEncoding {
    pub floats: Option<FloatEncoding>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FloatEncoding {
    Xor,
    Xor2,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    pub time: Option<Duration>,
    pub size: Option<ByteSize>,
    /// Percent of the disk that holds the data.
    pub percentage: Option<f64>,
    /// Ours: how long the series that match are kept; the first rule that matches one decides.
    pub rules: Vec<RetentionRule>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetentionRule {
    /// A selector, such as `{job="batch"}`.
    #[serde(rename = "match")]
    pub selector: String,
    /// Zero: for ever.
    pub time: Duration,
}

impl RetentionRule {
    pub fn matchers(&self) -> Result<Vec<Matcher>, String> {
        promql_syntax::parse_selector(&self.selector)
            .map_err(|error| format!("'storage.tsdb.retention.rules': {}: {error}", self.selector))
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Exemplars {
    pub max_exemplars: Option<i64>,
}

impl Storage {
    pub fn validate(&self) -> Result<(), String> {
        let tsdb = &self.tsdb;
        if !(0.0..=1.0).contains(&tsdb.stale_series_compaction_threshold) {
            let given = tsdb.stale_series_compaction_threshold;
            return Err(format!(
                "'storage.tsdb.stale_series_compaction_threshold' must be between 0 and 1, got {given}"
            ));
        }
        if tsdb.retention.rules.len() > RETENTION_RULES_MAX {
            return Err(format!(
                "'storage.tsdb.retention.rules' has {} rules, the limit is {RETENTION_RULES_MAX}",
                tsdb.retention.rules.len()
            ));
        }
        for rule in &tsdb.retention.rules {
            rule.matchers()?;
        }
        match tsdb.retention.percentage {
            Some(percent) if !(0.0..=100.0).contains(&percent) => Err(format!(
                "'storage.tsdb.retention.percentage' must be in the range [0, 100], got {percent}"
            )),
            _ => Ok(()),
        }
    }

    /// How many exemplars to keep; none for zero and less.
    pub fn exemplars_max(&self) -> usize {
        usize::try_from(self.exemplars.max_exemplars.unwrap_or(EXEMPLARS_DEFAULT)).unwrap_or(0)
    }
}
