//! Cutting a histogram at a value: the operators `</` (keep what is at most) and `>/` (keep what is
//! above).
//!
//! A bucket around the cut is divided as quantiles are interpolated. If anything was cut off, count and
//! sum are estimated anew from what is left, every observation in the middle of its bucket.

use model::{BucketSpan, FloatHistogram};

use super::bounds::{custom_bounds, exponential_bounds, indexed};

/// Keeps observations up to `bound`.
pub fn trim_upper(h: &FloatHistogram, bound: f64) -> FloatHistogram {
    Trim { h, bound, keep_lower: true }.run()
}

/// Keeps observations above `bound`.
pub fn trim_lower(h: &FloatHistogram, bound: f64) -> FloatHistogram {
    Trim { h, bound, keep_lower: false }.run()
}

struct Trim<'a> {
    h: &'a FloatHistogram,
    bound: f64,
    keep_lower: bool,
}

/// What is left of one bucket.
struct Kept {
    count: f64,
    /// Where its observations are taken to lie.
    middle: f64,
}

impl Trim<'_> {
    fn run(&self) -> FloatHistogram {
        let keeps_all = if self.keep_lower { f64::INFINITY } else { f64::NEG_INFINITY };
        if self.bound == keeps_all {
            return self.h.clone();
        }
        let (mut count, mut sum) = (0.0, 0.0);
        let mut cut = false;
        let mut keep = |before: f64, kept: Kept| {
            cut |= kept.count != before;
            count += kept.count;
            if kept.count != 0.0 {
                sum += kept.count * kept.middle;
            }
            kept.count
        };
        let h = self.h;
        let zero_count = if h.uses_custom_buckets() { 0.0 } else { keep(h.zero_count, self.zero_bucket()) };
        let mut side = |spans: &[BucketSpan], counts: &[f64], negative: bool| -> Vec<f64> {
            let kept = indexed(spans, counts).map(|(index, count)| {
                let kept = if h.uses_custom_buckets() {
                    self.custom_bucket(index, count)
                } else {
                    self.exponential_bucket(index, count, negative)
                };
                keep(count, kept)
            });
            kept.collect()
        };
        let positive_buckets = side(&h.positive_spans, &h.positive_buckets, false);
        let negative_buckets = side(&h.negative_spans, &h.negative_buckets, true);
        if !cut {
            return h.clone();
        }
        let trimmed =
            FloatHistogram { zero_count, count, sum, positive_buckets, negative_buckets, ..h.clone() };
        super::Wide::new(&trimmed).finish()
    }

    fn nothing() -> Kept {
        Kept { count: 0.0, middle: 0.0 }
    }

    /// The share of `(lower, upper]` on the kept side, `fraction` telling how far a value lies into it
    /// and `middle` where the middle of a part is.
    fn divide(
        &self,
        lower: f64,
        upper: f64,
        count: f64,
        fraction: impl Fn(f64) -> f64,
        middle: impl Fn(f64, f64) -> f64,
    ) -> Kept {
        let bound = self.bound;
        let (whole, none) =
            if self.keep_lower { (bound >= upper, bound <= lower) } else { (bound <= lower, bound >= upper) };
        if whole {
            return Kept { count, middle: middle(lower, upper) };
        }
        if none {
            return Trim::nothing();
        }
        if self.keep_lower {
            Kept { count: count * fraction(bound), middle: middle(lower, bound) }
        } else {
            Kept { count: count * (1.0 - fraction(bound)), middle: middle(bound, upper) }
        }
    }

    fn linear(&self, lower: f64, upper: f64, count: f64) -> Kept {
        self.divide(lower, upper, count, |v| (v - lower) / (upper - lower), |a, b| (a + b) / 2.0)
    }

    fn zero_bucket(&self) -> Kept {
        let h = self.h;
        let (mut lower, mut upper) = (-h.zero_threshold, h.zero_threshold);
        match (h.negative_buckets.is_empty(), h.positive_buckets.is_empty()) {
            (true, false) => lower = 0.0,
            (false, true) => upper = 0.0,
            _ => {}
        }
        self.linear(lower, upper, h.zero_count)
    }

    fn exponential_bucket(&self, index: i32, count: f64, negative: bool) -> Kept {
        let (low, high) = exponential_bounds(index, self.h.schema);
        let (log_low, log_high) = (low.log2(), high.log2());
        let geometric = |a: f64, b: f64| (a * b).sqrt();
        if negative {
            let fraction = |v: f64| 1.0 - (v.abs().log2() - log_low) / (log_high - log_low);
            return self.divide(-high, -low, count, fraction, |a, b| -geometric(a, b));
        }
        let fraction = |v: f64| (v.log2() - log_low) / (log_high - log_low);
        self.divide(low, high, count, fraction, geometric)
    }

    /// The outermost custom buckets are unbounded; what cannot be interpolated is kept or dropped whole.
    fn custom_bucket(&self, index: i32, count: f64) -> Kept {
        let (lower, upper) = custom_bounds(&self.h.custom_values, index);
        let bound = self.bound;
        let unbounded_below = lower == f64::NEG_INFINITY;
        if upper == f64::INFINITY {
            if self.keep_lower || unbounded_below || bound == f64::INFINITY {
                return Trim::nothing();
            }
            return Kept { count, middle: lower.max(bound) };
        }
        if !unbounded_below {
            return self.linear(lower, upper, count);
        }
        if upper > 0.0 {
            if !self.keep_lower && bound < 0.0 {
                return Trim::nothing();
            }
            return self.linear(0.0, upper, count);
        }
        if !self.keep_lower || bound == f64::NEG_INFINITY {
            return Trim::nothing();
        }
        Kept { count, middle: upper.min(bound) }
    }
}
