//! Estimates from a native histogram: quantiles, fractions, variance.

use model::FloatHistogram;

use super::bounds::{Bucket, buckets};

/// A quantile, and what NaN observations did to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Observed {
    Plain(f64),
    /// The quantile falls among the NaNs.
    IsNan,
    /// NaNs count as larger than all numbers, so the estimate is higher than without them.
    SkewedHigher(f64),
}

impl Observed {
    pub fn value(self) -> f64 {
        match self {
            Observed::Plain(v) | Observed::SkewedHigher(v) => v,
            Observed::IsNan => f64::NAN,
        }
    }
}

/// The `q`-quantile. Within a bucket, observations are taken as evenly spread on a logarithmic scale;
/// on a linear one in the zero bucket and in custom buckets.
pub fn quantile(q: f64, h: &FloatHistogram) -> Observed {
    if q < 0.0 {
        return Observed::Plain(f64::NEG_INFINITY);
    }
    if q > 1.0 {
        return Observed::Plain(f64::INFINITY);
    }
    if h.count == 0.0 || q.is_nan() {
        return Observed::Plain(f64::NAN);
    }
    let has_nans = h.sum.is_nan();
    let mut all = buckets(h);
    // From the nearer end, for precision. With NaNs only the lower end is one.
    let forward = has_nans || q < 0.5;
    let mut rank = if forward { q * h.count } else { (1.0 - q) * h.count };
    if !forward {
        all.reverse();
    }
    let mut count = 0.0;
    let mut reached = Bucket { lower: 0.0, upper: 0.0, count: 0.0 };
    for bucket in all.into_iter().filter(|b| b.count != 0.0) {
        reached = bucket;
        count += bucket.count;
        if count >= rank {
            break;
        }
    }
    let Bucket { mut lower, mut upper, count: inside } = reached;
    if h.uses_custom_buckets() {
        if lower == f64::NEG_INFINITY {
            if upper <= 0.0 {
                return Observed::Plain(upper);
            }
            lower = 0.0;
        } else if upper == f64::INFINITY {
            return Observed::Plain(lower);
        }
    } else {
        narrow_zero_bucket(h, &mut lower, &mut upper);
    }
    count = count.min(h.count);
    if has_nans && count < rank {
        return Observed::IsNan;
    }
    rank = if forward { rank - (count - inside) } else { count - rank };
    let value = interpolate(h, lower, upper, rank / inside);
    if has_nans { Observed::SkewedHigher(value) } else { Observed::Plain(value) }
}

/// With observations on one side only, the zero bucket does not reach to the other.
fn narrow_zero_bucket(h: &FloatHistogram, lower: &mut f64, upper: &mut f64) {
    if *lower < 0.0 && *upper > 0.0 {
        if h.negative_buckets.is_empty() && !h.positive_buckets.is_empty() {
            *lower = 0.0;
        } else if h.positive_buckets.is_empty() && !h.negative_buckets.is_empty() {
            *upper = 0.0;
        }
    }
}

/// The value `fraction` of the way from `lower` to `upper`.
fn interpolate(h: &FloatHistogram, lower: f64, upper: f64, fraction: f64) -> f64 {
    if h.uses_custom_buckets() || (lower <= 0.0 && upper >= 0.0) {
        return lower + (upper - lower) * fraction;
    }
    let (log_lower, log_upper) = (lower.abs().log2(), upper.abs().log2());
    if lower > 0.0 {
        (log_lower + (log_upper - log_lower) * fraction).exp2()
    } else {
        -(log_upper + (log_lower - log_upper) * (1.0 - fraction)).exp2()
    }
}

/// The fraction of observations in `(lower, upper]`.
pub fn fraction(lower: f64, upper: f64, h: &FloatHistogram) -> f64 {
    if h.count == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    let mut all = buckets(h);
    for bucket in &mut all {
        if h.uses_custom_buckets() {
            if bucket.lower == f64::NEG_INFINITY && bucket.upper > 0.0 {
                bucket.lower = 0.0;
            }
        } else {
            narrow_zero_bucket(h, &mut bucket.lower, &mut bucket.upper);
        }
    }
    // NaNs are in no bucket but in the count, so they are in no fraction either.
    let total = h.count;
    let below = |bound: f64| rank_below(h, &all, bound).min(total);
    (below(upper) - below(lower)) / total
}

/// How many observations are at most `bound`.
fn rank_below(h: &FloatHistogram, all: &[Bucket], bound: f64) -> f64 {
    let mut rank = 0.0;
    for bucket in all {
        if bucket.lower >= bound {
            break;
        }
        if bucket.upper <= bound {
            rank += bucket.count;
            continue;
        }
        // The bound lies inside. An unbounded bucket cannot be divided.
        if bucket.lower == f64::NEG_INFINITY {
            return rank + bucket.count;
        }
        if bucket.upper == f64::INFINITY {
            return rank;
        }
        return rank + bucket.count * position(h, bucket, bound);
    }
    rank
}

/// How far into the bucket `value` lies, from 0 to 1.
fn position(h: &FloatHistogram, bucket: &Bucket, value: f64) -> f64 {
    let Bucket { lower, upper, .. } = *bucket;
    if h.uses_custom_buckets() || (lower <= 0.0 && upper >= 0.0) {
        return (value - lower) / (upper - lower);
    }
    let (log_lower, log_upper, log_value) = (lower.abs().log2(), upper.abs().log2(), value.abs().log2());
    if lower > 0.0 {
        (log_value - log_lower) / (log_upper - log_lower)
    } else {
        1.0 - (log_value - log_upper) / (log_lower - log_upper)
    }
}

/// The variance of the observations, each taken to lie in the (geometric, when it can be) middle of its
/// bucket.
pub fn variance(h: &FloatHistogram) -> f64 {
    let mean = h.sum / h.count;
    let mut total = crate::kahan::Kahan::default();
    for bucket in buckets(h).into_iter().filter(|b| b.count != 0.0) {
        let Bucket { lower, upper, count } = bucket;
        let middle = if h.uses_custom_buckets() {
            // Unbounded buckets count at their finite end.
            if lower == f64::NEG_INFINITY {
                if upper > 0.0 { upper / 2.0 } else { upper }
            } else if upper == f64::INFINITY {
                lower
            } else {
                (lower + upper) / 2.0
            }
        } else if lower <= 0.0 && upper >= 0.0 {
            0.0
        } else {
            let middle = (lower * upper).sqrt();
            if upper < 0.0 { -middle } else { middle }
        };
        let delta = middle - mean;
        total = total.add(count * delta * delta);
    }
    total.value() / h.count
}
