//! Recording and alerting rules: files, groups on their schedule, alert states, and the way of alerts to
//! Alertmanagers.
//!
//! ```text
//! rule files ─▶ RuleManager ─▶ Group (one schedule each)
//!                                ├─ recording rule ─▶ series
//!                                └─ alerting rule ──▶ alert states ─▶ ALERTS, ALERTS_FOR_STATE
//!                                                          └──▶ Notifier ─▶ Alertmanagers (API v2)
//! ```
//!
//! Invariant: queries go through [`QueryEngine`], samples through [`storage::MetricsStore`]; no query
//! language and no HTTP server are known here.

mod alert;
mod alerting_rule;
mod expand;
mod file;
mod group;
mod manager;
mod metrics;
mod notifier;
mod offline;
mod recording_rule;
mod restore;
#[cfg(test)]
mod tests;

pub use alert::{ActiveAlert, AlertState};
pub use alerting_rule::AlertingRule;
pub use file::{GroupSpec, RuleSpec, load_file, parse_file};
pub use group::{GroupState, Health, RuleKind, RuleState};
pub use manager::{Parts, RuleManager, Settings};
pub use metrics::RuleMetrics;
pub use notifier::{AlertmanagerConfig, Notifier, NotifierSettings};
pub use offline::OfflineRules;
pub use recording_rule::RecordingRule;

use model::{Labels, Value};

/// One sample of an instant query.
#[derive(Debug, Clone, PartialEq)]
pub struct QueriedSample {
    pub labels: Labels,
    pub value: Value,
}

/// Evaluates expressions; implemented where the query language lives.
pub trait QueryEngine: Send + Sync {
    /// An instant query. A scalar is one sample without labels; other types are an error.
    fn instant(&self, expr: &str, time_ms: i64) -> Result<Vec<QueriedSample>, String>;
}
