//! Groups and rules as pages and the API see them.

use std::collections::BTreeMap;

use model::TimestampMs;

use crate::alert::{ActiveAlert, AlertState};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    Unknown,
    Ok,
    Err,
}

impl Health {
    pub fn as_str(self) -> &'static str {
        match self {
            Health::Unknown => "unknown",
            Health::Ok => "ok",
            Health::Err => "err",
        }
    }
}

#[derive(Debug, Clone)]
pub struct RuleState {
    pub kind: RuleKind,
    pub name: String,
    /// As the parser prints it.
    pub expr: String,
    /// As written, templates not expanded.
    pub labels: BTreeMap<String, String>,
    pub health: Health,
    pub last_error: String,
    pub evaluation_seconds: f64,
    /// When the last evaluation began; zero before the first.
    pub last_evaluation: TimestampMs,
}

#[derive(Debug, Clone)]
pub enum RuleKind {
    Recording,
    Alerting {
        state: AlertState,
        hold_ms: i64,
        keep_firing_ms: i64,
        annotations: BTreeMap<String, String>,
        alerts: Vec<ActiveAlert>,
    },
}

#[derive(Debug, Clone)]
pub struct GroupState {
    pub name: String,
    pub file: String,
    pub interval_ms: i64,
    pub limit: usize,
    pub evaluation_seconds: f64,
    /// When the last evaluation began; zero before the first.
    pub last_evaluation: TimestampMs,
    pub rules: Vec<RuleState>,
}
