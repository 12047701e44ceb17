//! Native histograms on their way in: one layout for equal contents, the checks of the original, and
//! fewer buckets where a limit asks for it.

use model::{BucketSpan, FloatHistogram};

/// The coarsest and the finest exponential schema that is stored.
pub const SCHEMA_MIN: i32 = -4;
pub const SCHEMA_MAX: i32 = 8;

/// Finer schemas than [`SCHEMA_MAX`] are well-formed; they are made coarser on arrival.
const SCHEMA_MAX_RESERVED: i32 = 52;

/// Refuses what the original refuses, in its words.
pub fn validate(h: &FloatHistogram) -> Result<(), String> {
    if h.uses_custom_buckets() {
        check_bounds(&h.custom_values)?;
        if h.zero_count != 0.0 {
            return Err("custom buckets: must have zero count of 0".into());
        }
        if h.zero_threshold != 0.0 {
            return Err("custom buckets: must have zero threshold of 0".into());
        }
        if !h.negative_spans.is_empty() {
            return Err("custom buckets: must not have negative spans".into());
        }
        if !h.negative_buckets.is_empty() {
            return Err("custom buckets: must not have negative buckets".into());
        }
        let last = h.positive_spans.iter().map(|s| i64::from(s.offset) + i64::from(s.length)).sum::<i64>();
        let bounds = h.custom_values.len() as i64;
        if last > bounds + 1 {
            return Err(format!(
                "custom buckets: only {bounds} custom bounds defined which is insufficient to cover total span \
                 length of {last}: histogram custom bounds are too few"
            ));
        }
    } else if !(SCHEMA_MIN..=SCHEMA_MAX_RESERVED).contains(&h.schema) {
        return Err(format!(
            "schema {}: histogram has an invalid schema, which must be between -4 and 8 for exponential buckets, \
             or -53 for custom buckets",
            h.schema
        ));
    } else if !h.custom_values.is_empty() {
        return Err("histogram with exponential schema must not have custom bounds".into());
    }
    side("positive", &h.positive_spans, &h.positive_buckets)?;
    side("negative", &h.negative_spans, &h.negative_buckets)?;
    if h.zero_count < 0.0 {
        return Err(format!(
            "zero bucket has observation count of {}: {NEGATIVE_COUNT}",
            model::float::format_g(h.zero_count)
        ));
    }
    if h.count < 0.0 {
        return Err(format!("observation count is {}: {NEGATIVE_COUNT}", model::float::format_g(h.count)));
    }
    Ok(())
}

const NEGATIVE_COUNT: &str = "histogram has a bucket whose observation count is negative";

/// Whether the observations an integer histogram counts are those in its buckets. NaN observations are in
/// no bucket, so with a NaN sum there may be more.
pub fn validate_count(h: &FloatHistogram) -> Result<(), String> {
    let in_buckets =
        h.zero_count + h.positive_buckets.iter().sum::<f64>() + h.negative_buckets.iter().sum::<f64>();
    let (found, count) = (in_buckets as u64, h.count as u64);
    if h.sum.is_nan() {
        if found > count {
            return Err(format!(
                "{found} observations found in buckets, but the Count field is {count}: histogram's observation \
                 count should be at least the number of observations found in the buckets"
            ));
        }
    } else if found != count {
        return Err(format!(
            "{found} observations found in buckets, but the Count field is {count}: histogram's observation count \
             should equal the number of observations found in the buckets (in absence of NaN)"
        ));
    }
    Ok(())
}

fn check_bounds(bounds: &[f64]) -> Result<(), String> {
    let mut previous = f64::NEG_INFINITY;
    for bound in bounds {
        if *bound <= previous || bound.is_nan() {
            return Err(format!(
                "custom buckets: previous bound is {previous:.6} and current is {bound:.6}: histogram custom bounds \
                 must be in strictly increasing order"
            ));
        }
        previous = *bound;
    }
    if previous == f64::INFINITY {
        return Err("custom buckets: last +Inf bound must not be explicitly defined".into());
    }
    Ok(())
}

fn side(name: &str, spans: &[BucketSpan], buckets: &[f64]) -> Result<(), String> {
    for (i, span) in spans.iter().enumerate().skip(1) {
        if span.offset < 0 {
            return Err(format!(
                "{name} side: span number {} with offset {}: histogram has a span whose offset is negative",
                i + 1,
                span.offset
            ));
        }
    }
    let needed: u64 = spans.iter().map(|s| u64::from(s.length)).sum();
    if needed != buckets.len() as u64 {
        return Err(format!(
            "{name} side: spans need {needed} buckets, have {} buckets: histogram spans specify different number of \
             buckets than provided",
            buckets.len()
        ));
    }
    let last = spans.iter().map(|s| i64::from(s.offset) + i64::from(s.length)).sum::<i64>();
    if i32::try_from(last).is_err() {
        return Err(format!("{name} side: a bucket's index does not fit 32 bits"));
    }
    if let Some(i) = buckets.iter().position(|count| *count < 0.0) {
        return Err(format!(
            "{name} side: bucket number {} has observation count of {}: {NEGATIVE_COUNT}",
            i + 1,
            model::float::format_g(buckets[i])
        ));
    }
    Ok(())
}

