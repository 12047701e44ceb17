//! Native histogram arithmetic.
//!
//! Operations work on [`Wide`], where buckets are sorted `(index, count)` lists with compensated counts,
//! and return to `model`'s spans at the end, without empty buckets.

mod bounds;
mod equal;
mod fractions;
mod quantile;
mod trim;
mod wide;

pub use bounds::{Bucket, buckets};
pub use equal::equal;
pub use quantile::{Observed, fraction, quantile, variance};
pub use trim::{trim_lower, trim_upper};
pub use wide::{Added, Incompatible, Wide, detect_reset};

use model::FloatHistogram;

/// What a histogram counts for in the sample limit: its size in 16-byte points.
pub fn weight(h: &FloatHistogram) -> usize {
    let buckets = h.positive_buckets.len() + h.negative_buckets.len() + h.custom_values.len();
    let spans = h.positive_spans.len() + h.negative_spans.len();
    (8 * (buckets + spans) + 176) / 16
}

/// Every field times `factor`; empty buckets are dropped.
pub fn scale(h: &FloatHistogram, factor: f64) -> FloatHistogram {
    let mut wide = Wide::new(h);
    wide.scale(factor);
    if factor < 0.0 {
        wide.reset_hint = model::ResetHint::Gauge;
    }
    wide.finish()
}

/// Every field over `divisor`. By zero, all that is left are the count and the sum.
pub fn divide(h: &FloatHistogram, divisor: f64) -> FloatHistogram {
    let mut wide = Wide::new(h);
    wide.divide(divisor);
    if divisor < 0.0 {
        wide.reset_hint = model::ResetHint::Gauge;
    }
    if divisor == 0.0 {
        wide.clear_buckets();
    }
    wide.finish()
}

#[cfg(test)]
mod tests;
