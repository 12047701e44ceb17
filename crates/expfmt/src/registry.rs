//! The registry: live counters, gauges and histograms of one service, gathered into families.
//!
//! Handles are cheap to clone and to update (one atomic operation); looking a child up by label values
//! takes a lock, so hot paths keep the handle.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::{Labels, MetricType};

use crate::family::{Bucket, Family, Metric, MetricValue};

/// A number that only grows.
#[derive(Debug, Clone, Default)]
pub struct Counter(Arc<AtomicU64>);

/// A number that goes up and down.
#[derive(Debug, Clone, Default)]
pub struct Gauge(Arc<AtomicU64>);

/// Observations by bucket.
#[derive(Debug, Clone)]
pub struct Histogram(Arc<HistogramCells>);

#[derive(Debug)]
struct HistogramCells {
    bounds: Vec<f64>,
    counts: Vec<AtomicU64>,
    sum: AtomicU64,
}

impl Counter {
    pub fn inc(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Gauge {
    pub fn set(&self, v: f64) {
        self.0.store(v.to_bits(), Ordering::Relaxed);
    }

    pub fn add(&self, v: f64) {
        add_f64(&self.0, v);
    }

    pub fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }
}

impl Histogram {
    fn new(bounds: &[f64]) -> Histogram {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Histogram(Arc::new(HistogramCells { bounds: bounds.to_vec(), counts, sum: AtomicU64::new(0) }))
    }

    pub fn observe(&self, v: f64) {
        let at = self.0.bounds.iter().position(|b| v <= *b).unwrap_or(self.0.bounds.len());
        self.0.counts[at].fetch_add(1, Ordering::Relaxed);
        add_f64(&self.0.sum, v);
    }

    fn value(&self) -> MetricValue {
        let mut total = 0;
        let mut buckets = Vec::with_capacity(self.0.counts.len());
        for (i, count) in self.0.counts.iter().enumerate() {
            total += count.load(Ordering::Relaxed);
            let upper_bound = self.0.bounds.get(i).copied().unwrap_or(f64::INFINITY);
            buckets.push(Bucket { upper_bound, cumulative_count: total as f64, exemplar: None });
        }
        let sum = f64::from_bits(self.0.sum.load(Ordering::Relaxed));
        MetricValue::Histogram { buckets, sum, count: total as f64 }
    }
}

fn add_f64(cell: &AtomicU64, v: f64) {
    let _ = cell.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |bits| {
        Some((f64::from_bits(bits) + v).to_bits())
    });
}

/// The children of one family by label values.
#[derive(Debug)]
struct Children<T> {
    names: Vec<String>,
    by_values: Mutex<BTreeMap<Vec<String>, T>>,
}

