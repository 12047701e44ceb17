//! A summary metric: quantiles of how long things took lately.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use expfmt::{Family, Metric, MetricValue, Quantile, Registry};
use model::{Labels, MetricType};

/// How many recent lengths the quantiles are taken from.
const RECENT_MAX: usize = 500;

#[derive(Default)]
struct Lengths {
    recent: VecDeque<f64>,
    sum: f64,
    count: u64,
}

/// Summaries by the value of one label; of a metric without labels there is one, whose value is empty.
#[derive(Clone)]
pub(crate) struct Summary {
    by_value: Arc<Mutex<BTreeMap<String, Lengths>>>,
}

impl Summary {
    pub fn new(
        registry: &Registry,
        name: &str,
        help: &str,
        label: Option<&'static str>,
        quantiles: &'static [f64],
    ) -> Summary {
        let summary = Summary { by_value: Arc::default() };
        if label.is_none() {
            summary.lock().insert(String::new(), Lengths::default());
        }
        let (shown, name, help) = (summary.clone(), name.to_owned(), help.to_owned());
        registry.collector(move |out| out.extend(shown.family(&name, &help, label, quantiles)));
        summary
    }

    pub fn observe(&self, value: &str, seconds: f64) {
        let mut all = self.lock();
        let lengths = match all.get_mut(value) {
            Some(lengths) => lengths,
            None => all.entry(value.to_owned()).or_default(),
        };
        if lengths.recent.len() == RECENT_MAX {
            lengths.recent.pop_front();
        }
        lengths.recent.push_back(seconds);
        lengths.sum += seconds;
        lengths.count += 1;
    }

    pub fn remove(&self, value: &str) {
        self.lock().remove(value);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Lengths>> {
        self.by_value.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn family(&self, name: &str, help: &str, label: Option<&str>, quantiles: &[f64]) -> Option<Family> {
        let all = self.lock();
        let mut family = Family::new(name, help, MetricType::Summary);
        for (label_value, lengths) in all.iter() {
            let mut sorted: Vec<f64> = lengths.recent.iter().copied().collect();
            sorted.sort_by(f64::total_cmp);
            let value = |q: f64| {
                let rank = (q * sorted.len() as f64).ceil().max(1.0) as usize - 1;
                sorted.get(rank).copied().unwrap_or(f64::NAN)
            };
            let quantiles = quantiles.iter().map(|q| Quantile { quantile: *q, value: value(*q) }).collect();
            family.metrics.push(Metric {
                labels: Labels::from_pairs(label.map(|label| (label, label_value.as_str()))),
                value: MetricValue::Summary { quantiles, sum: lengths.sum, count: lengths.count as f64 },
                timestamp: None,
            });
        }
        (!family.metrics.is_empty()).then_some(family)
    }
}
