//! Rates and differences: `rate`, `increase`, `delta`, `irate`, `idelta`, `changes`, `resets`.

use std::sync::Arc;

use eval::histogram::{Wide, detect_reset, equal};
use eval::window::Window;
use model::{FloatHistogram, ResetHint, TimestampMs, Value};

use super::range::{Extension, Range};
use crate::selector::{mixed_samples, mixed_schemas};

pub(super) fn rate(range: &Range<'_>, w: &Window<'_>) -> Option<Value> {
    extrapolated(range, w, true, true)
}

pub(super) fn increase(range: &Range<'_>, w: &Window<'_>) -> Option<Value> {
    extrapolated(range, w, true, false)
}

pub(super) fn delta(range: &Range<'_>, w: &Window<'_>) -> Option<Value> {
    extrapolated(range, w, false, false)
}

pub(super) fn mixed(range: &Range<'_>) {
    range.cx.warn(range.place, mixed_samples(range.metric));
}

pub(super) fn not_counter(range: &Range<'_>) {
    let metric = range.metric;
    range.cx.warn(
        range.place,
        format!("PromQL warning: this native histogram metric is not a counter: {metric:?}"),
    );
}

pub(super) fn not_gauge(range: &Range<'_>) {
    let metric = range.metric;
    range.cx.warn(
        range.place,
        format!("PromQL warning: this native histogram metric is not a gauge: {metric:?}"),
    );
}

pub(super) fn incompatible(range: &Range<'_>) {
    range.cx.warn(range.place, mixed_schemas(range.metric));
}

pub(super) fn reconciled(range: &Range<'_>, what: &str) {
    range
        .cx
        .info(range.place, format!("PromQL info: mismatched custom buckets were reconciled during {what}"));
}

/// The difference between the last and the first sample, with what counters lost in resets, stretched to
/// the whole window where samples lie close to its edges.
fn extrapolated(range: &Range<'_>, w: &Window<'_>, counter: bool, per_second: bool) -> Option<Value> {
    if range.extension != Extension::None {
        return super::extended::rate(range, w, counter, per_second);
    }
    let (floats, histograms) = (w.values(), w.histograms());
    if !floats.is_empty() && !histograms.is_empty() {
        mixed(range);
        return None;
    }
    let (first_t, last_t, gaps, change, first_count) = if histograms.len() > 1 {
        let change = histogram_change(range, histograms, counter)?;
        let (first, last) = (&histograms[0], &histograms[histograms.len() - 1]);
        (first.0, last.0, histograms.len() - 1, Value::Histogram(Arc::new(change)), first.1.count)
    } else if floats.len() > 1 {
        let times = w.times();
        let mut change = floats[floats.len() - 1] - floats[0];
        if counter {
            let first = range.resets.partition_point(|at| *at <= w.floats.start);
            for at in range.resets[first..].iter().take_while(|at| **at < w.floats.end) {
                change += w.samples.floats[*at - 1];
            }
        }
        (times[0], times[times.len() - 1], floats.len() - 1, Value::Float(change), floats[0])
    } else {
        return None;
    };

    let seconds = |ms: TimestampMs| ms as f64 / 1000.0;
    let mut to_start = seconds(first_t - w.start);
    let mut to_end = seconds(w.end - last_t);
    let sampled = seconds(last_t - first_t);
    let average_gap = sampled / gaps as f64;
    // A little more than one gap away still counts as reaching the edge.
    let threshold = average_gap * 1.1;
    if to_start >= threshold {
        to_start = average_gap / 2.0;
    }
    if counter {
        // A counter does not come from below zero.
        let total = match &change {
            Value::Float(v) => *v,
            Value::Histogram(h) => h.count,
        };
        if total > 0.0 && first_count >= 0.0 {
            to_start = to_start.min(sampled * (first_count / total));
        }
    }
    if to_end >= threshold {
        to_end = average_gap / 2.0;
    }
    let mut factor = (sampled + to_start + to_end) / sampled;
    if per_second {
        factor /= range.range as f64 / 1000.0;
    }
    Some(match change {
        Value::Float(v) => Value::Float(v * factor),
        Value::Histogram(h) => Value::Histogram(Arc::new(eval::histogram::scale(&h, factor))),
    })
}

/// The same for histograms, bucket by bucket.
fn histogram_change(
    range: &Range<'_>,
    points: &[(TimestampMs, Arc<FloatHistogram>)],
    counter: bool,
) -> Option<FloatHistogram> {
    let (first, last) = (&points[0].1, &points[points.len() - 1].1);
    let is_gauge = |h: &FloatHistogram| h.reset_hint == ResetHint::Gauge;
    if counter && points.iter().any(|(_, h)| is_gauge(h)) {
        not_counter(range);
    }
    // With a reset right after the first sample, that sample does not count, nor does its layout.
    let mut previous: Arc<FloatHistogram> = first.clone();
    if counter && detect_reset(&points[1].1, first) {
        let second = &points[1].1;
        previous = Arc::new(FloatHistogram {
            schema: second.schema,
            custom_values: second.custom_values.clone(),
            zero_threshold: 0.0,
            ..FloatHistogram::default()
        });
    }
    let custom = previous.uses_custom_buckets();
    let between = if counter { &points[1..points.len() - 1] } else { &[] };
    if last.uses_custom_buckets() != custom || between.iter().any(|(_, h)| h.uses_custom_buckets() != custom)
    {
        incompatible(range);
        return None;
    }
    let schema = between.iter().map(|(_, h)| h.schema).chain([previous.schema, last.schema]).min();
    let mut change = Wide::new(last);
    change.reduce_resolution(schema.unwrap_or(last.schema));
    let combine = |change: &mut Wide, other: &FloatHistogram, add: bool| {
        let result = if add { change.add(other) } else { change.subtract(other) };
        match result {
            Ok(added) => {
                if added.bounds_reconciled {
                    reconciled(range, if add { "addition" } else { "subtraction" });
                }
                true
            }
            Err(_) => {
                incompatible(range);
                false
            }
        }
    };
    if !combine(&mut change, &previous, false) {
        return None;
    }
    if counter {
        for (_, current) in &points[1..] {
            if detect_reset(current, &previous) && !combine(&mut change, &previous, true) {
                return None;
            }
            previous = current.clone();
        }
    } else if !is_gauge(first) || !is_gauge(last) {
        not_gauge(range);
    }
    change.reset_hint = ResetHint::Gauge;
    Some(change.finish())
}

