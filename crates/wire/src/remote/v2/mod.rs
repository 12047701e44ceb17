//! Remote write 2.0: `io.prometheus.write.v2.Request`.

mod encode;

pub use encode::encode;
