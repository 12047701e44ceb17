//! Exposition: metric families as data, the registry each service keeps its own metrics in, and the
//! text formats in both directions.
//!
//! `family` holds the data model, `registry` the live counters, `encode` writes text 0.0.4 and
//! OpenMetrics 1.0. Readers for different needs: `exposition` streams whatever a scrape may get, text or
//! protobuf, as samples, on top of `parse`, which reads lines and is as lenient as Prometheus, and `native`,
//! which checks native histograms; `read_families` collects text 0.0.4 into families, as a push gateway or a
//! textfile collector wants it, and `protobuf` reads the same families from the
//! delimited protobuf format; `strict` checks a document against every rule of OpenMetrics.

pub mod encode;
pub mod exposition;
pub mod family;
pub mod native;
pub mod parse;
pub mod protobuf;
pub mod read_families;
pub mod registry;
pub mod strict;

pub use encode::{Format, encode};
pub use family::{Bucket, Family, LabelPairs, LabelSet, Metric, MetricValue, Quantile};
pub use parse::{Dialect, Event, ParseError, Parser};
pub use read_families::{TextError, read_families};
pub use registry::{Counter, CounterVec, Gauge, GaugeVec, Histogram, HistogramVec, Registry};