pub(super) fn irate(range: &Range<'_>, w: &Window<'_>) -> Option<Value> {
    instant(range, w, true)
}

pub(super) fn idelta(range: &Range<'_>, w: &Window<'_>) -> Option<Value> {
    instant(range, w, false)
}

/// The samples of a window in time order, floats and histograms together.
fn in_order<'w>(w: &Window<'w>) -> impl Iterator<Item = (TimestampMs, Value)> + 'w {
    let mut floats = w.times().iter().zip(w.values()).peekable();
    let mut histograms = w.histograms().iter().peekable();
    std::iter::from_fn(move || match (floats.peek(), histograms.peek()) {
        (Some((ft, _)), Some((ht, _))) if *ft < ht => floats.next().map(|(t, v)| (*t, Value::Float(*v))),
        (_, Some(_)) => histograms.next().map(|(t, h)| (*t, Value::Histogram(h.clone()))),
        (Some(_), None) => floats.next().map(|(t, v)| (*t, Value::Float(*v))),
        (None, None) => None,
    })
}

/// The two newest samples, older first.
fn last_two(w: &Window<'_>) -> Option<[(TimestampMs, Value); 2]> {
    let floats = w.times().iter().zip(w.values()).rev().take(2).map(|(t, v)| (*t, Value::Float(*v)));
    let histograms = w.histograms().iter().rev().take(2).map(|(t, h)| (*t, Value::Histogram(h.clone())));
    let mut all: Vec<_> = floats.chain(histograms).collect();
    all.sort_by_key(|(t, _)| std::cmp::Reverse(*t));
    let mut all = all.into_iter();
    let (newer, older) = (all.next()?, all.next()?);
    Some([older, newer])
}

fn instant(range: &Range<'_>, w: &Window<'_>, rate: bool) -> Option<Value> {
    let [(older_t, older), (newer_t, newer)] = last_two(w)?;
    let interval = (newer_t - older_t) as f64 / 1000.0;
    if interval == 0.0 {
        return None;
    }
    match (&older, &newer) {
        (Value::Float(a), Value::Float(b)) => {
            // After a reset the counter began at zero.
            let change = if rate && b < a { *b } else { b - a };
            Some(Value::Float(if rate { change / interval } else { change }))
        }
        (Value::Histogram(a), Value::Histogram(b)) => {
            let gauges = [a, b].map(|h| h.reset_hint == ResetHint::Gauge);
            if rate && gauges.contains(&true) {
                not_counter(range);
            }
            if !rate && gauges.contains(&false) {
                not_gauge(range);
            }
            let mut change = Wide::new(b);
            if !rate || !detect_reset(b, a) {
                match change.subtract(a) {
                    Ok(added) if added.bounds_reconciled => reconciled(range, "subtraction"),
                    Ok(_) => {}
                    Err(_) => {
                        incompatible(range);
                        return None;
                    }
                }
            }
            if rate {
                change.divide(interval);
            }
            change.reset_hint = ResetHint::Gauge;
            Some(Value::Histogram(Arc::new(change.finish())))
        }
        _ => {
            mixed(range);
            None
        }
    }
}

pub(super) fn changes(range: &Range<'_>, w: &Window<'_>) -> Option<Value> {
    count_pairs(range, w, |a, b| match (a, b) {
        (Value::Float(a), Value::Float(b)) => a != b && !(a.is_nan() && b.is_nan()),
        (Value::Histogram(a), Value::Histogram(b)) => !equal(a, b),
        _ => true,
    })
}

pub(super) fn resets(range: &Range<'_>, w: &Window<'_>) -> Option<Value> {
    count_pairs(range, w, |a, b| match (a, b) {
        (Value::Float(a), Value::Float(b)) => b < a,
        (Value::Histogram(a), Value::Histogram(b)) => detect_reset(b, a),
        _ => true,
    })
}

/// How many neighbours `differ`.
fn count_pairs(range: &Range<'_>, w: &Window<'_>, differ: impl Fn(&Value, &Value) -> bool) -> Option<Value> {
    if w.is_empty() {
        return None;
    }
    let anchor = match range.extension {
        Extension::None => None,
        _ => super::extended::anchor(range, w),
    };
    let mut samples = anchor.into_iter().chain(in_order(w).map(|(_, v)| v));
    let mut previous = samples.next()?;
    let mut count = 0u64;
    for value in samples {
        count += u64::from(differ(&previous, &value));
        previous = value;
    }
    Some(Value::Float(count as f64))
}
