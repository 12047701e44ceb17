//! What a cell remembers of its entries, per range function.

/// What the end of a window's computation knows beside its cells.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WindowContext {
    pub range_seconds: f64,
    pub quantile: f64,
    /// Window `(start, end]` in nanoseconds.
    pub start: i64,
    pub end: i64,
}

/// The summary of some entries. Merging summaries of neighbouring times, earlier first, gives the summary
/// of the whole.
pub(crate) trait Cell: Default + Clone + Send {
    fn add(&mut self, ts: i64, v: f64);
    fn merge(&mut self, later: &Self);
    fn finish(&mut self, context: &WindowContext) -> f64;
}

/// Sums and counts.
#[derive(Debug, Default, Clone)]
pub(crate) struct Sum(f64);

impl Cell for Sum {
    fn add(&mut self, _: i64, v: f64) {
        self.0 += v;
    }
    fn merge(&mut self, later: &Sum) {
        self.0 += later.0;
    }
    fn finish(&mut self, _: &WindowContext) -> f64 {
        self.0
    }
}

/// Sums per second of the window.
#[derive(Debug, Default, Clone)]
pub(crate) struct Rate(Sum);

impl Cell for Rate {
    fn add(&mut self, ts: i64, v: f64) {
        self.0.add(ts, v);
    }
    fn merge(&mut self, later: &Rate) {
        self.0.merge(&later.0);
    }
    fn finish(&mut self, context: &WindowContext) -> f64 {
        self.0.0 / context.range_seconds
    }
}

#[derive(Debug, Default, Clone)]
pub(crate) struct Average {
    sum: f64,
    count: f64,
}

impl Cell for Average {
    fn add(&mut self, _: i64, v: f64) {
        self.sum += v;
        self.count += 1.0;
    }
    fn merge(&mut self, later: &Average) {
        self.sum += later.sum;
        self.count += later.count;
    }
    fn finish(&mut self, _: &WindowContext) -> f64 {
        self.sum / self.count
    }
}

/// The smallest value, or with `MAX` the largest. A NaN gives way to any number.
#[derive(Debug, Default, Clone)]
pub(crate) struct Extreme<const MAX: bool>(Option<f64>);

impl<const MAX: bool> Cell for Extreme<MAX> {
    fn add(&mut self, _: i64, v: f64) {
        let better = |old: f64| if MAX { v > old } else { v < old };
        if self.0.is_none_or(|old| better(old) || old.is_nan()) {
            self.0 = Some(v);
        }
    }
    fn merge(&mut self, later: &Self) {
        if let Some(v) = later.0 {
            self.add(0, v);
        }
    }
    fn finish(&mut self, _: &WindowContext) -> f64 {
        self.0.unwrap_or(f64::NAN)
    }
}

/// The earliest value, or with `LAST` the latest.
#[derive(Debug, Default, Clone)]
pub(crate) struct Edge<const LAST: bool>(Option<(i64, f64)>);

impl<const LAST: bool> Cell for Edge<LAST> {
    fn add(&mut self, ts: i64, v: f64) {
        let better = |old: i64| if LAST { ts >= old } else { ts < old };
        if self.0.is_none_or(|(old, _)| better(old)) {
            self.0 = Some((ts, v));
        }
    }
    fn merge(&mut self, later: &Self) {
        if let Some((ts, v)) = later.0 {
            self.add(ts, v);
        }
    }
    fn finish(&mut self, _: &WindowContext) -> f64 {
        self.0.map_or(f64::NAN, |(_, v)| v)
    }
}

/// Variance by Welford's method, merged by Chan's formula; with `ROOT` the standard deviation.
#[derive(Debug, Default, Clone)]
pub(crate) struct Spread<const ROOT: bool> {
    count: f64,
    mean: f64,
    squares: f64,
}

impl<const ROOT: bool> Cell for Spread<ROOT> {
    fn add(&mut self, _: i64, v: f64) {
        self.count += 1.0;
        let delta = v - self.mean;
        self.mean += delta / self.count;
        self.squares += delta * (v - self.mean);
    }
    fn merge(&mut self, later: &Self) {
        let count = self.count + later.count;
        if later.count == 0.0 {
            return;
        }
        let delta = later.mean - self.mean;
        self.squares += later.squares + delta * delta * self.count * later.count / count;
        self.mean += delta * later.count / count;
        self.count = count;
    }
    fn finish(&mut self, _: &WindowContext) -> f64 {
        let variance = self.squares / self.count;
        if ROOT { variance.sqrt() } else { variance }
    }
}

