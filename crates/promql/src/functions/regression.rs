//! Trends: `deriv`, `predict_linear`, `double_exponential_smoothing`.

use eval::kahan::Kahan;
use eval::window::Window;
use model::{TimestampMs, Value};

use super::over_time::histograms_ignored;
use super::range::Range;

/// Floats of the window, if there are at least two. Histograms beside them are ignored, with a remark.
fn at_least_two(range: &Range<'_>, w: &Window<'_>) -> bool {
    if !w.floats.is_empty() && !w.histograms.is_empty() {
        histograms_ignored(range);
    }
    w.floats.len() >= 2
}

pub(super) fn deriv(range: &Range<'_>, w: &Window<'_>) -> Option<Value> {
    // Any intercept time near the samples keeps the numbers small.
    at_least_two(range, w).then(|| Value::Float(linear_regression(w, w.times()[0]).0))
}

pub(super) fn predict_linear(range: &Range<'_>, w: &Window<'_>) -> Option<Value> {
    at_least_two(range, w).then(|| {
        let (slope, intercept) = linear_regression(w, w.step_time);
        Value::Float(slope * range.scalar(0) + intercept)
    })
}

/// Slope per second, and the value at `intercept_time`, by least squares.
fn linear_regression(w: &Window<'_>, intercept_time: TimestampMs) -> (f64, f64) {
    let (times, values) = (w.times(), w.values());
    let first = values[0];
    if values.iter().all(|v| *v == first) {
        return if first.is_infinite() { (f64::NAN, f64::NAN) } else { (0.0, first) };
    }
    let n = values.len() as f64;
    let [mut sum_x, mut sum_y, mut sum_xy, mut sum_xx] = [Kahan::default(); 4];
    for (t, y) in times.iter().zip(values) {
        let x = (t - intercept_time) as f64 / 1000.0;
        sum_x = sum_x.add(x);
        sum_y = sum_y.add(*y);
        sum_xy = sum_xy.add(x * y);
        sum_xx = sum_xx.add(x * x);
    }
    let (sum_x, sum_y) = (sum_x.value(), sum_y.value());
    let covariance = sum_xy.value() - sum_x * sum_y / n;
    let variance = sum_xx.value() - sum_x * sum_x / n;
    let slope = covariance / variance;
    (slope, sum_y / n - slope * sum_x / n)
}

/// Holt's linear method with a smoothing and a trend factor.
pub(super) fn smooth(range: &Range<'_>, w: &Window<'_>) -> Option<Value> {
    if !at_least_two(range, w) {
        return None;
    }
    let (smoothing, trend_factor) = (range.scalar(0), range.scalar(1));
    let values = w.values();
    let (mut before, mut level, mut trend) = (0.0, values[0], values[1] - values[0]);
    for (i, v) in values.iter().enumerate().skip(1) {
        let scaled = smoothing * v;
        if i > 1 {
            trend = trend_factor * (level - before) + (1.0 - trend_factor) * trend;
        }
        let carried = (1.0 - smoothing) * (level + trend);
        (before, level) = (level, scaled + carried);
    }
    Some(Value::Float(level))
}