/// Brings spans into their one form: no empty buckets but in gaps of at most `gap_max`, which are filled.
/// The histogram is valid ([`validate`]).
pub fn compact(h: &mut FloatHistogram, gap_max: i64) {
    let positive: Vec<_> = indexed(&h.positive_spans, &h.positive_buckets).collect();
    (h.positive_spans, h.positive_buckets) = lay_out(&positive, gap_max);
    let negative: Vec<_> = indexed(&h.negative_spans, &h.negative_buckets).collect();
    (h.negative_spans, h.negative_buckets) = lay_out(&negative, gap_max);
}

/// Merges neighbouring buckets until the schema is `schema`; nothing to do when it is as coarse already.
/// The histogram is exponential and valid.
pub fn reduce_resolution(h: &mut FloatHistogram, schema: i32) {
    let Ok(steps) = u32::try_from(h.schema - schema) else { return };
    if steps == 0 {
        return;
    }
    let merged = |spans: &[BucketSpan], buckets: &[f64]| {
        let mut out: Vec<(i64, f64)> = Vec::with_capacity(buckets.len() / 2 + 1);
        for (index, count) in indexed(spans, buckets) {
            // Bucket i covers (base^(i-1), base^i]; two of them make one of the next coarser schema.
            let index = ((index - 1) >> steps.min(63)) + 1;
            match out.last_mut() {
                Some((last, total)) if *last == index => *total += count,
                _ => out.push((index, count)),
            }
        }
        lay_out(&out, 0)
    };
    (h.positive_spans, h.positive_buckets) = merged(&h.positive_spans, &h.positive_buckets);
    (h.negative_spans, h.negative_buckets) = merged(&h.negative_spans, &h.negative_buckets);
    h.schema = schema;
}

/// Makes the histogram coarser until it has at most `limit` buckets; false when it cannot.
pub fn limit_buckets(h: &mut FloatHistogram, limit: u64) -> bool {
    let buckets = |h: &FloatHistogram| (h.positive_buckets.len() + h.negative_buckets.len()) as u64;
    while buckets(h) > limit {
        if h.uses_custom_buckets() || h.schema <= SCHEMA_MIN {
            return false;
        }
        reduce_resolution(h, h.schema - 1);
    }
    true
}

/// The finest schema whose buckets grow by at least `factor` from one to the next.
pub fn schema_of_factor(factor: f64) -> i32 {
    // What the original takes for "no limit": a little less than the growth at the finest schema.
    let factor = if factor <= 1.0 { 1.00271 } else { factor };
    let schema = (-factor.log2().log2()).floor();
    schema.clamp(f64::from(SCHEMA_MIN), f64::from(SCHEMA_MAX)) as i32
}

/// Buckets with their indexes, ascending.
fn indexed<'a>(spans: &'a [BucketSpan], buckets: &'a [f64]) -> impl Iterator<Item = (i64, f64)> + 'a {
    let mut at = 0i64;
    let indexes = spans.iter().flat_map(move |span| {
        at += i64::from(span.offset);
        let first = at;
        at += i64::from(span.length);
        first..at
    });
    indexes.zip(buckets.iter().copied())
}

