//! Exponential histograms added to each other: the coarser scale, the wider zero bucket.

use wire::otlp::metrics::{Buckets, ExponentialPoint};

/// Sums have no more buckets than this on a side; they become coarser instead. As in the original.
const BUCKETS_MAX: i64 = 160;

/// Adds the buckets of `next` to `sum`.
pub fn add(sum: &mut ExponentialPoint, mut next: ExponentialPoint) {
    for side in [&mut sum.positive, &mut sum.negative, &mut next.positive, &mut next.negative] {
        trim(side);
    }
    let (fine, coarse) = (i64::from(sum.scale.max(next.scale)), i64::from(sum.scale.min(next.scale)));
    let finer = if sum.scale > next.scale { &mut *sum } else { &mut next };
    coarsen(finer, fine - coarse);
    let too_fine = excess(&sum.positive, &next.positive).max(excess(&sum.negative, &next.negative));
    coarsen(sum, too_fine);
    coarsen(&mut next, too_fine);
    let (a, b) = (sum.zero_threshold, next.zero_threshold);
    if a < b {
        widen_zero(sum, b);
    } else if b < a {
        widen_zero(&mut next, a);
    }
    merge(&mut sum.positive, next.positive);
    merge(&mut sum.negative, next.negative);
    sum.zero_count = sum.zero_count.wrapping_add(next.zero_count);
}

/// Removes empty buckets at both ends.
fn trim(buckets: &mut Buckets) {
    let first = buckets.counts.iter().position(|count| *count > 0).unwrap_or(buckets.counts.len());
    buckets.counts.drain(..first);
    let end = buckets.counts.iter().rposition(|count| *count > 0).map_or(0, |last| last + 1);
    buckets.counts.truncate(end);
    buckets.offset = if end == 0 { 0 } else { buckets.offset.saturating_add(clamp(first as i64)) };
}

/// The absolute indexes of trimmed buckets, the last one excluded.
fn range(buckets: &Buckets) -> (i64, i64) {
    let low = i64::from(buckets.offset);
    (low, low + buckets.counts.len() as i64)
}

/// By how many steps of scale two sides together are too fine.
fn excess(a: &Buckets, b: &Buckets) -> i64 {
    let (mut low, mut high) = match (a.counts.is_empty(), b.counts.is_empty()) {
        (true, true) => return 0,
        (true, false) => range(b),
        (false, true) => range(a),
        (false, false) => (range(a).0.min(range(b).0), range(a).1.max(range(b).1)),
    };
    let mut steps = 0;
    while high - low > BUCKETS_MAX {
        (low, high) = (low >> 1, high >> 1);
        steps += 1;
    }
    steps
}

/// Takes `steps` off the scale.
fn coarsen(point: &mut ExponentialPoint, steps: i64) {
    point.scale = clamp(i64::from(point.scale) - steps);
    if steps > 0 {
        // Indexes have 32 bits: further on nothing changes any more.
        let steps = steps.min(32) as u32;
        coarsen_side(&mut point.positive, steps);
        coarsen_side(&mut point.negative, steps);
    }
}

/// A bucket and its neighbour become one, `steps` times.
fn coarsen_side(buckets: &mut Buckets, steps: u32) {
    let (low, _) = range(buckets);
    let offset = low >> steps;
    let mut counts: Vec<u64> = Vec::with_capacity((buckets.counts.len() >> steps.min(31)) + 2);
    for (index, count) in (low..).zip(&buckets.counts) {
        let at = ((index >> steps) - offset) as usize;
        if counts.len() <= at {
            counts.resize(at + 1, 0);
        }
        if let Some(sum) = counts.get_mut(at) {
            *sum = sum.wrapping_add(*count);
        }
    }
    *buckets = Buckets { offset: clamp(offset), counts };
}

