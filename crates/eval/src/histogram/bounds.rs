//! The buckets of a histogram with their bounds, from the lowest to the highest.

use model::{BucketSpan, FloatHistogram};

use super::fractions::FRACTIONS;

/// One populated or empty bucket. The zero bucket spans both sides of zero.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    pub lower: f64,
    pub upper: f64,
    pub count: f64,
}

/// All buckets in ascending order: negative ones, the zero bucket if it counts anything, positive ones.
pub fn buckets(h: &FloatHistogram) -> Vec<Bucket> {
    let mut all = Vec::with_capacity(h.negative_buckets.len() + h.positive_buckets.len() + 1);
    if h.uses_custom_buckets() {
        for (index, count) in indexed(&h.positive_spans, &h.positive_buckets) {
            let (lower, upper) = custom_bounds(&h.custom_values, index);
            all.push(Bucket { lower, upper, count });
        }
        return all;
    }
    for (index, count) in indexed(&h.negative_spans, &h.negative_buckets) {
        let (lower, upper) = exponential_bounds(index, h.schema);
        all.push(Bucket { lower: -upper, upper: -lower, count });
    }
    all.reverse();
    if h.zero_count > 0.0 {
        all.push(Bucket { lower: -h.zero_threshold, upper: h.zero_threshold, count: h.zero_count });
    }
    let zero_at = all.len();
    for (index, count) in indexed(&h.positive_spans, &h.positive_buckets) {
        let (lower, upper) = exponential_bounds(index, h.schema);
        all.push(Bucket { lower, upper, count });
    }
    // A bucket that the zero bucket reaches into begins where the zero bucket ends.
    if h.zero_count > 0.0 {
        for bucket in &mut all[zero_at..] {
            if bucket.lower < h.zero_threshold && bucket.upper > h.zero_threshold {
                bucket.lower = h.zero_threshold;
            }
        }
        for bucket in &mut all[..zero_at.saturating_sub(1)] {
            if bucket.upper > -h.zero_threshold && bucket.lower < -h.zero_threshold {
                bucket.upper = -h.zero_threshold;
            }
        }
    }
    all
}

/// The buckets of one sign as `(index, count)`, empty ones included.
pub(super) fn indexed<'a>(
    spans: &'a [BucketSpan],
    counts: &'a [f64],
) -> impl Iterator<Item = (i32, f64)> + 'a {
    let mut next = 0i32;
    let indexes = spans.iter().flat_map(move |span| {
        let first = next.wrapping_add(span.offset);
        next = first.wrapping_add(span.length as i32);
        (0..span.length as i32).map(move |i| first.wrapping_add(i))
    });
    indexes.zip(counts.iter().copied())
}

/// `(lower, upper]` of bucket `index`.
pub(super) fn exponential_bounds(index: i32, schema: i32) -> (f64, f64) {
    (exponential_bound(index.saturating_sub(1), schema), exponential_bound(index, schema))
}

/// The upper bound of bucket `index`: `2^(index · 2^-schema)`. The bucket that would reach infinity ends
/// at the largest float, the one after it at infinity.
fn exponential_bound(index: i32, schema: i32) -> f64 {
    let (whole, fraction) = if schema < 0 {
        (i64::from(index) << (-schema).min(31), 1.0)
    } else {
        let schema = schema.min(30);
        let steps = 1i64 << schema;
        let step = i64::from(index) & (steps - 1);
        let fraction = match usize::try_from(step << (8 - schema).max(0)).ok().and_then(|i| FRACTIONS.get(i))
        {
            Some(fraction) if schema <= 8 => fraction * 2.0,
            _ => (step as f64 / steps as f64).exp2(),
        };
        (i64::from(index) >> schema, fraction)
    };
    if whole == 1024 && fraction == 1.0 {
        return f64::MAX;
    }
    if whole > 1023 {
        return f64::INFINITY;
    }
    // Two factors, because the exponent may be below what one normal float holds.
    let half = (whole / 2).max(-1100) as i32;
    let rest = (whole - whole / 2).max(-1100) as i32;
    fraction * 2f64.powi(half) * 2f64.powi(rest)
}

/// `(lower, upper]` of custom bucket `index`; the last one ends at infinity.
pub(super) fn custom_bounds(bounds: &[f64], index: i32) -> (f64, f64) {
    let at = |i: i32| usize::try_from(i).ok().and_then(|i| bounds.get(i)).copied();
    (at(index - 1).unwrap_or(f64::NEG_INFINITY), at(index).unwrap_or(f64::INFINITY))
}
