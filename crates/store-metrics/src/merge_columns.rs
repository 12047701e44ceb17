//! Merging the columns of one series from several places.

use model::{TimestampMs, Value};
use storage::metrics::SampleColumns;

use crate::head::counter_reset::forget;

/// Merges `more` into `columns` by time. Of two samples with one time, that of `columns` stays.
pub fn merge_columns(columns: &mut SampleColumns, more: &SampleColumns) {
    if more.is_empty() {
        return;
    }
    let last = columns.float_times.last().copied().max(columns.histograms.last().map(|(t, _)| *t));
    let first = match (more.float_times.first(), more.histograms.first()) {
        (Some(t), Some((h, _))) => Some(*t.min(h)),
        (Some(t), None) => Some(*t),
        (None, first) => first.map(|(t, _)| *t),
    };
    // The usual case: a newer part, or the head after the last part.
    if last < first {
        columns.float_times.extend_from_slice(&more.float_times);
        columns.floats.extend_from_slice(&more.floats);
        columns.histograms.extend_from_slice(&more.histograms);
        columns.start_times.extend_from_slice(&more.start_times);
        return;
    }
    let mut all: Vec<(TimestampMs, bool, Value)> = Vec::with_capacity(columns.len() + more.len());
    for (source, is_more) in [(&*columns, false), (more, true)] {
        let floats = source.float_times.iter().zip(&source.floats);
        all.extend(floats.map(|(t, v)| (*t, is_more, Value::Float(*v))));
        all.extend(source.histograms.iter().map(|(t, h)| (*t, is_more, Value::Histogram(h.clone()))));
    }
    all.sort_by_key(|(t, is_more, _)| (*t, *is_more));
    all.dedup_by_key(|(t, _, _)| *t);
    // A histogram that has got another predecessor can say nothing about it.
    for i in 1..all.len() {
        let moved = all[i - 1].1 != all[i].1;
        if let (true, Value::Histogram(histogram)) = (moved, &mut all[i].2) {
            forget(histogram);
        }
    }
    let starts = merged_starts(columns, more, &all);
    columns.clear();
    columns.start_times = starts;
    all.into_iter().for_each(|(t, _, value)| columns.push(t, value));
}

/// The start times of the samples that stay.
fn merged_starts(
    columns: &SampleColumns,
    more: &SampleColumns,
    staying: &[(TimestampMs, bool, Value)],
) -> Vec<(TimestampMs, TimestampMs)> {
    if columns.start_times.is_empty() && more.start_times.is_empty() {
        return Vec::new();
    }
    let start_of = |(t, is_more, _): &(TimestampMs, bool, Value)| {
        let starts = if *is_more { &more.start_times } else { &columns.start_times };
        let at = starts.binary_search_by_key(t, |(time, _)| *time).ok()?;
        starts.get(at).copied()
    };
    staying.iter().filter_map(start_of).collect()
}

/// Removes the samples whose time is in one of the closed ranges.
pub fn remove_ranges(columns: &mut SampleColumns, ranges: &[(TimestampMs, TimestampMs)]) {
    let deleted = |t: TimestampMs| ranges.iter().any(|(min, max)| (*min..=*max).contains(&t));
    if ranges.is_empty() {
        return;
    }
    let mut keep = columns.float_times.iter().map(|t| !deleted(*t));
    columns.floats.retain(|_| keep.next().unwrap_or(true));
    columns.float_times.retain(|t| !deleted(*t));
    columns.start_times.retain(|(t, _)| !deleted(*t));
    let mut gap = false;
    columns.histograms.retain_mut(|(t, histogram)| {
        let keep = !deleted(*t);
        if keep && gap {
            forget(histogram);
        }
        gap = !keep;
        keep
    });
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::FloatHistogram;

    use super::*;

    fn columns(text: &str) -> SampleColumns {
        let mut out = SampleColumns::default();
        for word in text.split_whitespace() {
            let (t, v) = word.split_once('=').unwrap();
            let histogram =
                |sum: &str| Arc::new(FloatHistogram { sum: sum.parse().unwrap(), ..Default::default() });
            out.push(
                t.parse().unwrap(),
                match v.strip_prefix('h') {
                    Some(sum) => Value::Histogram(histogram(sum)),
                    None => Value::Float(v.parse().unwrap()),
                },
            );
        }
        out
    }

    #[test]
    fn the_first_source_wins() {
        let check = |a: &str, b: &str, expected: &str| {
            let mut merged = columns(a);
            merge_columns(&mut merged, &columns(b));
            assert_eq!(merged, columns(expected), "{a} + {b}");
        };
        check("", "", "");
        check("1=1", "", "1=1");
        check("", "1=1", "1=1");
        check("1=1 2=2", "3=3", "1=1 2=2 3=3");
        check("3=3", "1=1 2=2", "1=1 2=2 3=3");
        check("1=1 3=3", "1=9 2=2 3=9 4=4", "1=1 2=2 3=3 4=4");
        check("1=h1 3=3", "1=9 3=h9 5=h5", "1=h1 3=3 5=h5");
        check("2=2", "2=h9", "2=2");
        check("2=h2", "2=9", "2=h2");
    }

    #[test]
    fn start_times_follow_their_samples() {
        let with = |text: &str, starts: &[(i64, i64)]| SampleColumns {
            start_times: starts.to_vec(),
            ..columns(text)
        };
        let mut merged = with("1=1 3=3 5=5", &[(1, 1), (5, 4)]);
        merge_columns(&mut merged, &with("2=2 3=9 4=h4", &[(2, 1), (3, 2), (4, 1)]));
        assert_eq!(merged, with("1=1 2=2 3=3 4=h4 5=5", &[(1, 1), (2, 1), (4, 1), (5, 4)]));
        merge_columns(&mut merged, &with("6=6", &[(6, 6)]));
        remove_ranges(&mut merged, &[(2, 4)]);
        assert_eq!(merged, with("1=1 5=5 6=6", &[(1, 1), (5, 4), (6, 6)]));
    }

    #[test]
    fn ranges_are_closed() {
        let mut c = columns("1=1 2=2 3=h3 4=4 5=5");
        remove_ranges(&mut c, &[(2, 3), (5, 9)]);
        assert_eq!(c, columns("1=1 4=4"));
    }
}