/// Lets the zero bucket reach to `width` at least, to the end of the bucket it lies in.
fn widen_zero(point: &mut ExponentialPoint, width: f64) {
    let last = bucket_of(point.scale, width);
    for side in [&mut point.positive, &mut point.negative] {
        let (low, high) = range(side);
        let gone = last.saturating_add(1).clamp(low, high) - low;
        let moved = side.counts.drain(..gone as usize).fold(0u64, u64::wrapping_add);
        point.zero_count = point.zero_count.wrapping_add(moved);
        side.offset = clamp(low + gone);
    }
    let upper = (last as f64 + 1.0) * std::f64::consts::LN_2 * 2f64.powi(point.scale.saturating_neg());
    point.zero_threshold = upper.exp();
}

/// The index of the bucket a value lies in; buckets include their upper bound.
fn bucket_of(scale: i32, value: f64) -> i64 {
    let exact = value.log2();
    let index = exact * 2f64.powi(scale);
    if exact == exact.floor() { (index.ceil() as i64).saturating_sub(1) } else { index.floor() as i64 }
}

fn merge(sum: &mut Buckets, next: Buckets) {
    if next.counts.is_empty() {
        return;
    }
    if sum.counts.is_empty() {
        *sum = next;
        return;
    }
    let (low, high) = (range(sum).0.min(range(&next).0), range(sum).1.max(range(&next).1));
    let mut counts = vec![0u64; (high - low) as usize];
    for side in [&*sum, &next] {
        for (index, count) in (range(side).0..).zip(&side.counts) {
            if let Some(sum) = counts.get_mut((index - low) as usize) {
                *sum = sum.wrapping_add(*count);
            }
        }
    }
    *sum = Buckets { offset: clamp(low), counts };
}

fn clamp(index: i64) -> i32 {
    index.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wider_zero_bucket_takes_what_it_covers() {
        let side = |offset, counts: &[u64]| Buckets { offset, counts: counts.to_vec() };
        // Buckets at scale 0: (1, 2], (2, 4], (4, 8].
        let mut sum = ExponentialPoint { positive: side(0, &[1, 2, 3]), ..ExponentialPoint::default() };
        let next = ExponentialPoint {
            zero_threshold: 3.0,
            zero_count: 10,
            positive: side(2, &[5]),
            ..ExponentialPoint::default()
        };
        add(&mut sum, next);
        assert_eq!((sum.zero_count, sum.positive), (13, side(2, &[8])));
        assert!((sum.zero_threshold - 4.0).abs() < 1e-12, "{}", sum.zero_threshold);
    }

    #[test]
    fn values_lie_in_the_bucket_that_ends_at_them() {
        for (scale, value, index) in
            [(0, 2.0, 0), (0, 2.1, 1), (1, 2.0, 1), (1, 1.5, 1), (0, 1.0, -1), (-1, 4.0, 0)]
        {
            assert_eq!(bucket_of(scale, value), index, "{value} at scale {scale}");
        }
    }

    #[test]
    fn hostile_numbers_are_added_without_harm() {
        let odd = |scale, offset, zero_threshold| ExponentialPoint {
            scale,
            zero_threshold,
            positive: Buckets { offset, counts: vec![1, u64::MAX] },
            ..ExponentialPoint::default()
        };
        for (scale, offset) in [(i32::MAX, i32::MAX), (i32::MIN, i32::MIN), (0, i32::MIN), (20, i32::MAX)] {
            for threshold in [f64::NAN, f64::INFINITY, -1.0, 0.0, 1e300] {
                let mut sum = odd(0, 0, 1.0);
                add(&mut sum, odd(scale, offset, threshold));
                assert!(sum.positive.counts.len() as i64 <= BUCKETS_MAX + 1);
                let mut sum = odd(scale, offset, threshold);
                add(&mut sum, odd(3, -5, 0.5));
                assert!(sum.positive.counts.len() as i64 <= BUCKETS_MAX + 1);
            }
        }
    }
}