fn lay_out(buckets: &[(i64, f64)], gap_max: i64) -> (Vec<BucketSpan>, Vec<f64>) {
    let mut spans: Vec<BucketSpan> = Vec::new();
    let mut counts = Vec::with_capacity(buckets.len());
    let mut next = 0i64;
    for &(index, count) in buckets.iter().filter(|(_, count)| *count != 0.0) {
        let gap = index - next;
        match spans.last_mut() {
            Some(span) if gap <= gap_max => {
                counts.extend(std::iter::repeat_n(0.0, gap.max(0) as usize));
                span.length += gap.max(0) as u32 + 1;
            }
            _ => spans.push(BucketSpan { offset: gap as i32, length: 1 }),
        }
        counts.push(count);
        next = index + 1;
    }
    (spans, counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(pairs: &[(i32, u32)]) -> Vec<BucketSpan> {
        pairs.iter().map(|&(offset, length)| BucketSpan { offset, length }).collect()
    }

    fn positive(schema: i32, layout: &[(i32, u32)], buckets: &[f64]) -> FloatHistogram {
        FloatHistogram {
            schema,
            count: buckets.iter().sum(),
            positive_spans: spans(layout),
            positive_buckets: buckets.to_vec(),
            ..FloatHistogram::default()
        }
    }

    #[test]
    fn equal_contents_get_one_layout() {
        let check = |layout: &[(i32, u32)], buckets: &[f64], gap: i64, expected: (&[(i32, u32)], &[f64])| {
            let mut h = positive(0, layout, buckets);
            compact(&mut h, gap);
            assert_eq!((h.positive_spans, h.positive_buckets), (spans(expected.0), expected.1.to_vec()));
        };
        check(&[(0, 0)], &[], 0, (&[], &[]));
        check(&[(-2, 1), (0, 0), (0, 2)], &[1.0, 2.0, 3.0], 0, (&[(-2, 3)], &[1.0, 2.0, 3.0]));
        check(&[(5, 4)], &[0.0, 1.0, 0.0, 2.0], 0, (&[(6, 1), (1, 1)], &[1.0, 2.0]));
        check(&[(5, 4)], &[0.0, 1.0, 0.0, 2.0], 2, (&[(6, 3)], &[1.0, 0.0, 2.0]));
        check(&[(0, 1), (3, 1)], &[1.0, 1.0], 2, (&[(0, 1), (3, 1)], &[1.0, 1.0]));
    }

    #[test]
    fn coarser_buckets_hold_the_same_observations() {
        // Upper bounds at schema 1: 2^(i/2); at schema 0: 2^i. Buckets 1 and 2 share (1, 2].
        let mut h = positive(1, &[(-1, 5)], &[1.0, 2.0, 4.0, 8.0, 16.0]);
        reduce_resolution(&mut h, 0);
        assert_eq!((h.schema, &h.positive_buckets[..]), (0, &[3.0, 12.0, 16.0][..]));
        assert_eq!(h.positive_spans, spans(&[(0, 3)]));
        reduce_resolution(&mut h, 0);
        assert_eq!(h.schema, 0);
        let mut wide = positive(3, &[(0, 9)], &[1.0; 9]);
        assert!(limit_buckets(&mut wide, 4));
        assert!(wide.positive_buckets.len() <= 4 && wide.positive_buckets.iter().sum::<f64>() == 9.0);
        let mut scattered = positive(-4, &[(0, 1), (1, 1)], &[1.0, 1.0]);
        assert!(!limit_buckets(&mut scattered, 1));
    }

    #[test]
    fn schemas_of_factors() {
        let check = |factor: f64, schema: i32| assert_eq!(schema_of_factor(factor), schema, "{factor}");
        check(0.0, 8);
        check(1.0, 8);
        check(1.1, 2);
        check(2.0, 0);
        check(4.0, -1);
        check(65536.0, -4);
        check(1e12, -4);
        check(f64::INFINITY, -4);
    }

    #[test]
    fn mistakes_are_named() {
        let check = |h: FloatHistogram, expected: &str| {
            let error = validate(&h).unwrap_err();
            assert!(error.contains(expected), "{error}");
        };
        check(positive(53, &[], &[]), "invalid schema");
        check(positive(0, &[(0, 2)], &[1.0]), "spans need 2 buckets, have 1 buckets");
        check(positive(0, &[(0, 1), (-1, 1)], &[1.0, 1.0]), "span number 2 with offset -1");
        check(positive(0, &[(0, 1)], &[-1.0]), "bucket number 1 has observation count of -1");
        check(positive(0, &[(i32::MAX, 1), (i32::MAX, 1)], &[1.0, 1.0]), "does not fit 32 bits");
        let custom = |bounds: &[f64], layout: &[(i32, u32)], buckets: &[f64]| FloatHistogram {
            custom_values: bounds.to_vec(),
            ..positive(model::CUSTOM_BUCKETS_SCHEMA, layout, buckets)
        };
        check(custom(&[2.0, 1.0], &[], &[]), "strictly increasing");
        check(custom(&[1.0, f64::INFINITY], &[], &[]), "last +Inf bound");
        check(custom(&[1.0], &[(0, 3)], &[1.0; 3]), "custom bounds are too few");
        assert_eq!(validate(&custom(&[1.0], &[(0, 2)], &[1.0; 2])), Ok(()));
        let mut short = positive(0, &[(0, 1)], &[3.0]);
        short.count = 2.0;
        assert!(
            validate_count(&short).unwrap_err().contains("3 observations found in buckets, but the Count")
        );
    }
}
