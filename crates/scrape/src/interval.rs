//! `prometheus_target_interval_length_seconds`: how far apart scrapes really are.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use expfmt::{Family, Metric, MetricValue, Quantile, Registry};
use model::{Labels, MetricType};

/// How many recent lengths the quantiles are taken from, for each configured interval.
const RECENT_MAX: usize = 500;

const QUANTILES: [f64; 5] = [0.01, 0.05, 0.5, 0.9, 0.99];

/// A summary by configured interval.
#[derive(Clone, Default)]
pub(crate) struct IntervalLength {
    by_interval: Arc<Mutex<BTreeMap<String, Lengths>>>,
}

#[derive(Default)]
struct Lengths {
    recent: VecDeque<f64>,
    sum: f64,
    count: u64,
}

impl IntervalLength {
    pub(crate) fn new(registry: &Registry) -> IntervalLength {
        let lengths = IntervalLength::default();
        let shown = lengths.clone();
        registry.collector(move |out| out.extend(shown.family()));
        lengths
    }

    pub(crate) fn observe(&self, interval: &str, seconds: f64) {
        let mut all = self.by_interval.lock().unwrap_or_else(PoisonError::into_inner);
        if !all.contains_key(interval) {
            all.insert(interval.to_owned(), Lengths::default());
        }
        let Some(lengths) = all.get_mut(interval) else { return };
        if lengths.recent.len() == RECENT_MAX {
            lengths.recent.pop_front();
        }
        lengths.recent.push_back(seconds);
        lengths.sum += seconds;
        lengths.count += 1;
    }

    fn family(&self) -> Option<Family> {
        let all = self.by_interval.lock().unwrap_or_else(PoisonError::into_inner);
        let mut family = Family::new(
            "prometheus_target_interval_length_seconds",
            "Actual intervals between scrapes.",
            MetricType::Summary,
        );
        for (interval, lengths) in all.iter() {
            let mut sorted: Vec<f64> = lengths.recent.iter().copied().collect();
            sorted.sort_by(f64::total_cmp);
            let value = |q: f64| {
                let rank = (q * sorted.len() as f64).ceil().max(1.0) as usize - 1;
                sorted.get(rank).copied().unwrap_or(f64::NAN)
            };
            let quantiles = QUANTILES.map(|quantile| Quantile { quantile, value: value(quantile) }).to_vec();
            family.metrics.push(Metric {
                labels: Labels::from_pairs([("interval", interval.as_str())]),
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
        let lengths = IntervalLength::new(&registry);
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
