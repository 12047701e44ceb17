//! Alerting rules: an expression whose results are alerts.

use std::collections::BTreeMap;

use model::{Labels, METRIC_NAME};

use crate::QueryEngine;
use crate::alert::{ActiveAlert, AlertState};
use crate::expand::Expander;
use crate::file::RuleSpec;

const ALERT_NAME: &str = "alertname";
const ALERT_STATE: &str = "alertstate";
pub(crate) const ALERTS_SERIES: &str = "ALERTS";
pub(crate) const FOR_STATE_SERIES: &str = "ALERTS_FOR_STATE";

/// How long a resolved alert is remembered, so that its end reaches Alertmanagers that were away.
const RESOLVED_RETENTION_MS: i64 = 15 * 60_000;

pub struct AlertingRule {
    pub name: String,
    pub expr: String,
    pub hold_ms: i64,
    pub keep_firing_ms: i64,
    /// Templates.
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
    expander: Expander,
    /// By labels.
    pub(crate) active: BTreeMap<Labels, ActiveAlert>,
    /// Whether alert times of before the restart have been taken over. Until then the series that carry
    /// them are not written, lest they be overwritten.
    pub(crate) restored: bool,
}

impl AlertingRule {
    pub(crate) fn new(spec: &RuleSpec, labels: BTreeMap<String, String>, expander: Expander) -> AlertingRule {
        AlertingRule {
            name: spec.alert.clone(),
            expr: spec.expr.clone(),
            hold_ms: spec.hold.as_ms(),
            keep_firing_ms: spec.keep_firing_for.as_ms(),
            labels,
            annotations: spec.annotations.clone(),
            expander,
            active: BTreeMap::new(),
            restored: false,
        }
    }

    /// Evaluates at `time`; the query looks back by `offset_ms`. Returns the rule's own series.
    pub(crate) fn eval(
        &mut self,
        engine: &dyn QueryEngine,
        time: i64,
        offset_ms: i64,
        limit: usize,
    ) -> Result<Vec<(Labels, f64)>, String> {
        let samples = engine.instant(&self.expr, time - offset_ms)?;
        let mut found = BTreeMap::new();
        for sample in samples {
            let expand = |text: &str| self.expander.expand(text, &sample.labels, &sample.value, time);
            let mut labels = sample.labels.to_builder();
            labels.remove(METRIC_NAME);
            for (name, text) in &self.labels {
                labels.set(name.as_str(), expand(text));
            }
            labels.set(ALERT_NAME, self.name.as_str());
            let labels = labels.build();
            let annotations =
                self.annotations.iter().map(|(name, text)| (name.clone(), expand(text))).collect();
            let alert = ActiveAlert {
                state: AlertState::Pending,
                labels: labels.clone(),
                annotations,
                value: sample.value,
                active_at: time,
                fired_at: None,
                resolved_at: None,
                last_sent_at: None,
                valid_until: 0,
                keep_firing_since: None,
            };
            if found.insert(labels, alert).is_some() {
                let text = "vector contains metrics with the same labelset after applying alert labels";
                return Err(text.into());
            }
        }
        self.merge(&found);
        let series = self.advance(&found, time);
        let live = self.active.values().filter(|a| a.state != AlertState::Inactive).count();
        if limit > 0 && live > limit {
            self.active.clear();
            return Err(format!("exceeded limit of {limit} with {live} alerts"));
        }
        Ok(series)
    }

    /// Known alerts keep their times and take the new value; new ones begin.
    fn merge(&mut self, found: &BTreeMap<Labels, ActiveAlert>) {
        for (labels, alert) in found {
            match self.active.get_mut(labels).filter(|a| a.state != AlertState::Inactive) {
                Some(known) => {
                    known.value = alert.value.clone();
                    known.annotations = alert.annotations.clone();
                }
                None => {
                    self.active.insert(labels.clone(), alert.clone());
                }
            }
        }
    }

    /// Moves every alert to its state at `time` and lists the rule's series.
    fn advance(&mut self, found: &BTreeMap<Labels, ActiveAlert>, time: i64) -> Vec<(Labels, f64)> {
        let (hold, keep_firing) = (self.hold_ms, self.keep_firing_ms);
        self.active.retain(|labels, alert| {
            if found.contains_key(labels) {
                alert.keep_firing_since = None;
            } else {
                if alert.state == AlertState::Firing && keep_firing > 0 {
                    let since = *alert.keep_firing_since.get_or_insert(time);
                    if time - since < keep_firing {
                        return true;
                    }
                }
                let forgotten = alert.resolved_at.is_some_and(|at| time - at > RESOLVED_RETENTION_MS);
                if alert.state == AlertState::Pending || forgotten {
                    return false;
                }
                if alert.state != AlertState::Inactive {
                    alert.state = AlertState::Inactive;
                    alert.resolved_at = Some(time);
                }
                return true;
            }
            if alert.state == AlertState::Pending && time - alert.active_at >= hold {
                alert.state = AlertState::Firing;
                alert.fired_at = Some(time);
            }
            true
        });
        if !self.restored {
            return Vec::new();
        }
        self.series()
    }

    /// `ALERTS` and `ALERTS_FOR_STATE` of everything pending or firing.
    pub(crate) fn series(&self) -> Vec<(Labels, f64)> {
        let mut out = Vec::new();
        for alert in self.active.values().filter(|a| a.state != AlertState::Inactive) {
            let mut labels = alert.labels.to_builder();
            labels.set(METRIC_NAME, FOR_STATE_SERIES);
            let for_state = labels.build();
            labels.set(METRIC_NAME, ALERTS_SERIES).set(ALERT_STATE, alert.state.as_str());
            out.push((labels.build(), 1.0));
            out.push((for_state, (alert.active_at.div_euclid(1000)) as f64));
        }
        out
    }

    /// The strongest state of its alerts.
    pub fn state(&self) -> AlertState {
        self.active.values().map(|a| a.state).max().unwrap_or(AlertState::Inactive)
    }

    /// Alerts that are pending or firing.
    pub fn live(&self) -> impl Iterator<Item = &ActiveAlert> {
        self.active.values().filter(|a| a.state != AlertState::Inactive)
    }

    /// Alerts the Alertmanagers should hear of now; marks them as told.
    pub(crate) fn take_due(&mut self, now: i64, resend_ms: i64, interval_ms: i64) -> Vec<ActiveAlert> {
        let due = self.active.values_mut().filter(|a| a.needs_sending(now, resend_ms));
        due.map(|alert| {
            alert.last_sent_at = Some(now);
            // Three missed evaluations or reminders are forgiven.
            alert.valid_until = now + 4 * interval_ms.max(resend_ms);
            alert.clone()
        })
        .collect()
    }
}
