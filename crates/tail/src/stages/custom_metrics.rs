//! The metrics stage: counters, gauges and histograms made from lines.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use expfmt::{Bucket, Family, Metric, MetricValue};
use model::{Labels, MetricType};

use super::{Context, Transform};
use crate::config::MetricConfig;
use crate::entry::Entry;

/// Label sets of one metric; more are not counted.
const SERIES_MAX: usize = 10_000;

/// What all pipelines count into, shown by the registry.
#[derive(Debug, Default)]
pub(crate) struct CustomMetrics {
    table: Mutex<BTreeMap<String, CustomMetric>>,
}

#[derive(Debug)]
struct CustomMetric {
    kind: Kind,
    help: String,
    idle: Duration,
    series: BTreeMap<Labels, Series>,
}

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Counter,
    Gauge,
    Histogram(Vec<f64>),
}

#[derive(Debug)]
struct Series {
    /// A counter's or gauge's value, a histogram's sum.
    value: f64,
    counts: Vec<u64>,
    count: u64,
    touched: Instant,
}

impl CustomMetrics {
    fn table(&self) -> MutexGuard<'_, BTreeMap<String, CustomMetric>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends all families; what nobody touched for long goes.
    pub fn collect(&self, out: &mut Vec<Family>) {
        for (name, metric) in self.table().iter_mut() {
            let idle = metric.idle;
            metric.series.retain(|_, series| series.touched.elapsed() < idle);
            if metric.series.is_empty() {
                continue;
            }
            let kind = match &metric.kind {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge => MetricType::Gauge,
                Kind::Histogram(_) => MetricType::Histogram,
            };
            let mut family = Family::new(name.clone(), metric.help.clone(), kind);
            for (labels, series) in &metric.series {
                let value = match &metric.kind {
                    Kind::Counter | Kind::Gauge => MetricValue::Number(series.value),
                    Kind::Histogram(bounds) => histogram(bounds, series),
                };
                family.metrics.push(Metric { labels: labels.clone(), value, timestamp: None });
            }
            out.push(family);
        }
    }
}

fn histogram(bounds: &[f64], series: &Series) -> MetricValue {
    let mut cumulative = 0;
    let bucket = |(bound, count): (&f64, &u64)| {
        cumulative += count;
        Bucket { upper_bound: *bound, cumulative_count: cumulative as f64, exemplar: None }
    };
    let buckets = bounds.iter().zip(&series.counts).map(bucket).collect();
    MetricValue::Histogram { count: series.count as f64, sum: series.value, buckets }
}

pub(super) struct MetricsStage {
    custom: Arc<CustomMetrics>,
    metrics: Vec<Rule>,
}

struct Rule {
    name: String,
    source: String,
    kind: Kind,
    action: String,
    value: Option<String>,
    match_all: bool,
    entry_bytes: bool,
}

impl MetricsStage {
    pub fn new(
        written: &BTreeMap<String, MetricConfig>,
        custom: &Arc<CustomMetrics>,
    ) -> Result<MetricsStage, String> {
        let mut metrics = Vec::new();
        for (name, config) in written {
            let action = config.config.action.to_ascii_lowercase();
            let kind = match config.kind.to_ascii_lowercase().as_str() {
                "counter" => Kind::Counter,
                "gauge" => Kind::Gauge,
                "histogram" => Kind::Histogram(config.config.buckets.clone()),
                other => {
                    return Err(format!("metric {name}: type {other:?} must be counter, gauge or histogram"));
                }
            };
            let known: &[&str] = match kind {
                Kind::Counter => &["inc", "add"],
                Kind::Gauge => &["set", "inc", "dec", "add", "sub"],
                Kind::Histogram(_) => &[""],
            };
            if !known.contains(&action.as_str()) {
                return Err(format!("metric {name}: action {action:?} must be one of {}", known.join(", ")));
            }
            let full = format!("{}{name}", config.prefix);
            let metric = CustomMetric {
                kind: kind.clone(),
                help: config.description.clone(),
                idle: config.max_idle_duration.to_std(),
                series: BTreeMap::new(),
            };
            custom.table().entry(full.clone()).or_insert(metric);
            metrics.push(Rule {
                name: full,
                source: config.source.clone().filter(|s| !s.is_empty()).unwrap_or_else(|| name.clone()),
                kind,
                action,
                value: config.config.value.clone(),
                match_all: config.config.match_all.unwrap_or(false),
                entry_bytes: config.config.count_entry_bytes.unwrap_or(false),
            });
        }
        Ok(MetricsStage { custom: custom.clone(), metrics })
    }
}

impl Transform for MetricsStage {
    fn apply(&mut self, entry: &mut Entry, context: &Context<'_>) -> bool {
        for rule in &self.metrics {
            if let Some(amount) = amount(rule, entry) {
                record(&self.custom, rule, entry, amount, context.now);
            }
        }
        true
    }
}

/// What the entry adds, if it concerns the metric.
fn amount(rule: &Rule, entry: &Entry) -> Option<f64> {
    if rule.match_all {
        return Some(if rule.entry_bytes { entry.line.len() as f64 } else { 1.0 });
    }
    let found = entry.extracted.get(&rule.source)?;
    if rule.value.as_ref().is_some_and(|value| value != found) {
        return None;
    }
    match rule.action.as_str() {
        "inc" | "dec" => Some(1.0),
        // Durations count in seconds.
        _ => found.parse().ok().or_else(|| model::duration::parse(found).ok().map(|ms| ms as f64 / 1000.0)),
    }
}

fn record(custom: &CustomMetrics, rule: &Rule, entry: &Entry, amount: f64, now: Instant) {
    let mut table = custom.table();
    let Some(metric) = table.get_mut(&rule.name).filter(|metric| metric.kind == rule.kind) else { return };
    let labels = Labels::from_sorted(entry.labels.iter().map(|(n, v)| (n.as_str(), v.as_str())));
    if metric.series.len() >= SERIES_MAX && !metric.series.contains_key(&labels) {
        return;
    }
    let fresh = || Series { value: 0.0, counts: Vec::new(), count: 0, touched: now };
    let series = metric.series.entry(labels).or_insert_with(fresh);
    series.touched = now;
    match (&rule.kind, rule.action.as_str()) {
        (Kind::Histogram(bounds), _) => {
            series.counts.resize(bounds.len(), 0);
            if let Some(at) = bounds.iter().position(|bound| amount <= *bound) {
                series.counts[at] += 1;
            }
            series.count += 1;
            series.value += amount;
        }
        (_, "set") => series.value = amount,
        (_, "dec" | "sub") => series.value -= amount,
        (Kind::Counter, _) => series.value += amount.max(0.0),
        (Kind::Gauge, _) => series.value += amount,
    }
}
