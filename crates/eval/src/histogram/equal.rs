//! Exact equality of histograms: `==` between vectors.

use model::FloatHistogram;

use super::bounds::indexed;

/// Same layout (empty buckets count), same counts bit by bit. Reset hints do not matter.
pub fn equal(a: &FloatHistogram, b: &FloatHistogram) -> bool {
    let bits = |x: f64, y: f64| x.to_bits() == y.to_bits();
    let same_buckets = |sa, ca: &[f64], sb, cb: &[f64]| {
        ca.len() == cb.len()
            && indexed(sa, ca).zip(indexed(sb, cb)).all(|((i, x), (j, y))| i == j && bits(x, y))
    };
    a.schema == b.schema
        && bits(a.count, b.count)
        && bits(a.sum, b.sum)
        && (!a.uses_custom_buckets() || a.custom_values == b.custom_values)
        && a.zero_threshold == b.zero_threshold
        && bits(a.zero_count, b.zero_count)
        && same_buckets(&a.positive_spans, &a.positive_buckets, &b.positive_spans, &b.positive_buckets)
        && same_buckets(&a.negative_spans, &a.negative_buckets, &b.negative_spans, &b.negative_buckets)
}
