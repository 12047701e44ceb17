//! A metric family: one name, one type, many label sets.

use model::{Exemplar, Labels, MetricType, TimestampMs};

/// Label pairs in the order they are shown, empty values included. What a push gateway or a textfile
/// collector passes on must keep `instance=""`, which [`Labels`] by its nature cannot hold.
pub type LabelPairs = Vec<(String, String)>;

/// What a family's metrics may carry as labels.
pub trait LabelSet {
    /// Whether the text format shows a `HELP` line although the help is empty. Collected families never
    /// had one then; a service's own always have.
    const SHOWS_EMPTY_HELP: bool;

    fn pairs(&self) -> impl Iterator<Item = (&str, &str)>;
}

impl LabelSet for Labels {
    const SHOWS_EMPTY_HELP: bool = true;

    fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.iter()
    }
}

impl LabelSet for LabelPairs {
    const SHOWS_EMPTY_HELP: bool = false;

    fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Family<L = Labels> {
    /// The family's name; a counter's `_total` suffix is part of it, as in the text format.
    pub name: String,
    pub help: String,
    pub unit: String,
    pub kind: MetricType,
    pub metrics: Vec<Metric<L>>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Metric<L = Labels> {
    /// Without the metric name.
    pub labels: L,
    pub value: MetricValue,
    pub timestamp: Option<TimestampMs>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum MetricValue {
    /// A counter, gauge or untyped value.
    Number(f64),
    /// Cumulative buckets, ascending, the `+Inf` bucket included or implied by `count`.
    Histogram {
        buckets: Vec<Bucket>,
        sum: f64,
        count: f64,
    },
    Summary {
        quantiles: Vec<Quantile>,
        sum: f64,
        count: f64,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub struct Bucket {
    pub upper_bound: f64,
    pub cumulative_count: f64,
    pub exemplar: Option<Exemplar>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Quantile {
    pub quantile: f64,
    pub value: f64,
}

impl Family {
    pub fn new(name: impl Into<String>, help: impl Into<String>, kind: MetricType) -> Family {
        Family { name: name.into(), help: help.into(), unit: String::new(), kind, metrics: Vec::new() }
    }

    pub fn counter(name: impl Into<String>, help: impl Into<String>) -> Family {
        Family::new(name, help, MetricType::Counter)
    }

    pub fn gauge(name: impl Into<String>, help: impl Into<String>) -> Family {
        Family::new(name, help, MetricType::Gauge)
    }

    /// Adds one number under the given label pairs (any order).
    pub fn push(&mut self, labels: &[(&str, &str)], value: f64) {
        let labels = Labels::from_pairs(labels.iter().copied());
        self.metrics.push(Metric { labels, value: MetricValue::Number(value), timestamp: None });
    }

    /// [`Family::push`] as a builder.
    pub fn with(mut self, labels: &[(&str, &str)], value: f64) -> Family {
        self.push(labels, value);
        self
    }
}
