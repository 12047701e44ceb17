//! Remote write 2.0: `io.prometheus.write.v2.Request`.

mod decode;
mod encode;

pub use decode::{Exemplar, Metadata, RefError, Request, Sample, Series, Symbols};
pub use encode::encode;
