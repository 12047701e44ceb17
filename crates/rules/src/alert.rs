//! One alert of an alerting rule, from pending to resolved.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{Labels, Value};

/// In the order of strength.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlertState {
    /// Of rules that were not evaluated yet.
    Unknown,
    Inactive,
    Pending,
    Firing,
}

impl AlertState {
    pub fn as_str(self) -> &'static str {
        match self {
            AlertState::Unknown => "unknown",
            AlertState::Inactive => "inactive",
            AlertState::Pending => "pending",
            AlertState::Firing => "firing",
        }
    }
}

/// Times are Unix milliseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct ActiveAlert {
    pub state: AlertState,
    pub labels: Labels,
    pub annotations: Arc<BTreeMap<String, String>>,
    pub value: Value,
    pub active_at: i64,
    pub fired_at: Option<i64>,
    pub resolved_at: Option<i64>,
    pub last_sent_at: Option<i64>,
    /// When an alert sent now ends unless it is sent again.
    pub valid_until: i64,
    pub keep_firing_since: Option<i64>,
}

impl ActiveAlert {
    /// An alert that has just been found.
    pub(crate) fn pending(
        labels: Labels,
        annotations: BTreeMap<String, String>,
        value: Value,
        active_at: i64,
    ) -> ActiveAlert {
        ActiveAlert {
            state: AlertState::Pending,
            labels,
            annotations: Arc::new(annotations),
            value,
            active_at,
            fired_at: None,
            resolved_at: None,
            last_sent_at: None,
            valid_until: 0,
            keep_firing_since: None,
        }
    }

    /// Whether the Alertmanagers have something to learn or to be reminded of.
    pub(crate) fn needs_sending(&self, now: i64, resend_ms: i64) -> bool {
        if self.state == AlertState::Pending {
            return false;
        }
        match (self.last_sent_at, self.resolved_at) {
            (None, _) => true,
            (Some(sent), Some(resolved)) if resolved > sent => true,
            (Some(sent), _) => sent.saturating_add(resend_ms) < now,
        }
    }
}
