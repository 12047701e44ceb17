//! PromQL as the rules see it.

use std::sync::Arc;

use promql::{Engine, QueryContext, QueryValue};
use rules::{QueriedSample, QueryEngine};
use storage::MetricsStore;

/// Evaluates rule expressions on the server's own engine and store.
pub struct RuleQueries {
    pub engine: Arc<Engine>,
    pub store: Arc<dyn MetricsStore>,
}

impl QueryEngine for RuleQueries {
    fn instant(&self, expr: &str, time_ms: i64) -> Result<Vec<QueriedSample>, String> {
        let result = self
            .engine
            .instant(&*self.store, expr, time_ms, &QueryContext::default())
            .map_err(|e| e.message)?;
        match result.value {
            QueryValue::Vector(samples) => {
                Ok(samples.into_iter().map(|s| QueriedSample { labels: s.labels, value: s.value }).collect())
            }
            QueryValue::Scalar { v, .. } => {
                Ok(vec![QueriedSample { labels: model::Labels::empty(), value: model::Value::Float(v) }])
            }
            _ => Err("rule result is not a vector or scalar".into()),
        }
    }
}
