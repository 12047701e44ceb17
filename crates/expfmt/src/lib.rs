//! Exposition: metric families as data, the registry each service keeps its own metrics in, and the
//! text formats in both directions.
//!
//! `family` holds the data model, `registry` the live counters, `encode` writes text 0.0.4 and
//! OpenMetrics 1.0.

pub mod encode;
pub mod family;
pub mod registry;

pub use encode::{Format, encode};
pub use family::{Bucket, Family, Metric, MetricValue, Quantile};
pub use registry::{Counter, CounterVec, Gauge, GaugeVec, Histogram, HistogramVec, Registry};