/// All values, for what cannot be summarised.
#[derive(Debug, Default, Clone)]
pub(crate) struct Quantile(Vec<f64>);

impl Cell for Quantile {
    fn add(&mut self, _: i64, v: f64) {
        self.0.push(v);
    }
    fn merge(&mut self, later: &Quantile) {
        self.0.extend_from_slice(&later.0);
    }
    fn finish(&mut self, context: &WindowContext) -> f64 {
        quantile(context.quantile, &mut self.0)
    }
}

/// The φ-quantile with linear interpolation between the two nearest ranks.
pub(crate) fn quantile(q: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    values.sort_unstable_by(f64::total_cmp);
    let rank = q * (values.len() - 1) as f64;
    let (low, high) = (rank.floor() as usize, (rank.floor() as usize + 1).min(values.len() - 1));
    let weight = rank - rank.floor();
    values[low] * (1.0 - weight) + values[high] * weight
}

/// The per-second increase of a counter, extrapolated to the window's edges as Prometheus' `rate` does.
#[derive(Debug, Default, Clone)]
pub(crate) struct CounterRate(Vec<(i64, f64)>);

impl Cell for CounterRate {
    fn add(&mut self, ts: i64, v: f64) {
        self.0.push((ts, v));
    }
    fn merge(&mut self, later: &CounterRate) {
        self.0.extend_from_slice(&later.0);
    }
    fn finish(&mut self, context: &WindowContext) -> f64 {
        self.0.sort_by_key(|(ts, _)| *ts);
        let ([(first_ts, first), .., (last_ts, last)], count) = (self.0.as_slice(), self.0.len()) else {
            return model::stale_nan();
        };
        let mut increase = last - first;
        for pair in self.0.windows(2) {
            if let [(_, before), (_, after)] = pair
                && after < before
            {
                increase += before;
            }
        }
        let seconds = |ns: i64| ns as f64 / 1e9;
        let sampled = seconds(last_ts - first_ts);
        let between = sampled / (count - 1) as f64;
        let mut to_start = seconds(first_ts - context.start);
        let to_end = seconds(context.end - last_ts);
        if increase > 0.0 && *first >= 0.0 {
            // A counter starts at zero: extrapolation must not go below it.
            to_start = to_start.min(sampled * (first / increase));
        }
        let threshold = between * 1.1;
        let edge = |gap: f64| if gap < threshold { gap } else { between / 2.0 };
        let extrapolated = sampled + edge(to_start) + edge(to_end);
        increase * (extrapolated / sampled) / context.range_seconds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTEXT: WindowContext = WindowContext { range_seconds: 10.0, quantile: 0.5, start: 0, end: 10 };

    fn check<C: Cell>(values: &[f64], expected: f64) {
        // Whatever the cut, the merged summary is the same.
        for cut in 0..=values.len() {
            let (mut a, mut b) = (C::default(), C::default());
            for (i, v) in values.iter().enumerate() {
                if i < cut { a.add(i as i64, *v) } else { b.add(i as i64, *v) }
            }
            a.merge(&b);
            let got = a.finish(&CONTEXT);
            assert!((got - expected).abs() < 1e-12, "{got} != {expected} cut at {cut}");
        }
    }

    #[test]
    fn summaries_merge() {
        let values = [3.0, 1.0, 4.0, 1.0, 5.0];
        check::<Sum>(&values, 14.0);
        check::<Rate>(&values, 1.4);
        check::<Average>(&values, 2.8);
        check::<Extreme<false>>(&values, 1.0);
        check::<Extreme<true>>(&values, 5.0);
        check::<Edge<false>>(&values, 3.0);
        check::<Edge<true>>(&values, 5.0);
        check::<Spread<false>>(&values, 2.56);
        check::<Spread<true>>(&values, 1.6);
        check::<Quantile>(&values, 3.0);
    }
}
