//! Windows that look past their edges: `anchored` (the value a series had when the window began) and
//! `smoothed` (values at both edges interpolated between neighbours).

use std::sync::Arc;

use eval::histogram::{Wide, detect_reset, scale};
use eval::window::Window;
use model::{FloatHistogram, ResetHint, TimestampMs, Value};

use super::range::{Extension, Range};
use super::rate::{incompatible, mixed, not_counter, not_gauge};

/// What can be interpolated and subtracted.
trait Level: Clone {
    /// The value `fraction` of the way from `a` to `b`. A counter that fell in between began at zero.
    fn between(a: &Self, b: &Self, fraction: f64, counter: bool) -> Option<Self>;
    /// Whether a counter fell from `before` to `now`.
    fn fell(now: &Self, before: &Self) -> bool;
    fn plus(&self, other: &Self) -> Option<Self>;
    fn minus(&self, other: &Self) -> Option<Self>;
}

impl Level for f64 {
    fn between(a: &f64, b: &f64, fraction: f64, counter: bool) -> Option<f64> {
        let from = if counter && b < a { 0.0 } else { *a };
        Some(from + (b - from) * fraction)
    }

    fn fell(now: &f64, before: &f64) -> bool {
        now < before
    }

    fn plus(&self, other: &f64) -> Option<f64> {
        Some(self + other)
    }

    fn minus(&self, other: &f64) -> Option<f64> {
        Some(self - other)
    }
}

impl Level for Arc<FloatHistogram> {
    fn between(a: &Self, b: &Self, fraction: f64, counter: bool) -> Option<Self> {
        if a.uses_custom_buckets() != b.uses_custom_buckets() {
            return None;
        }
        if counter && detect_reset(b, a) {
            // The reset hint stays, so that the correction after this one finds it.
            return Some(Arc::new(scale(b, fraction)));
        }
        let mut part = Wide::new(b);
        part.subtract(a).ok()?;
        part.scale(fraction);
        part.add(a).ok()?;
        part.reset_hint = ResetHint::Unknown;
        Some(Arc::new(part.finish()))
    }

    fn fell(now: &Self, before: &Self) -> bool {
        detect_reset(now, before)
    }

    fn plus(&self, other: &Self) -> Option<Self> {
        let mut sum = Wide::new(self);
        sum.add(other).ok()?;
        Some(Arc::new(sum.finish()))
    }

    fn minus(&self, other: &Self) -> Option<Self> {
        let mut difference = Wide::new(self);
        difference.subtract(other).ok()?;
        Some(Arc::new(difference.finish()))
    }
}

/// A sample and its time.
type Timed<L> = (TimestampMs, L);

/// The change over `(start, end]`, given the samples around it. `None` when nothing lies inside,
/// `Some(None)` when samples do not go together.
fn change<L: Level>(
    points: &[Timed<L>],
    start: TimestampMs,
    end: TimestampMs,
    smoothed: bool,
    counter: bool,
) -> Option<Option<L>> {
    let n = points.len();
    let first = points.partition_point(|(t, _)| *t <= start).saturating_sub(1);
    let last = if smoothed {
        points.partition_point(|(t, _)| *t < end).min(n.checked_sub(1)?)
    } else {
        points.partition_point(|(t, _)| *t <= end).checked_sub(1)?
    };
    if points[last].0 <= start || points[first].0 > end {
        return None;
    }
    Some(change_between(points, first, last, start, end, smoothed, counter))
}

fn change_between<L: Level>(
    points: &[Timed<L>],
    first: usize,
    last: usize,
    start: TimestampMs,
    end: TimestampMs,
    smoothed: bool,
    counter: bool,
) -> Option<L> {
    let edge = |a: &Timed<L>, b: &Timed<L>, t: TimestampMs| {
        L::between(&a.1, &b.1, (t - a.0) as f64 / (b.0 - a.0) as f64, counter)
    };
    let cut_left = smoothed && points[first].0 < start;
    let cut_right = smoothed && last > first && points[last].0 > end;
    let left = match cut_left {
        true => edge(&points[first], &points[first + 1], start)?,
        false => points[first].1.clone(),
    };
    let right = match cut_right {
        true => edge(&points[last - 1], &points[last], end)?,
        false => points[last].1.clone(),
    };
    let mut change = right.minus(&left)?;
    // Both edges between the same two samples: interpolation has dealt with a reset there.
    if !counter || (cut_left && cut_right && first + 1 == last) {
        return Some(change);
    }
    let begin = if cut_left { first + 1 } else { first };
    let inner_end = if cut_right { last } else { last + 1 };
    let mut previous = points[begin].1.clone();
    for (_, value) in points.get(begin + 1..inner_end).unwrap_or_default() {
        if L::fell(value, &previous) {
            change = change.plus(&previous)?;
        }
        previous = value.clone();
    }
    if cut_right && L::fell(&right, &previous) {
        change = change.plus(&previous)?;
    }
    Some(change)
}

