//! Recording rules: an expression whose results become series.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::{Labels, METRIC_NAME, Value};

use crate::QueryEngine;

pub struct RecordingRule {
    pub name: String,
    /// As the parser prints it.
    pub expr: String,
    pub labels: BTreeMap<String, String>,
    pub(crate) engine: Arc<dyn QueryEngine>,
}

impl RecordingRule {
    pub(crate) fn eval(
        &self,
        time: i64,
        offset_ms: i64,
        limit: usize,
    ) -> Result<Vec<(Labels, Value)>, String> {
        let samples = self.engine.instant(&self.expr, time - offset_ms)?;
        let (mut out, mut seen) = (Vec::with_capacity(samples.len()), BTreeSet::new());
        for sample in samples {
            let labels = recorded_labels(&self.name, &self.labels, &sample.labels);
            if !seen.insert(labels.clone()) {
                let text = "vector contains metrics with the same labelset after applying rule labels";
                return Err(text.into());
            }
            out.push((labels, sample.value));
        }
        if limit > 0 && out.len() > limit {
            return Err(format!("exceeded limit of {limit} with {} series", out.len()));
        }
        Ok(out)
    }
}

/// The labels under which a rule of this name, with these labels of its own, records a result.
pub(crate) fn recorded_labels(name: &str, own: &BTreeMap<String, String>, result: &Labels) -> Labels {
    let mut labels = result.to_builder();
    labels.set(METRIC_NAME, name);
    for (name, value) in own {
        labels.set(name.as_str(), value.as_str());
    }
    labels.build()
}
