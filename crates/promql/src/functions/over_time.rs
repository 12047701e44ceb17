//! The `*_over_time` functions.

use std::sync::Arc;

use eval::aggregate::quantile_of;
use eval::histogram::Wide;
use eval::kahan::{self, Kahan};
use eval::window::Window;
use model::{FloatHistogram, ResetHint, TimestampMs, Value};

use super::range::Range;
use super::rate::{incompatible, mixed, reconciled};

fn float(v: f64) -> Option<Value> {
    Some(Value::Float(v))
}

pub(super) fn histograms_ignored(range: &Range<'_>) {
    let metric = range.metric;
    range.cx.info(
        range.place,
        format!(
            "PromQL info: ignored histograms in a range containing both floats and histograms for metric name {metric:?}"
        ),
    );
}

/// The floats for functions that only know floats; none, none.
fn floats<'w>(range: &Range<'_>, w: &Window<'w>) -> Option<&'w [f64]> {
    if w.floats.is_empty() {
        return None;
    }
    if !w.histograms.is_empty() {
        histograms_ignored(range);
    }
    Some(w.values())
}

pub(super) fn count(_: &Range<'_>, w: &Window<'_>) -> Option<Value> {
    float(w.len() as f64)
}

pub(super) fn present(_: &Range<'_>, _: &Window<'_>) -> Option<Value> {
    float(1.0)
}

pub(super) fn sum(range: &Range<'_>, w: &Window<'_>) -> Option<Value> {
    if !w.floats.is_empty() && !w.histograms.is_empty() {
        mixed(range);
        return None;
    }
    match w.histograms() {
        [] => float(kahan::sum(w.values())),
        histograms => total(range, histograms).map(|h| Value::Histogram(Arc::new(h.finish()))),
    }
}

pub(super) fn avg(range: &Range<'_>, w: &Window<'_>) -> Option<Value> {
    if !w.floats.is_empty() && !w.histograms.is_empty() {
        mixed(range);
        return None;
    }
    match w.histograms() {
        [] => float(kahan::mean(w.values())),
        histograms => {
            let mut total = total(range, histograms)?;
            if total.has_overflown() {
                total = incremental_mean(histograms);
            } else {
                total.divide(histograms.len() as f64);
            }
            Some(Value::Histogram(Arc::new(total.finish())))
        }
    }
}

fn total(range: &Range<'_>, histograms: &[(TimestampMs, Arc<FloatHistogram>)]) -> Option<Wide> {
    let mut sum = Wide::new(&histograms.first()?.1);
    for (_, h) in &histograms[1..] {
        match sum.add(h) {
            Ok(added) if added.bounds_reconciled => reconciled(range, "aggregation"),
            Ok(_) => {}
            Err(_) => {
                incompatible(range);
                return None;
            }
        }
    }
    let seen = |hint| histograms.iter().any(|(_, h)| h.reset_hint == hint);
    if seen(ResetHint::CounterReset) && seen(ResetHint::NotCounterReset) {
        let text = "PromQL warning: conflicting counter resets during histogram aggregation";
        range.cx.warn(range.place, text);
    }
    Some(sum)
}

/// For histograms whose sum does not fit into floats. They are known to be compatible.
fn incremental_mean(histograms: &[(TimestampMs, Arc<FloatHistogram>)]) -> Wide {
    let mut mean = Wide::new(&histograms[0].1);
    for (i, (_, h)) in histograms.iter().enumerate().skip(1) {
        let n = (i + 1) as f64;
        mean.scale((n - 1.0) / n);
        let _compatible = mean.add(&eval::histogram::divide(h, n));
    }
    mean
}

pub(super) fn min(range: &Range<'_>, w: &Window<'_>) -> Option<Value> {
    floats(range, w).and_then(|values| float(values[extreme(values, |new, old| new < old)]))
}

pub(super) fn max(range: &Range<'_>, w: &Window<'_>) -> Option<Value> {
    floats(range, w).and_then(|values| float(values[extreme(values, |new, old| new > old)]))
}

