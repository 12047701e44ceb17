//! Samples of one series from several places.

use std::sync::Arc;

use model::{FloatHistogram, ResetHint, TimestampMs, Value};
use storage::metrics::SampleColumns;

/// Adds `more` to `columns` by time. Of two samples with one time, that of `columns` stays.
pub fn merge(columns: &mut SampleColumns, mut more: SampleColumns) {
    if more.is_empty() {
        return;
    }
    if last(columns) < first(&more) {
        columns.float_times.append(&mut more.float_times);
        columns.floats.append(&mut more.floats);
        columns.histograms.append(&mut more.histograms);
        columns.start_times.append(&mut more.start_times);
        return;
    }
    let mut all: Vec<(TimestampMs, u8, Value, TimestampMs)> = Vec::with_capacity(columns.len() + more.len());
    for (rank, source) in [(0, &*columns), (1, &more)] {
        let start = |t: TimestampMs| {
            let at = source.start_times.binary_search_by_key(&t, |(t, _)| *t).ok();
            at.and_then(|at| source.start_times.get(at)).map_or(0, |(_, start)| *start)
        };
        let floats = source.float_times.iter().zip(&source.floats);
        all.extend(floats.map(|(t, v)| (*t, rank, Value::Float(*v), start(*t))));
        let histograms = source.histograms.iter();
        all.extend(histograms.map(|(t, h)| (*t, rank, Value::Histogram(h.clone()), start(*t))));
    }
    all.sort_by_key(|(t, rank, ..)| (*t, *rank));
    all.dedup_by_key(|(t, ..)| *t);
    columns.clear();
    let mut before = None;
    for (t, rank, mut value, start) in all {
        // With another predecessor than the one it was compared with, it can say nothing about resets.
        if before != Some(rank)
            && let Value::Histogram(histogram) = &mut value
        {
            forget_reset(histogram);
        }
        before = Some(rank);
        columns.push(t, value);
        if start != 0 {
            columns.start_times.push((t, start));
        }
    }
}

fn forget_reset(histogram: &mut Arc<FloatHistogram>) {
    if matches!(histogram.reset_hint, ResetHint::NotCounterReset | ResetHint::CounterReset) {
        Arc::make_mut(histogram).reset_hint = ResetHint::Unknown;
    }
}

/// Keeps the samples whose time `keep` accepts.
pub fn keep(columns: &mut SampleColumns, keep: impl Fn(TimestampMs) -> bool) {
    if columns.float_times.iter().all(|t| keep(*t)) && columns.histograms.iter().all(|(t, _)| keep(*t)) {
        return;
    }
    let mut kept = columns.float_times.iter().map(|t| keep(*t));
    columns.floats.retain(|_| kept.next().unwrap_or(false));
    columns.float_times.retain(|t| keep(*t));
    columns.start_times.retain(|(t, _)| keep(*t));
    let mut gap = false;
    columns.histograms.retain_mut(|(t, histogram)| {
        let keep = keep(*t);
        if keep && gap {
            forget_reset(histogram);
        }
        gap = !keep;
        keep
    });
}

/// Time of the newest sample.
pub fn last(columns: &SampleColumns) -> Option<TimestampMs> {
    columns.float_times.last().copied().max(columns.histograms.last().map(|(t, _)| *t))
}

/// Time of the oldest sample.
pub fn first(columns: &SampleColumns) -> Option<TimestampMs> {
    let floats = columns.float_times.first().copied();
    let histograms = columns.histograms.first().map(|(t, _)| *t);
    match (floats, histograms) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floats(samples: &[(i64, f64)]) -> SampleColumns {
        let (float_times, floats) = samples.iter().copied().unzip();
        SampleColumns { float_times, floats, ..SampleColumns::default() }
    }

    #[test]
    fn the_first_source_stays() {
        let check = |a: &[(i64, f64)], b: &[(i64, f64)], expected: &[(i64, f64)]| {
            let mut merged = floats(a);
            merge(&mut merged, floats(b));
            assert_eq!(merged, floats(expected), "{a:?} {b:?}");
        };
        check(&[], &[(1, 1.0)], &[(1, 1.0)]);
        check(&[(1, 1.0)], &[], &[(1, 1.0)]);
        check(&[(1, 1.0)], &[(2, 2.0)], &[(1, 1.0), (2, 2.0)]);
        check(&[(1, 1.0), (3, 3.0)], &[(1, 9.0), (2, 2.0)], &[(1, 1.0), (2, 2.0), (3, 3.0)]);
    }

    #[test]
    fn hints_hold_only_for_the_predecessor_they_were_made_for() {
        let histogram = |hint| Arc::new(FloatHistogram { reset_hint: hint, ..FloatHistogram::default() });
        let series = |times: &[i64]| SampleColumns {
            histograms: times.iter().map(|t| (*t, histogram(ResetHint::NotCounterReset))).collect(),
            ..SampleColumns::default()
        };
        let hints = |columns: &SampleColumns| {
            columns
                .histograms
                .iter()
                .map(|(_, h)| h.reset_hint == ResetHint::NotCounterReset)
                .collect::<Vec<_>>()
        };
        let mut merged = series(&[1, 2, 5, 6]);
        merge(&mut merged, series(&[3, 4]));
        assert_eq!(hints(&merged), [false, true, false, true, false, true]);
        keep(&mut merged, |t| t != 4);
        assert_eq!(hints(&merged), [false, true, false, false, true]);
    }
}
