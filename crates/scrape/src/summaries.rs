//! Summaries: quantiles of how long things took lately, by one label.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use expfmt::{Family, Metric, MetricValue, Quantile, Registry};
use model::{Labels, MetricType};

/// How many recent lengths the quantiles are taken from, for each label value.
const RECENT_MAX: usize = 500;

const QUANTILES: [f64; 5] = [0.01, 0.05, 0.5, 0.9, 0.99];

#[derive(Clone)]
pub(crate) struct Summaries {
    by_value: Arc<Mutex<BTreeMap<String, Lengths>>>,
}

#[derive(Default)]
struct Lengths {
    recent: VecDeque<f64>,
    sum: f64,
    count: u64,
}

impl Summaries {
    pub(crate) fn new(registry: &Registry, name: &str, help: &str, label: &'static str) -> Summaries {
        let summaries = Summaries { by_value: Arc::default() };
        let (shown, name, help) = (summaries.clone(), name.to_owned(), help.to_owned());
        registry.collector(move |out| out.extend(shown.family(&name, &help, label)));
        summaries
    }

    pub(crate) fn observe(&self, value: &str, seconds: f64) {
        let mut all = self.lock();
        if !all.contains_key(value) {
            all.insert(value.to_owned(), Lengths::default());
        }
        let Some(lengths) = all.get_mut(value) else { return };
        if lengths.recent.len() == RECENT_MAX {
            lengths.recent.pop_front();
        }
        lengths.recent.push_back(seconds);
        lengths.sum += seconds;
        lengths.count += 1;
    }

    pub(crate) fn remove(&self, value: &str) {
        self.lock().remove(value);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Lengths>> {
        self.by_value.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn family(&self, name: &str, help: &str, label: &str) -> Option<Family> {
        let all = self.lock();
        let mut family = Family::new(name, help, MetricType::Summary);
        for (label_value, lengths) in all.iter() {
            let mut sorted: Vec<f64> = lengths.recent.iter().copied().collect();
            sorted.sort_by(f64::total_cmp);
            let value = |q: f64| {
                let rank = (q * sorted.len() as f64).ceil().max(1.0) as usize - 1;
                sorted.get(rank).copied().unwrap_or(f64::NAN)
            };
            let quantiles = QUANTILES.map(|quantile| Quantile { quantile, value: value(quantile) }).to_vec();
            family.metrics.push(Metric {
                labels: Labels::from_pairs([(label, label_value.as_str())]),
                value: MetricValue::Summary { quantiles, sum: lengths.sum, count: lengths.count as f64 },
                timestamp: None,
            });
        }
        (!family.metrics.is_empty()).then_some(family)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_the_recent_past() {
        let registry = Registry::new();
        let lengths = Summaries::new(&registry, "length_seconds", "Lengths.", "interval");
        assert!(registry.gather().is_empty());
        for i in 0..2 * RECENT_MAX {
            lengths.observe("15s", i as f64);
        }
        let MetricValue::Summary { quantiles, count, .. } = &registry.gather()[0].metrics[0].value else {
            panic!("not a summary")
        };
        assert_eq!((*count, quantiles[2].value), (1000.0, 749.0));
    }
}
