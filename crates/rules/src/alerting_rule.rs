//! Alerting rules: an expression whose results are alerts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::{Labels, METRIC_NAME};

use crate::QueryEngine;
use crate::alert::ActiveAlert;
use crate::alert_book::{AlertBook, Patience};
use crate::expand::Expander;

pub(crate) const ALERT_NAME: &str = "alertname";
pub(crate) const ALERT_STATE: &str = "alertstate";
pub(crate) const ALERTS_SERIES: &str = "ALERTS";
pub(crate) const FOR_STATE_SERIES: &str = "ALERTS_FOR_STATE";

pub struct AlertingRule {
    pub name: String,
    /// As the parser prints it.
    pub expr: String,
    pub hold_ms: i64,
    pub keep_firing_ms: i64,
    /// Templates.
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
    pub(crate) engine: Arc<dyn QueryEngine>,
    pub(crate) expander: Expander,
    /// Locked for moments only: never while a query runs.
    pub(crate) book: Mutex<AlertBook>,
}

impl AlertingRule {
    pub(crate) fn book(&self) -> MutexGuard<'_, AlertBook> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Evaluates at `time`; the query looks back by `offset_ms`. Returns the rule's own series.
    pub(crate) fn eval(&self, time: i64, offset_ms: i64, limit: usize) -> Result<Vec<(Labels, f64)>, String> {
        let found = self.find(time, offset_ms)?;
        let patience = Patience { hold_ms: self.hold_ms, keep_firing_ms: self.keep_firing_ms };
        let mut book = self.book();
        book.advance(&found, patience, time);
        let live = book.live().count();
        if limit > 0 && live > limit {
            book.active.clear();
            return Err(format!("exceeded limit of {limit} with {live} alerts"));
        }
        Ok(if book.restored { book.series() } else { Vec::new() })
    }

    /// The alerts the expression gives at `time`, as if they all began then.
    pub(crate) fn find(&self, time: i64, offset_ms: i64) -> Result<BTreeMap<Labels, ActiveAlert>, String> {
        let samples = self.engine.instant(&self.expr, time - offset_ms)?;
        let mut found = BTreeMap::new();
        for sample in samples {
            let data = match self.expander.is_idle() {
                true => template::Value::Nil,
                false => self.expander.data(&sample.labels, &sample.value, time),
            };
            let mut labels = sample.labels.to_builder();
            labels.remove(METRIC_NAME);
            for (name, text) in &self.labels {
                labels.set(name.as_str(), self.expander.expand(text, &data));
            }
            labels.set(ALERT_NAME, self.name.as_str());
            let labels = labels.build();
            let expand = |(name, text): (&String, &String)| (name.clone(), self.expander.expand(text, &data));
            let annotations = self.annotations.iter().map(expand).collect();
            let alert = ActiveAlert::pending(labels.clone(), annotations, sample.value, time);
            if found.insert(labels, alert).is_some() {
                let text = "vector contains metrics with the same labelset after applying alert labels";
                return Err(text.into());
            }
        }
        Ok(found)
    }
}
