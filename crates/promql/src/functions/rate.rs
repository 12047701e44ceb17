//! Rates and differences: `rate`, `increase`, `delta`, `irate`, `idelta`, `changes`, `resets`.

use std::sync::Arc;

use eval::histogram::{Wide, detect_reset, equal};
use eval::window::Window;
use model::{FloatHistogram, ResetHint, TimestampMs, Value};

use super::range::{Extension, Range};
use super::starts::{Life, began_anew, overlaps};
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
    // A counter that began within the window was zero when it did; then one sample is enough.
    let began = if counter { start_within(range, w) } else { None };
    let enough = if began.is_some() { 1 } else { 2 };
    if counter {
        warn_of_overlaps(range, w);
    }
    let (first_t, last_t, gaps, change, first_count) = if histograms.len() >= enough {
        let change = histogram_change(range, w, counter, began.is_some())?;
        let (first, last) = (&histograms[0], &histograms[histograms.len() - 1]);
        (first.0, last.0, histograms.len() - 1, Value::Histogram(Arc::new(change)), first.1.count)
    } else if floats.len() >= enough {
        let times = w.times();
        let base = if began.is_some() { 0.0 } else { floats[0] };
        let mut change = floats[floats.len() - 1] - base;
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
    let mut sampled = seconds(last_t - first_t);
    let average_gap = if gaps == 0 { 0.0 } else { sampled / gaps as f64 };
    // A little more than one gap away still counts as reaching the edge.
    let threshold = average_gap * 1.1;
    if to_start >= threshold {
        to_start = average_gap / 2.0;
    }
    if let Some(began) = began {
        sampled = seconds(last_t - began);
        to_start = 0.0;
    } else if counter {
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
    w: &Window<'_>,
    counter: bool,
    from_zero: bool,
) -> Option<FloatHistogram> {
    let points = w.histograms();
    let (first, last) = (&points[0].1, &points[points.len() - 1].1);
    let is_gauge = |h: &FloatHistogram| h.reset_hint == ResetHint::Gauge;
    if counter && points.iter().any(|(_, h)| is_gauge(h)) {
        not_counter(range);
    }
    let mut previous: Arc<FloatHistogram> = first.clone();
    let zero_like = |h: &FloatHistogram| {
        let custom_values = h.custom_values.clone();
        Arc::new(FloatHistogram { schema: h.schema, custom_values, ..FloatHistogram::default() })
    };
    // With a reset right after the first sample, that sample does not count, nor does its layout.
    let skip_first = counter && !from_zero && points.len() > 1 && detect_reset(&points[1].1, first);
    if skip_first {
        previous = zero_like(&points[1].1);
    } else if from_zero {
        previous = zero_like(first);
    }
    let custom = previous.uses_custom_buckets();
    let between =
        if counter { points.get(1..points.len() - 1).unwrap_or_default() } else { Default::default() };
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
        if from_zero {
            previous = first.clone();
        }
        for (i, (_, current)) in points.iter().enumerate().skip(1) {
            let reset = detect_reset(current, &previous) || histogram_began_anew(range, w, i);
            if reset && !combine(&mut change, &previous, true) {
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

/// The lives of the window's samples that have start times: floats, or else histograms.
fn lives<'w>(range: &Range<'w>, w: &Window<'w>) -> impl Iterator<Item = Life> + 'w {
    let floats = range.starts.floats.get(w.floats.clone()).unwrap_or_default();
    let histograms = range.starts.histograms.get(w.histograms.clone()).unwrap_or_default();
    let floats = w.times().iter().zip(floats).map(|(t, start)| Life { t: *t, start: *start });
    let histograms = w.histograms().iter().zip(histograms);
    floats.chain(histograms.map(|((t, _), start)| Life { t: *t, start: *start }))
}

/// When the first sample's counter began, if that was within the window and before the sample.
fn start_within(range: &Range<'_>, w: &Window<'_>) -> Option<TimestampMs> {
    let first = lives(range, w).next()?;
    (first.start != 0 && first.start > w.start && first.start < first.t).then_some(first.start)
}

fn warn_of_overlaps(range: &Range<'_>, w: &Window<'_>) {
    let mut lives = lives(range, w);
    let Some(mut previous) = lives.next() else { return };
    for current in lives {
        if overlaps(previous, current) {
            let metric = range.metric;
            range.cx.warn(
                range.place,
                format!(
                    "PromQL warning: sample has start time that overlaps with previous sample timestamp for metric {metric:?}"
                ),
            );
        }
        previous = current;
    }
}

/// Whether the window's histogram `i` says that counting began after the one before.
fn histogram_began_anew(range: &Range<'_>, w: &Window<'_>, i: usize) -> bool {
    let starts = range.starts.histograms.get(w.histograms.clone()).unwrap_or_default();
    let life = |i: usize| Some(Life { t: w.histograms().get(i)?.0, start: *starts.get(i)? });
    match (life(i - 1), life(i)) {
        (Some(previous), Some(current)) => began_anew(previous, current),
        _ => false,
    }
}

/// The start time of the sample at `t`; 0 when it has none.
fn start_at(w: &Window<'_>, t: TimestampMs) -> TimestampMs {
    let all = &w.samples.start_times;
    all.binary_search_by_key(&t, |(time, _)| *time).map_or(0, |i| all[i].1)
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
    let life = |t: TimestampMs| Life { t, start: start_at(w, t) };
    let anew = rate && began_anew(life(older_t), life(newer_t));
    match (&older, &newer) {
        (Value::Float(a), Value::Float(b)) => {
            // After a reset the counter began at zero.
            let change = if rate && (anew || b < a) { *b } else { b - a };
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
            if !rate || !(anew || detect_reset(b, a)) {
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
    count_pairs(range, w, |_, (a, b)| match (a, b) {
        (Value::Float(a), Value::Float(b)) => a != b && !(a.is_nan() && b.is_nan()),
        (Value::Histogram(a), Value::Histogram(b)) => !equal(a, b),
        _ => true,
    })
}

pub(super) fn resets(range: &Range<'_>, w: &Window<'_>) -> Option<Value> {
    let life = |t: TimestampMs| Life { t, start: start_at(w, t) };
    count_pairs(range, w, |times, (a, b)| match (a, b) {
        _ if times.is_some_and(|(t, u)| began_anew(life(t), life(u))) => true,
        (Value::Float(a), Value::Float(b)) => b < a,
        (Value::Histogram(a), Value::Histogram(b)) => detect_reset(b, a),
        _ => true,
    })
}

/// How many neighbours `differ`, given their values and (unless one is the anchor) times.
fn count_pairs(
    range: &Range<'_>,
    w: &Window<'_>,
    differ: impl Fn(Option<(TimestampMs, TimestampMs)>, (&Value, &Value)) -> bool,
) -> Option<Value> {
    if w.is_empty() {
        return None;
    }
    let anchor = match range.extension {
        Extension::None => None,
        _ => super::extended::anchor(range, w).map(|v| (None, v)),
    };
    let mut samples = anchor.into_iter().chain(in_order(w).map(|(t, v)| (Some(t), v)));
    let mut previous = samples.next()?;
    let mut count = 0u64;
    for current in samples {
        let times = previous.0.zip(current.0);
        count += u64::from(differ(times, (&previous.1, &current.1)));
        previous = current;
    }
    Some(Value::Float(count as f64))
}