/// The index of the first value no other beats. Any number beats NaN.
fn extreme(values: &[f64], beats: impl Fn(f64, f64) -> bool) -> usize {
    let mut best = 0;
    for (i, v) in values.iter().enumerate().skip(1) {
        if beats(*v, values[best]) || values[best].is_nan() {
            best = i;
        }
    }
    best
}

fn seconds(t: TimestampMs) -> Option<Value> {
    float(t as f64 / 1000.0)
}

pub(super) fn ts_of_min(range: &Range<'_>, w: &Window<'_>) -> Option<Value> {
    // Of equal values the latest.
    floats(range, w).and_then(|values| seconds(w.times()[extreme(values, |new, old| new <= old)]))
}

pub(super) fn ts_of_max(range: &Range<'_>, w: &Window<'_>) -> Option<Value> {
    floats(range, w).and_then(|values| seconds(w.times()[extreme(values, |new, old| new >= old)]))
}

fn newest(w: &Window<'_>) -> Option<(TimestampMs, Value)> {
    let f = w.times().last().copied().zip(w.values().last().map(|v| Value::Float(*v)));
    let h = w.histograms().last().map(|(t, h)| (*t, Value::Histogram(h.clone())));
    match (f, h) {
        (Some(f), Some(h)) => Some(if f.0 > h.0 { f } else { h }),
        (f, h) => f.or(h),
    }
}

fn oldest(w: &Window<'_>) -> Option<(TimestampMs, Value)> {
    let f = w.times().first().copied().zip(w.values().first().map(|v| Value::Float(*v)));
    let h = w.histograms().first().map(|(t, h)| (*t, Value::Histogram(h.clone())));
    match (f, h) {
        (Some(f), Some(h)) => Some(if f.0 < h.0 { f } else { h }),
        (f, h) => f.or(h),
    }
}

pub(super) fn last(_: &Range<'_>, w: &Window<'_>) -> Option<Value> {
    newest(w).map(|(_, v)| v)
}

pub(super) fn first(_: &Range<'_>, w: &Window<'_>) -> Option<Value> {
    oldest(w).map(|(_, v)| v)
}

pub(super) fn ts_of_last(_: &Range<'_>, w: &Window<'_>) -> Option<Value> {
    newest(w).and_then(|(t, _)| seconds(t))
}

pub(super) fn ts_of_first(_: &Range<'_>, w: &Window<'_>) -> Option<Value> {
    oldest(w).and_then(|(t, _)| seconds(t))
}

pub(super) fn stdvar(range: &Range<'_>, w: &Window<'_>) -> Option<Value> {
    floats(range, w).and_then(|values| float(variance(values)))
}

pub(super) fn stddev(range: &Range<'_>, w: &Window<'_>) -> Option<Value> {
    floats(range, w).and_then(|values| float(variance(values).sqrt()))
}

/// Welford's method with compensated sums.
fn variance(values: &[f64]) -> f64 {
    let (mut mean, mut squares) = (Kahan::default(), Kahan::default());
    for (i, v) in values.iter().enumerate() {
        let delta = v - mean.value();
        mean = mean.add(delta / (i + 1) as f64);
        squares = squares.add(delta * (v - mean.value()));
    }
    squares.value() / values.len() as f64
}

pub(super) fn quantile(range: &Range<'_>, w: &Window<'_>) -> Option<Value> {
    floats(range, w).and_then(|values| float(quantile_of(range.scalar(0), &mut values.to_vec())))
}

/// The median of the distances from the median.
pub(super) fn mad(range: &Range<'_>, w: &Window<'_>) -> Option<Value> {
    let mut values = floats(range, w)?.to_vec();
    if values.iter().any(|v| v.is_nan()) {
        return float(f64::NAN);
    }
    let median = quantile_of(0.5, &mut values);
    values.iter_mut().for_each(|v| *v = (*v - median).abs());
    float(quantile_of(0.5, &mut values))
}
