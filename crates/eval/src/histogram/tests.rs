//! Small histograms, worked out by hand.

use model::{BucketSpan, FloatHistogram, ResetHint};

use super::*;

/// Buckets 1.. of schema 0: (1,2], (2,4], (4,8] …
fn exponential(schema: i32, counts: &[f64]) -> FloatHistogram {
    FloatHistogram {
        schema,
        count: counts.iter().sum(),
        sum: counts.len() as f64,
        positive_spans: vec![BucketSpan { offset: 1, length: counts.len() as u32 }],
        positive_buckets: counts.to_vec(),
        ..FloatHistogram::default()
    }
}

fn custom(bounds: &[f64], counts: &[f64]) -> FloatHistogram {
    FloatHistogram {
        schema: model::histogram::CUSTOM_BUCKETS_SCHEMA,
        count: counts.iter().sum(),
        positive_spans: vec![BucketSpan { offset: 0, length: counts.len() as u32 }],
        positive_buckets: counts.to_vec(),
        custom_values: bounds.to_vec(),
        ..FloatHistogram::default()
    }
}

#[test]
fn bounds_follow_the_schema() {
    let at = |schema: i32| {
        let all = buckets(&exponential(schema, &[1.0, 1.0]));
        (all[0].lower, all[0].upper, all[1].upper)
    };
    assert_eq!(at(0), (1.0, 2.0, 4.0));
    assert_eq!(at(-1), (1.0, 4.0, 16.0));
    // The original's constant, one unit below the square root of two.
    assert_eq!(at(1), (1.0, 2f64.sqrt().next_down(), 2.0));
    let largest = FloatHistogram {
        positive_spans: vec![BucketSpan { offset: 1024, length: 2 }],
        positive_buckets: vec![1.0, 1.0],
        ..FloatHistogram::default()
    };
    let all = buckets(&largest);
    assert_eq!((all[0].upper, all[1].lower, all[1].upper), (f64::MAX, f64::MAX, f64::INFINITY));
}

#[test]
fn addition_takes_the_coarser_schema() {
    let mut sum = Wide::new(&exponential(0, &[1.0, 2.0]));
    sum.add(&exponential(-1, &[10.0])).unwrap();
    let sum = sum.finish();
    assert_eq!((sum.schema, sum.count), (-1, 13.0));
    assert_eq!(sum.positive_buckets, [13.0]);
    assert_eq!(sum.positive_spans, [BucketSpan { offset: 1, length: 1 }]);
}

#[test]
fn addition_widens_the_zero_bucket_to_a_boundary() {
    let mut a = exponential(0, &[4.0, 2.0]);
    a.zero_threshold = 0.5;
    let mut b = exponential(0, &[1.0]);
    b.zero_threshold = 1.5;
    b.zero_count = 7.0;
    b.positive_spans[0].offset = 3;
    let mut sum = Wide::new(&a);
    sum.add(&b).unwrap();
    let sum = sum.finish();
    // 1.5 lies within (1, 2], which is populated in `a`.
    assert_eq!((sum.zero_threshold, sum.zero_count), (2.0, 11.0));
    assert_eq!(sum.positive_buckets, [2.0, 1.0]);
}

#[test]
fn custom_bounds_are_reconciled_to_common_ones() {
    let mut sum = Wide::new(&custom(&[1.0, 2.0, 3.0], &[1.0, 1.0, 1.0, 1.0]));
    let added = sum.add(&custom(&[2.0, 3.0, 4.0], &[10.0, 10.0, 10.0, 10.0])).unwrap();
    assert!(added.bounds_reconciled);
    let sum = sum.finish();
    assert_eq!(sum.custom_values, [2.0, 3.0]);
    assert_eq!(sum.positive_buckets, [12.0, 11.0, 21.0]);
    assert_eq!(Wide::new(&sum).add(&exponential(0, &[1.0])), Err(Incompatible));
}

#[test]
fn resets_are_found_by_hint_and_by_shrinking_buckets() {
    let before = exponential(0, &[1.0, 2.0]);
    let check = |now: &FloatHistogram, expected: bool| assert_eq!(detect_reset(now, &before), expected);
    check(&exponential(0, &[1.0, 2.0]), false);
    check(&exponential(0, &[1.0, 3.0]), false);
    check(&exponential(0, &[0.0, 5.0]), true);
    check(&exponential(0, &[1.0]), true);
    check(&exponential(1, &[9.0, 9.0]), true);
    check(&exponential(-1, &[3.0]), false);
    let mut hinted = exponential(0, &[9.0, 9.0]);
    hinted.reset_hint = ResetHint::CounterReset;
    check(&hinted, true);
    hinted = exponential(0, &[0.0]);
    hinted.reset_hint = ResetHint::NotCounterReset;
    check(&hinted, false);
}

#[test]
fn scaling_drops_empty_buckets() {
    let h = exponential(0, &[1.0, 0.0, 3.0]);
    assert_eq!(scale(&h, 2.0).positive_buckets, [2.0, 6.0]);
    assert_eq!(scale(&h, -1.0).reset_hint, ResetHint::Gauge);
    assert_eq!(divide(&h, 2.0).positive_buckets, [0.5, 1.5]);
    assert_eq!(divide(&h, 0.0).positive_buckets, Vec::<f64>::new());
}

#[test]
fn quantiles_and_fractions_agree() {
    let h = exponential(0, &[10.0, 10.0]);
    assert_eq!(quantile(0.25, &h).value(), 2f64.sqrt());
    assert_eq!(quantile(0.5, &h).value(), 2.0);
    assert!((fraction(1.0, 2f64.sqrt(), &h) - 0.25).abs() < 1e-12);
    assert_eq!(fraction(f64::NEG_INFINITY, f64::INFINITY, &h), 1.0);
    assert_eq!(quantile(-1.0, &h).value(), f64::NEG_INFINITY);
    assert_eq!(quantile(2.0, &h).value(), f64::INFINITY);
    assert!(quantile(0.5, &FloatHistogram::default()).value().is_nan());
}
