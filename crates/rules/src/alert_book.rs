//! All alerts of one rule and how they change from one evaluation to the next.

use std::collections::BTreeMap;

use model::{Labels, METRIC_NAME};

use crate::alert::{ActiveAlert, AlertState};
use crate::alerting_rule::{ALERT_STATE, ALERTS_SERIES, FOR_STATE_SERIES};

/// How long a resolved alert is remembered and its end repeated, so that it reaches Alertmanagers that were
/// away.
pub(crate) const RESOLVED_RETENTION_MS: i64 = 15 * 60_000;

/// How many intervals (or reminders, whichever is longer) an alert stands without being sent again.
pub(crate) const VALID_INTERVALS: i64 = 4;

/// For how long an alert has to be found before it fires, and to be missed before it ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    pub hold_ms: i64,
    pub keep_firing_ms: i64,
}

#[derive(Debug, Default)]
pub(crate) struct AlertBook {
    /// By labels; with those that have resolved lately.
    pub active: BTreeMap<Labels, ActiveAlert>,
    /// Whether alert times of before the restart have been taken over. Until then the series that carry
    /// them are not written, lest they be overwritten.
    pub restored: bool,
}

impl AlertBook {
    /// Takes what an evaluation at `time` found: alerts begin, go on, fire, resolve, are forgotten.
    pub fn advance(&mut self, found: &BTreeMap<Labels, ActiveAlert>, patience: Patience, time: i64) {
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
        self.active.retain(|labels, alert| match found.contains_key(labels) {
            true => {
                alert.keep_firing_since = None;
                if alert.state == AlertState::Pending && time - alert.active_at >= patience.hold_ms {
                    alert.state = AlertState::Firing;
                    alert.fired_at = Some(time);
                }
                true
            }
            false => missed(alert, patience, time),
        });
    }

    /// Alerts that are pending or firing.
    pub fn live(&self) -> impl Iterator<Item = &ActiveAlert> {
        self.active.values().filter(|a| a.state != AlertState::Inactive)
    }

    /// The strongest state of all.
    pub fn state(&self) -> AlertState {
        self.active.values().map(|a| a.state).max().unwrap_or(AlertState::Inactive)
    }

    /// `ALERTS` and `ALERTS_FOR_STATE` of everything pending or firing.
    pub fn series(&self) -> Vec<(Labels, f64)> {
        let mut out = Vec::new();
        for alert in self.live() {
            let mut labels = alert.labels.to_builder();
            labels.set(METRIC_NAME, FOR_STATE_SERIES);
            let for_state = labels.build();
            labels.set(METRIC_NAME, ALERTS_SERIES).set(ALERT_STATE, alert.state.as_str());
            out.push((labels.build(), 1.0));
            out.push((for_state, (alert.active_at.div_euclid(1000)) as f64));
        }
        out
    }

    /// Alerts the Alertmanagers should hear of now; marks them as told.
    pub fn take_due(&mut self, now: i64, resend_ms: i64, interval_ms: i64) -> Vec<ActiveAlert> {
        let due = self.active.values_mut().filter(|a| a.needs_sending(now, resend_ms));
        due.map(|alert| {
            alert.last_sent_at = Some(now);
            // Three missed evaluations or reminders are forgiven.
            alert.valid_until = now.saturating_add(VALID_INTERVALS * interval_ms.max(resend_ms));
            alert.clone()
        })
        .collect()
    }
}

/// An alert that was not found this time. False: forget it.
fn missed(alert: &mut ActiveAlert, patience: Patience, time: i64) -> bool {
    if alert.state == AlertState::Firing && patience.keep_firing_ms > 0 {
        let since = *alert.keep_firing_since.get_or_insert(time);
        if time - since < patience.keep_firing_ms {
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
    true
}