impl<T: Clone> Children<T> {
    fn new(names: &[&str]) -> Arc<Children<T>> {
        let names = names.iter().map(|n| (*n).to_owned()).collect();
        Arc::new(Children { names, by_values: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Vec<String>, T>> {
        self.by_values.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, values: &[&str], make: impl FnOnce() -> T) -> T {
        debug_assert_eq!(values.len(), self.names.len(), "label values for {:?}", self.names);
        let key = values.iter().map(|v| (*v).to_owned()).collect();
        self.lock().entry(key).or_insert_with(make).clone()
    }

    fn remove(&self, values: &[&str]) {
        let key: Vec<String> = values.iter().map(|v| (*v).to_owned()).collect();
        self.lock().remove(&key);
    }

    fn gather(&self, value: impl Fn(&T) -> MetricValue) -> Vec<Metric> {
        let children = self.lock();
        let metric = |(values, child): (&Vec<String>, &T)| Metric {
            labels: Labels::from_pairs(self.names.iter().cloned().zip(values.iter().cloned())),
            value: value(child),
            timestamp: None,
        };
        children.iter().map(metric).collect()
    }
}

#[derive(Debug, Clone)]
pub struct CounterVec(Arc<Children<Counter>>);

#[derive(Debug, Clone)]
pub struct GaugeVec(Arc<Children<Gauge>>);

#[derive(Debug, Clone)]
pub struct HistogramVec(Arc<Children<Histogram>>, Arc<[f64]>);

impl CounterVec {
    /// The child with these label values, in the order the names were declared.
    pub fn with(&self, values: &[&str]) -> Counter {
        self.0.get(values, Counter::default)
    }

    pub fn remove(&self, values: &[&str]) {
        self.0.remove(values);
    }
}

impl GaugeVec {
    pub fn with(&self, values: &[&str]) -> Gauge {
        self.0.get(values, Gauge::default)
    }

    pub fn remove(&self, values: &[&str]) {
        self.0.remove(values);
    }
}

impl HistogramVec {
    pub fn remove(&self, values: &[&str]) {
        self.0.remove(values);
    }

    pub fn with(&self, values: &[&str]) -> Histogram {
        self.0.get(values, || Histogram::new(&self.1))
    }
}

type Collector = Box<dyn Fn(&mut Vec<Family>) + Send + Sync>;

/// All metrics of one service. Cloning shares them.
#[derive(Clone, Default)]
pub struct Registry {
    collectors: Arc<Mutex<Vec<Collector>>>,
}

impl Registry {
    pub fn new() -> Registry {
        Registry::default()
    }

    /// Adds a source that is asked anew at every scrape.
    pub fn collector(&self, collect: impl Fn(&mut Vec<Family>) + Send + Sync + 'static) {
        self.collectors.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(collect));
    }

    pub fn counter(&self, name: &str, help: &str) -> Counter {
        self.counter_vec(name, help, &[]).with(&[])
    }

    pub fn counter_vec(&self, name: &str, help: &str, labels: &[&str]) -> CounterVec {
        let children = Children::<Counter>::new(labels);
        self.family(name, help, MetricType::Counter, {
            let children = children.clone();
            move || children.gather(|c| MetricValue::Number(c.get() as f64))
        });
        CounterVec(children)
    }

    pub fn gauge(&self, name: &str, help: &str) -> Gauge {
        self.gauge_vec(name, help, &[]).with(&[])
    }

    pub fn gauge_vec(&self, name: &str, help: &str, labels: &[&str]) -> GaugeVec {
        let children = Children::<Gauge>::new(labels);
        self.family(name, help, MetricType::Gauge, {
            let children = children.clone();
            move || children.gather(|g| MetricValue::Number(g.get()))
        });
        GaugeVec(children)
    }

    /// A gauge that is computed at every scrape.
    pub fn gauge_fn(&self, name: &str, help: &str, read: impl Fn() -> f64 + Send + Sync + 'static) {
        self.number_fn(name, help, MetricType::Gauge, read);
    }

    /// A counter that is kept elsewhere and read at every scrape.
    pub fn counter_fn(&self, name: &str, help: &str, read: impl Fn() -> f64 + Send + Sync + 'static) {
        self.number_fn(name, help, MetricType::Counter, read);
    }

    fn number_fn(
        &self,
        name: &str,
        help: &str,
        kind: MetricType,
        read: impl Fn() -> f64 + Send + Sync + 'static,
    ) {
        self.family(name, help, kind, move || {
            vec![Metric { labels: Labels::empty(), value: MetricValue::Number(read()), timestamp: None }]
        });
    }

    pub fn histogram(&self, name: &str, help: &str, bounds: &[f64]) -> Histogram {
        self.histogram_vec(name, help, &[], bounds).with(&[])
    }

    /// `bounds` are ascending upper bounds without `+Inf`.
    pub fn histogram_vec(&self, name: &str, help: &str, labels: &[&str], bounds: &[f64]) -> HistogramVec {
        let children = Children::<Histogram>::new(labels);
        self.family(name, help, MetricType::Histogram, {
            let children = children.clone();
            move || children.gather(Histogram::value)
        });
        HistogramVec(children, bounds.into())
    }

    fn family(
        &self,
        name: &str,
        help: &str,
        kind: MetricType,
        metrics: impl Fn() -> Vec<Metric> + Send + Sync + 'static,
    ) {
        let (name, help) = (name.to_owned(), help.to_owned());
        self.collector(move |out| {
            let metrics = metrics();
            if !metrics.is_empty() {
                out.push(Family {
                    name: name.clone(),
                    help: help.clone(),
                    unit: String::new(),
                    kind,
                    metrics,
                });
            }
        });
    }

    /// All families, sorted by name, each once.
    pub fn gather(&self) -> Vec<Family> {
        let mut out = Vec::new();
        for collect in self.collectors.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            collect(&mut out);
        }
        out.sort_by(|a, b| a.name.cmp(&b.name));
        // Several sources may add to one family, each under labels of its own.
        out.dedup_by(|more, first| {
            let same = more.name == first.name;
            if same {
                first.metrics.append(&mut more.metrics);
            }
            same
        });
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_of_one_family_are_shown_as_one() {
        let registry = Registry::new();
        registry.gauge_vec("g", "G.", &["port"]).with(&["1"]).set(1.0);
        registry.gauge_vec("g", "G.", &["port"]).with(&["2"]).set(2.0);
        let mut out = String::new();
        crate::encode(&registry.gather(), crate::Format::Text, &mut out);
        assert_eq!(out, "# HELP g G.\n# TYPE g gauge\ng{port=\"1\"} 1\ng{port=\"2\"} 2\n");
    }

    #[test]
    fn handles_share_their_cell_and_families_are_sorted() {
        let registry = Registry::new();
        let requests = registry.counter_vec("z_total", "Z.", &["code"]);
        requests.with(&["200"]).add(2);
        requests.with(&["200"]).inc();
        requests.with(&["500"]).inc();
        requests.remove(&["500"]);
        registry.gauge("a", "A.").set(-1.5);
        let latency = registry.histogram("h", "H.", &[1.0, 2.0]);
        for v in [0.5, 1.0, 1.5, 9.0] {
            latency.observe(v);
        }
        let mut out = String::new();
        crate::encode(&registry.gather(), crate::Format::Text, &mut out);
        let expected = "# HELP a A.\n# TYPE a gauge\na -1.5\n# HELP h H.\n# TYPE h histogram\n\
            h_bucket{le=\"1\"} 2\nh_bucket{le=\"2\"} 3\nh_bucket{le=\"+Inf\"} 4\nh_sum 12\nh_count 4\n\
            # HELP z_total Z.\n# TYPE z_total counter\nz_total{code=\"200\"} 3\n";
        assert_eq!(out, expected);
    }
}