/// `rate`, `increase` and `delta` of an extended window.
pub(super) fn rate(range: &Range<'_>, w: &Window<'_>, counter: bool, per_second: bool) -> Option<Value> {
    let smoothed = range.extension == Extension::Smoothed;
    let from = w.start - range.lookback;
    let to = if smoothed { w.end + range.lookback } else { w.end };
    let floats = within(&w.samples.float_times, |t| *t, from, to);
    let histograms = within(&w.samples.histograms, |(t, _)| *t, from, to);
    if !floats.is_empty() && !histograms.is_empty() {
        mixed(range);
        return None;
    }
    let seconds = range.range as f64 / 1000.0;
    if histograms.is_empty() {
        let times = w.samples.float_times[floats.clone()].iter().copied();
        let points: Vec<Timed<f64>> = times.zip(w.samples.floats[floats].iter().copied()).collect();
        let change = change(&points, w.start, w.end, smoothed, counter)??;
        return Some(Value::Float(if per_second { change / seconds } else { change }));
    }
    let points = &w.samples.histograms[histograms];
    let Some(change) = change(points, w.start, w.end, smoothed, counter)? else {
        incompatible(range);
        return None;
    };
    let custom = points[0].1.uses_custom_buckets();
    if points.iter().any(|(_, h)| h.uses_custom_buckets() != custom) {
        incompatible(range);
        return None;
    }
    let gauges = points.iter().filter(|(_, h)| h.reset_hint == ResetHint::Gauge).count();
    if counter && gauges > 0 {
        not_counter(range);
    }
    if !counter && gauges < points.len() {
        not_gauge(range);
    }
    let mut change = Wide::new(&change);
    if per_second {
        change.divide(seconds);
    }
    change.reset_hint = ResetHint::Gauge;
    Some(Value::Histogram(Arc::new(change.finish())))
}

/// The positions of what lies in `(from, to]`.
fn within<T>(
    all: &[T],
    time: impl Fn(&T) -> TimestampMs,
    from: TimestampMs,
    to: TimestampMs,
) -> std::ops::Range<usize> {
    all.partition_point(|x| time(x) <= from)..all.partition_point(|x| time(x) <= to)
}

/// The newest sample not after the start of the window, if it is not older than the lookback.
pub(super) fn anchor(range: &Range<'_>, w: &Window<'_>) -> Option<Value> {
    let from = w.start - range.lookback;
    let float = within(&w.samples.float_times, |t| *t, from, w.start).last();
    let histogram = within(&w.samples.histograms, |(t, _)| *t, from, w.start).last();
    let float = float.map(|i| (w.samples.float_times[i], Value::Float(w.samples.floats[i])));
    let histogram =
        histogram.map(|i| (w.samples.histograms[i].0, Value::Histogram(w.samples.histograms[i].1.clone())));
    [float, histogram].into_iter().flatten().max_by_key(|(t, _)| *t).map(|(_, v)| v)
}

/// What a `smoothed` instant selector makes of the samples around `t`.
pub(crate) enum Smoothed {
    Nothing,
    Value(Value),
    Mixed,
    Incompatible,
}

/// The value at `t`, interpolated between its neighbours, or that of the one before when there is none
/// after.
pub(crate) fn smooth(samples: &storage::metrics::SampleColumns, t: TimestampMs, lookback: i64) -> Smoothed {
    let (from, to) = (t - lookback, t + lookback);
    let floats = within(&samples.float_times, |t| *t, from, to);
    let histograms = within(&samples.histograms, |(t, _)| *t, from, to);
    if !floats.is_empty() && !histograms.is_empty() {
        return Smoothed::Mixed;
    }
    if histograms.is_empty() {
        let times = samples.float_times[floats.clone()].iter().copied();
        let points: Vec<Timed<f64>> = times.zip(samples.floats[floats].iter().copied()).collect();
        return match at(&points, t, |_| false) {
            Some(Some(v)) => Smoothed::Value(Value::Float(v)),
            _ => Smoothed::Nothing,
        };
    }
    let is_counter = |h: &Arc<FloatHistogram>| h.reset_hint != ResetHint::Gauge;
    match at(&samples.histograms[histograms], t, is_counter) {
        None => Smoothed::Nothing,
        Some(None) => Smoothed::Incompatible,
        Some(Some(h)) => Smoothed::Value(Value::Histogram(h)),
    }
}

fn at<L: Level>(points: &[Timed<L>], t: TimestampMs, counter: impl Fn(&L) -> bool) -> Option<Option<L>> {
    let next = points.partition_point(|(time, _)| *time <= t);
    let before = points.get(next.checked_sub(1)?)?;
    match points.get(next) {
        Some(after) if before.0 < t => {
            let fraction = (t - before.0) as f64 / (after.0 - before.0) as f64;
            Some(L::between(&before.1, &after.1, fraction, counter(&after.1)))
        }
        _ => Some(Some(before.1.clone())),
    }
}
