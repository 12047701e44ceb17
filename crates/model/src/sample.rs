//! Samples: a time and a value, which is a float or a native histogram.

use std::sync::Arc;

use crate::{FloatHistogram, TimestampMs};

/// The NaN that marks the end of a series; told from other NaNs by its bits.
pub const STALE_NAN_BITS: u64 = 0x7ff0_0000_0000_0002;

/// The staleness marker as a float.
pub fn stale_nan() -> f64 {
    f64::from_bits(STALE_NAN_BITS)
}

/// Whether `v` is the staleness marker (and not just any NaN).
#[inline]
pub fn is_stale(v: f64) -> bool {
    v.to_bits() == STALE_NAN_BITS
}

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Float(f64),
    Histogram(Arc<FloatHistogram>),
}

impl Value {
    /// Whether this value ends the series.
    pub fn is_stale(&self) -> bool {
        match self {
            Value::Float(v) => is_stale(*v),
            Value::Histogram(h) => is_stale(h.sum),
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    pub t: TimestampMs,
    pub value: Value,
}
