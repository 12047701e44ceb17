//! Remote write 1.0: `prometheus.WriteRequest`.

mod decode;
mod encode;

pub use decode::{Exemplar, Item, LabelPair, Labels, Series, WriteRequest};
pub use encode::{encode, encode_metadata};
