//! Remote write 1.0: `prometheus.WriteRequest`.

mod decode;

pub use decode::{Item, LabelPair, Labels, Series, WriteRequest};
