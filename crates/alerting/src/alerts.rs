//! All known alerts, by fingerprint.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use model::TimestampNs;

use crate::alert::Alert;
use crate::manager::{Limits, lock};

/// The store keeps what was received until it is resolved and collected.
#[derive(Debug, Default)]
pub(crate) struct AlertStore {
    alerts: Mutex<BTreeMap<u64, Arc<Alert>>>,
}

impl AlertStore {
    /// Adds or merges one alert; returns what is now stored, or a refusal when the store is full.
    pub fn put(&self, alert: Alert, now: TimestampNs, limits: &Limits) -> Result<Arc<Alert>, String> {
        let mut alerts = lock(&self.alerts);
        let fingerprint = alert.fingerprint();
        let merged = match alerts.get(&fingerprint) {
            Some(old) if overlap(old, &alert) => old.merge(&alert, now),
            Some(_) => alert,
            None if limits.alerts > 0 && alerts.len() >= limits.alerts => {
                return Err(format!("too many alerts: the limit of {} is reached", limits.alerts));
            }
            None => alert,
        };
        let merged = Arc::new(merged);
        alerts.insert(fingerprint, merged.clone());
        Ok(merged)
    }

    /// Every alert, by fingerprint.
    pub fn list(&self) -> Vec<Arc<Alert>> {
        lock(&self.alerts).values().cloned().collect()
    }

    /// Forgets resolved alerts.
    pub fn collect(&self, now: TimestampNs) {
        lock(&self.alerts).retain(|_, alert| !alert.resolved_at(now));
    }
}

fn overlap(old: &Alert, new: &Alert) -> bool {
    (new.ends_at > old.starts_at && new.ends_at < old.ends_at)
        || (new.starts_at > old.starts_at && new.starts_at < old.ends_at)
}
