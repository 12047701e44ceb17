//! Recording rules: an expression whose results become series.

use std::collections::{BTreeMap, BTreeSet};

use model::{Labels, METRIC_NAME, Value};

use crate::QueryEngine;
use crate::file::RuleSpec;

pub struct RecordingRule {
    pub name: String,
    pub expr: String,
    pub labels: BTreeMap<String, String>,
}

impl RecordingRule {
    pub(crate) fn new(spec: &RuleSpec, labels: BTreeMap<String, String>) -> RecordingRule {
        RecordingRule { name: spec.record.clone(), expr: spec.expr.clone(), labels }
    }

    pub(crate) fn eval(
        &self,
        engine: &dyn QueryEngine,
        time: i64,
        offset_ms: i64,
        limit: usize,
    ) -> Result<Vec<(Labels, Value)>, String> {
        let samples = engine.instant(&self.expr, time - offset_ms)?;
        if limit > 0 && samples.len() > limit {
            return Err(format!("exceeded limit of {limit} with {} series", samples.len()));
        }
        let (mut out, mut seen) = (Vec::with_capacity(samples.len()), BTreeSet::new());
        for sample in samples {
            let mut labels = sample.labels.to_builder();
            labels.set(METRIC_NAME, self.name.as_str());
            for (name, value) in &self.labels {
                labels.set(name.as_str(), value.as_str());
            }
            let labels = labels.build();
            if !seen.insert(labels.clone()) {
                let text = "vector contains metrics with the same labelset after applying rule labels";
                return Err(text.into());
            }
            out.push((labels, sample.value));
        }
        Ok(out)
    }
}
