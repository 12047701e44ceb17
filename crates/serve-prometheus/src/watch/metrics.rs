//! `prometheus_engine_*`: the original's metrics of its query engine.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use expfmt::{Counter, Family, Metric, MetricValue, Quantile, Registry};
use model::{Labels, MetricType};
use promql::ActiveQueries;

use super::Finished;
use super::log::QueryLog;

/// Quantiles are over observations of this time, at most [`KEPT_MAX`] of them.
const WINDOW: Duration = Duration::from_secs(600);
const KEPT_MAX: usize = 1000;

const SLICES: [&str; 4] = ["inner_eval", "prepare_time", "queue_time", "result_sort"];

#[derive(Clone)]
pub struct EngineMetrics {
    samples: Counter,
    slices: Arc<Mutex<[Slice; 4]>>,
}

/// Seconds that one phase of queries took.
#[derive(Default)]
struct Slice {
    recent: VecDeque<(Instant, f64)>,
    count: u64,
    sum: f64,
}

impl Slice {
    fn note(&mut self, seconds: f64) {
        (self.count, self.sum) = (self.count + 1, self.sum + seconds);
        if self.recent.len() >= KEPT_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back((Instant::now(), seconds));
    }

    fn value(&self) -> MetricValue {
        let recent = self.recent.iter().filter(|(at, _)| at.elapsed() <= WINDOW);
        let mut seconds: Vec<f64> = recent.map(|(_, seconds)| *seconds).collect();
        seconds.sort_by(f64::total_cmp);
        let at = |q: f64| match seconds.len().checked_sub(1) {
            Some(last) => seconds.get((q * last as f64).round() as usize).copied().unwrap_or(f64::NAN),
            None => f64::NAN,
        };
        let quantiles = [0.5, 0.9, 0.99].map(|q| Quantile { quantile: q, value: at(q) });
        MetricValue::Summary { quantiles: quantiles.to_vec(), sum: self.sum, count: self.count as f64 }
    }
}

impl EngineMetrics {
    pub fn new(
        registry: &Registry,
        active: ActiveQueries,
        log: Arc<QueryLog>,
        concurrency_max: usize,
    ) -> EngineMetrics {
        registry.gauge_fn(
            "prometheus_engine_queries",
            "The current number of queries being executed or waiting.",
            move || active.len() as f64,
        );
        registry.gauge_fn(
            "prometheus_engine_queries_concurrent_max",
            "The max number of concurrent queries.",
            move || concurrency_max as f64,
        );
        let enabled = log.clone();
        registry.gauge_fn("prometheus_engine_query_log_enabled", "State of the query log.", move || {
            f64::from(u8::from(enabled.is_enabled()))
        });
        registry.counter_fn(
            "prometheus_engine_query_log_failures_total",
            "The number of query log failures.",
            move || log.failures.load(Ordering::Relaxed) as f64,
        );
        let samples = registry.counter(
            "prometheus_engine_query_samples_total",
            "The total number of samples loaded by all queries.",
        );
        let slices: Arc<Mutex<[Slice; 4]>> = Arc::default();
        let shown = slices.clone();
        registry.collector(move |families| {
            let slices = shown.lock().unwrap_or_else(PoisonError::into_inner);
            let metrics = SLICES.iter().zip(slices.iter()).map(|(name, slice)| Metric {
                labels: Labels::from_pairs([("slice", *name)]),
                value: slice.value(),
                timestamp: None,
            });
            let name = "prometheus_engine_query_duration_seconds";
            let family = Family::new(name, "Query timings.", MetricType::Summary);
            families.push(Family { metrics: metrics.collect(), ..family });
        });
        EngineMetrics { samples, slices }
    }

    pub fn note(&self, finished: &Finished<'_>) {
        let Ok(result) = finished.outcome else { return };
        self.samples.add(result.stats.total_queryable_samples);
        let timings = &result.timings;
        let mut slices = self.slices.lock().unwrap_or_else(PoisonError::into_inner);
        let took = [timings.evaluate, timings.prepare, finished.queued, timings.sort];
        slices.iter_mut().zip(took).for_each(|(slice, took)| slice.note(took.as_secs_f64()));
    }
}
